"""The size of the windows that the time of a scan is cut into.

Each window wastes half a page, where its two requests meet. So windows are as large as budget and slots allow.
"""

from __future__ import annotations

import math

import attrs

from aioflows._core.planning.gaps import Gap, Gaps

__all__ = ["WindowSize", "cut_window", "whole_second"]

_SMALLEST = 2
"""Pages of the smallest window that is cut: one for each end."""

_ENOUGH = 4, 1_600
"""Pages and rows of the largest window. Larger windows save few requests, and their rows take memory."""


@attrs.frozen
class WindowSize:
    """The size of a window.

    Args:
        page: the size of a full page (rows).
        pages: the number of pages in a window.
    """

    page: int
    pages: float

    @classmethod
    def of(cls, page: int, slots: int, budget: float, pending: float) -> WindowSize:
        """Return the size for the rows that may be held and the rows that are still expected.

        Only one page of a window is partly filled, so windows are as large as possible while every slot has a
        window and all windows fit into the buffer. In an ordered scan the number of pages is even. With an odd
        number, one of the two requests waits for the other at the end, and everything behind the window waits.
        """
        pages = max(_SMALLEST, min(budget, pending) / page / max(1.0, slots / 2))
        if math.isfinite(budget):
            most, rows = _ENOUGH
            pages = min(2 * (pages // 2), max(most, 2 * math.ceil(rows / page / 2)))
        return cls(page, max(1.0, min(budget / page, pages)))

    @property
    def rows(self) -> float:
        """The rows of a window: a little less than its pages hold, so that it seldom needs one more page."""
        return self.page * (self.pages - min(0.35, 2 * math.sqrt(self.pages / self.page)))


def cut_window(gaps: Gaps, gap: Gap, size: WindowSize) -> None:
    """Cut a window of the right size from the front of a gap that is larger than one window."""
    if gap.expected > 1.5 * size.rows and not gap.closing:
        cut = whole_second(gap.first + int(size.rows / gap.density))
        if gap.first < cut < gap.until:
            gaps.split(gap, cut)


def whole_second(ms: int) -> int:
    """Return the start of a second: the time itself, or the next one (ms)."""
    return -(-ms // 1000) * 1000
