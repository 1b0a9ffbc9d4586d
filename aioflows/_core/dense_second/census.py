"""How many rows an instant holds, by the places at which passes over its pages have ended.

A row of another second, or a page that is not full, ends a pass, and its place is a count of the rows before it. Ties do not
move that place, whatever order they come in. So a pass may miss rows, and bring others twice, but it counts all of them.

Where page 0 may be another name for page 1, the first page may have been counted twice. Pages of two sizes tell: if the
counts of both are equal as they are, no page was counted twice; if they are equal after one page was taken off, one was.
"""

from __future__ import annotations

from collections import deque

import attrs

__all__ = ["Census"]

_COUNTS = 3
"""Passes whose counts are looked at: rows may come and go, and make one of them wrong."""


@attrs.frozen
class _Count:
    """The count of one pass.

    Args:
        size: *rows* of its pages.
        rows: the *rows* before its end, if no page was counted twice.
        once: the same, if the first page was counted twice.
        reached: whether a row of another second has ended it.
        doubled: whether its first two pages had the same rows.
    """

    size: int
    rows: int
    once: int
    reached: bool
    doubled: bool


class Census:
    """The counts of the last passes over the pages of one instant.

    Args:
        base_known: whether page numbers are known to begin with the first page that was asked for.
    """

    def __init__(self, *, base_known: bool) -> None:
        self._base_known = base_known
        self._counts: deque[_Count] = deque(maxlen=_COUNTS)
        self.doubled: bool | None = False if base_known else None
        """Whether the first page is counted twice; None: that is not known."""

    def note(self, size: int, rows: int, *, reached: bool, doubled: bool, single: bool) -> None:
        """Note the count of a pass.

        Args:
            size: *rows* of its pages.
            rows: the *rows* that it counted.
            reached: whether a row of another second has ended it.
            doubled: whether its first two pages had the same rows.
            single: whether it had one page only.
        """
        once = rows if single or (self._base_known and not doubled) else rows - size
        self._counts.append(_Count(size, rows, once, reached, doubled))
        if self._base_known or len(self._counts) < _COUNTS or len({one.size for one in self._counts}) == 1:
            return
        plain, once_each = {one.rows for one in self._counts}, {one.once for one in self._counts}
        if len(plain) == 1 < len(once_each):
            self.doubled = False
        elif len(once_each) == 1 < len(plain):
            self.doubled = True

    def least(self, *, mixed: bool) -> int:
        """Return the rows that have been counted at least.

        Args:
            mixed: whether ties were seen to change, so that a second page need not be alike the first to be the same one.
        """
        return min((self._rows(one, mixed=mixed) for one in self._counts), default=0)

    def _rows(self, one: _Count, *, mixed: bool) -> int:
        if self.doubled is not None and not self._base_known:
            return one.once if self.doubled else one.rows
        if one.doubled:
            return one.once
        # Pages of one row are of one size only, which tells nothing.
        return one.once if mixed and not (one.reached and one.size == 1) else one.rows

    def vague(self, known: int) -> bool:
        """Return True if it depends on the number that pages count from whether so many rows are all of them."""
        return self.doubled is None and any(known < one.rows and not one.doubled for one in self._counts)

    @property
    def agreed(self) -> int | None:
        """The rows on which passes of different pages agree; None: they do not."""
        if (
            self.doubled is None
            or len(self._counts) < _COUNTS
            or len({one.size for one in self._counts}) == 1
        ):
            return None
        counts = {self._rows(one, mixed=False) for one in self._counts}
        return counts.pop() if len(counts) == 1 else None
