"""Estimates of how dense the rows are in gaps that were not read yet.

A page says little about its surroundings: a hundred rows of one minute do not describe the month behind them.
Invariants:

1. The density of a gap is rows over time, summed over all pages near the gap. A mean of the densities of pages
   would weigh a burst as much as the silence around the burst. All older pages together weigh no more than
   `_EVIDENCE` pages.
2. If the data gets sparser, the estimate follows at once, since a sparse page is long. If the data gets denser,
   the estimate follows slowly. So each page that was much denser than expected halves the weight of the old
   estimate.
3. A whole window that was sparser than expected replaces the estimate. A mean would need many such windows.
4. An answer changes the estimate of the gap at which its page ended, and of the gaps behind, up to the first
   idle gap. A gap that was read from its own end, and is being read, keeps its estimate, since its own pages
   are nearer. So do the gaps behind it.

An estimate that is too low costs little: a window that is too large is cut again. An estimate that is too
high costs requests, since windows that are too small cannot be joined once they are requested.
"""

from __future__ import annotations

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.gaps import Gap, Gaps

__all__ = ["ProvenStretch", "learn"]

_EVIDENCE = 8
"""The most pages that an estimate weighs."""

_DENSER = 4
"""A page that is denser than expected by this factor halves the weight of the old estimate."""


@attrs.frozen
class ProvenStretch:
    """A window that an answer proved.

    Args:
        rows: rows in the window.
        width: length of the window (milliseconds).
        whole: True if the answer proved the whole window that was requested.
    """

    rows: int
    width: int
    whole: bool

    @property
    def density(self) -> float:
        """The density (rows per millisecond), never 0, so that no gap is expected to be empty."""
        return max(self.rows, 0.25) / self.width


def learn(gaps: Gaps, ask: PageRequest, stretch: ProvenStretch, page: int) -> None:
    """Correct the densities of the gaps near an answer.

    Args:
        gaps: the unproven gaps, without the window that was just proven.
        ask: the request that was answered.
        stretch: the window that the answer proved.
        page: the size of a full page (rows).
    """
    if stretch.width <= 0:
        return
    near = None
    if stretch.whole:
        for gap in gaps.within(ask.first, ask.until) if not stretch.rows else ():
            _weigh(gap, stretch, page)
    else:
        edge = ask.until - stretch.width if ask.backward else ask.first + stretch.width
        if (near := gaps.bordering(edge, backward=ask.backward)) is not None:
            _weigh(near, stretch, page)
            near.edge(ask.backward).density = stretch.density
    for gap in gaps.behind(ask.until if ask.backward or stretch.whole else ask.first + stretch.width):
        if gap is near:
            continue
        if (gap.start.density or gap.end.density) and not gap.idle:
            return
        if not stretch.whole or stretch.density < gap.density:
            _weigh(gap, stretch, page)
        if gap.idle:
            return


def _weigh(gap: Gap, stretch: ProvenStretch, page: int) -> None:
    if not gap.density or (stretch.whole and stretch.density < gap.density):
        gap.density, gap.weight = stretch.density, max(stretch.rows, 0.25)
        return
    if stretch.density > _DENSER * gap.density:
        gap.weight /= 2
    rows, width = gap.weight + stretch.rows, gap.weight / gap.density + stretch.width
    gap.density, gap.weight = rows / width, min(rows, _EVIDENCE * page)
