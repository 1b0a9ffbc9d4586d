"""The memory that the scans of a session share.

1. What a scan holds is estimated from the bytes of its answers: pages that were read, the rows that its
   consumer took last, and answers that may still come. A stopped consumer does not stop those.
2. A scan starts no request that would exceed its part of the budget. All open scans have equal parts.
3. A scan that waits for rows may always have one request under way. So no scan waits for the memory of
   another one, whatever the order in which consumers read.
"""

from __future__ import annotations

import math

__all__ = ["MemoryBudget", "MemoryShare"]

_PAGE = 1.4
"""Bytes of memory for a byte of an answer: its ids and times are decoded."""

_ROWS = 3.0
"""Bytes of memory for a byte of an answer whose rows are decoded."""

_FIRST_ROW = 700
"""The bytes of a row, before an answer has shown them."""


class MemoryBudget:
    """A budget of bytes.

    Args:
        limit: the budget (bytes). None means that there is none.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = math.inf if limit is None else limit
        self.held = 0
        """The bytes that all shares hold."""
        self.shares = 0
        """The number of shares that hold something."""


class MemoryShare:
    """The part of one scan.

    Args:
        budget: the budget of the session.
        most: the most bytes for this scan. None means as many as the budget allows.
        page_size: rows per request.
    """

    def __init__(self, budget: MemoryBudget, most: int | None, page_size: int) -> None:
        self._budget = budget
        self._most = math.inf if most is None else most
        self._page_size = page_size
        self._held = 0
        self._rows = self._bytes = self._handed = 0
        self.limited = budget.limit < math.inf or most is not None
        """True if there is anything to watch."""

    def received(self, rows: int, size: int) -> None:
        """Note an answer.

        Args:
            rows: its rows.
            size: its bytes. 0 means that it was decoded at once.
        """
        if size:
            self._rows += rows
            self._bytes += size

    def room(self, held: int, handed: int, coming: int) -> int:
        """Return how many requests the scan may start.

        Args:
            held: rows that were read and not handed out.
            handed: rows that the consumer may still hold.
            coming: the most rows that requests under way may bring.
        """
        of_row = self._bytes / self._rows if self._rows else _FIRST_ROW
        page = of_row * self._page_size * _PAGE
        self._hold(int(of_row * ((max(0, held) + coming) * _PAGE + handed * _ROWS)))
        budget = self._budget
        part = min(self._most, budget.limit / max(1, budget.shares)) - self._held
        room = min(part, budget.limit - budget.held)
        return max(0, min(int(room // page), 1 << 20)) if room < math.inf else 1 << 20

    def close(self) -> None:
        """Hold nothing any more."""
        self._hold(0)

    def _hold(self, size: int) -> None:
        self._budget.shares += (size > 0) - (self._held > 0)
        self._budget.held += size - self._held
        self._held = size
