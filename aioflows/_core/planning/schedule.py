"""Which requests are worth starting now.

1. The earliest gap first: an ordered scan hands out nothing behind it.
2. A request is started only where the rows before it, known and expected, fit the budget. A plain total of held rows
   would starve the first gap, which is the one that frees the others.
3. What lies behind the last window is cut into windows as slots come free, each from the density known by then. A
   window wastes half a page, where its two requests meet; so windows are as large as budget and slots allow, and if
   order does not matter, there are only as many as slots for both their ends.
4. The first request of a window reaches over everything behind it that was not asked yet (`Gaps.reach`). So it brings
   a full page even where the window was cut far too small, as happens where a dense stretch ends.
5. Slots that are left over take the second end of a gap, or cut the largest in two. They go by what it may well hold,
   not by what is to be expected, since being wrong there costs a request, and waiting for certainty costs the time of
   all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

from aioflows._core.pages.reading import PageRequest
from aioflows._core.planning.gaps import Gap, Gaps

__all__ = ["Move", "Sizes", "moves"]

_SMALLEST = 2
"""Pages of the smallest window that is cut: one for each end."""

_ENOUGH = 4, 1_600
"""Pages and rows of a window that is large enough: more would hardly save requests, and rows that wait take memory."""

_WORTH_TWO = 1.25
"""Pages expected in a gap from which a second request from its end is worth it."""

_WORTH_CUT = 4
"""Pages that a gap may well hold, beyond what is under way, from which idle slots take more of it. To leave four pages to
two requests takes a round trip more than to share them, and saves half a page."""


@attrs.frozen
class Move:
    """A gap, and the end of it to ask from."""

    gap: Gap
    backward: bool = False
    ask: PageRequest | None = None
    """The request itself, where how the gap is read decides about it."""


@attrs.frozen
class Sizes:
    """How large windows are made.

    Args:
        page: *rows* of a full page.
        window: *pages* of a window that two requests share.
    """

    page: int
    window: float

    @classmethod
    def of(cls, page: int, slots: int, budget: float, pending: float) -> Sizes:
        """Choose them from the rows that may be held and the rows that are still to come.

        A window of many pages wastes less, since only one of its pages is partly filled, as long as all slots have one
        to share and all of them fit into the buffer. Where order matters, the number is even: otherwise one of a window's
        two requests waits for the other at its end, and everything behind the window with it.
        """
        window = max(_SMALLEST, min(budget, pending) / page / max(1.0, slots / 2))
        if math.isfinite(budget):
            pages, rows = _ENOUGH
            window = min(2 * (window // 2), max(pages, 2 * math.ceil(rows / page / 2)))
        return cls(page, max(1.0, min(budget / page, window)))

    @property
    def rows(self) -> float:
        """The rows of a window, a little less than its pages hold so that it seldom needs one more."""
        return self.page * (self.window - min(0.35, 2 * math.sqrt(self.window / self.page)))


def moves(gaps: Gaps, page: int, slots: int, budget: float) -> Iterator[Move]:
    """Return the requests worth starting, best first; windows are cut on the way.

    Args:
        gaps: what is unproven.
        page: *rows* of a full page.
        slots: *requests* that can be under way.
        budget: *rows* that may lie, known or expected, before a request; infinite if order does not matter.
    """
    sizes = Sizes.of(page, slots, budget, sum(gap.expected for gap in gaps))
    before: float = gaps.ready
    at = 0
    postponed: list[Gap] = []
    # More second looks than slots are not put off: the gaps would become ever more.
    while at < len(gaps) and len(postponed) <= slots:
        gap = gaps[at]
        if gap.broken is not None or (at and before > budget):
            break
        if gap.dense is not None:
            for ask in gap.dense.wanted():
                yield Move(gap, ask=ask)
        elif not gap.held:
            if gap.looks:
                _join_on(gaps, gap)
            if gap.looks:
                postponed.append(gap)
            else:
                if math.isfinite(budget) or gap.untouched:
                    _carve(gaps, gap, sizes)
                # The first gap of an ordered scan holds up all others: its second end is worth a request on a guess.
                yield from _ends(gap, page, gap.expected if at or math.isinf(budget) else gap.likely)
        before += gap.expected + gap.after
        at += 1
    for gap in postponed:
        # A row beside it will soon be known, and makes the next look a proof.
        if gap.witness is not None or gap.beyond is not None or not any(one.asked for one in gaps):
            yield from _ends(gap, page, gap.expected)
    if not any(gap.broken for gap in gaps):
        yield from _shared(gaps, sizes, budget)


def _join_on(gaps: Gaps, gap: Gap) -> None:
    """Hand an empty window to the next one, if that was not asked yet: its first page is then the second look."""
    while gap.looks and not gap.halvings and gap.idle:
        after = gaps.after(gap)
        if after is None or not after.idle or after.halvings:
            return  # what was halved because the service fails on it is not made one again
        gaps.join(gap, after)


def _carve(gaps: Gaps, gap: Gap, sizes: Sizes) -> None:
    """Cut a window of the right size from the front of a gap that holds more than one."""
    if gap.expected > 1.5 * sizes.rows and not gap.closing:
        cut = _whole_second(gap.first + int(sizes.rows / gap.density))
        if gap.first < cut < gap.until:
            gaps.split(gap, cut)


def _ends(gap: Gap, page: int, rows: float) -> Iterator[Move]:
    """Ask from either end of a gap that is taken to hold so many rows."""
    if gap.held:
        return
    if gap.closing:
        # Nothing more may be there. A request that reaches a row known beside the gap tells, and proves it by that row.
        if gap.idle:
            alone = gap.witness is None and gap.beyond is None
            yield Move(gap, backward=bool(gap.short or (gap.looks and alone)))
        return
    if gap.forward is None and (gap.backward is None or rows > page * _WORTH_TWO):
        yield Move(gap, backward=False)
    if gap.backward is None and rows > page * _WORTH_TWO:
        yield Move(gap, backward=True)


def _shared(gaps: Gaps, sizes: Sizes, budget: float) -> Iterator[Move]:
    """Return slots that found nothing else a part of the largest gap, again and again."""
    while (gap := _largest(gaps, sizes.page, budget)) is not None:
        if gap.forward is None or gap.backward is None:
            yield Move(gap, backward=gap.backward is None)
            continue
        width = gap.until - gap.first
        part = width / 2
        if math.isfinite(budget) and gap.at_end <= gap.at_start:
            # No more than a window: where order matters, what lies behind it has to wait.
            part = min(part, width * sizes.rows / gap.likely)
        cut = _whole_second(gap.first + int(part))
        if not gap.first < cut < gap.until:
            return
        later = gaps.split(gap, cut)
        yield Move(gap, backward=True)
        yield Move(later, backward=False)


def _largest(gaps: Gaps, page: int, budget: float) -> Gap | None:
    """Find the gap that may well hold most beyond what is under way, if it is worth another request."""
    best, most = None, _WORTH_CUT * float(page)
    before: float = gaps.ready
    for gap in gaps:
        if before > budget:
            break
        spare = gap.likely - page * ((gap.forward is not None) + (gap.backward is not None))
        if spare > most and not (gap.held or gap.closing or gap.dense):
            best, most = gap, spare
        before += gap.expected + gap.after
    return best


def _whole_second(ms: int) -> int:
    return -(-ms // 1000) * 1000
