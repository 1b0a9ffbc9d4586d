"""The clocks of the times that a row has beside its trigger time: its start, its end and its creation.

The vendor's samples print them in another zone than the trigger time, and the answer names no zone. So each
page is checked before its rows are handed out, and its times are written as the trigger's clock shows them.
A page of a service with one clock costs a few comparisons.

1. A clock that the user gave is used. Otherwise the rows show it (`aioflows._core.wire.clock_evidence`). What
   a session has found is where the next page begins, and is checked by that page too.
2. A clock that shows UTC stays at UTC when the trigger's clock is changed. Any other one is taken to be
   changed with it.
3. If a time may stand for two instants, since clocks were put back, the first one is taken for which
   trigger <= start <= end holds. A page that the service sorted by the time shows more: where the times run
   backwards, the second pass begins. A creation time is the one closest to the trigger time.
4. Rows whose runs still start before their trigger time are reported once.

See docs/guide/times.md.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import attrs

from aioflows._core.wire.clock_evidence import LATE, Distances, advance_of, lead_of
from aioflows._core.wire.zone import Zone
from aioflows.models import NAIVE_EPOCH

__all__ = ["FIELDS", "DatedRow", "FieldClock", "FieldClocks"]

FIELDS = ("start_time", "end_time", "timestamp")
"""The fields, by their names in `FlowInstance`."""

_SORTED_BY = {"start_time": "start_time", "end_time": "end_time", "create_time": "timestamp"}
_MANY_RUNS = 8
_EARLY = timedelta(seconds=60)
_SECOND = timedelta(seconds=1)
_HOUR = timedelta(seconds=LATE)

_Walls = Sequence[datetime | None]


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
        return f"trigger time{'-' if self.advance < 0 else '+'}{hours:02}:{minutes:02}"


_TRIGGERS_CLOCK = FieldClock()
_UTC = FieldClock(zone=Zone.parse("UTC"))


class FieldClocks:
    """The clocks of the times of one service's rows, as far as a session knows them.

    Args:
        given: the zone of these times, if the user gave it. Default: None.
        report: called with a sentence about times that may be wrong, once for each kind. Default: None.
    """

    def __init__(self, given: Zone | None = None, report: Callable[[str], object] | None = None) -> None:
        self.given = given
        self._report = report
        self._reported: set[str] = set()
        self._clocks = dict.fromkeys(FIELDS, _TRIGGERS_CLOCK if given is None else FieldClock(zone=given))

    def __repr__(self) -> str:
        return f"<FieldClocks {self.shown() or 'as the trigger time'}>"

    @property
    def differ(self) -> bool:
        """True if one of the clocks is known to differ from the trigger's."""
        return any(clock != _TRIGGERS_CLOCK for clock in self._clocks.values())

    def shown(self) -> dict[str, str]:
        """Return the clocks that differ from the trigger's, as texts by the names of the fields."""
        return {field: str(clock) for field, clock in self._clocks.items() if clock != _TRIGGERS_CLOCK}

    def zone_of(self, field: str) -> Zone | None:
        """Return the zone of a field whose clock does not depend on the trigger's. None means it does."""
        return self._clocks[field].zone if field in self._clocks else None

    # Reading a page

    def date(
        self,
        rows: Sequence[DatedRow],
        walls: Sequence[datetime],
        zone: Zone,
        offset: int | None,
        sorter: tuple[str, bool] | None = None,
    ) -> None:
        """Write the times of the rows of a page as the clock of the trigger time shows them.

        A time is left as it is unless another instant is meant. A time of the second pass of an hour that
        comes twice gets its zone.

        Args:
            rows: the rows, which are changed.
            walls: their trigger times, as the clock shows them.
            zone: the zone of the trigger times.
            offset: the offset in force at the trigger times (s). None means that it is looked up.
            sorter: the field that the service sorted the page by, and True if it is descending. Default:
                None.
        """
        if not rows:
            return
        page = _PageTimes(rows, walls, zone, offset)
        if self.given is None and not self.differ and not page.doubtful:
            if zone.fixed or not page.repeats:
                return
        else:
            self._find(page)
        page.write([self._clocks[field] for field in FIELDS], sorter)
        self._check(page)

    def _find(self, page: _PageTimes) -> None:
        if self.given is not None:
            return
        clear = page.clear_rows()
        if not clear:
            return
        offset, instant = page.offsets[clear[0]], page.instants[clear[0]]
        utc = -offset if offset else None
        triggers = [_seconds(page.instants[row]) for row in clear]
        base = [self._clocks[field].ahead(instant, offset) for field in FIELDS]

        def seen(later: _Walls, earlier: _Walls) -> Distances:
            both = [
                (place, row)
                for place, row in enumerate(clear)
                if later[row] is not None and earlier[row] is not None
            ]
            return Distances(
                [(later[row] - earlier[row]).total_seconds() for _, row in both],  # type: ignore[operator]
                [triggers[place] for place, _ in both],
                [page.rows[row].flow_id for _, row in both],
                [page.rows[row].freq for _, row in both],
                offset,
            )

        starts, ends, stamps = page.fields
        start, doubt = advance_of(seen(starts, page.walls), base[0], [0] if base[0] else [], utc)
        self._note("start_time", start, base[0], doubt, offset, page)
        began = [
            wall if time is None else time - timedelta(seconds=start)
            for time, wall in zip(starts, page.walls, strict=True)
        ]
        known = self._clocks["end_time"] != _TRIGGERS_CLOCK
        ran = seen(ends, began)
        end, doubt = advance_of(ran, base[1] if known else start, [0, start], utc, sure=known)
        if doubt == "late" and len(ran.values) < _MANY_RUNS:
            doubt = ""  # a few runs that take long are no sign
        self._note("end_time", end, base[1], doubt, offset, page)
        near = [start] if start else []
        made, doubt = lead_of(seen(stamps, page.walls), base[2], near, utc)
        self._note("timestamp", made, base[2], doubt, offset, page)

    def _note(self, field: str, advance: int, base: int, doubt: str, offset: int, page: _PageTimes) -> None:
        if doubt:
            self._tell(doubt, field, page)
        if advance != base:
            self._clocks[field] = (
                _UTC if offset and advance == -offset else FieldClock(advance) if advance else _TRIGGERS_CLOCK
            )

    # Reporting

    def _check(self, page: _PageTimes) -> None:
        for row in range(len(page.rows)):
            start = page.started[row]
            if start is not None and start < page.instants[row] - _EARLY:
                self._tell("early", "start_time", page)
                return

    def _tell(self, kind: str, field: str, page: _PageTimes) -> None:
        kind = "early" if kind == "contradicted" and field == "start_time" else kind
        if self._report is None or kind in self._reported:
            return
        self._reported.add(kind)
        what = {
            "early": "some runs start before their trigger time",
            "contradicted": f"{field} of some rows is earlier than the start of their runs",
            "late": f"{field} of all rows of a page lies at least an hour late",
            "lead": f"{field} of most rows of a page lies whole hours from their trigger time",
        }[kind]
        self._report(
            f"{what} (for example instance {page.rows[0].instance_id!r:.80} and those beside it). The service may print "
            "these times in another zone than trigger times, and the rows do not show which. If so, pass it as "
            "FlowSession(other_timezone=...)"
        )


class _PageTimes:
    """The times of the rows of one page."""

    def __init__(
        self, rows: Sequence[DatedRow], walls: Sequence[datetime], zone: Zone, offset: int | None
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
        self.instants: list[datetime] = []
        self.started: list[datetime | None] = []
        self.repeats: list[tuple[datetime, datetime]] = []
        self.doubtful = self._doubtful()
        if not zone.fixed:
            shown = [time for column in (walls, *columns) for time in column if time is not None and time.tzinfo is None]
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
        for wall in self.walls:
            if self._offset is not None:
                offset = self._offset
            elif self.zone.fixed:
                offset = self._offset = int((self.zone.epoch.utcoffset() or timedelta()).total_seconds())
            else:
                offset = int((wall - self.zone.instants(wall)[0]).total_seconds())
            self.offsets.append(offset)
            self.instants.append(wall - timedelta(seconds=offset))

    def clear_rows(self) -> list[int]:
        """Return the rows whose times all lie on one side of any change of clocks, and in one offset."""
        self._place()
        self.fields = [
            [None if time is not None and time.tzinfo is not None else time for time in column]
            for column in self.fields
        ]
        every = range(len(self.rows))
        if self.zone.fixed:
            return list(every)
        first = self.offsets[0]
        steady = [
            row
            for row in every
            if self.offsets[row] == first
            and all(
                column[row] is None or _only(self.zone, column[row]) == first
                for column in (self.walls, *self.fields)
            )
        ]
        return steady

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
                        begun = self.started[row] = wall.replace(tzinfo=None) - (wall.utcoffset() or timedelta())
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

    def _passes(self, clocks: Sequence[FieldClock], sorter: tuple[str, bool] | None) -> dict[tuple[int, int], bool]:
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


def _seconds(instant: datetime) -> float:
    return (instant - NAIVE_EPOCH).total_seconds()


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
    return bool(later) and not any(-_HOUR < one - other < _HOUR for one, other in zip(later, earlier, strict=True))
