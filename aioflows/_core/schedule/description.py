"""A schedule in English words, by the package cron-descriptor where it is right about Quartz.

cron-descriptor 2.2.1 counts weekdays as Quartz does if it is told to. It reads some expressions wrongly:

1. Of hours in a list, and of a single hour with several minutes, it tells times without a run. So the words
   for times of day are written in `time_words`.
2. It refuses ``MONDAY`` and ``L`` as a weekday, and reads ``/5``, ``l``, ``39-34``, ``2#2,6`` and 99 wrongly.
3. The years of ``2016/4`` go on until 9999.
4. It drops the ``W`` of ``L-3W``.

5. It does not say that Quartz takes a Friday before the 31st as ``31W`` in a month of 30 days.

So it gets the days, months and years that an expression selects, in a form that it reads rightly. The words
for ``L-3W`` and ``31W`` are written here.
"""

from __future__ import annotations

from aioflows._core.schedule.day_rules import (
    LastDay,
    LastWeekday,
    ListedDays,
    ListedWeekdays,
    NearestWeekday,
    NthWeekday,
)
from aioflows._core.schedule.expression import CronFields
from aioflows._core.schedule.field_items import LAST_YEAR
from aioflows._core.schedule.time_words import runs_of, time_words
from aioflows.errors import QueryError

__all__ = ["describe_fields"]

_NEVER = "Never"
_MIDNIGHT = "0 0 0"
_SHORT_MONTHS = {4, 6, 9, 11}
_LAST_WEEKDAY = "on the last weekday of the month"


def describe_fields(fields: CronFields) -> str:
    """Return the values of an expression in English words.

    Raises:
        QueryError: cron-descriptor is not installed.
    """
    try:
        from cron_descriptor import ExpressionDescriptor  # noqa: PLC0415
    except ImportError:
        raise QueryError(
            "a description needs cron-descriptor, which is not installed; install enos-aioflows[schedule]"
        ) from None
    days = _days(fields)
    if fields.empty or not fields.years or days is None:
        return _NEVER
    text = f"{_MIDNIGHT} {days[0]} {_ring(fields.months, 12)} {days[1]} {_years(fields.years)}"
    words: str = ExpressionDescriptor(
        text, day_of_week_start_index_zero=False, use_24hour_time_format=True, locale_code="en_US"
    ).get_description()
    words = time_words(fields) + words.removeprefix("At 00:00")
    if isinstance(fields.days, NearestWeekday):
        return words.replace(*_nearest(fields.days, fields.months))
    return words


def _nearest(rule: NearestWeekday, months: tuple[int, ...]) -> tuple[str, str]:
    """Return words of cron-descriptor, and the words that replace them."""
    day = rule.day
    if rule.before_last:
        days = "1 day" if rule.before_last == 1 else f"{rule.before_last} days"
        return _LAST_WEEKDAY, f"on the weekday nearest to {days} before the last day of the month"
    shorter = ""
    if day == 31 and not _SHORT_MONTHS.isdisjoint(months):
        shorter = "a month of 30 days"
    elif day in (29, 30) and 2 in months and 1 not in months:  # else the search skips February
        shorter = f"a February of {day - 1} days"
    words = f"day {day} of the month"
    return words, f"{words} (in {shorter}, on day {day - 1} if that is a Friday)" if shorter else words


def _days(fields: CronFields) -> tuple[str, str] | None:
    """Return the two day fields. None means that no day is ever selected."""
    match fields.days:
        case ListedDays(days):
            return _runs(days, 1, 31), "?"
        case LastDay(before):
            return f"L-{before}" if before else "L", "?"
        case NearestWeekday(day, None):
            return (f"{day}W", "?") if day else None
        case NearestWeekday():
            return "LW", "?"
        case ListedWeekdays(weekdays):
            return "?", _ring(weekdays, 7)
        case LastWeekday(weekday):
            return "?", f"{weekday}L"
        case NthWeekday(weekday, nth):
            return ("?", f"{weekday or 7}#{nth}") if weekday <= 7 else None
    raise AssertionError(fields.days)


def _runs(values: tuple[int, ...], low: int, high: int) -> str:
    """Return a list of values, with three and more in a row as a range."""
    if len(values) > high - low:
        return "*"
    parts = [
        f"{first}-{last}" if last - first > 1 else ",".join(map(str, range(first, last + 1)))
        for first, last in runs_of(values)
    ]
    return ",".join(parts)


def _ring(values: tuple[int, ...], size: int) -> str:
    """Return months or weekdays. A range may wrap around, as from November to February."""
    for first in values:
        ring = sorted((one - first) % size for one in values)
        if ring == list(range(len(values))) and 2 < len(values) < size:
            return f"{first}-{(first + len(values) - 2) % size + 1}"
    return _runs(values, 1, size)


def _years(years: tuple[int, ...]) -> str:
    if years == tuple(range(1970, LAST_YEAR + 1)):
        return "*"
    step = years[1] - years[0] if len(years) > 2 else 0
    if step > 1 and years == tuple(range(years[0], years[-1] + 1, step)):
        return f"{years[0]}-{years[-1]}/{step}"
    return _runs(years, 1970, LAST_YEAR)
