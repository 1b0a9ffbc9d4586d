"""What an answer tells about the density of what was not read yet.

A page is a poor witness: a hundred rows of one minute say little of the month behind them. So

1. a gap's density is rows over time of all pages that bear on it, not the mean of their densities, which would count
   a burst as much as the silence around it; what was read long ago weighs no more than a few pages.
2. where it gets sparser, rows over time tell at once, since the sparse page is the long one. Where it gets denser, they
   tell slowly; each page that was much denser than expected halves what was known before.
3. a window that was expected to hold rows and held hardly any says what it saw: a mean would take many of them.
4. an answer bears on the gap that it left off in, and on the ones behind it up to the first that nothing was asked of;
   but not past a gap that was read itself, since its own pages lie nearer.

Too low a density costs little: a window that is too large is cut again. Too high a one costs requests, since windows
that were cut too small cannot be put together once they are asked for.
"""

from __future__ import annotations

import attrs

from aioflows._core.pages.reading import PageRequest
from aioflows._core.planning.gaps import Gap, Gaps

__all__ = ["ProvenStretch", "learn"]

_EVIDENCE = 8
"""Pages; what was read before them weighs no more."""

_DENSER = 4
"""How many times denser than expected a page must be to halve what was known."""


@attrs.frozen
class ProvenStretch:
    """A window that an answer proved.

    Args:
        rows: how *many* it holds.
        width: *milliseconds*.
        whole: whether it is all that was asked for.
    """

    rows: int
    width: int
    whole: bool

    @property
    def density(self) -> float:
        """Its *rows per millisecond*; never 0, so that a gap's density never is."""
        return max(self.rows, 0.25) / self.width


def learn(gaps: Gaps, ask: PageRequest, stretch: ProvenStretch, page: int) -> None:
    """Correct the densities that an answer bears on.

    Args:
        gaps: what is unproven, without what was proven just now.
        ask: the request that was answered.
        stretch: what the answer proved.
        page: *rows* of a full page.
    """
    if stretch.width <= 0:
        return
    near = None
    if stretch.whole:
        for gap in gaps.within(ask.first, ask.until) if not stretch.rows else ():
            _weigh(gap, stretch, page)
    elif ask.backward and (near := gaps.ending(ask.until - stretch.width)) is not None:
        _weigh(near, stretch, page)
        near.at_end = stretch.density
    elif not ask.backward and (near := gaps.starting(ask.first + stretch.width)) is not None:
        _weigh(near, stretch, page)
        near.at_start = stretch.density
    for gap in gaps.behind(ask.until if ask.backward or stretch.whole else ask.first + stretch.width):
        if gap is near:
            continue
        if (gap.at_start or gap.at_end) and not gap.idle:
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
