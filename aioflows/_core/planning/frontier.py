"""The border between proven and unproven time: turns gaps into proven runs, and tracks requests under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.follow_ups import FollowUps, Job
from aioflows._core.planning.gaps import Anchor, Gap, Gaps
from aioflows._core.planning.reorder_buffer import ProvenRun, ReorderBuffer
from aioflows.errors import AioflowsError
from aioflows.stats import Proof

__all__ = ["Frontier", "covered"]


class Frontier:
    """The gaps of a scan, and the proven runs that replace them.

    Args:
        spans: the windows to read, in order (milliseconds of scan time).
        ordered: True if runs are handed out in order.
    """

    def __init__(self, spans: Sequence[tuple[int, int]], ordered: bool) -> None:
        self.spans = spans
        self.gaps = Gaps(list(spans))
        self.release = ReorderBuffer(spans, ordered)
        self.error: AioflowsError | None = None
        """The first error that belongs to no gap any more, for example because the gap was proven before."""
        self.proofs: Counter[Proof] = Counter()
        """The number of windows proven by each kind of proof."""
        self.counted: list[tuple[int, int, int]] = []
        """Windows whose rows were counted, not proven, each with its number of rows."""
        self.news: list[tuple[int, int, int, Proof]] = []
        """Windows proven since this list was last emptied, each with its number of rows and its kind of proof."""
        self.follow_ups = FollowUps()
        self.duplicates = 0
        """Rows that came again and were dropped."""

    def settle(
        self, gap: Gap, runs: Sequence[ProvenRun], proof: Proof, known: tuple[int, int] | None = None
    ) -> None:
        """Remove a proven window from a gap, and pass its runs to the reorder buffer.

        Args:
            gap: the gap that contains the window.
            runs: the runs of the window. Each run begins where the run before it ends.
            proof: the kind of proof.
            known: the first and the last second in which the window has a row. Default: None, which means no
                row.
        """
        first, until, rows = runs[0].first, runs[-1].until, sum(len(run.batch) for run in runs)
        self.proofs[proof] += 1
        self.news.append((first, until, rows, proof))
        if proof is Proof.COUNTED:
            self.counted.append((first, until, rows))
        self.gaps.take(gap, first, until, rows, known)
        for run in runs:
            self.release.put(run)

    def fail(self, gap: Gap, error: AioflowsError) -> None:
        """Record that a gap cannot be read."""
        if gap in self.gaps:
            gap.error = error
        elif self.error is None:
            self.error = error

    def finish(self, ask: PageRequest) -> list[Gap]:
        """Record that a request is over, and return the gaps in its window."""
        gaps = self.gaps.within(ask.first, ask.until)
        for gap in gaps:
            for edge in (gap.start, gap.end):
                if edge.ask is ask:
                    edge.ask = None
        return gaps

    def replace(self, ask: PageRequest, again: PageRequest, job: Job | None = None) -> None:
        """Replace a request by another one. With a *job*, the other gaps in its window are held meanwhile."""
        for gap in self.gaps.within(ask.first, ask.until):
            if (edge := gap.edge(ask.backward)).ask is ask:
                edge.ask = again
            elif job is not None:
                gap.on_hold = True
        self.follow_ups.add(again, job)


def covered(gap: Gap, first: int, until: int) -> list[Anchor]:
    """Return the anchors of a gap whose seconds, as far as they lie in the gap, are wholly inside a window."""
    anchors = []
    for anchor in (gap.start.anchor, gap.end.anchor):
        if anchor is not None:
            low, high = max(gap.first, anchor.second * 1000), min(gap.until, anchor.second * 1000 + 1000)
            if low < high and first <= low and high <= until:
                anchors.append(anchor)
    return anchors
