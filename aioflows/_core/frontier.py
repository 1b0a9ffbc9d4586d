"""Between what is proven and what is not: gaps become runs, requests are picked up and put down."""

from __future__ import annotations

from collections.abc import Sequence

from aioflows._core.errands import Errands, Job
from aioflows._core.pages import Ask
from aioflows._core.plan import Anchor, Gap, Gaps
from aioflows._core.release import Release, Run
from aioflows.errors import AioflowsError

__all__ = ["Frontier", "covered"]


class Frontier:
    """The gaps of a scan, and the runs that they become.

    Args:
        spans: what is to be read, in *milliseconds* of scan time, in order.
        ordered: whether runs are given out in order.
        errands: where requests go that take the place of others.
    """

    def __init__(self, spans: Sequence[tuple[int, int]], ordered: bool, errands: Errands) -> None:
        self.gaps = Gaps(list(spans))
        self.release = Release(spans, ordered)
        self.error: AioflowsError | None = None
        """An error whose gap was closed meanwhile."""
        self.windows = 0
        self._errands = errands

    def settle(self, gap: Gap, run: Run, known: tuple[int, int] | None = None) -> None:
        """Take a proven run out of a gap; *known*: the seconds of its first and last row."""
        self.windows += 1
        self.gaps.take(gap, run.first, run.until, len(run.batch), known)
        self.release.put(run)

    def fail(self, gap: Gap, error: AioflowsError) -> None:
        """Note that a gap cannot be read."""
        if gap in self.gaps:
            gap.broken = error
        elif self.error is None:
            self.error = error

    def put_down(self, ask: Ask) -> list[Gap]:
        """Note that a request is over; give the gaps that it bears on."""
        gaps = self.gaps.within(ask.first, ask.until)
        for gap in gaps:
            if gap.forward is ask:
                gap.forward = None
            if gap.backward is ask:
                gap.backward = None
        return gaps

    def follow(self, ask: Ask, again: Ask, job: Job | None = None) -> None:
        """Put a request in the place of another; with a *job*, its gaps are left alone until that is done."""
        for gap in self.gaps.within(ask.first, ask.until):
            if gap.forward is ask:
                gap.forward = again
            elif gap.backward is ask:
                gap.backward = again
            elif job is not None:
                gap.held = True
        self._errands.add(again, job)


def covered(gap: Gap, first: int, until: int) -> list[Anchor]:
    """Give the anchors of a gap whose second, as far as it lies in the gap, a window holds all of."""
    anchors = []
    for anchor in (gap.left, gap.right):
        if anchor is not None:
            low, high = max(gap.first, anchor.second * 1000), min(gap.until, anchor.second * 1000 + 1000)
            if low < high and first <= low and high <= until:
                anchors.append(anchor)
    return anchors
