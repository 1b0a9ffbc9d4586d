"""A flow instance as JSON: the members that JSON lines, ``to_dict`` and ``to_json`` share.

Names are those of the fields, times are ISO 8601 with the offset of UTC, the status is its code, and the graph
and the parameters are decoded. The JSON is ASCII without control characters, or on request UTF-8 in which control
characters and characters that reorder text stay escaped.

msgspec encodes nearly every row. The standard library, which is three times slower, encodes rows with lone
surrogates and rows whose graph is not strict JSON. Both give the same JSON.
"""

# ruff: noqa: SLF001  (rows are read from their slots, see `aioflows.models`)

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec

from aioflows._json_lines import UNREADABLE, as_ascii, as_utf8
from aioflows._json_text import decoded, text_of, value_of

__all__ = ["json_of_members", "json_of_row", "members_of_row", "utc_text"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_IN_UTC = "+00:00"
_WHOLE_SECONDS = len("1970-01-01T00:00:00")

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
# JSON has no NaN (RFC 8259, 6).
_encode_slow = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


class JsonRow(msgspec.Struct, gc=False):
    """The members of a flow instance, in the order of its fields. msgspec encodes it faster than a dictionary."""

    instance_id: Any
    flow_id: Any
    flow_name: Any
    freq: Any
    cycle: Any
    parameters: Any
    do_as: Any
    graph: Any
    status: Any
    status_desc: Any
    trigger_time: Any
    start_time: Any
    end_time: Any
    timestamp: Any
    virtual: Any
    owner: Any
    has_edit_pri: Any
    has_read_pri: Any
    is_cancelled: Any
    alert_mode: Any
    cal_dt: Any
    extra: Any


def members_of_row(row: Any) -> dict[str, Any]:
    """Return a flow instance as a dictionary of JSON values that nothing else holds."""
    try:
        members = msgspec.structs.asdict(_read(row))
        members["status"] = None if row._status is None else int(row._status)
        if members["extra"]:
            members["extra"] = _decode(_encode(members["extra"]))
    except UNREADABLE:
        members = json.loads(json_of_row(row))
    return members


def json_of_row(row: Any) -> bytes:
    """Return a flow instance as JSON."""
    try:
        line = _encode(_read(row))
    except UNREADABLE:
        texts = {"parameters": text_of(row._parameters), "graph": text_of(row._graph)}
        members = msgspec.structs.asdict(_with(row, None, None))
        line = _tolerantly(
            members | texts, {name: text for name, text in texts.items() if text is not None}, ["extra"]
        )
    return as_ascii(line)


def json_of_members(
    members: dict[str, object], texts: Iterable[str], mappings: Iterable[str], *, utf8: bool = False
) -> bytes:
    """Return some members of a row as JSON.

    Args:
        members: the members.
        texts: the names of those that hold JSON texts to decode.
        mappings: the names of those that hold decoded members of an answer.
        utf8: True for UTF-8. Default: False, which means ASCII.
    """
    held = {name: text for name in texts if isinstance(text := members[name], str)}
    try:
        line = _encode(members | {name: value_of(text) for name, text in held.items()})
    except UNREADABLE:
        line = _tolerantly(members, held, mappings)
    return as_utf8(line) if utf8 else as_ascii(line)


def utc_text(time: datetime) -> str:
    """Return an aware time as a text in UTC. A time that UTC cannot express keeps its zone."""
    try:
        return (time - _EPOCH + _NAIVE_EPOCH).isoformat() + _IN_UTC
    except OverflowError:  # a placeholder such as 0001-01-01 00:00:00
        return time.isoformat()


def _read(row: Any) -> JsonRow:
    return _with(row, value_of(row._parameters), value_of(row._graph))


def _with(row: Any, parameters: object, graph: object) -> JsonRow:
    trigger, stamp = row.trigger_time, row.timestamp
    offset = _fixed_offset(row)
    created = None if stamp is None else utc_text(stamp)
    # Creation times have fractions of seconds, so all of them are written with six digits: readers such as pandas
    # expect one form in a column.
    if created is not None and created[_WHOLE_SECONDS] != ".":
        created = f"{created[:_WHOLE_SECONDS]}.000000{created[_WHOLE_SECONDS:]}"
    return JsonRow(
        row.instance_id,
        row.flow_id,
        row.flow_name,
        row.freq,
        row.cycle,
        parameters,
        row.do_as,
        graph,
        row._status,
        row.status_desc,
        None if trigger is None else utc_text(trigger),
        _text(row, "start_time", row._start_time, offset),
        _text(row, "end_time", row._end_time, offset),
        created,
        row.virtual,
        row.owner,
        row.has_edit_pri,
        row.has_read_pri,
        row.is_cancelled,
        row.alert_mode,
        row.cal_dt,
        row._extra or {},
    )


def _fixed_offset(row: Any) -> timedelta | None:
    """Return the offset of a row's clocks. None means that it changes, or that a user made the row."""
    zone = getattr(row, "_epoch", _NAIVE_EPOCH).tzinfo
    return zone.utcoffset(None) if type(zone) is timezone else None


def _text(row: Any, field: str, stored: datetime | None, offset: timedelta | None) -> str | None:
    if stored is None:
        return None
    if offset is not None and stored.tzinfo is None:
        try:
            return (stored - offset).isoformat() + _IN_UTC
        except OverflowError:
            pass
    time: datetime = getattr(row, field)
    return utc_text(time)


def _tolerantly(members: dict[str, Any], texts: dict[str, str], mappings: Iterable[str]) -> bytes:
    try:
        return _encode_slow(members | {name: decoded(text) for name, text in texts.items()}).encode()
    except (ValueError, TypeError, RecursionError):  # NaN, a graph nested too deep, or no JSON at all
        return _encode_slow(members | texts | {name: _as_repr(members[name]) for name in mappings}).encode()


def _as_repr(members: object) -> object:
    return (
        {name: repr(value) for name, value in members.items()} if isinstance(members, dict) else repr(members)
    )
