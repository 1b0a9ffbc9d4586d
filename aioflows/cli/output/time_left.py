"""What is left of a scan: how many rows, and how many seconds. A pure guess, which says nothing where it has no ground.

Rules:
1. Rows count, not time: an hour at midnight may hold more of them than the month before it.
2. A window speaks for its neighbourhood. A stretch of which nothing is known is taken to hold what lies as near to it, on
   both sides, as it is long; so the guess knows no scale, and one burst does not make a week dense.
3. What is known speaks for ten times as much, and no further, nor where one side holds ten times what the other does. The
   dense end of a quiet year tells nothing of the year.
4. Where half of the rows came within a few moments, nobody knows how many such moments follow.
5. A guess that has just told another end, measured by what it says is left, is none, and is not shown.
6. What is shown moves as a person expects: towards the guess, never by leaps, and never below zero.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import deque
from collections.abc import Iterable
from itertools import accumulate

import attrs

__all__ = ["Ground", "Remaining", "Rest"]

_BEFORE = 2.0
"""Seconds that have to be over before there is a guess."""
_SPEAKS_FOR = 10.0
"""How many times as much time what is known speaks for, and how far its two sides may differ."""
_LUMP = 1_000
"""Half of the rows in less than one part of so many of the time tell nothing of the rest."""
_NEAR = 0.5
"""How far a look goes to either side of a stretch, in lengths of it."""
_STEADY = 0.5
"""The most by which guesses of the end may differ, over the last third of the time, as a share of what is left."""


@attrs.frozen
class Rest:
    """The rows that are still to be read.

    Args:
        rows: how *many*, about.
        sure: the *share* of these for which what is known speaks.
    """

    rows: float
    sure: float


class Ground:
    """What was read, and what was not, of each kind of rows that is read apart from the others.

    Args:
        spans: what is to be read, as *kind*, first and last *millisecond*.
    """

    def __init__(self, spans: Iterable[tuple[int, int, int]]) -> None:
        self._spans = list(spans)
        self._read: dict[int, list[tuple[int, int, int]]] = {}

    def read(self, kind: int, first: int, until: int, rows: int) -> None:
        """Take into account that a window was read whole."""
        insort(self._read.setdefault(kind, []), (first, until, rows))

    def rest(self) -> Rest:
        """Guess what is left."""
        rows = sure = 0.0
        if _lumpy([window for windows in self._read.values() for window in windows]):
            return Rest(math.inf, 0.0)
        for kind in {kind for kind, *_ in self._spans} & self._read.keys():
            known = _Known(self._read[kind])
            for first, until in known.gaps([(a, b) for one, a, b in self._spans if one == kind]):
                length = until - first
                left = known.within(first - _NEAR * length, first)
                right = known.within(until, until + _NEAR * length)
                seen, width = left[0] + right[0], left[1] + right[1]
                guess = length * (seen / width if width else known.density)
                rows += guess
                sure += guess if width * _SPEAKS_FOR >= length and _alike(left, right) else 0.0
        return Rest(rows, sure / rows if rows else 1.0)


def _alike(left: tuple[float, float], right: tuple[float, float]) -> bool:
    """Tell whether two sides do not contradict each other, as far as both are known."""
    densities = [max(rows, 1.0) / width for rows, width in (left, right) if width]
    return not densities or max(densities) <= _SPEAKS_FOR * min(densities)


def _lumpy(windows: list[tuple[int, int, int]]) -> bool:
    """Tell whether half of all rows came within next to none of the time."""
    left, width = sum(rows for _, _, rows in windows) / 2, sum(until - first for first, until, _ in windows)
    for first, until, rows in sorted(windows, key=lambda one: one[2] / max(1, one[1] - one[0]), reverse=True):
        left, width = left - rows, width - _LUMP * (until - first)
        if left <= 0:
            return width > 0
    return False


class _Known:
    """Windows that were read, in order, added up so that any stretch of them is one look."""

    def __init__(self, windows: list[tuple[int, int, int]]) -> None:
        self._windows = windows
        self._first = [first for first, _, _ in windows]
        self._rows = list(accumulate((rows for _, _, rows in windows), initial=0))
        self._width = list(accumulate((until - first for first, until, _ in windows), initial=0))

    @property
    def density(self) -> float:
        return self._rows[-1] / max(1, self._width[-1])

    def within(self, first: float, until: float) -> tuple[float, float]:
        """Give the rows, and the milliseconds, that are known of a stretch."""
        low, high = self._before(first), self._before(until)
        return high[0] - low[0], high[1] - low[1]

    def _before(self, moment: float) -> tuple[float, float]:
        at = bisect_right(self._first, moment)
        if not at:
            return 0.0, 0.0
        first, until, rows = self._windows[at - 1]
        part = min(1.0, (moment - first) / max(1, until - first))
        return self._rows[at - 1] + part * rows, self._width[at - 1] + part * (until - first)

    def gaps(self, spans: Iterable[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Give what is not known of some stretches."""
        for first, until in spans:
            at = first
            for begun, ended, _ in self._windows[max(0, bisect_right(self._first, first) - 1) :]:
                if begun >= until:
                    break
                if begun > at:
                    yield at, begun
                at = max(at, ended)
            if at < until:
                yield at, until


class Remaining:
    """How long it still takes, from how fast it went."""

    def __init__(self) -> None:
        self._at = self._rows = self._time = self._taken = 0.0
        self._ends: deque[tuple[float, float]] = deque()
        self._shown: float | None = None

    def told(self, at: float, taken: int, rest: Rest) -> float | None:
        """Give the seconds that are left, or None where they cannot be told.

        Args:
            at: *seconds* since the beginning; never less than the time before.
            taken: *rows* that were read until then.
            rest: what is left.
        """
        passed = at - self._at
        self._learn(at, taken)
        if at < _BEFORE or self._rows <= 0 or rest.sure < 0.5:
            self._shown = None
            return None
        guess = rest.rows * self._time / self._rows
        if not self._steady(at, at + guess):
            self._shown = None
        elif self._shown is None:
            self._shown = guess
        else:
            expected = max(0.0, self._shown - passed)
            weight = 1 - math.exp(-passed / max(1.0, at / 10))
            # By ratios: from an hour to a minute is as far as from a minute to a second.
            self._shown = math.exp((1 - weight) * math.log1p(expected) + weight * math.log1p(guess)) - 1
        return self._shown

    def _learn(self, at: float, taken: int) -> None:
        """Add up rows and time, of which what lies long ago fades."""
        passed = at - self._at
        kept = math.exp(-passed / max(10.0, at / 3))
        self._rows, self._time = self._rows * kept + taken - self._taken, self._time * kept + passed
        self._at, self._taken = at, taken

    def _steady(self, at: float, end: float) -> bool:
        if not self._ends or at - self._ends[-1][0] >= at / 50:
            self._ends.append((at, end))
        while self._ends[0][0] < at * 2 / 3:
            self._ends.popleft()
        ends = [end, *(one for _, one in self._ends)]
        return max(ends) - min(ends) <= _STEADY * max(end - at, 1.0)
