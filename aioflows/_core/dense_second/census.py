"""Census: the number of rows in an instant, from the places where passes over its pages ended.

A pass ends at a row of another second, or at a page that is not full. The place of that end is a count of the
rows before it, and the order of ties does not change it. So a pass may miss rows and repeat others, but its
count is right.

If page 0 may be another name for page 1, the first page may have been counted twice. Pages of two sizes show
whether it was:

1. If the plain counts are equal, no page was counted twice.
2. If the counts are equal after one page is subtracted from each, the first page was counted twice.
"""

from __future__ import annotations

from collections import deque

import attrs

__all__ = ["Census"]

_COUNTS = 3
"""The number of passes that are compared. One count may be wrong, because rows change meanwhile."""


@attrs.frozen
class _Count:
    """The count of one pass.

    Args:
        size: page size of the pass (rows).
        rows: rows before its end, if no page was counted twice.
        once: rows before its end, if the first page was counted twice.
        reached: True if a row of another second ended the pass.
        doubled: True if its first two pages had the same rows.
    """

    size: int
    rows: int
    once: int
    reached: bool
    doubled: bool


class Census:
    """The counts of the last passes over the pages of one instant.

    Args:
        base_known: True if page numbers are known to start with the first page that was requested.
    """

    def __init__(self, *, base_known: bool) -> None:
        self._base_known = base_known
        self._counts: deque[_Count] = deque(maxlen=_COUNTS)
        self.doubled: bool | None = False if base_known else None
        """True if the first page is counted twice. None means unknown."""

    def note(self, size: int, rows: int, *, reached: bool, doubled: bool, single: bool) -> None:
        """Note the count of a pass.

        Args:
            size: page size of the pass (rows).
            rows: rows that the pass counted.
            reached: True if a row of another second ended the pass.
            doubled: True if its first two pages had the same rows.
            single: True if it had only one page.
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
        """Return the smallest count of the last passes (rows). 0 means that no pass was counted.

        Args:
            mixed: True if the order of ties was seen to change. Then a second page may be the first page again
                although the rows of the two differ.
        """
        return min((self._rows(one, mixed=mixed) for one in self._counts), default=0)

    def _rows(self, one: _Count, *, mixed: bool) -> int:
        if self.doubled is not None and not self._base_known:
            return one.once if self.doubled else one.rows
        if one.doubled:
            return one.once
        # Counts are compared over several page sizes, and pages of one row have only one.
        return one.once if mixed and not (one.reached and one.size == 1) else one.rows

    def depends_on_base(self, known: int) -> bool:
        """Return True if *known* rows are complete or not, depending on the number that pages count from."""
        return self.doubled is None and any(known < one.rows and not one.doubled for one in self._counts)

    @property
    def agreed(self) -> int | None:
        """The count on which passes with different page sizes agree. None means that no count is agreed on."""
        if (
            self.doubled is None
            or len(self._counts) < _COUNTS
            or len({one.size for one in self._counts}) == 1
        ):
            return None
        counts = {self._rows(one, mixed=False) for one in self._counts}
        return counts.pop() if len(counts) == 1 else None
