"""The times of one page: whether they may have other clocks, and how they are written by the trigger's clock.

A time that may stand for two instants, since clocks were put back, stands for the first one for which
trigger <= start <= end holds. A page that the service sorted by the time shows more: where the times run
backwards, the second pass begins. A creation time is the one closest to the trigger time.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import attrs

from aioflows._core.clocks.evidence import LATE, Distances
from aioflows._core.wire.zone import Zone
from aioflows.models import NAIVE_EPOCH

__all__ = ["FIELDS", "TRIGGERS_CLOCK", "UTC_CLOCK", "DatedRow", "FieldClock", "PageTimes"]

FIELDS = ("start_time", "end_time", "timestamp")
"""The fields, by their names in `FlowInstance`."""


_SORTED_BY = {"start_time": "start_time", "end_time": "end_time", "create_time": "timestamp"}
_SECOND = timedelta(seconds=1)
_HOUR = timedelta(seconds=LATE)


class DatedRow(Protocol):
    """A row whose times are read: what its clocks show."""

    instance_id: str
    flow_id: Any
    freq: Any
    start_time: Any
    end_time: Any
    timestamp: Any


@attrs.frozen
class FieldClock:
    """The clock of one time of the rows.

    Args:
        advance: the seconds by which it is ahead of the trigger's clock. Default: 0.
        zone: its zone, if it does not depend on the trigger's clock. Then `advance` is not used. Default:
            None.
    """

    advance: int = 0
    zone: Zone | None = None

    def ahead(self, instant: datetime, offset: int) -> int:
        """Return the seconds by which it is ahead of a clock with a given offset, at an instant of UTC."""
        if self.zone is None:
            return self.advance
        return self.zone.offset_at((instant - NAIVE_EPOCH) // _SECOND) - offset

    def __str__(self) -> str:
        if self.zone is not None:
            return str(self.zone.tzinfo)
        hours, minutes = divmod(abs(self.advance) // 60, 60)
        return f"{_FROM_TRIGGER}{'-' if self.advance < 0 else '+'}{hours:02}:{minutes:02}"

    @classmethod
    def parse(cls, text: str) -> FieldClock:
        """Return the clock of a text that `str` returned.

        Raises:
            QueryError: the text is not one.
        """
        zone = Zone.parse(text.removeprefix(_FROM_TRIGGER))
        return cls(zone.offset_at(0)) if text.startswith(_FROM_TRIGGER) else cls(zone=zone)


_FROM_TRIGGER = "trigger time"
TRIGGERS_CLOCK = FieldClock()
UTC_CLOCK = FieldClock(zone=Zone.parse("UTC"))


class PageTimes:
    """The times of the rows of one page."""

    def __init__(
        self,
        rows: Sequence[DatedRow],
        walls: Sequence[datetime],
        zone: Zone,
        offset: int | Sequence[int] | None,
    ) -> None:
        self.rows = rows
        self.walls = walls
        self.zone = zone
        self._offset = offset
        columns: list[list[Any]] = [
            [row.start_time for row in rows],
            [row.end_time for row in rows],
            [row.timestamp for row in rows],
        ]
        self.fields = columns
        self.offsets: list[int] = []
        self.clear: list[int] = []
        self.instants: list[datetime] = []
        self.started: list[datetime | None] = []
        self.repeats: list[tuple[datetime, datetime]] = []
        self.doubtful = self._doubtful()
        if not zone.fixed:
            shown = [
                time
                for column in (walls, *columns)
                for time in column
                if time is not None and time.tzinfo is None
            ]
            self.repeats = [
                one
                for one in zone.repeats(min(shown), max(shown))
                if any(one[0] <= time < one[1] for time in shown)
            ]

    def _doubtful(self) -> bool:
        """Return True if the rows may show that a clock differs."""
        starts, ends, stamps = self.fields
        try:
            return (
                any(map(operator.lt, starts, self.walls))
                or any(map(operator.lt, ends, starts))
                or _all_late(starts, self.walls)
                or _all_late(ends, starts)
                or _all_late(stamps, self.walls)
            )
        except TypeError:  # some rows lack a time, or have one with its own zone
            return (
                any(a < b for a, b in _pairs(starts, self.walls))
                or any(a < b for a, b in _pairs(ends, starts))
                or _all_late(*_columns(starts, self.walls))
                or _all_late(*_columns(ends, starts))
                or _all_late(*_columns(stamps, self.walls))
            )

    def _place(self) -> None:
        """Find the instants of the trigger times."""
        if self.instants:
            return
        offset, zone = self._offset, self.zone
        if offset is None and zone.fixed:
            offset = int((zone.epoch.utcoffset() or timedelta()).total_seconds())
        if offset is None:
            offset = [int((wall - zone.instants(wall)[0]).total_seconds()) for wall in self.walls]
        self.offsets = [offset] * len(self.walls) if isinstance(offset, int) else list(offset)
        self.instants = [
            wall - timedelta(seconds=s) for wall, s in zip(self.walls, self.offsets, strict=True)
        ]

    # What the rows show

    def find_clear_rows(self) -> bool:
        """Find the rows whose times all lie in one offset, on one side of any change of clocks.

        Return True if there are some.
        """
        self._place()
        self.fields = [
            [None if time is not None and time.tzinfo is not None else time for time in column]
            for column in self.fields
        ]
        first = self.offsets[0]
        self.clear = [
            row
            for row in range(len(self.rows))
            if self.zone.fixed
            or (
                self.offsets[row] == first
                and all(
                    column[row] is None or _only(self.zone, column[row]) == first
                    for column in (self.walls, *self.fields)
                )
            )
        ]
        return bool(self.clear)

    @property
    def offset(self) -> int:
        """The offset of the trigger's clock on the clear rows (s)."""
        return self.offsets[0]

    def begun(self, advance: int) -> list[datetime]:
        """Return the starts, by the trigger's clock, if theirs is ahead by some seconds.

        A row without a start has its trigger time instead.
        """
        ahead = timedelta(seconds=advance)
        return [
            wall if time is None else time - ahead
            for time, wall in zip(self.fields[0], self.walls, strict=True)
        ]

    def distances(self, later: Sequence[Any], earlier: Sequence[Any]) -> Distances:
        """Return the distances between two times of the clear rows."""
        rows = [row for row in self.clear if later[row] is not None]
        return Distances(
            [(later[row] - earlier[row]).total_seconds() for row in rows],
            [(self.walls[row] - NAIVE_EPOCH).total_seconds() for row in rows],
            [self.rows[row].flow_id for row in rows],
            [self.rows[row].freq for row in rows],
            self.offset,
        )

    # Writing

    def write(self, clocks: Sequence[FieldClock], sorter: tuple[str, bool] | None) -> None:
        """Write the times as the clock of the trigger time shows them."""
        self._place()
        zone, plain = self.zone, self._written_at_once(clocks)
        self.started = [None] * len(self.rows)
        passes = self._passes(clocks, sorter)
        for row, one in enumerate(self.rows):
            trigger, offset = self.instants[row], self.offsets[row]
            begun: datetime | None = None
            for place, field in enumerate(FIELDS):
                wall = getattr(one, field)
                if wall is None:
                    continue
                if wall.tzinfo is not None:
                    if place == 0:
                        begun = self.started[row] = wall.replace(tzinfo=None) - (
                            wall.utcoffset() or timedelta()
                        )
                    continue
                if (ahead := plain[place]) is not None and not self.repeats:
                    shown = wall - ahead if ahead else wall
                    instant = shown - timedelta(seconds=offset)
                else:
                    instants = self._instants(wall, clocks[place])
                    if place < len(FIELDS) - 1:
                        least = trigger if begun is None else begun
                        instant = _first_after(instants, least, passes.get((place, row)))
                    else:
                        instant = min(instants, key=lambda moment: abs(moment - trigger))
                    shown = zone.shown_at(instant)
                if place == 0:
                    begun = self.started[row] = instant
                if shown is not wall:
                    setattr(one, field, shown)

    def _written_at_once(self, clocks: Sequence[FieldClock]) -> list[timedelta | None]:
        """Return, for each field, what its clock is ahead on all rows. None means that it is not the same."""
        if not self.zone.fixed:
            return [None] * len(clocks)
        offset = self.offsets[0]
        return [
            timedelta(seconds=clock.ahead(self.instants[0], offset))
            if clock.zone is None or clock.zone.fixed
            else None
            for clock in clocks
        ]

    def _instants(self, wall: datetime, clock: FieldClock) -> tuple[datetime, ...]:
        if clock.zone is not None:
            return clock.zone.instants(wall)
        return self.zone.instants(wall - timedelta(seconds=clock.advance))

    def _passes(
        self, clocks: Sequence[FieldClock], sorter: tuple[str, bool] | None
    ) -> dict[tuple[int, int], bool]:
        """Return which pass a time belongs to, by its field and row, as far as the service's order shows it.

        True means the second pass.
        """
        field = None if sorter is None else _SORTED_BY.get(sorter[0])
        if field is None or sorter is None:
            return {}
        place = FIELDS.index(field)
        twice = [
            (row, wall)
            for row, wall in enumerate(self.fields[place])
            if wall is not None and wall.tzinfo is None and len(self._instants(wall, clocks[place])) > 1
        ]
        back = operator.gt if sorter[1] else operator.lt
        turns = [at for at in range(1, len(twice)) if back(twice[at][1], twice[at - 1][1])]
        if len(turns) != 1:
            return {}
        return {(place, row): (at < turns[0]) is sorter[1] for at, (row, _) in enumerate(twice)}


def _first_after(instants: Sequence[datetime], least: datetime, second: bool | None) -> datetime:
    """Return the instant that a time stands for.

    Args:
        instants: the instants that it may stand for, earliest first.
        least: the instant before which it does not lie, but for a second.
        second: True if the service's order shows that it is the second one. None means that nothing is shown.
    """
    if second is not None and instants[second and len(instants) > 1] >= least - _SECOND:
        return instants[second and len(instants) > 1]
    return next((one for one in instants if one >= least - _SECOND), instants[-1])


def _only(zone: Zone, wall: datetime) -> int | None:
    """Return the offset in force when clocks show a time (s). None means that there are two."""
    instants = zone.instants(wall)
    return int((wall - instants[0]).total_seconds()) if len(instants) == 1 else None


def _pairs(later: Sequence[Any], earlier: Sequence[Any]) -> list[tuple[datetime, datetime]]:
    return [
        (one, other)
        for one, other in zip(later, earlier, strict=True)
        if one is not None and other is not None and one.tzinfo is other.tzinfo is None
    ]


def _columns(later: Sequence[Any], earlier: Sequence[Any]) -> tuple[list[datetime], list[datetime]]:
    pairs = _pairs(later, earlier)
    return [one for one, _ in pairs], [other for _, other in pairs]


def _all_late(later: Sequence[Any], earlier: Sequence[Any]) -> bool:
    """Return True if each time lies at least about an hour from the other one."""
    return bool(later) and not any(
        -_HOUR < one - other < _HOUR for one, other in zip(later, earlier, strict=True)
    )
