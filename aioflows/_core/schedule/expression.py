"""A Quartz cron expression as values: which seconds, minutes, hours, days, months and years it selects."""

from __future__ import annotations

import attrs

from aioflows._core.schedule.day_rules import (
    DayRule,
    LastDay,
    LastWeekday,
    ListedDays,
    ListedWeekdays,
    NearestWeekday,
    NthWeekday,
)
from aioflows._core.schedule.field_items import DAY_OF_WEEK, FIELDS, FieldKind, FieldValues
from aioflows.errors import QueryError

__all__ = ["CronFields", "parse_expression"]

_BLANKS = "".join(map(chr, range(33)))  # what Java's String.trim removes
_ORDER = "second minute hour day-of-month month day-of-week [year]"


@attrs.frozen
class CronFields:
    """The values of an expression. Each tuple is sorted.

    Quartz accepts a field that selects nothing, such as a lone comma. Without years the schedule has no run.
    With another empty field, Quartz fails when it computes the first run.

    Args:
        seconds: the seconds of a minute.
        minutes: the minutes of an hour.
        hours: the hours of a day.
        days: the rule that selects days.
        months: the months, from 1.
        years: the years up to `LAST_YEAR`.
        empty: the name of another field than years that selects nothing. Default: "", which means none.
    """

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: DayRule
    months: tuple[int, ...]
    years: tuple[int, ...]
    empty: str = ""


def parse_expression(text: str) -> CronFields:
    """Return the values of a Quartz cron expression, as Quartz 2.3.2 reads it.

    Raises:
        QueryError: Quartz refuses the expression.
    """
    try:
        return _parsed(text)
    except QueryError as error:
        raise QueryError(f"{text!r:.200} is not a Quartz schedule: {error}") from None


def _parsed(text: str) -> CronFields:
    texts = [one.strip(_BLANKS) for one in text.upper().replace("\t", " ").split(" ") if one]
    if len(texts) < 6:
        raise QueryError(
            f"it has {len(texts)} field{'' if len(texts) == 1 else 's'} and needs 6 or 7 ({_ORDER}); for a Unix cron expression, write the "
            "second in front, '?' for one of the two day fields, and 1 (Sunday) to 7 (Saturday) for weekdays"
        )
    texts = [*texts, "*"][:7]  # Quartz ignores further fields
    fields = [_field(kind, one) for kind, one in zip(FIELDS, texts, strict=True)]
    seconds, minutes, hours, month_days, months, weekdays, years = fields
    _check_one_day_field(month_days, weekdays)
    chosen = month_days if weekdays.unspecified else weekdays
    if chosen is month_days and chosen.empty and "?" in texts[5]:
        raise QueryError("its day of month selects nothing; write '*' to select every day")
    empty = next((one.kind.name for one in (seconds, minutes, hours, chosen, months) if one.empty), "")
    return CronFields(
        seconds=_values(seconds),
        minutes=_values(minutes),
        hours=_values(hours),
        days=_days(chosen),
        months=_values(months),
        years=_values(years),
        empty=empty,
    )


def _field(kind: FieldKind, text: str) -> FieldValues:
    if "L" in text and "," in text and kind.about_days:
        raise QueryError(
            f"{text!r} has 'L' in a list; write 'L' alone, and another schedule for the other days"
        )
    if kind is DAY_OF_WEEK and text.count("#") > 1:
        raise QueryError(f"{text!r} has '#' twice; write one of them, and another schedule for the other day")
    field = FieldValues(kind)
    for item in text.split(","):
        if item:
            field.add(item)
    return field


def _check_one_day_field(month_days: FieldValues, weekdays: FieldValues) -> None:
    if month_days.unspecified and weekdays.unspecified:
        raise QueryError("both day fields are '?'; write '*' for one of them to select every day")
    if not month_days.unspecified and not weekdays.unspecified:
        raise QueryError(
            "it has a day of month and a day of week, and Quartz accepts one of them; write '?' for the other"
        )


def _values(field: FieldValues) -> tuple[int, ...]:
    return tuple(sorted(one for one in field.values if one <= field.kind.high))


def _days(field: FieldValues) -> DayRule:
    """Return the rule of the day field that counts.

    In a list with an option, the smallest value counts alone.
    """
    smallest = min(field.values, default=0)
    if field.kind is DAY_OF_WEEK:
        if field.last:
            return LastWeekday(smallest)
        return NthWeekday(smallest, field.nth) if field.nth else ListedWeekdays(_values(field))
    if field.nearest:
        return NearestWeekday(smallest, field.before_last if field.last else None)
    return LastDay(field.before_last) if field.last else ListedDays(_values(field))
