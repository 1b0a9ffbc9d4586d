"""The unproven part of a scan, as a sorted list of gaps.

Invariants:

1. Gaps and runs tile the range. A gap is an unproven window, and a run is a proven window. Only a proof removes
   time from a gap.
2. A gap is read from both ends at once: a forward page removes its start, a backward page its end. The two
   requests share one partly filled page where they meet. So windows can be twice as long for the same number
   of workers.
3. The length of windows follows the density of the rows that were read, not the calendar (`density`).

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

__all__ = ["Anchor", "Edge", "Gap", "Gaps"]

_first = attrgetter("first")


class SecondReader(Protocol):
    """A reader of a second that holds more rows than a page, as the planner sees it."""

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the requests to start now. Only a request that is taken from the iterator counts as sent."""


@attrs.frozen(eq=False)
class Anchor:
    """The rows of one second at the edge of a gap. If none comes again, an answer may lack rows.

    Args:
        second: the second of scan time in which the rows lie.
        ids: the ids of the rows.
        ask: the request that returned the rows.
        rows: the number of all rows that this request returned.
    """

    second: int
    ids: frozenset[str]
    ask: PageRequest
    rows: int


@attrs.define(eq=False)
class Edge:
    """One end of a gap.

    Args:
        ask: the request under way from this end. None means no request.
        anchor: the rows at this end. None means that no page ended here.
        known: the second of the nearest known row outside the gap: before its start, or behind its end. None
            means that no such row is known.
        density: density of the last page that ended here (rows per millisecond).
        page_size: page size for the next request from this end, if larger than usual. Otherwise 0.
    """

    ask: PageRequest | None = None
    anchor: Anchor | None = None
    known: int | None = None
    density: float = 0.0
    page_size: int = 0


@attrs.define(eq=False)
class Gap:
    """A window that is not proven yet.

    Args:
        first: where the gap starts (milliseconds of scan time).
        until: where the gap ends (milliseconds of scan time).
        density: the expected density (rows per millisecond).
        weight: rows on which the density is based.
        start: the start of the gap, where forward requests begin.
        end: the end of the gap, where backward requests begin.
        after: proven rows between the end of this gap and the next gap.
        maybe_last: rows of the last page from the start, if that page may be the last page. Otherwise 0.
        empty_answers: number of empty answers about the gap.
        empty_size: the largest page size that was answered with no rows.
        missing: the row count that the last empty answer stated.
        contradicted_at: the second of a known row beside the gap that an empty answer left out. None means that
            no answer did.
        halvings: how many times the gap was halved because the service failed on its window.
        contradictions: number of answers about the gap that were disproved.
        sizes_blamed: number of page sizes that were taken to be too large because of disproved answers.
        narrowed: True if a narrower window must be requested, since the last answer may not cover the gap.
        looked_inside: True if the inside of the gap was requested.
        stalls: number of answers in a row that proved nothing about the gap.
        unreached: True if an answer that proved nothing should have reached a known row behind the gap.
        on_hold: True while a follow-up request must finish before the gap may be requested again.
        dense: the reader of the gap, if the gap is a second that does not fit a page. Otherwise None.
        error: the error because of which the gap cannot be read. None means no error.
    """

    first: int
    until: int
    density: float
    weight: float = 0.0
    start: Edge = attrs.field(factory=Edge)
    end: Edge = attrs.field(factory=Edge)
    after: int = 0
    maybe_last: int = 0
    empty_answers: int = 0
    empty_size: int = 0
    missing: int = 0
    contradicted_at: int | None = None
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

    def edge(self, backward: bool) -> Edge:
        """Return the end from which a request reads: the end if it is backward, otherwise the start."""
        return self.end if backward else self.start

    @property
    def middle(self) -> int | None:
        """The whole second in the middle of the gap. None if no second begins inside the gap."""
        middle = (self.first + self.until) // 2000 * 1000
        return middle if self.first < middle < self.until else None

    @property
    def expected(self) -> float:
        """The number of rows expected in the gap."""
        return self.density * (self.until - self.first)

    @property
    def isolated(self) -> bool:
        """True if no row is known on either side of the gap."""
        return self.start.known is None and self.end.known is None

    def beside(self, widest: int) -> tuple[int, int, bool] | None:
        """Return a window from the gap to a known row, and True if it is read against scan time.

        None means that no known row is within reach.

        Args:
            widest: the longest window that may be requested (milliseconds).
        """
        before, behind = self.start.known, self.end.known
        if before is not None and self.until - before * 1000 <= widest:
            return before * 1000, self.until, True
        if behind is not None and behind * 1000 + 1000 - self.first <= widest:
            return self.first, behind * 1000 + 1000, False
        return None

    @property
    def asked(self) -> bool:
        """True if a request is under way in the gap."""
        return self.start.ask is not None or self.end.ask is not None

    @property
    def likely(self) -> float:
        """The rows that the gap may well hold: more than `expected` if the last page at an end was denser."""
        most = max(self.density, self.start.density, self.end.density)
        return math.sqrt(self.density * most) * (self.until - self.first)

    @property
    def closing(self) -> bool:
        """True if the gap may be empty, so that it is requested as a whole, one request at a time."""
        return bool(self.maybe_last or self.empty_answers or self.narrowed)

    @property
    def idle(self) -> bool:
        """True if no request and no follow-up is under way in the gap."""
        return not (self.asked or self.on_hold or self.dense)

    @property
    def untouched(self) -> bool:
        """True if the gap is idle and no answer about it has arrived."""
        return self.idle and not (self.closing or self.halvings or self.error)

    def forget_empty_answers(self) -> None:
        """Count empty answers about the gap from 0 again, since the answers so far prove nothing."""
        self.empty_answers = self.empty_size = 0


class Gaps:
    """A sorted list of all gaps."""

    def __init__(self, windows: list[tuple[int, int]]) -> None:
        self._gaps = [Gap(first, until, 0.0) for first, until in windows if first < until]
        self.fences: set[int] = set()
        """Times where two gaps must not be joined: the service's UTC offset changes, or only an untested order
        of rows supports the cut."""
        self.turns: set[int] = set()
        """The fences where the service's UTC offset changes. No request crosses such a fence."""
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

    def bordering(self, edge: int, *, backward: bool) -> Gap | None:
        """Return the gap that starts at a moment or, if *backward*, ends at the moment. None means no such gap."""
        if backward:
            return next((gap for gap in self.within(edge - 1, edge) if gap.until == edge), None)
        return next((gap for gap in self.within(edge, edge + 1) if gap.first == edge), None)

    def reach(self, gap: Gap, most: int) -> int:
        """Return where a request from the start of a gap may end: behind all untouched gaps that follow.

        Args:
            gap: the gap where the request starts.
            most: the limit of the request (milliseconds of scan time). If *gap* is longer, its end is returned.
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
            end=gap.end,
            after=gap.after,
            empty_answers=gap.empty_answers,
            empty_size=gap.empty_size,
            contradicted_at=gap.contradicted_at,
            halvings=gap.halvings,
            contradictions=gap.contradictions,
            sizes_blamed=gap.sizes_blamed,
            narrowed=gap.narrowed,
            looked_inside=gap.looked_inside,
        )
        gap.until, gap.after, gap.end = cut, 0, Edge()
        self._gaps.insert(self._at(gap) + 1, later)
        return later

    def halve(self, gap: Gap) -> None:
        """Cut a gap in two halves that are requested alone, if a second begins inside the gap."""
        gap.halvings += 1
        if (middle := gap.middle) is not None:
            self.split(gap, middle)

    def join(self, gap: Gap, later: Gap) -> None:
        """Join two neighbouring gaps. The joined gap has the smaller of their numbers of empty answers."""
        rows = gap.expected + later.expected
        gap.until, gap.after, gap.end = later.until, later.after, later.end
        gap.density = rows / (gap.until - gap.first)
        gap.weight += later.weight
        gap.empty_answers = min(gap.empty_answers, later.empty_answers)
        gap.contradicted_at = later.contradicted_at if gap.contradicted_at is None else gap.contradicted_at
        del self._gaps[self._at(gap) + 1]

    def after(self, gap: Gap) -> Gap | None:
        """Return the gap that begins where this gap ends. Return None if a run or a fence lies between."""
        at = self._at(gap) + 1
        touching = at < len(self._gaps) and self._gaps[at].first == gap.until and gap.until not in self.fences
        return self._gaps[at] if touching else None

    def before(self, gap: Gap) -> Gap | None:
        """Return the gap that ends where this gap begins. Return None if a run or a fence lies between."""
        at = self._at(gap)
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
            known: the first and the last second in which the window has a row. Default: None, which means no
                row.
        """
        if gap.first < first and until < gap.until:
            self.split(gap, until)
        at = self._at(gap)
        first_row, last_row = known or (gap.end.known, gap.start.known)
        if first <= gap.first:
            self._known_behind(at - 1, first_row)
        if gap.until <= until:
            self._known_before(at + 1, last_row)
        gap.forget_empty_answers()
        if until < gap.until:
            gap.first, gap.maybe_last = until, 0
            ask = gap.start.ask
            if ask is not None and ask.until <= until:
                ask = None  # another page has proven the whole window of this request
            gap.start = Edge(ask, known=last_row, density=gap.start.density)
            self._credit(at, rows)
        elif gap.first < first:
            gap.until = first
            gap.end = Edge(gap.end.ask, known=first_row, density=gap.end.density)
            gap.after += rows
        else:
            del self._gaps[at]
            self._credit(at, rows + gap.after)

    def _known_behind(self, at: int, row: int | None) -> None:
        """Record the nearest known row behind a gap, after a part of the next gap was proven."""
        if at >= 0 and row is not None:
            gap = self._gaps[at]
            near = gap.end.known is None or row < gap.end.known
            if near and not self._turned(gap.until, row * 1000):
                gap.end.known = row

    def _known_before(self, at: int, row: int | None) -> None:
        """Record the nearest known row before a gap, after a part of the gap before was proven."""
        if at < len(self._gaps) and row is not None:
            gap = self._gaps[at]
            near = gap.start.known is None or row > gap.start.known
            if near and not self._turned(row * 1000 + 1000, gap.first):
                gap.start.known = row

    def _turned(self, first: int, until: int) -> bool:
        return any(first <= turn <= until for turn in self.turns)

    def _credit(self, at: int, rows: int) -> None:
        if at:
            self._gaps[at - 1].after += rows
        else:
            self.ready += rows
