"""The number of scheduled runs before an instant, for instants that never decrease.

Two instants are compared by the numbers of runs before each. So an audit holds one number for each flow, and
no list of runs.

1. On a day with one offset, all combinations of hour, minute and second are runs, or none is
   (`aioflows._core.schedule.fires`, rule 3). So the number is computed without a list.
2. Days near a change of the clocks are listed run by run.
3. Many flows share their days, and most of them run daily. So expressions share the search for days.
"""

from __future__ import annotations

from bisect import bisect_left

import attrs

from aioflows._core.schedule.day_rules import ListedDays, ListedWeekdays
from aioflows._core.schedule.expression import CronFields, parse_expression
from aioflows._core.schedule.fires import fire_after, fire_times
from aioflows._core.schedule.wall_clock import DAY, WallClock
from aioflows.errors import QueryError

__all__ = ["FireCounter", "FireCounters"]

_HOURS, _SIXTY = tuple(range(24)), tuple(range(60))
_MARGIN = 10_800  # s; since 1970 clocks change by at most two hours (tz database), except at the date line


class _RunDays:
    """The days that an expression selects, from a first day on, searched only as far as needed.

    Args:
        fields: the values of the expression. Its times of day do not matter.
        clock: the clock of the zone.
        first: the first day (days since 1970-01-01).
    """

    def __init__(self, fields: CronFields, clock: WallClock, first: int) -> None:
        self._fields = attrs.evolve(fields, hours=_HOURS, minutes=_SIXTY, seconds=_SIXTY)
        self._clock = clock
        self._next = first
        self._days: list[int] = []
        self._unsteady: list[int] = []

    def before(self, day: int) -> int:
        """Return the number of selected days before a day, counted from the first day."""
        if self._next <= day:
            self._search(day)
        return bisect_left(self._days, day)

    def _search(self, day: int) -> None:
        while self._next <= day:
            wall = fire_after(self._fields, self._clock, self._clock.instant(self._next * DAY) - 1)
            if wall is None:
                self._next = 1 << 60
                break
            found = wall // DAY
            self._next = found + 1
            if not self._clock.offsets(found).steady:
                self._unsteady.append(len(self._days))
            self._days.append(found)

    def selects(self, index: int, day: int) -> bool:
        """Return True if the selected day with an index is a given day."""
        return index < len(self._days) and self._days[index] == day

    def unsteady(self, start: int, end: int) -> list[int]:
        """Return the selected days near a change of the clocks, between two indices."""
        unsteady = self._unsteady
        if not unsteady:
            return unsteady
        return [
            self._days[one] for one in unsteady[bisect_left(unsteady, start) : bisect_left(unsteady, end)]
        ]


class _Tables:
    """Tables that many expressions share, since most run at full minutes of a few hours."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, tuple[int, ...], int], list[int]] = {}
        self._values: dict[tuple[int, ...], tuple[int, ...]] = {}

    def shared(self, fields: CronFields) -> CronFields:
        """Return equal fields, whose values are stored once."""
        return attrs.evolve(
            fields,
            seconds=self._once(fields.seconds),
            minutes=self._once(fields.minutes),
            hours=self._once(fields.hours),
            months=self._once(fields.months),
            years=self._once(fields.years),
        )

    def _once(self, values: tuple[int, ...]) -> tuple[int, ...]:
        return self._values.setdefault(values, values)

    def counts(self, length: int, selected: tuple[int, ...], each: int) -> list[int]:
        """Return a number for each hour, minute or second: the runs before, or ``~runs`` if not selected.

        Args:
            length: the number of values, from 0.
            selected: the values that are selected.
            each: the runs of a selected value.
        """
        key = (length, selected, each)
        if key not in self._counts:
            numbers = [bisect_left(selected, value) * each for value in range(length)]
            self._counts[key] = [
                number if value in selected else ~number for value, number in enumerate(numbers)
            ]
        return self._counts[key]


class FireCounter:
    """Counts the runs of an expression before an instant.

    Args:
        fields: the values of the expression.
        clock: the clock of the zone.
        days: the days that the expression selects.
        tables: the numbers of runs within days.

    Attributes:
        fields: the values of the expression.
        second: the last instant that was placed.
        placed: the result of `place` for that instant.
        error: why Quartz cannot run the expression. "" means that Quartz can.
        origin: the number of runs before the range of an audit. -1 means unknown.
    """

    def __init__(self, fields: CronFields, clock: WallClock, days: _RunDays, tables: _Tables) -> None:
        self.fields = fields
        self._clock = clock
        self._days = days
        of_hour = len(fields.minutes) * len(fields.seconds)
        self._of_day = len(fields.hours) * of_hour
        self._hours = tables.counts(24, fields.hours, of_hour)
        self._minutes = tables.counts(60, fields.minutes, len(fields.seconds))
        self._seconds = tables.counts(60, fields.seconds, 1)
        self._day = -1
        self._index = -1  # the number of selected days before the day
        self._extra = 0  # runs of days near changes of the clocks, less the runs of as many steady days
        self._base = 0  # runs before the day, since the first day
        self._selected = False
        self._listed: list[int] | None = None
        self.second = self.placed = -1
        self.error = ""
        self.origin = -1

    def place(self, day: int, within: int, second: int) -> int:
        """Return the number n of runs before an instant, or ``~n`` if no run is at the instant.

        Args:
            day: the day by wall clock (days since 1970-01-01).
            within: the seconds since midnight of the day. Used only on a day with one offset.
            second: the instant (s since the epoch), which must not decrease from call to call.
        """
        if day != self._day:
            self._move(day)
        if not self._selected:
            found = ~self._base
        elif self._listed is None:
            found = self._within_steady_day(within)
        else:
            index = bisect_left(self._listed, second)
            found = self._base + index
            if index == len(self._listed) or self._listed[index] != second:
                found = ~found
        self.second, self.placed = second, found
        return found

    def _within_steady_day(self, within: int) -> int:
        minutes, second = divmod(within, 60)
        hour, minute = divmod(minutes, 60)
        count = self._hours[hour]
        if count < 0:
            return count - self._base  # equals ~(~count + base)
        count += self._base
        more = self._minutes[minute]
        if more < 0:
            return more - count
        count += more
        more = self._seconds[second]
        return more - count if more < 0 else more + count

    def _move(self, day: int) -> None:
        self._day = day
        if self.error:
            return
        try:
            index = self._days.before(day)
            if self._index >= 0:
                for passed in self._days.unsteady(self._index, index):
                    self._extra += len(self._list(passed)) - self._of_day
            self._index = index
            self._base = index * self._of_day + self._extra
            self._selected = self._days.selects(index, day)
            listed = self._selected and not self._clock.offsets(day).steady
            self._listed = self._list(day) if listed else None
        except QueryError as error:
            self.error, self._selected = str(error), False

    def _list(self, day: int) -> list[int]:
        """Return the runs of a day near a change of the clocks (s since the epoch)."""
        clock = self._clock
        first, end = clock.instant(day * DAY) - _MARGIN, clock.instant(day * DAY + DAY) + _MARGIN
        runs = (round(one.timestamp()) for one in fire_times(self.fields, clock, first, end))
        return [run for run in runs if clock.wall(run) // DAY == day]


class FireCounters:
    """The counters of all expressions of an audit, in one zone.

    Args:
        clock: the clock of the zone.
        first: the first day that may be asked for (days since 1970-01-01).
    """

    def __init__(self, clock: WallClock, first: int) -> None:
        self._clock = clock
        self._first = first
        self._days: dict[object, _RunDays] = {}
        self._counters: dict[str, FireCounter | str] = {}
        self._tables = _Tables()

    def counter(self, expression: str) -> FireCounter | str:
        """Return the counter of an expression, or the reason why there is none."""
        found = self._counters.get(expression)
        if found is None:
            found = self._counters[expression] = self._new(expression)
        return found

    def _new(self, expression: str) -> FireCounter | str:
        try:
            fields = self._tables.shared(parse_expression(expression))
        except QueryError as error:
            return str(error)
        if fields.empty:
            return f"{expression!r} runs never: its {fields.empty} selects nothing"
        return FireCounter(fields, self._clock, self._days_of(fields), self._tables)

    def _days_of(self, fields: CronFields) -> _RunDays:
        if not isinstance(fields.days, (ListedDays, ListedWeekdays)):
            return _RunDays(
                fields, self._clock, self._first
            )  # the other rules depend on where a search starts
        key = (fields.days, fields.months, fields.years)
        if key not in self._days:
            self._days[key] = _RunDays(fields, self._clock, self._first)
        return self._days[key]
