"""Which requests are worth starting now.

1. The earliest gap first: an ordered scan hands out nothing behind it.
2. A request is started only where the rows before it, known and expected, fit the budget. A plain total of held rows
   would starve the first gap, which is the one that frees the others.
3. What lies behind the last window is cut into windows as slots come free, each from the density known by then.
4. Slots that are left over share the largest gap, by cutting it in two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import attrs

from aioflows._core.pages import Ask
from aioflows._core.plan import Gap, Gaps, Sizes

__all__ = ["Move", "learn", "moves"]

_WORTH_TWO = 1.25
"""Pages expected in a gap from which a second request from its end is worth it."""

_WORTH_CUT = 3.5
"""Pages expected in a gap, beyond what is under way, from which idle slots cut it in two."""

_SPARSE = 0.25
"""The share of a full page under which all of a window counts as sparse."""

_SURPRISE = 0.25
"""The weight of the last answer in how often windows turn out to be sparse."""

_UNSURE = 0.2
"""How often that is, from which a window is begun from one end only."""

_FASTEST = 64
"""The most that one sparse answer divides a density by."""


@attrs.frozen
class Move:
    """A gap, and the end of it to ask from."""

    gap: Gap
    backward: bool = False
    ask: Ask | None = None
    """The request itself, where how the gap is read decides about it."""


def moves(gaps: Gaps, page: int, concurrency: int, budget: float) -> Iterator[Move]:
    """Give the requests worth starting, best first; windows are cut on the way.

    Args:
        gaps: what is unproven.
        page: *rows* of a full page.
        concurrency: *requests* that can be under way.
        budget: *rows* that may lie, known or expected, before a request; infinite if order does not matter.
    """
    pending = sum(gap.expected for gap in gaps)
    sizes = Sizes.of(page, concurrency, budget, pending)
    before: float = gaps.ready
    at = 0
    postponed: list[Gap] = []
    while at < len(gaps):
        gap = gaps[at]
        if gap.broken is not None or (at and before > budget):
            break
        if gap.dense is not None:
            for ask in gap.dense.wanted():
                yield Move(gap, ask=ask)
        elif not gap.held:
            if gap.looks and not _joined(gaps, gap):
                postponed.append(gap)
            else:
                _carve(gaps, gap, sizes)
                yield from _ends(gaps, gap, page)
        before += gap.expected + gap.after
        at += 1
    for gap in postponed:
        # A row beside it will soon be known, and makes the next look a proof.
        if gap.witness is not None or gap.beyond is not None or not any(one.asked for one in gaps):
            yield from _ends(gaps, gap, page)
    if not any(gap.broken for gap in gaps):
        yield from _shared(gaps, page, budget)


def _joined(gaps: Gaps, gap: Gap) -> bool:
    """Hand an empty window to the next one, if that was not asked yet: its first page is then the second look."""
    after = gaps.after(gap)
    if not gap.idle or after is None or not after.idle or gap.halvings or after.halvings:
        return False  # what was halved because the service fails on it is not made one again
    gaps.join(gap, after)
    return True


def _carve(gaps: Gaps, gap: Gap, sizes: Sizes) -> None:
    """Cut a window of the right size from the front of a gap that holds more than one."""
    if gap.expected > 1.5 * sizes.rows and not (gap.short or gap.looks):
        cut = _whole_second(gap.first + int(sizes.rows / gap.density))
        if gap.first < cut < gap.until:
            gaps.split(gap, cut)


def _ends(gaps: Gaps, gap: Gap, page: int) -> Iterator[Move]:
    if gap.held:
        return
    if gap.short or gap.looks:
        # Nothing more may be there. A request that reaches a row known beside the gap tells, and proves it by that row.
        if gap.idle:
            yield Move(gap, backward=gap.short)
        return
    if gap.forward is None and (gap.backward is None or gap.expected > page * _WORTH_TWO):
        yield Move(gap, backward=False)
    sure = gap.left is not None or gaps.surprise < _UNSURE
    if gap.backward is None and gap.expected > page * _WORTH_TWO and sure:
        yield Move(gap, backward=True)


def _shared(gaps: Gaps, page: int, budget: float) -> Iterator[Move]:
    """Cut the largest gap in two, again and again, for slots that found nothing else."""
    while True:
        best, most = None, _WORTH_CUT * page
        before: float = gaps.ready
        for gap in gaps:
            if before > budget:
                break
            spare = gap.expected - page * ((gap.forward is not None) + (gap.backward is not None))
            if spare > most and not (gap.held or gap.short or gap.looks or gap.dense):
                best, most = gap, spare
            before += gap.expected + gap.after
        if best is None:
            return
        cut = _whole_second((best.first + best.until) // 2)
        if not best.first < cut < best.until:
            return
        later = gaps.split(best, cut)
        yield Move(best, backward=True)
        yield Move(later, backward=False)


def _whole_second(ms: int) -> int:
    return -(-ms // 1000) * 1000


def learn(gaps: Gaps, ask: Ask, rows: int, width: int, whole: bool, page: int) -> None:
    """Correct the densities that an answer bears on.

    Where it gets denser, a window that was cut too large is cut again; where it gets sparser, windows that were cut
    too small cannot be taken back. So the one is learnt slowly and the other fast.

    Args:
        gaps: what is unproven.
        ask: the request that was answered.
        rows: *rows* in what was proven.
        width: *milliseconds* that were proven.
        whole: whether all of the ask's window was.
        page: *rows* of a full page.
    """
    if width <= 0:
        return
    sparse = whole and rows < page * _SPARSE
    gaps.surprise += (sparse - gaps.surprise) * _SURPRISE
    seen = max(rows, 0.25) / width
    edge = ask.first + width if not ask.backward else ask.until - width
    near = None if whole else (gaps.ending(edge) if ask.backward else gaps.starting(edge))
    if near is not None:
        near.density = math.sqrt(near.density * seen) if near.density else seen
    if whole and not sparse:
        return
    for gap in gaps.within(ask.until, 1 << 62):
        if gap.idle and gap is not near:
            if not whole:
                gap.density = math.sqrt(gap.density * seen) if gap.density else seen
            elif seen < gap.density:
                gap.density = max(gap.density / _FASTEST, math.sqrt(gap.density * seen))
            return
