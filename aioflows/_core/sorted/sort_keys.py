"""Sort keys: an order by fields of the answer, with the place of rows that lack a field.

Invariants:

1. Keys rise in the order of the scan, whatever the directions of its fields. A descending field is negated,
   and ids fall if the first field does. So the descending order is the exact reverse of the ascending order,
   and all other modules compare keys with ``<`` alone. An id ends every key, so the order is total.
2. A key has the resolution of the answer. The service may sort more finely, or in another order. So rows with
   the same first field form a *group*, which is sorted here once it is complete. Groups come in the service's
   order.
3. If wall clocks show an hour twice, the service may order the two hours by instants or by wall-clock times. So
   both hours are one group.
4. Rows that lack a field stand where the service puts them. Answers show the place.

Keys are instants. In a zone with one offset, keys are wall-clock times, which have the same order and cost
half as much. A checkpoint of an earlier release has wall-clock times in any zone, and is resumed in their
order.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows.checkpoint import INSTANTS, Position
from aioflows.errors import CompletenessError
from aioflows.models import NAIVE_EPOCH, FlowInstance, ScheduleType

__all__ = ["Entry", "Key", "SortOrder", "Sorter", "by_key"]

Key: TypeAlias = tuple[Any, ...]
"""A time per field as a timedelta, then the id.

A shorter key precedes all keys that begin with it; ``()`` precedes all.
"""

Entry: TypeAlias = tuple[Key, FlowInstance]
Sorter: TypeAlias = tuple[str, bool]
"""A sort field, and True if it is descending."""

by_key = itemgetter(0)

_FIELDS = {"start_time": "start_time", "end_time": "end_time", "create_time": "timestamp"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST, _HIGHEST = timedelta.min, timedelta.max
_MICROSECOND = timedelta(microseconds=1)

Read: TypeAlias = Callable[[FlowInstance], "timedelta | None"]


class _Falling(str):
    """An id that compares in descending order."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _reader(field: str, *, instants: bool = False) -> Read:
    if field == "trigger_time":
        return _triggered
    if instants:
        aware: Callable[[FlowInstance], datetime | None] = attrgetter(_FIELDS[field])

        def read_instant(row: FlowInstance) -> timedelta | None:
            time = aware(row)
            return None if time is None else time - _EPOCH

        return read_instant
    # The slot holds the wall-clock time of nearly every row. The public attribute would make an aware time,
    # which costs twice as much.
    stored: Callable[[FlowInstance], datetime | None] = attrgetter(f"_{_FIELDS[field]}")

    def read(row: FlowInstance) -> timedelta | None:
        value = stored(row)
        if value is None:
            return None
        return (value if value.tzinfo is None else value.replace(tzinfo=None)) - NAIVE_EPOCH

    return read


def _triggered(row: FlowInstance) -> timedelta:
    assert row.trigger_time is not None, "a row without a trigger time is refused where it is read"
    return row.trigger_time - _EPOCH


class SortOrder:
    """The order of one scan.

    Args:
        sorters: the sort fields, each with True if it is descending.
        service: the facts that the session knows about the service, with the places of rows that lack a field.
        resumed: the place after which the scan hands out rows. Keys have instants if this place has instants.
            Default: None, which means that the zone decides (`set_zone`).
    """

    def __init__(
        self, sorters: Sequence[Sorter], service: ServiceFacts, resumed: Position | None = None
    ) -> None:
        self.sorters = tuple(sorters)
        self.first: Sorter = self.sorters[0]
        self.reverse: Sorter = (self.first[0], not self.first[1])
        self.descending = self.first[1]
        self.needed: dict[Sorter, None] = {}
        """The fields and directions for which the place of rows without the field must be found out."""
        self._service = service
        self._assumed: dict[Sorter, bool] = {}
        self._kinds: dict[tuple[str, ScheduleType], tuple[bool, bool]] = {}
        self._resumed = resumed
        self._instants = False
        self._read_by(instants=resumed is not None and resumed[2:] == (INSTANTS,))

    def __repr__(self) -> str:
        return f"<SortOrder {', '.join('-' * falling + field for field, falling in self.sorters)}>"

    def _read_by(self, *, instants: bool) -> None:
        self._instants = instants
        self._reads: list[tuple[Sorter, Read]] = [
            (sorter, _reader(sorter[0], instants=instants)) for sorter in self.sorters
        ]
        self.value: Read = self._reads[0][1]
        """A function that returns the first sort field of a row."""

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times, which the first key needs."""
        if self._resumed is None:
            self._read_by(instants=not zone.fixed)

    # Keys

    def key(self, row: FlowInstance) -> Key:
        """Return the key of a row. The place of rows that lack a field must be known (`lacking`)."""
        return self._key([read(row) for _, read in self._reads], row.instance_id)

    def entries(self, rows: Iterable[FlowInstance]) -> list[Entry]:
        """Return rows with their keys, in order."""
        return sorted(((self.key(row), row) for row in rows), key=by_key)

    def position(self, row: FlowInstance) -> Position:
        """Return the place of a row in the order, to be stored: its fields (µs since 1970) and its id."""
        values = (read(row) for _, read in self._reads)
        fields = tuple(None if one is None else one // _MICROSECOND for one in values)
        return (fields, row.instance_id, INSTANTS) if self._instants else (fields, row.instance_id)

    def key_at(self, position: Position) -> Key | None:
        """Return the key of a stored place. None means that the place of rows without a field is unknown."""
        values = [None if one is None else one * _MICROSECOND for one in position[0]]
        for sorter, value in zip(self.sorters, values, strict=True):
            if value is None and self.nulls_first(sorter) is None:
                self.needed[sorter] = None
                return None
        return self._key(values, position[1])

    def _key(self, values: Iterable[timedelta | None], name: str) -> Key:
        parts: list[timedelta | str] = []
        for sorter, value in zip(self.sorters, values, strict=True):
            if value is None:
                parts.append(self._without(sorter))
            else:
                parts.append(-value if sorter[1] else value)
        parts.append(_Falling(name) if self.descending else name)
        return tuple(parts)

    def group(self, value: timedelta | None, zone: Zone) -> timedelta:
        """Return the first part of the least key in a row's group, from the row's first field."""
        if value is None:
            return self._without(self.first)
        if (twice := self._shown_twice(value, zone)) is not None:
            value = twice[1] - _MICROSECOND if self.descending else twice[0]
        return -value if self.descending else value

    def _shown_twice(self, value: timedelta, zone: Zone) -> tuple[timedelta, timedelta] | None:
        """Return the stretch around a time, in the terms of keys, that the field's clock shows twice."""
        own = None if zone.clocks is None else zone.clocks.zone_of(_FIELDS.get(self.first[0], ""))
        if self._instants:
            return zone.repeat_at(value) or (None if own is None else own.repeat_at(value))
        if not zone.fixed:
            twice = zone.shown_twice(NAIVE_EPOCH + value)
            return None if twice is None else (twice[0] - NAIVE_EPOCH, twice[1] - NAIVE_EPOCH)
        if own is None or own.fixed:
            return None
        offset = zone.epoch.utcoffset() or timedelta()
        found = own.repeat_at(value - offset)
        return None if found is None else (found[0] + offset, found[1] + offset)

    # Rows that lack a field

    def note(self, rows: Sequence[FlowInstance], type: ScheduleType) -> None:
        """Note which fields rows of a schedule type lack, while the place of such rows is unknown."""
        for (field, falling), read in self._reads:
            if (
                field == "trigger_time"
                or {(field, falling), (field, not falling)} <= self._service.nulls_first.keys()
            ):
                continue
            kinds = {read(row) is None for row in rows}
            lack, have = self._kinds.get((field, type), (False, False))
            self._kinds[field, type] = lack or True in kinds, have or False in kinds

    def type_lacking(self, field: str) -> ScheduleType | None:
        """Return a schedule type with rows without a field, if possible one that has rows with it too."""
        found = [
            (have, -type, type) for (one, type), (lack, have) in self._kinds.items() if one == field and lack
        ]
        return max(found)[2] if found else None

    def settled(self) -> bool:
        """Return True if windows sorted by the service can be read to their end.

        Otherwise note the missing fact as needed.
        """
        if self.ends_alike is not None or self.type_lacking(self.first[0]) is None:
            return True
        self.needed[self.first if self.nulls_first(self.first) is None else self.reverse] = None
        return False

    @property
    def ends_alike(self) -> bool | None:
        """True if the first page of the reverse direction shows the end of the scan's order.

        False means that rows without the field stand last in both directions. None means unknown.
        """
        first = self.nulls_first(self.first)
        return self.nulls_first(self.reverse) if first is False else first

    def lacking(self, rows: Iterable[FlowInstance]) -> bool:
        """Return True if a row lacks a field and the place of such rows is unknown. Note such fields."""
        unknown = [(sorter, read) for sorter, read in self._reads if self.nulls_first(sorter) is None]
        found = [sorter for sorter, read in unknown if any(read(row) is None for row in rows)]
        self.needed.update(dict.fromkeys(found))
        return bool(found)

    def nulls_first(self, sorter: Sorter) -> bool | None:
        """Return True if rows without a field stand before all others. None means unknown."""
        known = self._service.nulls_first.get(sorter)
        return self._assumed.get(sorter) if known is None else known

    def learn(self, sorter: Sorter, *, first: bool) -> None:
        """Note where an answer shows the rows that lack a field.

        Raises:
            CompletenessError: another answer has shown the opposite.
        """
        known = self.nulls_first(sorter)
        if known is not None and known is not first:
            raise CompletenessError(
                f"the service broke the order of the request: sorted by {_sorter_text(sorter)}, rows without that time came "
                f"{'after' if first else 'before'} all other rows in one answer, and {'before' if first else 'after'} in another. "
                "Order by another field"
            )
        self._service.nulls_first[sorter] = first
        self.needed.pop(sorter, None)

    def probed(self, sorter: Sorter, rows: Sequence[FlowInstance], type: ScheduleType, *, last: bool) -> None:
        """Note what the first page of all rows of a schedule type shows, sorted by one field.

        Args:
            sorter: the field that the page was sorted by, and True if it is descending.
            rows: the rows of the page.
            type: the schedule type.
            last: True if no other type is left to ask.
        """
        self.note(rows, type)
        lacks, has = self._kinds.get((sorter[0], type), (False, False))
        first_lacks, first_has = self.kinds(sorter, rows[:1])
        if lacks and has:
            self.learn(sorter, first=first_lacks)
        elif last:
            # If all rows of each type lack the field, or no row does, no answer shows the place. The scan
            # assumes a place and keeps to it.
            self._assumed[sorter] = first_lacks or (not first_has and not sorter[1])
            self.needed.pop(sorter, None)

    @staticmethod
    def kinds(sorter: Sorter, rows: Iterable[FlowInstance]) -> tuple[bool, bool]:
        """Return two flags: True if some rows lack a field, and True if some rows have it."""
        kinds = {_reader(sorter[0])(row) is None for row in rows}
        return True in kinds, False in kinds

    def _without(self, sorter: Sorter) -> timedelta:
        first = self.nulls_first(sorter)
        assert first is not None, f"the place of rows without {_sorter_text(sorter)} is not known"
        return _LOWEST if first else _HIGHEST


def _sorter_text(sorter: Sorter) -> str:
    return f"{sorter[0]} {'DESC' if sorter[1] else 'ASC'}"
