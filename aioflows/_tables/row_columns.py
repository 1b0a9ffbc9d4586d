"""Rows of an answer as columns, without making an object of each row.

Texts stay texts: times are moved to UTC as texts, and graphs are not decoded. This path reads only answers as the
service documents them. Anything else is refused: an unknown member, a number sent as text, a time in another form.
Such rows are decoded to instances instead. So the columns always hold what instances hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter, itemgetter, sub
from typing import Annotated, Any

import msgspec

from aioflows._tables.columns import (
    CREATED,
    DURATION,
    END,
    EXTRA,
    START,
    STATUS,
    STATUS_NAME,
    STATUS_NAMES,
    TRIGGER,
    Column,
    Kind,
)
from aioflows._tables.text_columns import TextColumns

__all__ = ["read_columns"]

_Wall = Annotated[datetime, msgspec.Meta(tz=False)]
_SECONDS = len("2024-01-01 00:00:00")
_HOUR = timedelta(hours=1)
_NONE = timedelta()
_HOURS = len("2024-01-01 00")
_DAY = len("2024-01-01")
_MOST_HOURS = 24


class TextRow(msgspec.Struct, rename="camel", gc=False, forbid_unknown_fields=True):
    """A row of an answer as `aioflows._core.wire.rows.Row`, but its times and its graph are texts."""

    instance_id: str
    flow_id: int | None = None
    flow_name: str | None = None
    freq: str | None = None
    cycle: str | None = None
    parameters: str | None = None
    do_as: str | None = None
    graph: str | None = None
    status: int | None = None
    status_desc: str | None = None
    trigger_time: str = ""
    start_time: str | None = None
    end_time: str | None = None
    timestamp: str | None = None
    virtual: bool | None = None
    owner: str | None = None
    has_edit_pri: bool | None = None
    has_read_pri: bool | None = None
    is_cancelled: bool | None = None
    alert_mode: int | None = None
    cal_dt: str | None = None


class TextData(msgspec.Struct, rename="camel"):
    """The rows of an answer."""

    flow_insts: list[TextRow]
    count: Any = None


class TextAnswer(msgspec.Struct):
    """An answer as `TextRow` reads its rows."""

    data: TextData


_READERS = {name: attrgetter(name) for name in TextRow.__struct_fields__}
_decode = msgspec.json.Decoder(TextAnswer).decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)


def read_columns(
    body: bytes, ids: Sequence[str], numbers: Sequence[int], offset: timedelta
) -> RowColumns | None:
    """Return rows of an answer as columns. None means that they must be decoded to instances.

    Args:
        body: the bytes of the answer.
        ids: the ids of all rows of the answer, as they were read before.
        numbers: the numbers of the wanted rows, in the order wanted.
        offset: the offset of the service's clock from UTC.
    """
    try:
        rows = _decode(body).data.flow_insts
        members = {name: list(map(read, rows)) for name, read in _READERS.items()}
        if members["instance_id"] != list(ids):
            return None
        return RowColumns(members, numbers, offset)
    except _UNREADABLE:
        return None


class RowColumns(TextColumns):
    """The columns of rows of one answer.

    Args:
        members: the members of all rows of the answer, by the names of fields.
        numbers: the numbers of the wanted rows, in the order wanted.
        offset: the offset of the service's clock from UTC.

    Raises:
        ValueError: a time has another form than the documented one, or may be by another clock.
        OverflowError: a time cannot be expressed in UTC.
    """

    is_utf8 = True

    def __init__(
        self, members: Mapping[str, Sequence[Any]], numbers: Sequence[int], offset: timedelta
    ) -> None:
        self._members = members
        self._offset = offset
        self._numbers = numbers
        self._pick = _picker(numbers)
        self._walls = {
            name: _walls(members[name]) for name in (TRIGGER.name, START.name, END.name, CREATED.name)
        }
        self._check_clocks()
        self._texts = {name: self._pick(self._in_utc(name)) for name in self._walls}

    def __len__(self) -> int:
        return len(self._numbers)

    def values(self, column: Column) -> Sequence[Any]:
        if column.kind is Kind.TIME:
            return self._texts[column.name]
        if column is EXTRA:
            return [{}] * len(self)
        if column is STATUS_NAME:
            return list(map(STATUS_NAMES.__getitem__, self._pick(self._members[STATUS.name])))
        if column is DURATION:
            starts, ends = self._pick(self._walls[START.name]), self._pick(self._walls[END.name])
            return [
                None if start is None or end is None else (end - start).total_seconds()
                for start, end in zip(starts, ends, strict=True)
            ]
        return self._pick(self._members[column.name])

    def json_texts(self, column: Column) -> Sequence[str | None]:
        return self.values(column)

    # Times

    def _check_clocks(self) -> None:
        """Check that no row hints at another clock for its start, its end or its creation than for its trigger.

        Raises:
            ValueError: a row does. Decoded rows show more (`aioflows._core.clocks.field_clocks`).
        """
        self._check_distance(TRIGGER, START, _NONE)
        self._check_distance(START, END, _NONE)
        self._check_distance(TRIGGER, CREATED, -_HOUR)

    def _check_distance(self, earlier: Column, later: Column, least: timedelta) -> None:
        distances = _distances(self._walls[earlier.name], self._walls[later.name])
        if not distances:
            return
        low = min(distances)
        # A creation may precede its trigger. The closest one tells.
        nearest = low if least == _NONE else max(low, min(max(distances), _NONE))
        if low < least or not -_HOUR < nearest < _HOUR:
            raise ValueError("the clocks of times may differ")

    def _in_utc(self, name: str) -> Sequence[str | None]:
        texts: Sequence[str | None] = self._members[name]
        created = name == CREATED.name
        end = ".000000+00:00" if created else "+00:00"
        if name == TRIGGER.name:  # its seconds are whole (`aioflows._core.wire.search_page`)
            return _moved([text and text[:_SECONDS] for text in texts], self._offset, "", end)
        given = [text for text in texts if text is not None]
        lengths = set(map(len, given))
        if lengths <= {_SECONDS}:
            return _moved(texts, self._offset, "", end)
        if lengths == {_SECONDS + 2} and "\n".join([*given, ""]).count(".0\n") == len(given):
            return _moved(texts, self._offset, ".0", end)
        digits = "microseconds" if created else "auto"
        return [
            None if wall is None else f"{(wall - self._offset).isoformat(timespec=digits)}+00:00"
            for wall in self._walls[name]
        ]


def _distances(earlier: Sequence[datetime | None], later: Sequence[datetime | None]) -> list[timedelta]:
    """Return how much later each time is, where both are known."""
    try:
        return list(map(sub, later, earlier))
    except TypeError:  # a time is None
        pairs = zip(earlier, later, strict=True)
        return [after - before for before, after in pairs if before is not None and after is not None]


def _moved(texts: Sequence[str | None], offset: timedelta, fraction: str, end: str) -> Sequence[str | None]:
    """Return times without zone as texts in UTC.

    Many times of a page lie in one hour, so the hours are replaced in all texts at once.

    Args:
        texts: the times.
        offset: their offset from UTC.
        fraction: the fraction of their seconds, the same in all of them.
        end: the fraction and the offset of the texts in UTC.
    """
    hours = {text[:_HOURS] for text in texts if text is not None}
    if offset % _HOUR != _NONE or len(hours) > _MOST_HOURS or not all(hour[_DAY] == " " for hour in hours):
        return [
            None if text is None else f"{(datetime.fromisoformat(text[:_SECONDS]) - offset).isoformat()}{end}"
            for text in texts
        ]
    moved = "\n".join([text or "" for text in texts]) + "\n"
    for hour in hours:
        moved = moved.replace(hour, _moved_hour(hour, offset))  # a moved hour has a T, so it is moved once
    times = moved.replace(f"{fraction}\n", f"{end}\n").split("\n")[:-1]
    if None in texts:
        return [None if text is None else time for text, time in zip(texts, times, strict=True)]
    return times


def _moved_hour(hour: str, offset: timedelta) -> str:
    return (datetime.fromisoformat(hour) - offset).isoformat()[:_HOURS]


def _walls(texts: Sequence[str | None]) -> list[datetime | None]:
    return msgspec.convert(texts, list[_Wall | None])


def _picker(numbers: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    if isinstance(numbers, range):
        stop = (
            numbers.stop if numbers.stop >= 0 else None
        )  # a range that stops before row 0 runs backwards to row 0
        return itemgetter(slice(numbers.start, stop, numbers.step))
    return lambda values: [values[number] for number in numbers]
