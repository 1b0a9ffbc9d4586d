"""How far the zone that a service names is off, found by searching for a row that was read in it.

A single instance and a page do not show their zone. A search does: the service compares instants, so only in the
right zone does a row lie in a short window around its trigger time.

1. Offsets of zones lie on a grid of 15 minutes. So any row of the window shows how far the zone is off.
2. The window reaches less than 4 minutes to each side. So a service that rounds the bounds of a range, to whole
   minutes for example, is not mistaken for one with a wrong zone.
3. A zone counts as wrong only if the row itself was found in the window of another offset. If the first window
   has no row, the row is searched by its id, in windows that are halved.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from datetime import datetime, timedelta

import attrs

from aioflows.models import NAIVE_EPOCH, ScheduleType

__all__ = ["Shown", "WindowSearch", "calm_days", "find_shift"]

_GRID = 900_000
_AROUND = 225_000
_SECOND = 1_000
_MOST = 104
"""The greatest shift that is looked for, in steps of the grid: 26 hours, from 12 hours behind UTC to 14 ahead."""

_MILLISECOND = timedelta(milliseconds=1)
_BREAKS = ((3, 23, 28), (5, 21, 28))
"""Clocks are changed between these hours, counted from the start of a weekday (0: Monday). Since 2025, in the tz database."""

Shown = Sequence[tuple[str, datetime]]
"""The rows of an answer: their ids, and their trigger times as clocks show them."""


@attrs.frozen
class WindowSearch:
    """A search for instances by their trigger times.

    Args:
        type: the schedule type.
        first: the start of the window (ms since the epoch).
        until: the end of the window, exclusive (ms since the epoch).
        text: a text that the rows must contain. Default: none.
    """

    type: ScheduleType
    first: int
    until: int
    text: str = ""


def find_shift(
    name: str,
    wall: datetime,
    instants: Iterable[datetime],
    types: Sequence[ScheduleType],
    likely: int | None = None,
) -> Generator[WindowSearch, Shown, int | None]:
    """Return how far the true offset of a row is ahead of the zone that the service names (s).

    0 means that the zone is right. None means that no answer shows it.

    Args:
        name: the id of the row.
        wall: its trigger time, as clocks show it.
        instants: the instants that this time stands for in the named zone (in UTC, without a zone).
        types: the schedule types that the row may have, most likely first.
        likely: the result for another row. Default: None, which means unknown.
    """
    moments = [(instant - NAIVE_EPOCH) // _MILLISECOND for instant in instants]
    steps: set[int] = set()
    for at in moments:
        for type in types:
            rows = yield _window(type, at, 0, 0)
            steps |= {_step(time, wall) for _, time in rows}
            if 0 in steps:
                return 0
            if rows:
                break
    at = moments[0]
    if likely and not steps:
        steps.add(likely * _SECOND // _GRID)
    if len(steps) == 1:
        (step,) = steps
        for type in types:
            if (yield from _holds(name, at, type, step)):
                return step * _GRID // _SECOND
    return (yield from _halve(name, at, types))


def _halve(name: str, at: int, types: Sequence[ScheduleType]) -> Generator[WindowSearch, Shown, int | None]:
    """Search for a row by its id, in windows that are halved."""
    for type in types:
        low, high = -_MOST, _MOST
        if not _has(name, (yield _window(type, at, low, high, name))):
            continue
        while low < high:
            middle = (low + high) // 2
            if _has(name, (yield _window(type, at, low, middle, name))):
                high = middle
            else:
                low = middle + 1
        return low * _GRID // _SECOND if low == 0 or (yield from _holds(name, at, type, low)) else None
    return None


def _holds(name: str, at: int, type: ScheduleType, step: int) -> Generator[WindowSearch, Shown, bool]:
    """Return True if a row is in the window of another offset, and not in that of the named zone."""
    if not _has(name, (yield _window(type, at, step, step))):
        return False
    return not _has(name, (yield _window(type, at, 0, 0, name)))


def _has(name: str, rows: Shown) -> bool:
    return any(other == name for other, _ in rows)


def _window(type: ScheduleType, at: int, low: int, high: int, text: str = "") -> WindowSearch:
    """Return the search for rows around an instant, if the true offset is some steps ahead of that in use."""
    return WindowSearch(type, at - high * _GRID - _AROUND, at - low * _GRID + _AROUND + _SECOND, text)


def _step(time: datetime, wall: datetime) -> int:
    """Return how far the true offset is ahead, if a row of the window around *wall* has another time (steps)."""
    return round((time - wall) / _MILLISECOND / _GRID)


def calm_days(wall: datetime) -> tuple[int, int] | None:
    """Return the stretch of days around a time, as a year's week and a number, in which no place changes its clocks.

    None means that some place may change them within hours of that time.
    """
    year, week, _ = wall.isocalendar()
    hour = wall.weekday() * 24 + wall.hour
    stretch = 0
    for day, start, end in _BREAKS:
        if day * 24 + start <= hour < day * 24 + end:
            return None
        stretch += hour >= day * 24 + end
    if stretch == 2:  # Sunday belongs to the next Monday
        year, week, _ = (wall + timedelta(days=1)).isocalendar()
        stretch = 0
    return year * 100 + week, stretch
