"""The codec of rows: rows of an answer become flow instances.

attrs defines the class, cattrs chooses the function that builds it, and msgspec reads the bytes. One hook is
registered for a list of flow instances, so cattrs is called once per page and not once per field. The hook
has two ways:

1. Rows that msgspec has decoded and checked become instances without Python code per field.
2. Rows with an undocumented type somewhere stay dictionaries and are built one by one. A scalar of another
   type is converted if possible (``"1"`` for 1), and kept in `FlowInstance.extra` if not. An object or a list
   in place of a scalar raises an `AnswerError` that names its path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import starmap
from typing import TYPE_CHECKING, Any

import attrs
import msgspec

from aioflows._core.wire.rows import NAMES, OTHER_TIMES, Row
from aioflows._json_text import as_member
from aioflows._moments import moment
from aioflows.errors import AnswerError
from aioflows.models import FlowInstance, StoredInstance, into_instances

if TYPE_CHECKING:
    import cattrs

__all__ = ["Rows", "flow_instances"]

_WIRE_NAMES = frozenset(NAMES)
_WIRE_NAME = dict(zip(Row.__struct_fields__, NAMES, strict=True))
_FIELDS = {name: field for field, name in _WIRE_NAME.items()}
_APART = ("triggerTime", "graph", *OTHER_TIMES)  # members that are not read together with the others
_READ = {field: name for field, name in _WIRE_NAME.items() if name not in _APART}


@attrs.frozen
class Rows:
    """Rows of one page for cattrs: decoded rows, or loose ones.

    Args:
        times: the trigger times of the rows.
        epoch: 1970-01-01 00:00:00 in the service's zone.
        decoded: the rows that msgspec decoded. Default: none.
        loose: the rows as dictionaries, if msgspec found an undocumented type. Default: none.
        paths: the path of each loose row in the answer. Default: none.
        date: corrects the times of loose rows, which are already in decoded ones. Default: None, nothing does.
    """

    times: Sequence[datetime]
    epoch: datetime
    decoded: Sequence[Row] = ()
    loose: Sequence[Mapping[str, Any]] = ()
    paths: Sequence[str] = ()
    date: Callable[[Sequence[StoredInstance]], object] | None = None


def _refused(value: object, expected: str) -> TypeError:
    return TypeError(f"expected {expected}, not {type(value).__name__}")


def _text(value: object, _: object = None) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return str(value).lower() if isinstance(value, bool) else str(value)
    raise _refused(value, "a text")


def _whole(value: object, _: object = None) -> int | None:
    if value is None or isinstance(value, int):
        return None if value is None else int(value)
    if isinstance(value, (str, float)):
        return _int(value)
    raise _refused(value, "a whole number")


def _int(value: str | float) -> int | None:
    try:
        number = float(value)
        return int(value) if number.is_integer() else None
    except (ValueError, OverflowError):
        return None


_FLAGS = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}


def _flag(value: object, _: object = None) -> bool | None:
    if isinstance(value, str):
        return _FLAGS.get(value.strip().lower())
    if value is None or isinstance(value, (bool, int, float)):
        return None if value is None else _FLAGS.get(value)
    raise _refused(value, "true or false")


def _any(value: object, _: object = None) -> object:
    return value


_HOOKS = {"str": _text, "int": _whole, "bool": _flag, "FlowStatus": _whole, "Json": _any}


@cache
def _converter() -> cattrs.Converter:
    # cattrs takes a tenth of the time in which this package is imported, so it is imported with the first page.
    import cattrs  # noqa: PLC0415
    from cattrs.gen import make_dict_structure_fn, override  # noqa: PLC0415

    converter = cattrs.Converter(detailed_validation=True)
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(StoredInstance)
    overrides: dict[str, Any] = {
        field.name: override(rename=name, struct_hook=_HOOKS[str(field.type).partition(" ")[0]])
        for field, name in zip(fields, NAMES, strict=False)
        if name not in _APART
    }
    overrides |= {name: override(omit=True) for name in (*map(_FIELDS.__getitem__, _APART), "extra")}
    by_hand = make_dict_structure_fn(StoredInstance, converter, **overrides)
    converter.register_structure_hook(StoredInstance, by_hand)
    converter.register_structure_hook_func(lambda kind: kind == list[FlowInstance], _structure)
    return converter


def _structure(rows: Rows, _: object) -> list[FlowInstance]:
    stored = list(map(_one, rows.loose, rows.paths)) if rows.loose else _all(rows.decoded)
    if rows.loose and rows.date is not None:
        rows.date(stored)
    return into_instances(stored, rows.times, rows.epoch)


def _all(rows: Sequence[Row]) -> list[StoredInstance]:
    tuples = map(msgspec.structs.astuple, rows)
    unknown = type(rows[0]).__struct_encode_fields__[len(NAMES) :] if rows else ()
    if not unknown:
        return list(starmap(StoredInstance, tuples))
    # One loop without function calls: every row takes this path if a service has added a member.
    many, stored = len(NAMES), []
    places = tuple(enumerate(unknown, many))
    for values in tuples:
        row = StoredInstance(*values[:many])
        row.extra = extra = {}
        for place, name in places:
            if (value := values[place]) is not msgspec.UNSET:
                extra[name] = value
        stored.append(row)
    return stored


def _one(row: Mapping[str, Any], path: str) -> StoredInstance:
    extra: dict[str, Any] = {}
    if not row.keys() <= _WIRE_NAMES:
        extra = {name: value for name, value in row.items() if name not in _WIRE_NAMES}
        row = {name: value for name, value in row.items() if name in _WIRE_NAMES}
    row = dict(row)
    graph = row.pop("graph", None)
    row.pop("triggerTime", None)  # it was read before, for all rows
    # msgspec would read any number as seconds.
    times = {name: row.pop(name, None) for name in OTHER_TIMES}
    try:
        stored = StoredInstance(*msgspec.structs.astuple(msgspec.convert(row, Row, strict=False)))
    except (msgspec.ValidationError, ValueError):
        stored = _by_hand(row, path)
        for field, name in _READ.items():
            if getattr(stored, field) is None and row.get(name) not in (None, ""):
                extra[name] = row[name]
    for name, value in times.items():
        if value is None or value == "":
            continue
        if isinstance(value, dict):
            raise AnswerError("expected a time, not dict", f"{path}.{name}")
        time = moment(value)
        if time is None:
            extra[name] = value
        setattr(stored, _FIELDS[name], time)
    stored.graph = as_member(graph)
    if extra:
        stored.extra = extra
    return stored


def _by_hand(row: Mapping[str, Any], path: str) -> StoredInstance:
    import cattrs  # noqa: PLC0415  (as in `_converter`)

    try:
        return _converter().structure(row, StoredInstance)
    except cattrs.BaseValidationError as error:
        problem, _, field = cattrs.transform_error(error, "", _error_text)[0].rpartition(" @ .")
        raise AnswerError(problem, f"{path}.{_WIRE_NAME.get(field, field)}") from None


def _error_text(error: BaseException, _: object) -> str:
    return str(error)


def flow_instances(rows: Rows) -> list[FlowInstance]:
    """Return flow instances from rows.

    Raises:
        AnswerError: a row cannot be read. The error names the path.
    """
    return _converter().structure(rows, list[FlowInstance])
