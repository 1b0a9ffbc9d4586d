"""Flow instances and pages as values: plain attrs classes that do not depend on the shape of an answer.

A `FlowInstance` is two classes, for speed. The decoder fills a `StoredInstance`, a page at a time and with no
Python code per field. Its slots hold each value as it was received: a time without zone, a status as a
number, the graph as bytes. `FlowInstance` adds no slot. It is the same object after its ``__class__`` was
switched, and it is frozen. Its properties convert a value when it is read: to a time with zone, a
`FlowStatus`, a decoded graph. Because values are converted on reading, a page costs at most 1.35 times as
much as bare dictionaries (``benchmarks/decode.py``).
"""

# ruff: noqa: SLF001  (the two classes are one object)

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import attrs

from aioflows._display.html import facts
from aioflows._instance_json import json_of_row, members_of_row
from aioflows._json_text import DecodedText, Json, as_member, decoded, read_member, text_of
from aioflows._statuses import FINAL, STATUSES, FlowStatus, ScheduleType
from aioflows._tasks import FlowTask, tasks_of
from aioflows.errors import QueryError

__all__ = ["FlowInstance", "FlowPage", "FlowStatus", "FlowTask", "Json", "ScheduleType"]

_NOTHING: Any = None  # stands for an empty mapping: one dict per row would cost 64 bytes
NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (slots hold times without a zone)


class _Readings:
    """The zone that a row's times are read in, beside its fields."""

    __slots__ = ("_epoch",)

    _epoch: datetime  # 1970-01-01 00:00:00 in the service's zone, one object for all rows of a page


@attrs.define(repr=False, eq=False)
class StoredInstance(_Readings):
    """A flow instance as the decoder fills it; `into_instances` turns it into a `FlowInstance`."""

    instance_id: str
    flow_id: int | None = None
    flow_name: str | None = None
    freq: str | None = None
    cycle: str | None = None
    parameters: Json = None
    do_as: str | None = None
    graph: Json = None
    status: FlowStatus | int | None = None
    status_desc: str | None = None
    trigger_time: datetime | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    timestamp: datetime | None = None
    virtual: bool | None = None
    owner: str | None = None
    has_edit_pri: bool | None = None
    has_read_pri: bool | None = None
    is_cancelled: bool | None = None
    alert_mode: int | None = None
    cal_dt: str | None = None
    extra: Mapping[str, Json] = _NOTHING


def into_instances(
    rows: Sequence[StoredInstance], trigger_times: Iterable[datetime], epoch: datetime
) -> list[FlowInstance]:
    """Turn stored rows into flow instances, in place.

    Args:
        rows: the stored rows. The function changes their class and returns them.
        trigger_times: their trigger times, aware.
        epoch: 1970-01-01 00:00:00 in the service's zone.
    """
    row: Any
    for row, time in zip(rows, trigger_times, strict=True):
        row._epoch = epoch
        row.trigger_time = time
        row.__class__ = FlowInstance
    return cast("list[FlowInstance]", rows)


def _slot(name: str) -> Any:
    return vars(StoredInstance)[name]


def _json(name: str, kept: type, read: Callable[[Any], Json | DecodedText]) -> Callable[[Any], Json]:
    slot = _slot(name)

    def read_once(row: Any) -> Json:
        value = slot.__get__(row)
        if isinstance(value, kept):
            value = read(value)
            slot.__set__(row, value)
        return value.value if isinstance(value, DecodedText) else value

    return read_once


_TEXTS = {"graph": "graph_text", "parameters": "parameters_text"}
_SHOWN = [
    name
    for field in attrs.fields(StoredInstance)
    for name in (("end_time", "duration") if field.name == "end_time" else (field.name,))
    if name != "instance_id"
]
_FIELDS = [field.name for field in attrs.fields(StoredInstance)]
_TYPED_FIELDS = [(field.name, str(field.type)) for field in attrs.fields(StoredInstance)]
_SLOTS = [_slot(name) for name in _FIELDS]
_RESTORED: dict[int, Callable[[str], Any]] = {
    _FIELDS.index("graph"): as_member,
    _FIELDS.index("parameters"): str,
}
"""By the index of the slot: the function that turns a decoded text back into the slot's first value."""


def _keywords(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    return [field.evolve(kw_only=field.name != "instance_id") for field in fields]


class _Fields(StoredInstance):
    """The holder of the fields of `FlowInstance` in attrs, which finds them here as well as in the class itself.

    msgspec encodes a class that has them itself by reading its slots, past the properties: times without a zone. So
    it refuses flow instances, and hands them to an ``enc_hook``, if there is one.
    """

    __slots__ = ()


@attrs.frozen(repr=False, field_transformer=_keywords)
class FlowInstance(_Fields):
    """A flow instance: one run of a flow, scheduled for one moment.

    Only ``instance_id`` is required. A field is None if the service omitted it or sent null. Two instances
    are equal if all their fields are equal.

    Args:
        instance_id: the unique id, as in ``2809-20190812080700``.
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        freq: the Quartz cron expression, with seven fields.
        cycle: ``M`` month, ``W`` week, ``D`` day, ``H`` hour, ``mi`` minute.
        parameters: the parameters as JSON, decoded when first read. They may be given as a text.
        do_as: the big-data account.
        graph: the task graph as JSON, decoded when first read. It may be given as a text. A text that cannot
            be decoded is returned unchanged.
        status: a `FlowStatus`, or a plain int for a code that is not in the vendor's table.
        status_desc: the service's name of the status.
        trigger_time: the moment for which the instance was scheduled (aware datetime).
        start_time: the moment at which it began (aware datetime).
        end_time: the moment at which it ended (aware datetime).
        timestamp: the moment at which it was created (aware datetime).
        virtual: True for a virtual node.
        owner: the user name of the owner.
        has_edit_pri: True if the session's user may edit it.
        has_read_pri: True if the session's user may read it.
        is_cancelled: True if it was cancelled.
        alert_mode: the code of the alert mode.
        cal_dt: the business date, ``YYYY-MM-DD``.
        extra: members that this library does not know, and values that it could not read, by the names in the
            answer.

    Raises:
        QueryError: a time has no zone, or the graph is bytes.
    """

    # The slots need second names, because the properties below hide them.
    _parameters = _slot("parameters")
    _graph = _slot("graph")
    _status = _slot("status")
    _start_time = _slot("start_time")
    _end_time = _slot("end_time")
    _timestamp = _slot("timestamp")
    _extra = _slot("extra")

    def __attrs_post_init__(self) -> None:
        name: object = self.instance_id
        if not isinstance(name, str) or not name:
            raise QueryError(f"instance_id must be a text and not empty, not {name!r}")
        if isinstance(self._graph, bytes):
            raise QueryError("graph must be decoded JSON or a text, not bytes")
        _slot("graph").__set__(self, as_member(self._graph))
        for field in ("trigger_time", "start_time", "end_time", "timestamp"):
            time: object = _slot(field).__get__(self)
            if time is not None and (not isinstance(time, datetime) or time.utcoffset() is None):
                raise QueryError(f"{field} must be an aware datetime or None, not {time!r}")

    @property
    def graph_text(self) -> str | None:
        """The task graph as the service sent it."""
        return text_of(self._graph)

    @property
    def tasks(self) -> tuple[FlowTask, ...]:
        """The tasks of the graph, in its order. They are read from the graph each time."""
        return tasks_of(self.graph)

    @property
    def parameters_text(self) -> str | None:
        """The parameters as the service sent them."""
        return text_of(self._parameters)

    @property
    def status_name(self) -> str | None:
        """The name of the status, as in ``SUCCESS``. A code that is not in the vendor's table is its own name."""
        status = self.status
        return None if status is None else str(status)

    @property
    def is_final(self) -> bool:
        """True if its status changes no more. False if the status is missing or unknown."""
        return self._status in FINAL

    @property
    def duration(self) -> timedelta | None:
        """The time from its start to its end. None means that one of them is missing."""
        start, end = self.start_time, self.end_time
        if start is None or end is None:
            return None
        ran = end - start
        # Within one zone Python subtracts wall clocks, which is wrong across a change of offset (PEP 495).
        if end.tzinfo is start.tzinfo:
            ran -= (end.utcoffset() or timedelta()) - (start.utcoffset() or timedelta())
        return ran

    def to_dict(self) -> dict[str, Any]:
        """Return the instance as a dictionary of JSON values, under the names of its fields.

        It is what a line of the JSON-lines export holds: times are ISO 8601 in UTC, the status is its code, and the
        graph and the parameters are decoded. The dictionary is new each time, so you may change it.
        """
        return members_of_row(self)

    def to_json(self) -> bytes:
        """Return the instance as JSON in ASCII: a line of the JSON-lines export, without its line feed."""
        return json_of_row(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Return how pydantic checks instances and makes JSON of them, by `to_dict`."""
        from aioflows._pydantic_schema import core_schema_of  # noqa: PLC0415  (only pydantic calls this)

        return core_schema_of(cls, _TYPED_FIELDS)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, Any]:
        """Return the JSON schema of what `to_dict` returns."""
        from aioflows._pydantic_schema import json_schema_of  # noqa: PLC0415  (only pydantic calls this)

        return json_schema_of(cls.__name__, _TYPED_FIELDS, "A flow instance: one run of a flow.")

    def __getstate__(self) -> tuple[object, ...]:
        # The state holds the slots as they were received: JSON as its text, times without a zone.
        values = [slot.__get__(self) for slot in _SLOTS]
        for at, restored in _RESTORED.items():
            if isinstance(value := values[at], DecodedText):
                values[at] = restored(value.text)
        return getattr(self, "_epoch", None), *values

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        for slot, value in zip((vars(_Readings)["_epoch"], *_SLOTS), state, strict=True):
            slot.__set__(self, value)

    def __hash__(self) -> int:
        return hash(self.instance_id)

    def __repr__(self) -> str:
        status = self.status.name if isinstance(self.status, FlowStatus) else self.status
        return (
            f"FlowInstance({self.instance_id!r}, flow_name={self.flow_name!r}, status={status}, "
            f"trigger_time={self.trigger_time and self.trigger_time.isoformat()})"
        )

    def _repr_html_(self) -> str:
        names = (_TEXTS.get(name, name) for name in _SHOWN)
        return facts(
            f"FlowInstance {self.instance_id}",
            (
                (name, value)
                for name, shown in zip(_SHOWN, names, strict=True)
                if (value := getattr(self, shown)) not in (None, {})
            ),
        )


# The three functions are spelt out because every row calls them: one more call would double their cost. The
# sum equals time.replace(tzinfo=...) at a tenth of its cost on Python 3.11 and 3.12. For a time with a zone
# the subtraction raises a TypeError. A test for the zone before it would cost a sixth more.


def _start_time(row: Any) -> Any:
    if (time := row._start_time) is None:
        return None
    try:
        return (time - NAIVE_EPOCH) + row._epoch
    except TypeError:
        return time


def _end_time(row: Any) -> Any:
    if (time := row._end_time) is None:
        return None
    try:
        return (time - NAIVE_EPOCH) + row._epoch
    except TypeError:
        return time


def _timestamp(row: Any) -> Any:
    if (time := row._timestamp) is None:
        return None
    try:
        return (time - NAIVE_EPOCH) + row._epoch
    except TypeError:
        return time


# Set on the finished class, because attrs removes a property with the name of a field from the class body.
for _name, _read in {
    "parameters": _json("parameters", str, lambda text: DecodedText(text, decoded(text))),
    "graph": _json("graph", bytes, read_member),
    "status": lambda row: STATUSES.get(row._status, row._status),
    "start_time": _start_time,
    "end_time": _end_time,
    "timestamp": _timestamp,
    "extra": lambda row: row._extra or {},
}.items():
    setattr(FlowInstance, _name, property(_read, _slot(_name).__set__))


setattr(_Fields, "__attrs_attrs__", attrs.fields(FlowInstance))  # noqa: B010  (no attribute for a type checker)
del FlowInstance.__attrs_attrs__


def _tuple(instances: Iterable[FlowInstance]) -> tuple[FlowInstance, ...]:
    return tuple(instances)


@attrs.frozen
class FlowPage:
    """A page: the answer to one search.

    Args:
        instances: the flow instances, in the service's order.
        count: the ``count`` of the answer. The vendor documents it as the number of instances on this page,
            not of all.
    """

    instances: tuple[FlowInstance, ...] = attrs.field(converter=_tuple)
    count: int | None = None
