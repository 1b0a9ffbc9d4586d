"""The times of one page: whether they may have other clocks, and how they are written by the trigger's clock.

A time that may stand for two instants, since clocks were put back, stands for the first one for which
trigger <= start <= end holds. A page that the service sorted by the time shows more: where the times run
backwards, the second pass begins. A creation time is the one closest to the trigger time, but before the start.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import attrs

from aioflows._core.clocks.evidence import LATE
from aioflows._core.wire.zone import Zone
from aioflows.models import NAIVE_EPOCH

__all__ = ["FIELDS", "TRIGGERS_CLOCK", "UTC_CLOCK", "DatedRow", "FieldClock", "PageTimes"]

FIELDS = ("start_time", "end_time", "timestamp")
"""The fields, by their names in `FlowInstance`."""


_SORTED_BY = {"start_time": "start_time", "end_time": "end_time", "create_time": "timestamp"}
_SECOND = timedelta(seconds=1)
_FEW_SECONDS = timedelta(seconds=5)
_EARLY = timedelta(seconds=60)
_HOUR = timedelta(seconds=LATE)
_LEAD = _HOUR - _EARLY
_MINUTES = timedelta(minutes=5)
_STEPS = (_HOUR / 2, _HOUR)
_AT_ENDS = 4  # rows
_LONGEST_RUN = timedelta(days=60)  # longer runs are common enough to be right, but not to be looked for


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
        self.offsets: list[int] = []
        self.instants: list[datetime] = []
        self.repeats: list[tuple[datetime, datetime]] = []
        """The stretches with times of the page that the trigger's clock shows twice."""
        self.doubtful = self._doubtful()
        self.steady = zone.fixed or not zone.changes(min(walls), max(walls) + _LONGEST_RUN)
        """True if the trigger's clock is not changed near any time of the page."""
        if not self.steady:
            self._find_changes()

    @cached_property
    def fields(self) -> list[list[datetime | None]]:
        """The start, end and creation times that have no zone of their own."""
        columns: list[list[datetime | None]] = [
            [row.start_time for row in self.rows],
            [row.end_time for row in self.rows],
            [row.timestamp for row in self.rows],
        ]
        return [[None if time is None or time.tzinfo else time for time in column] for column in columns]

    def _find_changes(self) -> None:
        shown = [time for column in (self.walls, *self.fields) for time in column if time is not None]
        first, last = min(shown), max(shown)
        self.steady = not self.zone.changes(first, last)
        if not self.steady:
            self.repeats = [
                one
                for one in self.zone.repeats(first, last)
                if any(one[0] <= time < one[1] for time in shown)
            ]

    def _doubtful(self) -> bool:
        """Return True if the rows may show that a clock differs."""
        rows = zip(self.rows, self.walls, strict=True)
        try:
            # Every row of every page comes here, so this is one loop without calls.
            early = [
                row
                for row, wall in rows
                if (start := row.start_time) is not None
                and (start < wall or ((end := row.end_time) is not None and end < start))
            ]
            return bool(early) or self._all_late() or self._late_at_one_end()
        except TypeError:  # a time with a zone of its own
            return True

    def _all_late(self) -> bool:
        """Return True if the ends or creations of all rows, or nearly all starts, lie an hour or more from other times."""
        ran = led = waited = False
        on_time, few = 0, len(self.rows) // 10
        for row, wall in zip(self.rows, self.walls, strict=True):
            start, end, stamp = row.start_time, row.end_time, row.timestamp
            if not waited and start is not None and start - wall < _HOUR:
                on_time += 1
                waited = on_time > few
            ran = ran or (start is not None and end is not None and end - start < _HOUR)
            led = led or (stamp is not None and -_LEAD < stamp - wall < _HOUR)
            if waited and ran and led:
                return False
        starts, ends, stamps = ([time for time in column if time is not None] for column in self.fields)
        return bool((starts and not waited) or (starts and ends and not ran) or (stamps and not led))

    def _late_at_one_end(self) -> bool:
        """Return True if the first runs are on time and the last ones an hour or half an hour late, or the reverse."""
        rows, walls = self.rows, self.walls
        sides = (zip(rows, walls, strict=True), zip(reversed(rows), reversed(walls), strict=True))
        ends = [
            [
                start - wall
                for row, wall in islice(side, 3 * _AT_ENDS)
                if (start := row.start_time) is not None
            ][:_AT_ENDS]
            for side in sides
        ]
        return any(
            len(late) == _AT_ENDS
            and any(all(step - _EARLY <= delay < step + _MINUTES for delay in late) for step in _STEPS)
            and all(-_EARLY <= delay < _MINUTES for delay in punctual)
            for punctual, late in (ends, ends[::-1])
        )

    def place(self) -> None:
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

    def begun(self, advance: int) -> list[datetime]:
        """Return the starts, by the trigger's clock, if theirs is ahead by some seconds.

        A row without a start has its trigger time instead.
        """
        ahead = timedelta(seconds=advance)
        return [
            wall if time is None else time - ahead
            for time, wall in zip(self.fields[0], self.walls, strict=True)
        ]

    # Writing

    def write(self, clocks: Sequence[FieldClock], sorter: tuple[str, bool] | None) -> None:
        """Write the times as the clock of the trigger time shows them."""
        self.place()
        differ = any(clock != TRIGGERS_CLOCK for clock in clocks)
        if self.steady and all(clock.zone is None or clock.zone.fixed for clock in clocks):
            for clock, field in zip(clocks, FIELDS, strict=True):
                self._move(field, clock.ahead(self.instants[0], self.offsets[0]))
            return
        rows = range(len(self.rows)) if differ else self._rows_shown_twice()
        passes = self._passes(clocks, sorter) if rows else {}
        for row in rows:
            self._write_row(row, clocks, passes)

    def _move(self, field: str, ahead: int) -> None:
        if not ahead:
            return
        by = timedelta(seconds=ahead)
        for row in self.rows:
            time = getattr(row, field)
            if time is not None and time.tzinfo is None:
                setattr(row, field, time - by)

    def _rows_shown_twice(self) -> list[int]:
        return [
            row
            for row in range(len(self.rows))
            if any(
                (time := column[row]) is not None
                and any(first <= time < until for first, until in self.repeats)
                for column in self.fields
            )
        ]

    def _write_row(self, row: int, clocks: Sequence[FieldClock], passes: dict[tuple[int, int], bool]) -> None:
        one, trigger, least = self.rows[row], self.instants[row], self.instants[row] - _SECOND
        for place, field in enumerate(FIELDS):
            wall = getattr(one, field)
            if wall is None:
                continue
            if wall.tzinfo is not None:
                instant = _utc(wall)
            else:
                instants = self._instants(wall, clocks[place])
                second = passes.get((place, row))
                if field != "timestamp":
                    instant = _first_after(instants, least, second)
                elif second is not None:
                    instant = instants[second and len(instants) > 1]
                else:
                    instant = self._creation(instants, trigger, max(least, trigger))
                setattr(one, field, self.zone.shown_at(instant))
            if field == "start_time":
                least = instant

    def _creation(self, instants: Sequence[datetime], trigger: datetime, start: datetime) -> datetime:
        """Return the instant of a creation time: the one that is closest to the trigger, but before the start."""
        before = [one for one in instants if one <= start + _FEW_SECONDS]
        if self._created_late or not before:
            before = list(instants)
        return min(before, key=lambda moment: abs(moment - trigger))

    @cached_property
    def _created_late(self) -> bool:
        """True if this service notes the creation of instances after they have started, as in a sample."""
        starts, _, stamps = self.fields
        return any(
            start is not None
            and stamp is not None
            and timedelta(minutes=1) < stamp - start < _HOUR
            and not any(first - _HOUR <= start < until + _HOUR for first, until in self.repeats)
            for start, stamp in zip(starts, stamps, strict=True)
        )

    def find_early(self) -> int | None:
        """Return a row that was written, and whose run starts before its trigger time. None means none."""
        for row, (one, wall) in enumerate(zip(self.rows, self.walls, strict=True)):
            start = one.start_time
            if start is None or (start.tzinfo is None and start >= wall):
                continue
            instant = _utc(start) if start.tzinfo is not None else self.zone.instants(start)[-1]
            if instant < self.instants[row] - _EARLY:
                return row
        return None

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
            if wall is not None and len(self._instants(wall, clocks[place])) > 1
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
        least: the instant before which it does not lie.
        second: True if the service's order shows that it is the second one. None means that nothing is shown.
    """
    if second is not None and (shown := instants[second and len(instants) > 1]) >= least:
        return shown
    return next((one for one in instants if one >= least), instants[-1])


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=None) - (time.utcoffset() or timedelta())
