"""The choice of the requests to start now.

1. The earliest gap comes first. An ordered scan hands out nothing behind this gap.
2. A request is started only if the rows before it, known and expected, fit the budget. A limit on the sum of
   all held rows would starve the first gap, and only that gap can free the other rows.
3. The time behind the last window is cut into windows when slots come free, by the density known then. If
   order does not matter, there are only as many windows as slots for both of their ends.
4. The first request of a window reaches over all untouched gaps behind it (`Gaps.reach`). So it returns a
   full page even if the window is far too small, for example where a dense stretch ends.
5. Slots that are left over request the second end of a gap, or cut the largest gap in two. The choice uses
   the rows that the gap may well hold, not the expected rows. A wrong guess costs one request, and waiting
   costs the time of all slots.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.gaps import Gap, Gaps
from aioflows._core.planning.window_size import WindowSize, cut_window, whole_second

__all__ = ["Move", "moves"]

_WORTH_TWO = 1.25
"""Pages expected in a gap from which a second request, from the end, is worth its cost."""

_WORTH_CUT = 4
"""Pages that a gap may hold beyond its requests under way, from which idle slots read a part of the gap.

Two requests for four pages take one more round trip than four requests, and save half a page.
"""


@attrs.frozen
class Move:
    """A request to start: a gap, and the end to read from."""

    gap: Gap
    backward: bool = False
    ask: PageRequest | None = None
    """The request of the reader of a dense second. None means that `ask_for` makes the request."""


def moves(
    gaps: Gaps, page: int, slots: int, budget: float, share: Callable[[], float] = lambda: 1.0
) -> Iterator[Move]:
    """Yield the requests worth starting, best first. Cut windows where requests begin.

    Args:
        gaps: the unproven gaps.
        page: the size of a full page (rows).
        slots: the number of requests that can be under way.
        budget: the rows, known or expected, that may lie before a request. Infinite if order does not matter.
        share: returns the part of the budget in which the next request may begin. Default: all of it.
    """
    size = WindowSize.of(page, slots, budget, sum(gap.expected for gap in gaps))
    before: float = gaps.ready
    at = 0
    postponed: list[Gap] = []
    # If more than *slots* second looks were postponed, the number of gaps would grow without bound.
    while at < len(gaps) and len(postponed) <= slots:
        gap = gaps[at]
        if gap.error is not None or (at and before > budget * share()):
            break
        if gap.dense is not None:
            for ask in gap.dense.wanted():
                yield Move(gap, ask=ask)
        elif not gap.on_hold:
            if gap.empty_answers:
                _join_on(gaps, gap)
            if gap.empty_answers:
                postponed.append(gap)
            else:
                if math.isfinite(budget) or gap.untouched:
                    cut_window(gaps, gap, size)
                # All other gaps of an ordered scan wait for the first one. So it is read from both ends even if
                # only `likely`, the higher estimate of its rows, makes that worthwhile.
                yield from _ends(gap, page, gap.expected if at or math.isinf(budget) else gap.likely)
        before += gap.expected + gap.after
        at += 1
    for gap in postponed:
        # A known row beside the gap makes the next look a proof. A request under way may bring such a row.
        if not gap.isolated or not any(one.asked for one in gaps):
            yield from _ends(gap, page, gap.expected)
    if not any(gap.error for gap in gaps):
        yield from _shared(gaps, size, budget, share)


def _join_on(gaps: Gaps, gap: Gap) -> None:
    """Join an empty window to the next gap, if that gap was not requested yet.

    The first page of the joined gap is then also the second look at the empty window.
    """
    while gap.empty_answers and not gap.halvings and gap.idle:
        after = gaps.after(gap)
        if after is None or not after.idle or after.halvings:
            return  # the service failed on the window of the next gap, so it must stay short
        gaps.join(gap, after)


def _ends(gap: Gap, page: int, rows: float) -> Iterator[Move]:
    """Yield the requests from the ends of a gap that is expected to hold *rows* rows."""
    if gap.on_hold:
        return
    if gap.closing:
        # A request from the gap to a known row proves an empty gap, so one request at a time is enough.
        if gap.idle:
            yield Move(gap, backward=bool(gap.maybe_last or (gap.empty_answers and gap.isolated)))
        return
    if gap.start.ask is None and (gap.end.ask is None or rows > page * _WORTH_TWO):
        yield Move(gap, backward=False)
    if gap.end.ask is None and rows > page * _WORTH_TWO:
        yield Move(gap, backward=True)


def _shared(gaps: Gaps, size: WindowSize, budget: float, share: Callable[[], float]) -> Iterator[Move]:
    """Yield requests for parts of the largest gap while slots are left over."""
    while (gap := _largest(gaps, size.page, budget * share())) is not None:
        if gap.start.ask is None or gap.end.ask is None:
            yield Move(gap, backward=gap.end.ask is None)
            continue
        width = gap.until - gap.first
        part = width / 2
        if math.isfinite(budget) and gap.end.density <= gap.start.density:
            # The rows behind the cut have to wait in an ordered scan, so the part is at most a window.
            part = min(part, width * size.rows / gap.likely)
        cut = whole_second(gap.first + int(part))
        if not gap.first < cut < gap.until:
            return
        later = gaps.split(gap, cut)
        yield Move(gap, backward=True)
        yield Move(later, backward=False)


def _largest(gaps: Gaps, page: int, budget: float) -> Gap | None:
    """Return the gap that may hold most rows beyond its requests under way, if it is worth one more."""
    best, most = None, _WORTH_CUT * float(page)
    before: float = gaps.ready
    for gap in gaps:
        if before > budget:
            break
        spare = gap.likely - page * ((gap.start.ask is not None) + (gap.end.ask is not None))
        if spare > most and not (gap.on_hold or gap.closing or gap.dense):
            best, most = gap, spare
        before += gap.expected + gap.after
    return best
