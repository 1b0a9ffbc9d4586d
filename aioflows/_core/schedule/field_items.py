"""One field of a Quartz expression: the values that its items name, and the items that Quartz refuses.

A field is a list of items, such as ``1,15`` or ``MON-FRI``. The rules are those of Quartz 2.3.2, whose parser
(``org.quartz.CronExpression``) is more permissive than its manual:

1. Text behind a complete item is ignored, so ``MONDAY`` is ``MON`` and ``5X`` is ``5``.
2. The numbers 98 and 99 stand for ``?`` and ``*``, since Quartz marks these with numbers.
3. A range whose end lies before its start wraps around, except for years.
4. The step of a range has no limit; the step of a start has one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

import attrs

from aioflows.errors import QueryError

__all__ = [
    "ANY",
    "DAY_OF_MONTH",
    "DAY_OF_WEEK",
    "FIELDS",
    "LAST_YEAR",
    "UNSPECIFIED",
    "FieldKind",
    "FieldValues",
]

UNSPECIFIED = 98
"""The number that stands for ``?``."""
ANY = 99
"""The number that stands for ``*``."""
LAST_YEAR = 2126
"""The last year with runs. Quartz ends 100 years after the year in which its process started."""

_LARGEST_INT = 2**31 - 1
_LAST_DAY = re.compile(r"L(?:W|-[0-9]*W?)?")
_NUMBER = re.compile(r"[0-9]+")
# The first character may be any Unicode digit, since Java parses it alone.
_RANGE = re.compile(r"-(\d[0-9]*)(/(\d[0-9]*)?)?")
_STEP = re.compile(r"/(\d(?![^0-9])[0-9]*)")
_INTEGER = re.compile(r"[+-]?\d+")


@attrs.frozen
class FieldKind:
    """The rules of one field.

    Args:
        name: its name in errors.
        low: its smallest value.
        high: its largest value.
        largest_step: the largest step behind a start or a ``*``. None means no limit.
        names: the values that have names.
    """

    name: str
    low: int
    high: int
    largest_step: int | None
    names: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def about_days(self) -> bool:
        """True for the two fields that select days. Only these accept ``?``."""
        return self is DAY_OF_MONTH or self is DAY_OF_WEEK

    @property
    def size(self) -> int:
        """The number of values, by which a range wraps around."""
        return self.high - self.low + 1

    @property
    def bounds(self) -> str:
        """The accepted values, for errors."""
        names = f" or {next(iter(self.names))}-{list(self.names)[-1]}" if self.names else ""
        return f"{self.low}-{self.high}{names}"


_MONTH_NAMES = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAY_NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WEEKDAYS = {name: number for number, name in enumerate(_WEEKDAY_NAMES, 1)}
DAY_OF_MONTH = FieldKind("day of month", 1, 31, 31)
DAY_OF_WEEK = FieldKind("day of week", 1, 7, 7, _WEEKDAYS)
_MONTH = FieldKind("month", 1, 12, 12, _MONTHS)
_YEAR = FieldKind("year", 1970, LAST_YEAR, None)
FIELDS = (
    FieldKind("second", 0, 59, 59),
    FieldKind("minute", 0, 59, 59),
    FieldKind("hour", 0, 23, 23),
    DAY_OF_MONTH,
    _MONTH,
    DAY_OF_WEEK,
    _YEAR,
)
"""The fields of an expression, in their order."""


@attrs.define
class FieldValues:
    """The values of one field, and the options of its days.

    Args:
        kind: the rules of the field.
    """

    kind: FieldKind
    values: set[int] = attrs.field(init=False, factory=set)
    last: bool = attrs.field(init=False, default=False)
    """True if ``L`` selects the last day of the month, or the last such weekday."""
    before_last: int = attrs.field(init=False, default=0)
    """The days before the last day of the month."""
    nearest: bool = attrs.field(init=False, default=False)
    """True if ``W`` selects the nearest weekday."""
    nth: int = attrs.field(init=False, default=0)
    """The number behind ``#``. 0 means none."""

    @property
    def unspecified(self) -> bool:
        """True if the field is ``?``."""
        return UNSPECIFIED in self.values

    @property
    def empty(self) -> bool:
        """True if the field selects nothing."""
        return not self.values and not self.last

    def add(self, item: str) -> None:
        """Add the values of one item.

        Raises:
            QueryError: Quartz refuses the item.
        """
        if _LAST_DAY.fullmatch(item):
            self._add_last(item)
        elif "A" <= item[0] <= "Z":
            self._add_named(item)
        elif item[0] == "?":
            self._add_unspecified(item)
        elif item[0] in "*/":
            self._add_every(item)
        elif "0" <= item[0] <= "9":
            self._add_numbered(item)
        else:
            self._refuse(item, f"{item[0]!r} cannot stand there")

    def _refuse(self, item: str, problem: str) -> NoReturn:
        raise QueryError(f"in the field {self.kind.name}, {item!r}: {problem}")

    def _integer(self, item: str, text: str, problem: str) -> int:
        if not _INTEGER.fullmatch(text) or abs(int(text)) > _LARGEST_INT:
            self._refuse(item, problem)
        return int(text)

    def _add_last(self, item: str) -> None:
        if self.kind is DAY_OF_WEEK:
            self.values.add(7)  # "L" alone is Saturday, the last day of a week
        elif self.kind is DAY_OF_MONTH:
            self.last = True
            self.nearest |= item.endswith("W")
            digits = item[2:].rstrip("W")
            if item == "L-":
                self._refuse(item, "the number of days is missing; write L-3 for three days before the last")
            self.before_last = self._number(item, digits or "0")
            if self.before_last > 30:
                self._refuse(item, "L-30 is the earliest; the last day has at most 30 days before it")

    def _add_named(self, item: str) -> None:
        kind = self.kind
        if not kind.names:
            self._refuse(item, f"a {kind.name} has no names; write {kind.bounds}")
        first, rest, end, step = self._named(item, item[:3]), item[3:], -1, 0
        if rest.startswith("-"):
            end, step = self._named(item, rest[1:4]), 1
        elif kind is DAY_OF_WEEK and rest.startswith("#"):
            self._set_nth(item, rest[1:])
        elif kind is DAY_OF_WEEK and rest.startswith("L"):
            self.last = True
        self._fill(item, first, end, step)

    def _named(self, item: str, name: str) -> int:
        if name not in self.kind.names:
            self._refuse(item, f"{name!r} is unknown; write {self.kind.bounds}")
        return self.kind.names[name]

    def _add_unspecified(self, item: str) -> None:
        if not self.kind.about_days:
            self._refuse(item, "only a day of month or a day of week can be '?'; write '*'")
        if len(item) > 2:  # Quartz ignores a single character there
            self._refuse(item, "nothing can follow '?'")
        self.values.add(UNSPECIFIED)

    def _add_every(self, item: str) -> None:
        step = 1
        if item.startswith(("/", "*/")):
            text = item.partition("/")[2]
            step = self._integer(item, text, f"'/' needs a whole number, as in {self.kind.low}/5")
            self._check_step(item, step)
        self._fill(item, ANY, -1, max(step, 0))

    def _add_numbered(self, item: str) -> None:
        digits = _NUMBER.match(item)
        assert digits is not None
        first, rest = self._number(item, digits[0]), item[digits.end() :]
        if rest.startswith("L"):
            self._add_last_weekday(item, first)
        elif rest.startswith("W"):
            self._add_nearest(item, first)
        elif rest.startswith("#"):
            if self.kind is not DAY_OF_WEEK:
                self._refuse(item, "'#' needs a day of week, as in 2#1 for the first Monday")
            self._set_nth(item, rest[1:])
            self.values.add(first)
        elif rest.startswith("-"):
            self._add_range(item, first, rest)
        elif rest.startswith("/"):
            step = _STEP.match(rest)
            if step is None:
                self._refuse(item, f"'/' needs a whole number, as in {self.kind.low}/5")
            self._check_step(item, self._number(item, step[1]))
            self._fill(item, first, -1, int(step[1]))
        else:
            self._fill(item, first, -1, 0)

    def _number(self, item: str, digits: str) -> int:
        return self._integer(item, digits, f"{digits} is too large; write {self.kind.bounds}")

    def _add_last_weekday(self, item: str, weekday: int) -> None:
        if self.kind is not DAY_OF_WEEK:
            self._refuse(item, "a number before 'L' needs a day of week, as in 6L for the last Friday")
        if not 1 <= weekday <= 7:
            self._refuse(item, "days of the week are 1 (Sunday) to 7 (Saturday)")
        self.last = True
        self.values.add(weekday)

    def _add_nearest(self, item: str, day: int) -> None:
        if self.kind is not DAY_OF_MONTH:
            self._refuse(item, "'W' needs a day of month, as in 15W")
        if day > 31:
            self._refuse(item, "a month has at most 31 days")
        self.nearest = True
        self.values.add(day)

    def _add_range(self, item: str, first: int, rest: str) -> None:
        parts = _RANGE.match(rest)
        if parts is None:
            self._refuse(item, f"the end of the range is missing; write {self.kind.low}-{self.kind.high}")
        if parts[2] and not parts[3]:
            self._refuse(item, f"'/' needs a whole number, as in {self.kind.low}-{self.kind.high}/5")
        self._fill(item, first, self._number(item, parts[1]), self._number(item, parts[3] or "1"))

    def _set_nth(self, item: str, text: str) -> None:
        problem = "'#' needs a number of 1 to 5, as in 2#1 for the first Monday"
        self.nth = self._integer(item, text, problem)
        if not 1 <= self.nth <= 5:
            self._refuse(item, problem)

    def _check_step(self, item: str, step: int) -> None:
        largest = self.kind.largest_step
        if largest is not None and step > largest:
            self._refuse(item, f"the step {step} is too large; the largest is {largest}")

    def _fill(self, item: str, first: int, end: int, step: int) -> None:
        """Add a value, or every *step*-th value from *first* to *end*.

        Args:
            item: the item, for errors.
            first: the first value, or `ANY`.
            end: the last value. -1 means the largest one of the field.
            step: the distance. 0 means the first value only.
        """
        kind = self.kind
        marked = first == ANY or (kind.about_days and first == UNSPECIFIED)
        if kind is not _YEAR and not marked and not (kind.low <= first <= kind.high and end <= kind.high):
            outside = end if end > kind.high else first
            self._refuse(item, f"{outside} is outside {kind.bounds}")
        if step == 0 and first != ANY:
            self.values.add(first)
            return
        start = kind.low if first == ANY else first
        stop = kind.high if end == -1 else end
        if stop < start:
            if kind is _YEAR:
                self._refuse(item, f"it ends before it starts; years end with {LAST_YEAR}")
            stop += kind.size
            self.values.update(
                (one - kind.low) % kind.size + kind.low for one in range(start, stop + 1, step or 1)
            )
        else:
            # A larger end is possible behind 99 or with years. No time has these values.
            self.values.update(range(start, min(stop, kind.high) + 1, step or 1))
