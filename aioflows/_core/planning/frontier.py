"""Between what is proven and what is not: gaps become runs, requests are picked up and put down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.reading import Direction, PageRequest
from aioflows._core.planning.follow_ups import FollowUps, Job
from aioflows._core.planning.gaps import Anchor, Gap, Gaps
from aioflows._core.planning.reorder_buffer import ProvenRun, ReorderBuffer
from aioflows.errors import AioflowsError
from aioflows.stats import Proof

__all__ = ["Frontier", "covered"]


class Frontier:
    """The gaps of a scan, and the runs that they become.

    Args:
        spans: what is to be read, in *milliseconds* of scan time, in order.
        ordered: whether runs are given out in order.
        errands: where requests go that take the place of others.
    """

    def __init__(self, spans: Sequence[tuple[int, int]], ordered: bool, errands: FollowUps) -> None:
        self.spans = spans
        self.gaps = Gaps(list(spans))
        self.release = ReorderBuffer(spans, ordered)
        self.error: AioflowsError | None = None
        """An error whose gap was closed meanwhile."""
        self.proofs: Counter[Proof] = Counter()
        """How many windows were proven in which way."""
        self.counted: list[tuple[int, int, int]] = []
        """Windows whose rows could only be counted, and how many these are."""
        self.news: list[tuple[int, int, int, Proof]] = []
        """Windows that were proven since this was last emptied, their rows, and how."""
        self._errands = errands

    def settle(
        self, gap: Gap, runs: Sequence[ProvenRun], proof: Proof, known: tuple[int, int] | None = None
    ) -> None:
        """Take a proven window out of a gap.

        Args:
            gap: what it lies in.
            runs: the *runs* that it is given out in, each of which begins where the one before it ends.
            proof: how it was proven.
            known: the *seconds* of its first and last row.
        """
        first, until, rows = runs[0].first, runs[-1].until, sum(len(run.batch) for run in runs)
        self.proofs[proof] += 1
        self.news.append((first, until, rows, proof))
        if proof is Proof.COUNTED:
            self.counted.append((first, until, rows))
        self.gaps.take(gap, first, until, rows, known)
        for run in runs:
            self.release.put(run)

    def instants(self, gap: Gap, axis: Direction, widest: int) -> list[Instant]:
        """Return the ways to read a gap of one second by pages that run on to a row of another one, the better first.

        As far as the first row that is known to be there, or as far as nothing is known; never where the service's zone
        changes its offset, nor where the gap begins or ends within a second, whose other rows would look like its own.

        Args:
            gap: the *second*, or what of it is to be read.
            axis: the direction of the scan.
            widest: *milliseconds* that a window may span.
        """
        after, before = self.gaps.after(gap), self.gaps.before(gap)
        plain = Instant(gap.first, gap.until, axis, gap.until)
        ways = []
        if after is not None:
            ways.append(attrs.evolve(plain, reach=min(after.until, gap.first + widest)))
        elif gap.beyond is not None:
            ways.append(attrs.evolve(plain, reach=gap.beyond * 1000 + 1000, known=True))
        if before is not None:
            ways.append(attrs.evolve(plain, reach=max(before.first, gap.until - widest), backward=True))
        elif gap.witness is not None:
            ways.append(attrs.evolve(plain, reach=gap.witness * 1000, backward=True, known=True))
        return [way for way in ways if way.width <= widest and not self._cuts(way)] or [plain]

    def _cuts(self, way: Instant) -> bool:
        edge = way.first if way.backward else way.until
        return edge % 1000 != 0 or self.gaps.fenced(min(edge, way.reach), max(edge, way.reach))

    def fail(self, gap: Gap, error: AioflowsError) -> None:
        """Note that a gap cannot be read."""
        if gap in self.gaps:
            gap.broken = error
        elif self.error is None:
            self.error = error

    def put_down(self, ask: PageRequest) -> list[Gap]:
        """Note that a request is over; give the gaps that it bears on."""
        gaps = self.gaps.within(ask.first, ask.until)
        for gap in gaps:
            if gap.forward is ask:
                gap.forward = None
            if gap.backward is ask:
                gap.backward = None
        return gaps

    def follow(self, ask: PageRequest, again: PageRequest, job: Job | None = None) -> None:
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
    """Return the anchors of a gap whose second, as far as it lies in the gap, a window holds all of."""
    anchors = []
    for anchor in (gap.left, gap.right):
        if anchor is not None:
            low, high = max(gap.first, anchor.second * 1000), min(gap.until, anchor.second * 1000 + 1000)
            if low < high and first <= low and high <= until:
                anchors.append(anchor)
    return anchors
