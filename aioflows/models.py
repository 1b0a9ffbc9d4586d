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

import enum
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn, TypeAlias, cast

import attrs
import msgspec

from aioflows._display.html import facts
from aioflows.errors import QueryError

__all__ = ["FlowInstance", "FlowPage", "FlowStatus", "Json", "ScheduleType"]

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
"""A decoded JSON value. It may be shared, so do not change it."""

_NOTHING: Any = None  # stands for an empty mapping: one dict per row would cost 64 bytes
NAIVE_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  (slots hold times without a zone)


class ScheduleType(enum.IntEnum):
    """The way in which an instance was scheduled (the request's ``type``)."""

    MANUAL = 0
    PERIODIC = 1
    TEMPORARY = 2


class FlowStatus(enum.IntEnum):
    """The state of a flow instance (the vendor's table ``FlowInstanceStatus``)."""

    FAIL = -1
    INIT = 0
    SUCCESS = 1
    RUNNING = 2
    SUSPEND = 3
    INTERNAL_ERROR = 4
    WAIT = 5
    READY = 6
    TIMEOUT = 7
    CANCEL = 8
    RERUN = 9
    SKIP = 10

    @property
    def is_final(self) -> bool:
        """True if the instance is finished: FAIL, SUCCESS, INTERNAL_ERROR, TIMEOUT, CANCEL or SKIP."""
        return self in _FINAL


_FINAL = frozenset(
    {
        FlowStatus.FAIL,
        FlowStatus.SUCCESS,
        FlowStatus.INTERNAL_ERROR,
        FlowStatus.TIMEOUT,
        FlowStatus.CANCEL,
        FlowStatus.SKIP,
    }
)
_STATUS: dict[int | None, FlowStatus] = {one.value: one for one in FlowStatus}


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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)
_member_text = msgspec.json.Decoder(str).decode
_member_texts = msgspec.json.Decoder(list[str]).decode


@attrs.frozen
class _Decoded:
    """A JSON text and its value; it replaces the text in its slot once the text was decoded."""

    text: str
    value: Json


def decoded(text: str) -> Json:
    """Return the value of a JSON text that was encoded once or twice. Return other texts unchanged."""
    if not text:
        return None
    try:
        value: Json = _decoder.decode(text)
        # Some deployments encode the text twice, so that the value is a text that holds JSON.
        return _decoder.decode(value) if isinstance(value, str) and value[:1] in ("{", "[") else value
    except (ValueError, RecursionError):
        return text


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


def as_member(value: Json) -> Any:
    """Return a graph as its slot holds it: a text as its JSON in UTF-8, any other value unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:  # a lone surrogate
        return json.dumps(value).encode()


def texts_of_members(members: Iterable[bytes]) -> list[str]:
    """Return the texts of several graphs from the JSON in their slots, decoded in one call.

    Raises:
        ValueError: a graph is not a text, or its text has a lone surrogate.
        TypeError: a graph is not bytes, because it was decoded or given by a user.
    """
    return _member_texts(b"[%b]" % b",".join(members))


def _of_member(member: bytes) -> Json:
    if member.startswith(b'"'):
        with suppress(msgspec.DecodeError):  # a lone surrogate
            return _member_text(member)
    text = member.decode()
    try:
        value: Json = _decoder.decode(text)
    except (ValueError, RecursionError):  # nested more deeply, or with a longer number, than Python reads
        return text
    return value


def _read_graph(member: bytes) -> Json | _Decoded:
    value = _of_member(member)
    return _Decoded(value, decoded(value)) if isinstance(value, str) else value


def _json(name: str, kept: type, read: Callable[[Any], Json | _Decoded]) -> Callable[[Any], Json]:
    slot = _slot(name)

    def read_once(row: Any) -> Json:
        value = slot.__get__(row)
        if isinstance(value, kept):
            value = read(value)
            slot.__set__(row, value)
        return value.value if isinstance(value, _Decoded) else value

    return read_once


def _text(value: Json | _Decoded) -> str | None:
    if isinstance(value, _Decoded):
        return value.text
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_TEXTS = {"graph": "graph_text", "parameters": "parameters_text"}
_SHOWN = [
    name
    for field in attrs.fields(StoredInstance)
    for name in (("end_time", "duration") if field.name == "end_time" else (field.name,))
    if name != "instance_id"
]
_FIELDS = [field.name for field in attrs.fields(StoredInstance)]
_SLOTS = [_slot(name) for name in _FIELDS]
_RESTORED: dict[int, Callable[[str], Any]] = {
    _FIELDS.index("graph"): as_member,
    _FIELDS.index("parameters"): str,
}
"""By the index of the slot: the function that turns a decoded text back into the slot's first value."""


def _keywords(_: type, fields: list[attrs.Attribute[Any]]) -> list[attrs.Attribute[Any]]:
    return [field.evolve(kw_only=field.name != "instance_id") for field in fields]


@attrs.frozen(repr=False, field_transformer=_keywords)
class FlowInstance(StoredInstance):
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
        value = self._graph
        return _text(_of_member(value) if isinstance(value, bytes) else value)

    @property
    def parameters_text(self) -> str | None:
        """The parameters as the service sent them."""
        return _text(self._parameters)

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

    def __getstate__(self) -> tuple[object, ...]:
        # The state holds the slots as they were received: JSON as its text, times without a zone.
        values = [slot.__get__(self) for slot in _SLOTS]
        for at, restored in _RESTORED.items():
            if isinstance(value := values[at], _Decoded):
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
    "parameters": _json("parameters", str, lambda text: _Decoded(text, decoded(text))),
    "graph": _json("graph", bytes, _read_graph),
    "status": lambda row: _STATUS.get(row._status, row._status),
    "start_time": _start_time,
    "end_time": _end_time,
    "timestamp": _timestamp,
    "extra": lambda row: row._extra or {},
}.items():
    setattr(FlowInstance, _name, property(_read, _slot(_name).__set__))


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
