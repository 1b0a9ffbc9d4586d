"""What is still unproven, and which piece of it to ask for next.

Invariants:

1. The gaps and the runs tile the range: a gap is a window of which nothing is known yet, a run is proven. Every page
   proves a window, which is taken out of the gaps; nothing else ever closes a gap.
2. A gap is read from both ends at once: a forward page takes away its start, a backward page its end. So two requests
   share one partly filled page where they meet, and windows can be twice as long for the same number of workers.
3. Windows follow the density of what was read, not the calendar (`density`).

The order of the scan wants the earliest gap first; the buffer bounds how far beyond the consumer the rest may go.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import takewhile
from operator import attrgetter
from typing import Protocol

import attrs

from aioflows._core.pages.reading import PageRequest
from aioflows.errors import AioflowsError

__all__ = ["Anchor", "Gap", "Gaps"]


_first = attrgetter("first")


class SecondReader(Protocol):
    """The reader of a second that holds more rows than a page, as far as requests are planned for it."""

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the requests to start now; a request that is not taken is not noted as sent."""


@attrs.frozen(eq=False)
class Anchor:
    """A row at the edge of a gap, which must come again when the gap is read, or be gone.

    Args:
        second: the *second* of scan time that it lies in.
        ids: the rows that were seen there.
        ask: the request that brought them.
        rows: the rows that it brought in all.
    """

    second: int
    ids: frozenset[str]
    ask: PageRequest
    rows: int


@attrs.define(eq=False)
class Gap:
    """A window of which nothing is known yet.

    Args:
        first: *milliseconds* of scan time, where it starts.
        until: *milliseconds* of scan time, where it ends.
        density: *rows per millisecond* to be expected.
        weight: *rows* that this was learnt from.
        at_start: *rows per millisecond* of the last page that left off at its start.
        at_end: *rows per millisecond* of the last page that left off at its end.
        after: proven *rows* between its end and the next gap.
        forward: the request under way from its start.
        backward: the request under way from its end.
        left: the row at its start.
        right: the row at its end.
        witness: the last *second* before its start in which a row is known.
        beyond: the first *second* after its end in which a row is known.
        short: the rows of the last page from its start, if these were fewer than asked for and may be the last; otherwise 0.
        looks: how often it was answered with nothing.
        empty_size: the rows asked for by the largest page that was answered with nothing.
        missing: *rows* that the last of these answers said there are all the same.
        denied: the *second* of a row known beside it that one of these answers has left out.
        forward_size: *rows* to ask for at its start, if more than usual.
        backward_size: *rows* to ask for at its end, if more than usual.
        halvings: how often its window was halved because the service failed on it.
        doubts: how often an answer about it was disproved.
        narrowed: whether it is to be asked about by a narrower window, since nothing shows that the last answer looked as far.
        looked_inside: whether its middle was asked about.
        stalls: how often an answer about it has proven nothing, one after the other.
        unreached: whether one of these should have reached a row that is known behind it.
        held: whether something else is being found out before it may be asked for again.
        dense: how it is read, if it is a second that no page holds.
        broken: why it cannot be read.
    """

    first: int
    until: int
    density: float
    weight: float = 0.0
    at_start: float = 0.0
    at_end: float = 0.0
    after: int = 0
    forward: PageRequest | None = None
    backward: PageRequest | None = None
    left: Anchor | None = None
    right: Anchor | None = None
    witness: int | None = None
    beyond: int | None = None
    short: int = 0
    looks: int = 0
    empty_size: int = 0
    missing: int = 0
    denied: int | None = None
    forward_size: int = 0
    backward_size: int = 0
    halvings: int = 0
    doubts: int = 0
    narrowed: bool = False
    looked_inside: bool = False
    stalls: int = 0
    unreached: bool = False
    held: bool = False
    dense: SecondReader | None = None
    broken: AioflowsError | None = None

    @property
    def expected(self) -> float:
        """The rows to be expected in it."""
        return self.density * (self.until - self.first)

    def beside(self, widest: int) -> tuple[int, int, bool] | None:
        """Return the window that reaches to a row known beside it, and whether it is read against scan time.

        Args:
            widest: *milliseconds* that such a window may span.
        """
        if self.witness is not None and self.until - self.witness * 1000 <= widest:
            return self.witness * 1000, self.until, True
        if self.beyond is not None and self.beyond * 1000 + 1000 - self.first <= widest:
            return self.first, self.beyond * 1000 + 1000, False
        return None

    @property
    def asked(self) -> bool:
        """Whether a request is under way in it."""
        return self.forward is not None or self.backward is not None

    @property
    def likely(self) -> float:
        """The rows that it may well hold, if more of it is like what was read last than was to be expected."""
        most = max(self.density, self.at_start, self.at_end)
        return math.sqrt(self.density * most) * (self.until - self.first)

    @property
    def closing(self) -> bool:
        """Whether nothing more may be in it, so that it is asked about as a whole, one request at a time."""
        return bool(self.short or self.looks or self.narrowed)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way in it."""
        return not (self.asked or self.held or self.dense)

    @property
    def untouched(self) -> bool:
        """Whether nothing is under way in it, and nothing was answered about it."""
        return self.idle and not (self.closing or self.halvings or self.broken)


class Gaps:
    """All gaps in order."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self._gaps = [Gap(first, until, 0.0) for first, until in windows if first < until]
        self.fences: set[int] = set()
        """Where two gaps must stay two: the service's zone changes its offset there, or only its order speaks for a cut."""
        self.turns: set[int] = set()
        """Those of the fences where the service's zone changes its offset: no request is read across one of them."""
        self.ready = 0
        """Proven *rows* before the first gap that were not handed out yet."""

    def __iter__(self) -> Iterator[Gap]:
        return iter(self._gaps)

    def __len__(self) -> int:
        return len(self._gaps)

    def __getitem__(self, index: int) -> Gap:
        return self._gaps[index]

    def __contains__(self, gap: object) -> bool:
        return isinstance(gap, Gap) and (at := self._at(gap)) < len(self) and self._gaps[at] is gap

    def _at(self, gap: Gap) -> int:
        return bisect_left(self._gaps, gap.first, key=_first)

    def behind(self, first: int) -> Iterator[Gap]:
        """Return the gaps that reach beyond a moment, in order."""
        at = bisect_right(self._gaps, first, key=_first)
        if at and self._gaps[at - 1].until > first:
            at -= 1
        return map(self._gaps.__getitem__, range(at, len(self._gaps)))

    def within(self, first: int, until: int) -> list[Gap]:
        """Return the gaps that a window touches."""
        return list(takewhile(lambda gap: gap.first < until, self.behind(first)))

    def starting(self, first: int) -> Gap | None:
        """Return the gap that starts there."""
        return next((gap for gap in self.within(first, first + 1) if gap.first == first), None)

    def ending(self, until: int) -> Gap | None:
        """Return the gap that ends there."""
        return next((gap for gap in self.within(until - 1, until) if gap.until == until), None)

    def reach(self, gap: Gap, most: int) -> int:
        """Return how far a request from its start may reach: over the gaps behind it of which nothing was asked yet.

        Args:
            gap: where it starts.
            most: *milliseconds* of scan time, which it passes only if the gap does.
        """
        until = gap.until
        while until < most and (after := self.after(gap)) is not None and after.untouched:
            gap, until = after, min(after.until, most)
        return until

    def split(self, gap: Gap, cut: int) -> Gap:
        """Cut a gap in two and give the later one."""
        later = Gap(
            cut,
            gap.until,
            gap.density,
            gap.weight,
            at_end=gap.at_end,
            after=gap.after,
            backward=gap.backward,
            right=gap.right,
            beyond=gap.beyond,
            looks=gap.looks,
            empty_size=gap.empty_size,
            denied=gap.denied,
            backward_size=gap.backward_size,
            halvings=gap.halvings,
            doubts=gap.doubts,
            narrowed=gap.narrowed,
            looked_inside=gap.looked_inside,
        )
        gap.until, gap.after, gap.right, gap.backward, gap.beyond = cut, 0, None, None, None
        gap.backward_size, gap.at_end = 0, 0.0
        self._gaps.insert(self._at(gap) + 1, later)
        return later

    def join(self, gap: Gap, later: Gap) -> None:
        """Make two neighbours one gap, which was looked at no oftener than either."""
        rows = gap.expected + later.expected
        gap.until, gap.after, gap.right, gap.backward = later.until, later.after, later.right, later.backward
        gap.beyond, gap.backward_size = later.beyond, later.backward_size
        gap.density, gap.at_end = rows / (gap.until - gap.first), later.at_end
        gap.weight += later.weight
        gap.looks = min(gap.looks, later.looks)
        gap.denied = later.denied if gap.denied is None else gap.denied
        del self._gaps[self._at(gap) + 1]

    def after(self, gap: Gap) -> Gap | None:
        """Return the gap that begins where this one ends."""
        at = self._at(gap) + 1
        touching = at < len(self._gaps) and self._gaps[at].first == gap.until and gap.until not in self.fences
        return self._gaps[at] if touching else None

    def before(self, gap: Gap) -> Gap | None:
        """Return the gap that ends where this one begins."""
        at = self._gaps.index(gap)
        touching = at > 0 and self._gaps[at - 1].until == gap.first and gap.first not in self.fences
        return self._gaps[at - 1] if touching else None

    def fenced(self, first: int, until: int) -> bool:
        """Return True if the service's zone changes its offset in a stretch, its ends included."""
        return any(first <= fence <= until for fence in self.fences)

    def take(self, gap: Gap, first: int, until: int, rows: int, known: tuple[int, int] | None = None) -> None:
        """Take a proven window out of a gap.

        Args:
            gap: what it lies in.
            first: *milliseconds* of scan time, where it starts.
            until: *milliseconds* of scan time, where it ends.
            rows: how *many* it holds.
            known: the *seconds* of its first and last row.
        """
        at = self._at(gap)
        if until < gap.until:
            if gap.first < first:
                self.split(gap, until)
                self.take(gap, first, until, rows, known)
                return
            self._tell_before(gap, at, known)
            gap.first = until
            if gap.forward is not None and gap.forward.until <= until:
                gap.forward = None  # it asks for what another page has shown meanwhile
            gap.left, gap.short, gap.forward_size, gap.looks, gap.empty_size = None, 0, 0, 0, 0
            gap.witness = known[1] if known else gap.witness
            self._credit(at, rows)
        elif gap.first < first:
            gap.until, gap.right, gap.backward_size, gap.looks, gap.empty_size = first, None, 0, 0, 0
            self._tell_behind(gap, at + 1, known)
            gap.beyond = known[0] if known else gap.beyond
            gap.after += rows
        else:
            self._tell_before(gap, at, known)
            self._tell_behind(gap, at + 1, known)
            del self._gaps[at]
            self._credit(at, rows + gap.after)

    def _tell_before(self, gap: Gap, at: int, known: tuple[int, int] | None) -> None:
        """Let the gap before one know which row lies next to it behind its end, after a part of that was proven."""
        if at and (row := known[0] if known else gap.beyond) is not None:
            before = self._gaps[at - 1]
            turned = self._turned(before.until, row * 1000)
            if not turned and (before.beyond is None or before.beyond > row):
                before.beyond = row

    def _tell_behind(self, gap: Gap, at: int, known: tuple[int, int] | None) -> None:
        """The same for the gap behind it."""
        if at < len(self._gaps) and (row := known[1] if known else gap.witness) is not None:
            later = self._gaps[at]
            turned = self._turned(row * 1000 + 1000, later.first)
            if not turned and (later.witness is None or later.witness < row):
                later.witness = row

    def _turned(self, first: int, until: int) -> bool:
        return any(first <= turn <= until for turn in self.turns)

    def _credit(self, at: int, rows: int) -> None:
        if at:
            self._gaps[at - 1].after += rows
        else:
            self.ready += rows
