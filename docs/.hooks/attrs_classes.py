"""Give attrs classes the constructor that attrs makes, so that the reference shows its arguments with types and defaults."""

from __future__ import annotations

from typing import Any

import griffe

DECORATORS = {"attrs.frozen", "attrs.define"}


class AttrsClasses(griffe.Extension):
    """Adds ``__init__`` to each attrs class of the package."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Walk over the classes of the package."""
        _walk(pkg)


def _walk(holder: griffe.Module | griffe.Class) -> None:
    for member in list(holder.members.values()):
        if isinstance(member, griffe.Module | griffe.Class):
            _walk(member)
    if isinstance(holder, griffe.Class) and "__init__" not in holder.members:
        for decorator in _decorators(holder):
            holder.set_member("__init__", _constructor(holder, decorator))


def _decorators(one: griffe.Class) -> list[str]:
    return [str(each.value) for each in one.decorators if each.callable_path in DECORATORS]


def _constructor(holder: griffe.Class, decorator: str) -> griffe.Function:
    kinds = griffe.ParameterKind
    parameters = [griffe.Parameter("self", kind=kinds.positional_or_keyword)]
    classes = [one for one in [*reversed(holder.mro()), holder] if _decorators(one)]
    fields = {name: field for one in classes for name, field in one.members.items()}
    for name, field in fields.items():
        value = str(getattr(field, "value", None) or "")
        if not isinstance(field, griffe.Attribute) or field.annotation is None:
            continue
        if "property" in field.labels or "init=False" in value:
            continue
        # The one field_transformer of the package lets the first field alone be positional.
        by_name = "kw_only=True" in decorator + value or (
            "field_transformer" in decorator and len(parameters) > 1
        )
        kind = kinds.keyword_only if by_name else kinds.positional_or_keyword
        parameters.append(
            griffe.Parameter(
                name.lstrip("_"), annotation=field.annotation, kind=kind, default=_default(field, value)
            )
        )
    return griffe.Function("__init__", parameters=griffe.Parameters(*parameters), parent=holder)


def _default(field: griffe.Attribute, value: str) -> Any:
    if "attrs.field(" not in value and "attrs.Factory(" not in value:
        return field.value
    for argument in getattr(field.value, "arguments", ()):
        if getattr(argument, "name", "") == "default":
            return argument.value
        if getattr(argument, "name", "") in ("factory", "takes_self"):
            return "..."
    return None
