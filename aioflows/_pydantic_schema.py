"""Flow instances in pydantic, and so in FastAPI: what a value is, what it becomes in JSON, and its JSON schema.

Only pydantic imports this module (`aioflows.models.FlowInstance.__get_pydantic_core_schema__`), so it may import
pydantic_core, which comes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic_core import core_schema as core

__all__ = ["core_schema_of", "json_schema_of"]

_TEXT = {"type": "string"}
_OF_KIND: dict[str, tuple[Callable[[], core.CoreSchema], dict[str, Any]]] = {
    "str": (core.str_schema, _TEXT),
    "int": (core.int_schema, {"type": "integer"}),
    "FlowStatus": (core.int_schema, {"type": "integer"}),
    "bool": (core.bool_schema, {"type": "boolean"}),
    "datetime": (lambda: core.datetime_schema(tz_constraint="aware"), _TEXT | {"format": "date-time"}),
    "Json": (core.any_schema, {}),
    "Mapping[str": (core.dict_schema, {"type": "object"}),
}
"""By the first word of a field's type: what a value must be, and its JSON schema."""


def core_schema_of(type: Any, fields: Iterable[tuple[str, str]]) -> core.CoreSchema:
    """Return the schema of flow instances: an instance, or the members that ``to_dict`` returns.

    Args:
        type: the class.
        fields: the names and the types of the fields.
    """
    members = {
        name: core.typed_dict_field(_checked(name, kind), required=name == "instance_id")
        for name, kind in fields
    }
    made = core.no_info_after_validator_function(
        lambda given: type(**given), core.typed_dict_schema(members, total=False)
    )
    return core.json_or_python_schema(
        json_schema=made,
        python_schema=core.union_schema([core.is_instance_schema(type), made], mode="left_to_right"),
        ref=f"{type.__module__}.{type.__qualname__}:{id(type)}",  # so that a schema defines it once, by its name
        serialization=core.plain_serializer_function_ser_schema(type.to_dict, when_used="json"),
    )


def json_schema_of(name: str, fields: Iterable[tuple[str, str]], description: str) -> dict[str, Any]:
    """Return the JSON schema of the members that ``to_dict`` returns."""
    return {
        "title": name,
        "description": description,
        "type": "object",
        "properties": {field: _shown(field, kind) for field, kind in fields},
        "required": ["instance_id"],
    }


def _parts(kind: str) -> tuple[Callable[[], core.CoreSchema], Mapping[str, Any]]:
    return _OF_KIND[kind.partition(" ")[0].partition(",")[0]]


def _checked(name: str, kind: str) -> core.CoreSchema:
    schema = _parts(kind)[0]()
    return schema if name in ("instance_id", "extra") else core.nullable_schema(schema)


def _shown(name: str, kind: str) -> dict[str, Any]:
    shown = dict(_parts(kind)[1])
    return shown if name in ("instance_id", "extra") or not shown else {"anyOf": [shown, {"type": "null"}]}
