"""Estimates of the rows and the seconds that are left of a scan, from the windows that were read.

Rules:
1. The estimate counts rows, not time: an hour at midnight may have more rows than the month before it.
2. A gap is expected to be as dense as the known time around it: half of the gap's length on each side. So the
   estimate has no fixed scale, and one burst does not make a week dense.
3. Known time supports an estimate for a gap up to ten times as long. It supports none if one side of the gap
   is more than ten times as dense as the other: the dense end of a quiet year says nothing about the year.
4. There is no estimate if half of the rows came within a few moments, since the number of further such
   moments is unknown.
5. An estimate of the end that still changes is not shown. The change is compared with the time left.
6. The machine's own expectation (`ScanAccount.expected`) is not used. It is low on purpose, since a window that
   is too large costs little. In emulated scans its median error was 52 % where rows get denser, and this
   estimate's was 6 %.
7. The shown value moves smoothly towards the estimate, without jumps, and is never below zero.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable
from itertools import accumulate

import attrs

__all__ = ["DensityEstimate", "RowsLeft", "TimeLeft"]

_MIN_ELAPSED = 2.0
"""Seconds before the first estimate."""
_REACH = 10.0
"""Longest gap as a multiple of the known time around it; largest ratio of the sides' densities (rule 3)."""
_BURST_RATIO = 1_000
"""There is no estimate if half of the rows came within this fraction of the time: one in 1,000 (rule 4)."""
_NEIGHBOURHOOD = 0.5
"""Time on each side of a gap that the estimate uses, as a multiple of the gap's length (rule 2)."""
_MAX_SPREAD = 0.5
"""Largest spread of the ends estimated in the last third of the time, as a share of what is left (rule 5)."""


@attrs.frozen
class RowsLeft:
    """An estimate of the rows that are left to read.

    Args:
        rows: number of rows.
        supported: share of `rows` that known windows support (0 to 1).
    """

    rows: float
    supported: float


class DensityEstimate:
    """An estimate of the rows in the gaps between the windows that were read, for each schedule type.

    Args:
        spans: time ranges to read, as (schedule type, first millisecond, end millisecond).
    """

    def __init__(self, spans: Iterable[tuple[int, int, int]]) -> None:
        self._spans = list(spans)
        self._read: dict[int, list[tuple[int, int, int]]] = {}

    def add_window(self, kind: int, first: int, until: int, rows: int) -> None:
        """Add a window that was read completely."""
        insort(self._read.setdefault(kind, []), (first, until, rows))

    def rows_left(self) -> RowsLeft:
        """Return an estimate of the rows that are left."""
        rows = supported = 0.0
        if _is_bursty([window for windows in self._read.values() for window in windows]):
            return RowsLeft(math.inf, 0.0)
        for kind in {kind for kind, *_ in self._spans} & self._read.keys():
            known = _ReadWindows(self._read[kind])
            for first, until in known.gaps([(a, b) for one, a, b in self._spans if one == kind]):
                length = until - first
                left = known.within(first - _NEIGHBOURHOOD * length, first)
                right = known.within(until, until + _NEIGHBOURHOOD * length)
                seen, width = left[0] + right[0], left[1] + right[1]
                estimate = length * (seen / width if width else known.density)
                rows += estimate
                supported += estimate if width * _REACH >= length and _sides_agree(left, right) else 0.0
        return RowsLeft(rows, supported / rows if rows else 1.0)


def _sides_agree(left: tuple[float, float], right: tuple[float, float]) -> bool:
    """Return True if the densities of two sides are similar, or one side is unknown."""
    densities = [max(rows, 1.0) / width for rows, width in (left, right) if width]
    return not densities or max(densities) <= _REACH * min(densities)


def _is_bursty(windows: list[tuple[int, int, int]]) -> bool:
    """Return True if half of all rows came within less than a thousandth of the time."""
    left, width = sum(rows for _, _, rows in windows) / 2, sum(until - first for first, until, _ in windows)
    for first, until, rows in sorted(windows, key=lambda one: one[2] / max(1, one[1] - one[0]), reverse=True):
        left, width = left - rows, width - _BURST_RATIO * (until - first)
        if left <= 0:
            return width > 0
    return False


class _ReadWindows:
    """The windows that were read, in order, with prefix sums. The total of a time range takes two lookups."""

    def __init__(self, windows: list[tuple[int, int, int]]) -> None:
        self._windows = windows
        self._first = [first for first, _, _ in windows]
        self._rows = list(accumulate((rows for _, _, rows in windows), initial=0))
        self._width = list(accumulate((until - first for first, until, _ in windows), initial=0))

    @property
    def density(self) -> float:
        return self._rows[-1] / max(1, self._width[-1])

    def within(self, first: float, until: float) -> tuple[float, float]:
        """Return the known rows and the known milliseconds of a time range."""
        low, high = self._total_before(first), self._total_before(until)
        return high[0] - low[0], high[1] - low[1]

    def _total_before(self, moment: float) -> tuple[float, float]:
        at = bisect_right(self._first, moment)
        if not at:
            return 0.0, 0.0
        first, until, rows = self._windows[at - 1]
        part = min(1.0, (moment - first) / max(1, until - first))
        return self._rows[at - 1] + part * rows, self._width[at - 1] + part * (until - first)

    def gaps(self, spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Yield the parts of some time ranges that are unknown."""
        for first, until in spans:
            at = first
            for start, end, _ in self._windows[max(0, bisect_right(self._first, first) - 1) :]:
                if start >= until:
                    break
                if start > at:
                    yield at, start
                at = max(at, end)
            if at < until:
                yield at, until


class TimeLeft:
    """An estimate of the seconds that are left, from the rate of rows so far."""

    def __init__(self) -> None:
        self._at = self._rows = self._time = self._rows_read = 0.0
        self._ends: deque[tuple[float, float]] = deque()
        self._shown: float | None = None

    def update(self, at: float, rows_read: int, rows_left: RowsLeft) -> float | None:
        """Return the seconds that are left, or None if there is no estimate.

        Args:
            at: time since the start of the scan (seconds); must not decrease.
            rows_read: rows that were read until then.
            rows_left: estimate of the rows that are left.
        """
        elapsed = at - self._at
        self._update_rate(at, rows_read)
        if at < _MIN_ELAPSED or self._rows <= 0 or rows_left.supported < 0.5:
            self._shown = None
            return None
        estimate = rows_left.rows * self._time / self._rows
        if not self._is_steady(at, at + estimate):
            self._shown = None
        elif self._shown is None:
            self._shown = estimate
        else:
            expected = max(0.0, self._shown - elapsed)
            weight = 1 - math.exp(-elapsed / max(1.0, at / 10))
            # Logarithmic: a step from an hour to a minute counts as much as one from a minute to a second.
            self._shown = math.exp((1 - weight) * math.log1p(expected) + weight * math.log1p(estimate)) - 1
        return self._shown

    def _update_rate(self, at: float, rows_read: int) -> None:
        """Add rows and time to the totals behind the rate. Older values fade exponentially."""
        elapsed = at - self._at
        decay = math.exp(-elapsed / max(10.0, at / 3))
        self._rows, self._time = (
            self._rows * decay + rows_read - self._rows_read,
            self._time * decay + elapsed,
        )
        self._at, self._rows_read = at, rows_read

    def _is_steady(self, at: float, end: float) -> bool:
        if not self._ends or at - self._ends[-1][0] >= at / 50:
            self._ends.append((at, end))
        while self._ends[0][0] < at * 2 / 3:
            self._ends.popleft()
        ends = [end, *(one for _, one in self._ends)]
        return max(ends) - min(ends) <= _MAX_SPREAD * max(end - at, 1.0)
