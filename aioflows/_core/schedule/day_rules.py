"""Which days of a month a schedule selects.

Each rule answers one question about a day: does the schedule run on it? If not, it says from which day on the
search continues. The answers are those of Quartz 2.3.2, including two that its manual does not mention:

1. The search may continue from a day that does not exist, such as February 31. That means the day as far
   behind the end of the month, March 3. So the search does not see the rest of the month that it left.
2. ``W`` compares the run with the instant at which the search started, so it may step back inside a month.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import date
from typing import Protocol

import attrs

__all__ = [
    "CalendarDay",
    "DayRule",
    "LastDay",
    "LastWeekday",
    "ListedDays",
    "ListedWeekdays",
    "NearestWeekday",
    "NthWeekday",
    "Start",
    "day_number",
    "first_from",
]

_EPOCH = date(1970, 1, 1).toordinal()
_MONTH_DAYS = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_SUNDAY, _SATURDAY = 1, 7


def first_from(values: Sequence[int], least: int) -> int | None:
    """Return the first of sorted values that is not below *least*. None means that there is none."""
    index = bisect_left(values, least)
    return values[index] if index < len(values) else None


def day_number(year: int, month: int, day: int) -> int:
    """Return the days from 1970-01-01. A month or a day outside its range counts on into other months."""
    return date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1).toordinal() - _EPOCH + day - 1


def weekday_of(number: int) -> int:
    """Return the weekday of a day: 1 for Sunday, 7 for Saturday."""
    return (number + 4) % 7 + 1


@attrs.frozen
class CalendarDay:
    """A day as a calendar shows it.

    Args:
        number: the days from 1970-01-01.
        year: the year.
        month: the month, from 1.
        day: the day of the month.
    """

    number: int
    year: int
    month: int
    day: int

    @classmethod
    def of(cls, number: int) -> CalendarDay:
        """Return the day with a number."""
        found = date.fromordinal(number + _EPOCH)
        return cls(number, found.year, found.month, found.day)

    @property
    def last(self) -> int:
        """The last day of the month."""
        leap = self.year % 4 == 0 and (self.year % 100 != 0 or self.year % 400 == 0)
        return 29 if leap and self.month == 2 else _MONTH_DAYS[self.month]

    @property
    def weekday(self) -> int:
        """The weekday: 1 for Sunday, 7 for Saturday."""
        return weekday_of(self.number)

    def moved(self, months: int, day: int) -> int:
        """Return the number of a day of this month, or of one that is some months later."""
        return day_number(self.year, self.month + months, day)

    def days_until(self, weekday: int) -> int:
        """Return the days until a weekday."""
        return weekday - self.weekday + (7 if weekday < self.weekday else 0)


class Start(Protocol):
    """The start of a search, for a rule that steps back."""

    def real_day(self, number: int) -> CalendarDay:
        """Return a day, or the following one if clocks skip it."""

    def is_past(self, number: int) -> bool:
        """Return True if the run of a day lies before the start of the search."""


class DayRule(Protocol):
    """Selects days."""

    def move(self, day: CalendarDay, start: Start) -> int | None:
        """Return the number of the day from which the search continues.

        None means that this day is selected.
        """


@attrs.frozen
class ListedDays:
    """Days of the month by their numbers."""

    days: tuple[int, ...]

    def move(self, day: CalendarDay, start: Start) -> int | None:  # noqa: ARG002
        """Return the next listed day, or the first one of the next month."""
        found = first_from(self.days, day.day)
        if found is None or found > day.last:
            return day.moved(1, self.days[0])
        return None if found == day.day else day.moved(0, found)


@attrs.frozen
class LastDay:
    """The last day of a month, or some days before it."""

    before: int

    def move(self, day: CalendarDay, start: Start) -> int | None:  # noqa: ARG002
        """Return that day, or the first one of the next month."""
        found = day.last - self.before
        if day.day > found:
            return day.moved(1, 1)
        return None if found == day.day else day.moved(0, found)


@attrs.frozen
class NearestWeekday:
    """The day from Monday to Friday that is nearest to a day, in the same month.

    Args:
        day: the day of the month.
        before_last: the days before the last one of the month, in place of the day. None means the day.
    """

    day: int
    before_last: int | None

    def move(self, day: CalendarDay, start: Start) -> int | None:
        """Return that day, or a day of the next month if that day is past."""
        wanted = self.day if self.before_last is None else day.last - self.before_last
        real = start.real_day(day.moved(0, wanted))
        found = wanted + _to_weekday(wanted, real.weekday, day.last)
        if start.is_past(day_number(real.year, day.month, found)):
            return day.moved(1, self.day if self.before_last is None else 1)
        return None if found == day.day else day.moved(0, found)


def _to_weekday(day: int, weekday: int, last: int) -> int:
    """Return the days to the nearest day from Monday to Friday in the same month."""
    if weekday == _SATURDAY:
        return 2 if day == 1 else -1
    if weekday == _SUNDAY:
        return -2 if day == last else 1
    return 0


@attrs.frozen
class ListedWeekdays:
    """Days of the week, 1 for Sunday to 7 for Saturday."""

    weekdays: tuple[int, ...]

    def move(self, day: CalendarDay, start: Start) -> int | None:  # noqa: ARG002
        """Return the next listed weekday, or the first day of the next month."""
        found = first_from(self.weekdays, day.weekday)
        days = day.days_until(self.weekdays[0] if found is None else found)
        if day.day + days > day.last:
            return day.moved(1, 1)
        return day.number + days if days else None


@attrs.frozen
class LastWeekday:
    """The last such weekday of a month."""

    weekday: int

    def move(self, day: CalendarDay, start: Start) -> int | None:  # noqa: ARG002
        """Return that day, or the first day of the next month."""
        days = day.days_until(self.weekday)
        left = day.last - day.day - days
        if left < 0:
            return day.moved(1, 1)
        days += left - left % 7
        return day.number + days if days else None


@attrs.frozen
class NthWeekday:
    """The n-th such weekday of a month. Quartz takes 0 for Saturday, and finds no day for 8 and more."""

    weekday: int
    nth: int

    def move(self, day: CalendarDay, start: Start) -> int | None:  # noqa: ARG002
        """Return that day, or the first day of the next month."""
        days = day.days_until(self.weekday)
        week = (day.day + days + 6) // 7
        found = day.day + days + (self.nth - week) * 7
        if week > self.nth or found > day.last:
            return day.moved(1, 1)
        return None if found == day.day and not days else day.moved(0, found)
