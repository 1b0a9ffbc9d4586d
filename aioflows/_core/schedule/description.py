"""A schedule in English words, by the package cron-descriptor where it is right about Quartz.

cron-descriptor 2.2.1 counts weekdays as Quartz does if it is told to. It reads some expressions wrongly:

1. ``0/25`` minutes is "every 25 minutes" to it, though the hour starts anew.
2. It refuses ``MONDAY`` and ``L`` as a weekday, and reads ``/5``, ``l``, ``39-34``, ``2#2,6`` and 99 wrongly.
3. The years of ``2016/4`` go on until 9999.
4. It drops the ``W`` of ``L-3W``.

So it gets the values that an expression selects, in a form that it reads rightly. The words for ``L-3W`` are
written here.
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
from aioflows.errors import QueryError

__all__ = ["describe_fields"]

_NEVER = "Never"
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
    text = " ".join(
        (
            _cyclic(fields.seconds, 0, 60),
            _cyclic(fields.minutes, 0, 60),
            _cyclic(fields.hours, 0, 24),
            days[0],
            _ring(fields.months, 12),
            days[1],
            _years(fields.years),
        )
    )
    words: str = ExpressionDescriptor(
        text, day_of_week_start_index_zero=False, use_24hour_time_format=True, locale_code="en_US"
    ).get_description()
    if isinstance(fields.days, NearestWeekday) and fields.days.before_last:
        before = "1 day" if fields.days.before_last == 1 else f"{fields.days.before_last} days"
        words = words.replace(
            _LAST_WEEKDAY, f"on the weekday nearest to {before} before the last day of the month"
        )
    return words


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


def _cyclic(values: tuple[int, ...], low: int, high: int) -> str:
    """Return a field of a time: a step if it divides the field, else runs and single values."""
    step = values[1] - values[0] if len(values) > 2 else 0
    if (
        step > 1
        and (high - low) % step == 0
        and values == tuple(range(values[0], high, step))
        and values[0] < step
    ):
        return f"{values[0]}/{step}"
    return _runs(values, low, high - 1)


def _runs(values: tuple[int, ...], low: int, high: int) -> str:
    """Return a list of values, with three and more in a row as a range."""
    if len(values) > high - low:
        return "*"
    parts: list[list[int]] = []
    for value in values:
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return ",".join(f"{one[0]}-{one[-1]}" if len(one) > 2 else ",".join(map(str, one)) for one in parts)


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
