"""Daylight saving time that a service does not name: the dates on which another offset may be in force.

"Get Timezone" names the offset of today. In a place with daylight saving time, rows of the other half of the
year have another offset. So an offset that was right for one row says nothing about rows of other dates.

The year has two parts in which no clock is changed, and two between them in which each clock is changed at most
once. An offset that is right on two dates with at most one change between them is right on all dates between.
An offset that is right in both steady parts is right all year.

Offsets and dates are those of the tz database, release 2025b, for the years from 2025 on. Clocks that are
changed for the month of Ramadan (Morocco, Gaza) are left out, since they fit no calendar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

__all__ = ["ShownDates", "is_steady", "may_change", "part_of_year", "telling_times"]

_OFFSETS = frozenset(
    60 * minutes
    for minutes in (
        *(-600, -540, -480, -420, -360, -300, -240, -210, -180, -150, -120, -60),
        *(0, 60, 120, 180, 570, 600, 630, 660, 720, 765, 780, 825),
    )
)
"""The offsets that places with daylight saving time have for a part of the year (s east of Greenwich)."""

_SPRING, _AUTUMN = ("03-08", "04-30"), ("09-01", "11-07")
"""The first and the last days, as month and day, on which clocks are changed."""

_JULY, _JANUARY = "July", "January"


def may_change(offset: int) -> bool:
    """Return True if places with this offset (s east of Greenwich) may have another one later in the year."""
    return offset in _OFFSETS


def part_of_year(time: str) -> str:
    """Return the part of the year that a time lies in. Parts in which clocks are changed have their year."""
    day = time[5:10]
    if _SPRING[0] <= day <= _SPRING[1]:
        return f"{time[:4]} spring"
    if _AUTUMN[0] <= day <= _AUTUMN[1]:
        return f"{time[:4]} autumn"
    return _JULY if _SPRING[1] < day < _AUTUMN[0] else _JANUARY


def is_steady(part: str) -> bool:
    """Return True if no clock is changed in a part of the year."""
    return part in {_JULY, _JANUARY}


def telling_times(times: Sequence[str]) -> list[str]:
    """Return the times of sorted rows that tell about all others: one of each part, or the two ends of a part.

    Args:
        times: wall-clock texts, in order.
    """
    part, other = part_of_year(times[0]), part_of_year(times[-1])
    one_half = (times[0][5:7] > "06") == (times[-1][5:7] > "06")
    if times[0][:4] == times[-1][:4] and part == other and (one_half or part == _JULY):
        return _ends(part, times)
    found: list[str] = []
    for part, some in groupby(times, part_of_year):
        found += _ends(part, list(some))
    return found


def _ends(part: str, times: Sequence[str]) -> list[str]:
    return [times[0]] if is_steady(part) else [times[0], times[-1]]


class ShownDates:
    """The dates for which rows have shown that one offset is right."""

    def __init__(self) -> None:
        self._steady: set[str] = set()
        self._changing: dict[str, tuple[str, str]] = {}

    def note(self, times: Iterable[str]) -> None:
        """Note times of rows that were read with the right offset."""
        for time in times:
            part = part_of_year(time)
            if is_steady(part):
                self._steady.add(part)
            else:
                first, last = self._changing.get(part, (time, time))
                self._changing[part] = min(first, time), max(last, time)

    def include(self, time: str) -> bool:
        """Return True if the offset is right at a time."""
        part = part_of_year(time)
        if part in self._steady or len(self._steady) == 2:
            return True
        if is_steady(part):
            return False
        before, after = (_JANUARY, _JULY) if part.endswith("spring") else (_JULY, _JANUARY)
        first, last = self._changing.get(part, ("~", ""))
        return (before in self._steady or first <= time) and (after in self._steady or time <= last)
