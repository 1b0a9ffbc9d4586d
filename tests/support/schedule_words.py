"""A reader of schedules in words: which days and times the words of `Schedule.describe` name, read as English."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

__all__ = ["days_of", "times_of"]

_NUMBERS = r"(\d+(?:(?: through |, and |, | and )\d+)*)"
_CLOCK = r"\d\d:\d\d(?::\d\d)?"
_CLOCKS = rf"({_CLOCK}(?:(?:, and |, | and ){_CLOCK})*)"
_WEEKDAYS = list(calendar.day_name)
_MONTHS = list(calendar.month_name)
_NTH = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}


def _items(text: str) -> list[str]:
    return re.split(r", and |, | and ", text)


def _numbers(text: str, names: Sequence[str] = ()) -> set[int]:
    """Return the numbers of a list with ranges. Ranges of names may wrap around."""
    found: set[int] = set()
    for item in _items(text):
        ends = [names.index(end) if names else int(end) for end in item.split(" through ")]
        first, last = ends[0], ends[-1]
        found |= set(range(first, last + 1 if first <= last else len(names)))
        found |= set() if first <= last else set(range(names[0] == "", last + 1))
    return found


def _seconds(clock: str) -> int:
    hour, minute, second = [*map(int, clock.split(":")), 0][:3]
    return hour * 3600 + minute * 60 + second


def times_of(words: str) -> set[int]:
    """Return the times of day (s since midnight) that the words name."""
    text = words[0].lower() + words[1:]
    if found := re.match(rf"at {_CLOCKS}(?!\d)", text):
        return {_seconds(one) for one in _items(found[1])}
    if found := re.match(rf"every hour from ({_CLOCK}) through ({_CLOCK})", text):
        return set(range(_seconds(found[1]), _seconds(found[2]) + 1, 3600))
    if found := re.match(rf"every (\d+) hours(?:, starting at ({_CLOCK}))?", text):
        return set(range(_seconds(found[2] or "00:00"), 86_400, int(found[1]) * 3600))
    if re.match(r"every hour(?! from)", text):
        return set(range(0, 86_400, 3600))
    seconds = _unit(text, "second", "minute") or {0}
    minutes = _unit(text, "minute", "hour") or set(range(60))
    if found := re.search(r"in one minute of every (\d+), starting at (\d+) minutes? past the hour", text):
        minutes = set(range(int(found[2]), 60, int(found[1])))
    hours = {
        hour
        for first, last in re.findall(r"between (\d\d):00 and (\d\d):59", text)
        for hour in range(int(first), int(last) + 1)
    }
    if found := re.search(r"in one hour of every (\d+), starting at (\d\d):00", text):
        hours = set(range(int(found[2]), 24, int(found[1])))
    if found := re.search(rf"in the hours that begin at {_CLOCKS}", text):
        hours = {_seconds(one) // 3600 for one in _items(found[1])}
    return {
        hour * 3600 + minute * 60 + second
        for hour in hours or range(24)
        for minute in minutes
        for second in seconds
    }


def _unit(text: str, unit: str, whole: str) -> set[int]:
    if found := re.search(rf"(?<!starting )at {_NUMBERS} {unit}s? past the {whole}", text):
        return _numbers(found[1])
    if found := re.search(rf"every (\d+) {unit}s(?:, starting at (\d+) {unit}s? past the {whole})?", text):
        return set(range(int(found[2] or 0), 60, int(found[1])))
    return set(range(60)) if re.search(rf"every {unit}\b", text) else set()


def days_of(words: str, years: range) -> list[date]:
    """Return the days of some years that the words name."""
    day_rule, months, said = _day_rule(words), _months(words), _years(words)
    days = [date(years[0], 1, 1) + timedelta(number) for number in range(366 * len(years))]
    return [
        day
        for day in days
        if day.year in years
        and (months is None or day.month in months)
        and (said is None or day.year in said)
        and day_rule(day)
    ]


def _listed(words: str, names: Sequence[str]) -> set[int] | None:
    name = "|".join(one for one in names if one)
    listed = rf"(?:{name})(?:(?: through |, and |, | and )(?:{name}))*"
    found = re.search(rf", (?:only on |only in )?({listed})(?=,|$)", words)
    return _numbers(found[1], names) if found else None


def _months(words: str) -> set[int] | None:
    return _listed(words, _MONTHS)


def _years(words: str) -> set[int] | None:
    if found := re.search(r"every (\d+) years, (\d{4}) through (\d{4})", words):
        return set(range(int(found[2]), int(found[3]) + 1, int(found[1])))
    found = re.search(r", (?:only in )?(\d{4}(?:(?: through |, and |, | and )\d{4})*)$", words)
    return _numbers(found[1]) if found else None


def _last(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _nearest(day: date, wanted: int) -> bool:
    """Return True if a day is the weekday in its month that is nearest to a day of the month."""
    if not 1 <= wanted <= _last(day):
        return False
    month = [day.replace(day=one) for one in range(1, _last(day) + 1)]
    weekdays = [one for one in month if one.weekday() < 5]
    return day == min(weekdays, key=lambda one: abs(one.day - wanted))


def _day_rule(words: str) -> Callable[[date], bool]:
    for pattern, rule in _rules():
        if found := re.search(pattern, words):
            return lambda day: rule(day, found)
    weekdays = _listed(words, _WEEKDAYS)
    return lambda day: weekdays is None or day.weekday() in weekdays


_Rule = Callable[[date, "re.Match[str]"], bool]


def _rules() -> Iterator[tuple[str, _Rule]]:
    yield rf"on day {_NUMBERS} of the month", lambda day, found: day.day in _numbers(found[1])
    yield (
        r"between day (\d+) and (\d+) of the month",
        lambda day, found: int(found[1]) <= day.day <= int(found[2]),
    )
    yield r"on the last day of the month", lambda day, _: day.day == _last(day)
    yield r"on the last weekday of the month", lambda day, _: _nearest(day, _last(day))
    yield r"on the first weekday of the month", lambda day, _: _nearest(day, 1)
    yield (
        r"nearest day (\d+) of the month(?: \(in a (?:month|February) of (\d+) days, .* if that is a Friday\))?",
        lambda day, found: (
            _nearest(day, int(found[1]))
            or (str(_last(day)) == found[2] and day.day == _last(day) and day.weekday() == calendar.FRIDAY)
        ),
    )
    yield (
        r"nearest to (\d+) days? before the last day of the month",
        lambda day, found: _nearest(day, _last(day) - int(found[1])),
    )
    yield (
        r"(\d+) days? before the last day of the month",
        lambda day, found: day.day == _last(day) - int(found[1]),
    )
    yield (
        rf"on the ({'|'.join(_NTH)}) ({'|'.join(_WEEKDAYS)}) of the month",
        lambda day, found: _is_nth(day, _WEEKDAYS.index(found[2]), _NTH[found[1]]),
    )


def _is_nth(day: date, weekday: int, nth: int) -> bool:
    month = [day.replace(day=one) for one in range(1, _last(day) + 1)]
    such = [one for one in month if one.weekday() == weekday]
    return such[-1] == day if nth < 0 else len(such) >= nth and such[nth - 1] == day
