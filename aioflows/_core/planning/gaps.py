"""The unproven part of a scan, as a sorted list of gaps.

Invariants:

1. Gaps and runs tile the range. A gap is a window of which nothing is known, a run is a proven window. Only a
   proof removes time from a gap.
2. A gap is read from both ends at once: a forward page removes its start, a backward page its end. The two
   requests share one partly filled page where they meet. So windows can be twice as long for the same number
   of workers.
3. The length of windows follows the density of the rows that were read, not the calendar. See `density`.

An ordered scan needs the earliest gap first. The buffer limits how far the other gaps may be read ahead of
the consumer. See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import takewhile
from operator import attrgetter
from typing import Protocol

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows.errors import AioflowsError

__all__ = ["Anchor", "Gap", "Gaps"]


_first = attrgetter("first")


class SecondReader(Protocol):
    """A reader of a second that holds more rows than a page, as the planner sees it."""

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the requests to start now. Only a request that is taken from the iterator counts as sent."""


@attrs.frozen(eq=False)
class Anchor:
    """A row at the edge of a gap. It must appear again when the gap is read, unless the row was deleted.

    Args:
        second: the second of scan time in which the row lies.
        ids: the ids that were seen in this second.
        ask: the request that returned the row.
        rows: all rows that this request returned.
    """

    second: int
    ids: frozenset[str]
    ask: PageRequest
    rows: int


@attrs.define(eq=False)
class Gap:
    """A window of which nothing is known yet.

    Args:
        first: where the gap starts (milliseconds of scan time).
        until: where the gap ends (milliseconds of scan time).
        density: the expected density (rows per millisecond).
        weight: rows on which the density is based.
        at_start: density of the last page that ended at the start of the gap (rows per millisecond).
        at_end: density of the last page that ended at the end of the gap (rows per millisecond).
        after: proven rows between the end of this gap and the next gap.
        forward: the request under way from the start.
        backward: the request under way from the end.
        left: the anchor at the start.
        right: the anchor at the end.
        witness: the last second before the gap in which a row is known.
        beyond: the first second behind the gap in which a row is known.
        maybe_last: rows of the last page from the start, if the page was short and may be the last one. Otherwise
            0.
        looks: number of empty answers about the gap.
        empty_size: the largest page size that was answered with no rows.
        missing: the row count that the last empty answer stated.
        contradicted_at: the second of a known row beside the gap that an empty answer left out.
        forward_size: page size for the next request from the start, if larger than usual. Otherwise 0.
        backward_size: page size for the next request from the end, if larger than usual. Otherwise 0.
        halvings: how many times the gap was halved because the service failed on its window.
        contradictions: number of answers about the gap that were disproved.
        sizes_blamed: number of those answers whose page size was taken to be too large.
        narrowed: True if a narrower window must be requested, since nothing shows that the last answer
            covered the gap.
        looked_inside: True if the inside of the gap was requested.
        stalls: number of answers in a row that proved nothing about the gap.
        unreached: True if one of these answers should have reached a known row behind the gap.
        on_hold: True while a follow-up request must finish before the gap may be requested again.
        dense: the reader of the gap, if the gap is a second that does not fit a page.
        error: the error that keeps the gap from being read.
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
    maybe_last: int = 0
    looks: int = 0
    empty_size: int = 0
    missing: int = 0
    contradicted_at: int | None = None
    forward_size: int = 0
    backward_size: int = 0
    halvings: int = 0
    contradictions: int = 0
    sizes_blamed: int = 0
    narrowed: bool = False
    looked_inside: bool = False
    stalls: int = 0
    unreached: bool = False
    on_hold: bool = False
    dense: SecondReader | None = None
    error: AioflowsError | None = None

    @property
    def expected(self) -> float:
        """The number of rows expected in the gap."""
        return self.density * (self.until - self.first)

    def beside(self, widest: int) -> tuple[int, int, bool] | None:
        """Return the window that reaches a known row beside the gap, and True if it is read against scan
        time.

        Args:
            widest: the longest window that may be requested (milliseconds).
        """
        if self.witness is not None and self.until - self.witness * 1000 <= widest:
            return self.witness * 1000, self.until, True
        if self.beyond is not None and self.beyond * 1000 + 1000 - self.first <= widest:
            return self.first, self.beyond * 1000 + 1000, False
        return None

    @property
    def asked(self) -> bool:
        """True if a request is under way in the gap."""
        return self.forward is not None or self.backward is not None

    @property
    def likely(self) -> float:
        """The rows that the gap may well hold.

        This is more than `expected` if the pages read last at its ends were denser than the gap as a whole.
        """
        most = max(self.density, self.at_start, self.at_end)
        return math.sqrt(self.density * most) * (self.until - self.first)

    @property
    def closing(self) -> bool:
        """True if the gap may be empty. It is then requested as a whole, one request at a time."""
        return bool(self.maybe_last or self.looks or self.narrowed)

    @property
    def idle(self) -> bool:
        """True if no request and no follow-up is under way in the gap."""
        return not (self.asked or self.on_hold or self.dense)

    @property
    def untouched(self) -> bool:
        """True if the gap is idle and no answer about it has arrived."""
        return self.idle and not (self.closing or self.halvings or self.error)


class Gaps:
    """A sorted list of all gaps."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self._gaps = [Gap(first, until, 0.0) for first, until in windows if first < until]
        self.fences: set[int] = set()
        """Cuts where two gaps must not be joined: the service's UTC offset changes, or only the row order
        supports the cut."""
        self.turns: set[int] = set()
        """The fences where the service's UTC offset changes. No request crosses one of them."""
        self.ready = 0
        """Proven rows before the first gap that were not handed out yet."""

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
        """Yield the gaps that end after a moment, in order."""
        at = bisect_right(self._gaps, first, key=_first)
        if at and self._gaps[at - 1].until > first:
            at -= 1
        return map(self._gaps.__getitem__, range(at, len(self._gaps)))

    def within(self, first: int, until: int) -> list[Gap]:
        """Return the gaps that overlap a window."""
        return list(takewhile(lambda gap: gap.first < until, self.behind(first)))

    def starting(self, first: int) -> Gap | None:
        """Return the gap that starts at a moment, or None."""
        return next((gap for gap in self.within(first, first + 1) if gap.first == first), None)

    def ending(self, until: int) -> Gap | None:
        """Return the gap that ends at a moment, or None."""
        return next((gap for gap in self.within(until - 1, until) if gap.until == until), None)

    def reach(self, gap: Gap, most: int) -> int:
        """Return where a request from the start of a gap may end: behind all untouched gaps that follow.

        Args:
            gap: the gap where the request starts.
            most: the limit of the request (milliseconds of scan time). A gap that is longer is not cut.
        """
        until = gap.until
        while until < most and (after := self.after(gap)) is not None and after.untouched:
            gap, until = after, min(after.until, most)
        return until

    def split(self, gap: Gap, cut: int) -> Gap:
        """Cut a gap in two and return the later one."""
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
            contradicted_at=gap.contradicted_at,
            backward_size=gap.backward_size,
            halvings=gap.halvings,
            contradictions=gap.contradictions,
            sizes_blamed=gap.sizes_blamed,
            narrowed=gap.narrowed,
            looked_inside=gap.looked_inside,
        )
        gap.until, gap.after, gap.right, gap.backward, gap.beyond = cut, 0, None, None, None
        gap.backward_size, gap.at_end = 0, 0.0
        self._gaps.insert(self._at(gap) + 1, later)
        return later

    def join(self, gap: Gap, later: Gap) -> None:
        """Join two neighbouring gaps. The joined gap has as many looks as the gap with fewer looks."""
        rows = gap.expected + later.expected
        gap.until, gap.after, gap.right, gap.backward = later.until, later.after, later.right, later.backward
        gap.beyond, gap.backward_size = later.beyond, later.backward_size
        gap.density, gap.at_end = rows / (gap.until - gap.first), later.at_end
        gap.weight += later.weight
        gap.looks = min(gap.looks, later.looks)
        gap.contradicted_at = later.contradicted_at if gap.contradicted_at is None else gap.contradicted_at
        del self._gaps[self._at(gap) + 1]

    def after(self, gap: Gap) -> Gap | None:
        """Return the gap that begins where this gap ends. Return None if a run or a fence lies between."""
        at = self._at(gap) + 1
        touching = at < len(self._gaps) and self._gaps[at].first == gap.until and gap.until not in self.fences
        return self._gaps[at] if touching else None

    def before(self, gap: Gap) -> Gap | None:
        """Return the gap that ends where this gap begins. Return None if a run or a fence lies between."""
        at = self._gaps.index(gap)
        touching = at > 0 and self._gaps[at - 1].until == gap.first and gap.first not in self.fences
        return self._gaps[at - 1] if touching else None

    def fenced(self, first: int, until: int) -> bool:
        """Return True if a fence lies in a stretch or at its ends."""
        return any(first <= fence <= until for fence in self.fences)

    def take(self, gap: Gap, first: int, until: int, rows: int, known: tuple[int, int] | None = None) -> None:
        """Remove a proven window from a gap.

        Args:
            gap: the gap that contains the window.
            first: where the window starts (milliseconds of scan time).
            until: where the window ends (milliseconds of scan time).
            rows: rows in the window.
            known: the first and the last second in which the window has a row. None means no row.
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
                gap.forward = None  # another page has proven its window meanwhile
            gap.left, gap.maybe_last, gap.forward_size, gap.looks, gap.empty_size = None, 0, 0, 0, 0
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
        """Record the nearest known row behind the gap before, after a part of this gap was proven."""
        if at and (row := known[0] if known else gap.beyond) is not None:
            before = self._gaps[at - 1]
            turned = self._turned(before.until, row * 1000)
            if not turned and (before.beyond is None or before.beyond > row):
                before.beyond = row

    def _tell_behind(self, gap: Gap, at: int, known: tuple[int, int] | None) -> None:
        """Record the nearest known row before the gap behind, after a part of this gap was proven."""
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
