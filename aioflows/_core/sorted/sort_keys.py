"""An order by fields of the answer: what a row's key is, and where rows stand that lack a field.

Invariants:

1. Keys rise in the order that the scan gives, whatever the directions of its fields: a field that falls is negated, and
   ids fall if the first field does. So the descending order is the exact reverse of the ascending one, and everything
   above this file compares keys with ``<`` alone. An id ends every key, so the order is total.
2. A key has the resolution of the answer. What the service sorts finer, or in an order of its own, is a *group*: rows
   of one first field. A group is sorted here once all of it is there, and groups are in the service's order.
3. Where wall clocks show an hour twice, the texts of that hour run backwards once: all of it is one group.
4. Rows that lack a field stand where this service puts them, which is seen in its answers and nowhere assumed.

Times of the trigger are instants; all other times are compared as the wall clocks that the service shows, since nothing
says which of two equal texts was the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows.checkpoint import Position
from aioflows.errors import CompletenessError
from aioflows.models import NAIVE_EPOCH, FlowInstance, ScheduleType

__all__ = ["Entry", "Key", "SortOrder", "Sorter", "by_key"]

Key: TypeAlias = tuple[Any, ...]
"""A time per field, as a timedelta, then the id. A shorter one precedes all that begin with it; ``()`` precedes all."""

Entry: TypeAlias = tuple[Key, FlowInstance]
Sorter: TypeAlias = tuple[str, bool]
"""A sort field, and whether it is descending."""

by_key = itemgetter(0)

_FIELDS = {"start_time": "start_time", "end_time": "end_time", "create_time": "timestamp"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST, _HIGHEST = timedelta.min, timedelta.max
_MICROSECOND = timedelta(microseconds=1)

Read: TypeAlias = Callable[[FlowInstance], "timedelta | None"]


class _Falling(str):
    """An id in descending order."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _reader(field: str) -> Read:
    if field == "trigger_time":
        return _triggered
    # The slot, as wall clocks count here: nearly every row has none but those, and to make them aware costs twice as much.
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
        sorters: the *fields*, each with whether it is descending.
        service: what the session knows of the service; told where it puts rows that lack a field.
    """

    def __init__(self, sorters: Sequence[Sorter], service: ServiceFacts) -> None:
        self.sorters = tuple(sorters)
        self.first: Sorter = self.sorters[0]
        self.reverse: Sorter = (self.first[0], not self.first[1])
        self.descending = self.first[1]
        self.needed: dict[Sorter, None] = {}
        """Fields and directions of which it has to be found out where rows stand that lack them."""
        self._service = service
        self._assumed: dict[Sorter, bool] = {}
        self._kinds: dict[tuple[str, ScheduleType], tuple[bool, bool]] = {}
        self._reads: list[tuple[Sorter, Read]] = [(sorter, _reader(sorter[0])) for sorter in self.sorters]
        self.value: Read = self._reads[0][1]
        """Gives the first field of a row."""

    def __repr__(self) -> str:
        return f"<Order {', '.join('-' * falling + field for field, falling in self.sorters)}>"

    # Keys

    def key(self, row: FlowInstance) -> Key:
        """Return the key of a row; where rows stand that lack a field must be known if it lacks one (`lacking`)."""
        return self._key([read(row) for _, read in self._reads], row.instance_id)

    def entries(self, rows: Iterable[FlowInstance]) -> list[Entry]:
        """Return rows with their keys, in order."""
        return sorted(((self.key(row), row) for row in rows), key=by_key)

    def position(self, row: FlowInstance) -> Position:
        """Return the fields of a row in *microseconds* since 1970, and its id: its place in the order, to be kept."""
        values = (read(row) for _, read in self._reads)
        return tuple(None if one is None else one // _MICROSECOND for one in values), row.instance_id

    def key_at(self, position: Position) -> Key | None:
        """Return the key of a place that was kept; None: it is not known yet where rows stand that lack a field."""
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
        """Return the first part of the least key that rows may have which the service sorts as one with such a row."""
        if value is None:
            return self._without(self.first)
        if not zone.fixed and (twice := zone.shown_twice(NAIVE_EPOCH + value)) is not None:
            value = twice[1] - NAIVE_EPOCH - _MICROSECOND if self.descending else twice[0] - NAIVE_EPOCH
        return -value if self.descending else value

    # Rows that lack a field

    def note(self, rows: Sequence[FlowInstance], type: ScheduleType) -> None:
        """Note which fields rows of a schedule type lack, as long as that may have to be found out."""
        for (field, falling), read in self._reads:
            if (
                field == "trigger_time"
                or {(field, falling), (field, not falling)} <= self._service.nulls_first.keys()
            ):
                continue
            kinds = {read(row) is None for row in rows}
            lack, have = self._kinds.get((field, type), (False, False))
            self._kinds[field, type] = lack or True in kinds, have or False in kinds

    def where(self, field: str) -> ScheduleType | None:
        """Return a schedule type of which rows are known that lack a field, best one that has others too."""
        found = [
            (have, -type, type) for (one, type), (lack, have) in self._kinds.items() if one == field and lack
        ]
        return max(found)[2] if found else None

    def settled(self) -> bool:
        """Return True if windows that the service sorts can be read to their end; what is missing for it is needed."""
        if self.ends_alike is not None or self.where(self.first[0]) is None:
            return True
        self.needed[self.first if self.nulls_first(self.first) is None else self.reverse] = None
        return False

    @property
    def ends_alike(self) -> bool | None:
        """Whether the first page of the reverse direction shows the end of this one; None: not known yet.

        It does not where rows that lack the field stand last in either direction.
        """
        first = self.nulls_first(self.first)
        return self.nulls_first(self.reverse) if first is False else first

    def lacking(self, rows: Iterable[FlowInstance]) -> bool:
        """Return True if a row lacks a field of which is not known where it stands then; it is noted as needed."""
        unknown = [(sorter, read) for sorter, read in self._reads if self.nulls_first(sorter) is None]
        found = [sorter for sorter, read in unknown if any(read(row) is None for row in rows)]
        self.needed.update(dict.fromkeys(found))
        return bool(found)

    def nulls_first(self, sorter: Sorter) -> bool | None:
        """Return True if rows that lack a field stand before all others; None: not known yet."""
        known = self._service.nulls_first.get(sorter)
        return self._assumed.get(sorter) if known is None else known

    def learn(self, sorter: Sorter, *, first: bool) -> None:
        """Note where an answer shows rows that lack a field.

        Raises:
            CompletenessError: another answer has shown the contrary.
        """
        known = self.nulls_first(sorter)
        if known is not None and known is not first:
            raise CompletenessError(
                f"the service broke the order it was asked for: sorted by {_said(sorter)}, it has put rows without that "
                f"time {'after' if first else 'before'} all others, and {'before' if first else 'after'} them now"
            )
        self._service.nulls_first[sorter] = first
        self.needed.pop(sorter, None)

    def probed(self, sorter: Sorter, rows: Sequence[FlowInstance], type: ScheduleType, *, last: bool) -> None:
        """Take the first page of all rows of a schedule type, sorted by one field.

        Args:
            sorter: the *field* it was sorted by, and whether it is descending.
            rows: the *rows*.
            type: the *schedule type*.
            last: whether no other type can be asked.
        """
        self.note(rows, type)
        lacks, has = self._kinds.get((sorter[0], type), (False, False))
        first_lacks, first_has = self.kinds(sorter, rows[:1])
        if lacks and has:
            self.learn(sorter, first=first_lacks)
        elif last:
            # Of each type all rows may be of one kind, and then nothing tells; this scan needs an answer, and keeps to it.
            self._assumed[sorter] = first_lacks or (not first_has and not sorter[1])
            self.needed.pop(sorter, None)

    @staticmethod
    def kinds(sorter: Sorter, rows: Iterable[FlowInstance]) -> tuple[bool, bool]:
        """Return True if some rows lack a field, and whether some do not."""
        kinds = {_reader(sorter[0])(row) is None for row in rows}
        return True in kinds, False in kinds

    def _without(self, sorter: Sorter) -> timedelta:
        first = self.nulls_first(sorter)
        assert first is not None, f"{_said(sorter)}: nobody asked where rows stand that lack it"
        return _LOWEST if first else _HIGHEST


def _said(sorter: Sorter) -> str:
    return f"{sorter[0]} {'DESC' if sorter[1] else 'ASC'}"
