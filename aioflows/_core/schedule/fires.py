"""The instants at which a schedule runs, in the order and with the gaps of Quartz 2.3.2.

1. The search works on wall-clock times. It goes from the start to the first time of day that matches, then
   asks for the day, the month and the year. A part that does not match moves the search, which begins again.
2. After each move the time is read anew (`WallClock.shown`), so clock changes have the effect that they have
   in Quartz.
3. If a day has a run, all later matches of that day are runs, up to a time that clocks skip. So they are
   listed without a search. `tests/core/schedule/test_fires.py` compares the list with one search for each run.
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from collections.abc import Generator, Iterator
from datetime import date, datetime, timedelta
from itertools import repeat

import attrs

from aioflows._core.schedule.day_rules import CalendarDay, day_number, first_from
from aioflows._core.schedule.expression import CronFields
from aioflows._core.schedule.field_items import LAST_YEAR
from aioflows._core.schedule.wall_clock import DAY, WallClock
from aioflows.errors import QueryError

__all__ = ["fire_after", "fire_times"]

_HOUR, _MINUTE = 3_600, 60
_FIRST_START = (date(1900, 1, 1) - date(1970, 1, 1)).days * DAY
_LAST_START = (date(LAST_YEAR + 2, 1, 1) - date(1970, 1, 1)).days * DAY
"""The instants between which a search starts. All runs lie between 1970 and `LAST_YEAR`, in any zone."""


def fire_after(fields: CronFields, clock: WallClock, after: int) -> int | None:
    """Return the wall-clock time of the first run after an instant (s since the epoch).

    None means that there is none.

    Raises:
        QueryError: Quartz fails at this search, or never ends it.
    """
    if fields.empty:
        raise QueryError(
            f"Quartz accepts this schedule and cannot run it: its {fields.empty} selects nothing; write '*' for all"
        )
    if after >= _LAST_START:
        return None
    return _Search(fields, clock, max(after + 1, _FIRST_START)).run()


@attrs.define
class _Search:
    """One search.

    Args:
        fields: the values of the expression.
        clock: the clock of the zone.
        start: the earliest instant that may be found.
    """

    _fields: CronFields
    _clock: WallClock
    _start: int
    _wall: int = attrs.field(init=False, default=0)
    _steps_back: set[tuple[int, int]] = attrs.field(init=False, factory=set)

    def run(self) -> int | None:
        self._wall = self._clock.wall(self._start)
        while True:
            self._seek_time()
            day = CalendarDay.of(self._wall // DAY)
            if day.year > LAST_YEAR:
                return None
            number = self._fields.days.move(day, self)
            if number is None:
                month = first_from(self._fields.months, day.month)
                if month != day.month:
                    number = day_number(day.year + (month is None), month or self._fields.months[0], 1)
                else:
                    year = first_from(self._fields.years, day.year)
                    if year is None:
                        return None
                    if year == day.year:
                        return self._wall
                    number = day_number(year, 1, 1)
            if number <= day.number:
                self._note_step_back(number)
            self._wall = self._clock.shown(number * DAY)

    def real_day(self, number: int) -> CalendarDay:
        return CalendarDay.of(self._clock.shown(number * DAY) // DAY)

    def is_past(self, number: int) -> bool:
        return self._clock.instant(number * DAY + self._wall % DAY) < self._start

    def _note_step_back(self, number: int) -> None:
        step = (self._wall, number)
        if step in self._steps_back:
            raise QueryError(
                f"Quartz 2.3.2 never ends its search for a run after {self._clock.time(self._start - 1)}, because this "
                "'W' leads out of its month; choose a day that every month has, as in 15W, L or LW"
            )
        self._steps_back.add(step)

    def _seek_time(self) -> None:
        """Go to the first time of day that matches, which may lie on a later day."""
        fields, shown = self._fields, self._clock.shown
        while True:
            minutes, second = divmod(self._wall, _MINUTE)
            found = first_from(fields.seconds, second)
            if found is None:
                found, minutes = fields.seconds[0], minutes + 1
            self._wall = shown(minutes * _MINUTE + found)
            day, time = divmod(self._wall, DAY)
            hour, minute = divmod(time // _MINUTE, 60)
            found = first_from(fields.minutes, minute)
            if found is None:
                self._go_to_hour(day, hour + 1, fields.minutes[0])
                continue
            if found != minute:
                self._go_to_hour(day, hour, found)
                continue
            found = first_from(fields.hours, hour)
            if found == hour:
                return
            if found is None:
                day, found = day + 1, fields.hours[0]
            self._go_to_hour(day, found, 0)

    def _go_to_hour(self, day: int, hour: int, minute: int) -> None:
        """Go to a minute of an hour, 24 for midnight. If clocks skip it, go to the hour behind it."""
        self._wall = self._clock.shown(day * DAY + hour * _HOUR + minute * _MINUTE)
        if hour != 24 and self._wall // _HOUR % 24 != hour:
            midnight = self._wall // DAY * DAY
            self._wall = self._clock.shown(midnight + (hour + 1) * _HOUR + self._wall % _HOUR)


def fire_times(fields: CronFields, clock: WallClock, first: int, end: int) -> Iterator[datetime]:
    """Yield the runs from one instant until before another (s since the epoch), as times of the zone.

    Raises:
        QueryError: Quartz fails at the search for the next run, or never ends it.
    """
    runs = _DayRuns(fields, clock, end)
    # A first pass has no run. A search that starts in it would go on behind the same time of the second pass.
    after = clock.behind_first_pass(first) - 1
    while (wall := fire_after(fields, clock, after)) is not None:
        if clock.instant(wall) >= end:
            return
        steady = clock.offsets(wall // DAY).steady
        after = yield from (runs.of_steady_day(wall) if steady else runs.of_changing_day(wall))


@attrs.define
class _DayRuns:
    """Lists the runs of a day without a search.

    Args:
        fields: the values of the expression.
        clock: the clock of the zone.
        end: the first instant that is too late.
    """

    _fields: CronFields
    _clock: WallClock
    _end: int
    _within_hour: list[int] = attrs.field(init=False)
    _since_hour: list[timedelta] = attrs.field(init=False)

    @_within_hour.default
    def _seconds_of_hour(self) -> list[int]:
        return [
            minute * _MINUTE + second for minute in self._fields.minutes for second in self._fields.seconds
        ]

    @_since_hour.default
    def _times_of_hour(self) -> list[timedelta]:
        return [timedelta(seconds=one) for one in self._within_hour]

    def _hours(self, wall: int, stop: int) -> Iterator[tuple[int, int]]:
        """Yield the hours with runs, from a run on: the wall-clock time and the index of the first run."""
        midnight = wall // DAY * DAY
        for hour in self._fields.hours[bisect_left(self._fields.hours, wall % DAY // _HOUR) :]:
            start = midnight + hour * _HOUR
            if start >= stop:
                return
            yield start, bisect_left(self._within_hour, wall - start)

    def of_steady_day(self, wall: int) -> Generator[datetime, None, int]:
        """Yield the runs of a day with one offset, from a run on. Return the last one (s since the epoch)."""
        offset = self._clock.offsets(wall // DAY).first
        midnight, stop = self._clock.time(wall // DAY * DAY - offset), self._end + offset
        found = wall
        for start, index in self._hours(wall, stop):
            hour = midnight + timedelta(seconds=start % DAY)
            last = bisect_left(self._within_hour, stop - start)
            # This runs in C, so a run costs a tenth of a search.
            yield from map(operator.add, repeat(hour), self._since_hour[index:last])
            found = start + self._within_hour[last - 1]
        return found - offset

    def of_changing_day(self, wall: int) -> Generator[datetime, None, int]:
        """Yield the runs of a day until a time that clocks skip. Return the last one (s since the epoch)."""
        midnight = wall // DAY * DAY + DAY
        gap = self._clock.next_gap(wall)
        stop = midnight if gap is None else min(gap, midnight)
        found = self._clock.instant(wall)
        for start, index in self._hours(wall, stop):
            for one in self._within_hour[index:]:
                instant = self._clock.instant(start + one)
                if instant >= self._end or start + one >= stop:
                    return found
                yield self._clock.time(instant)
                found = instant
        return found
