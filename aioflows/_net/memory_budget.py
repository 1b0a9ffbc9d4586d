"""The memory that the scans of a session share.

1. A scan holds pages that were read, the rows that its consumer took last, and answers that may still come. A
   stopped consumer does not stop those. Pages are weighed, and the rest is estimated from the bytes of rows.
2. A scan starts no request that would exceed its part of the budget. All open scans have equal parts.
3. If a part is small, a scan compresses its pages and hands out small batches.
4. A scan that waits for rows may always have one request under way. So no scan waits for the memory of
   another one, whatever the order in which consumers read. If the budget has no room for it, the pages of the
   scans that were read least recently are compressed.
"""

from __future__ import annotations

import math
from itertools import islice
from weakref import WeakSet

from aioflows._core.wire.search_page import SearchPage

__all__ = ["MemoryBudget", "MemoryShare"]

_PAGE = 1.3
"""Bytes of memory for a byte of an answer: its ids and times are decoded."""

_ROWS = 2.2
"""Bytes of memory for a byte of an answer whose rows are instances."""

_FIRST_ROW = 900
"""The bytes of a row, before an answer has shown them."""

_SCAN = 60_000
"""The bytes of memory for a scan without its pages."""

_USED = 0.87
"""The share of a budget that is used. The C library keeps about as much more, in holes between objects."""

_SCANS = 8
"""The scans that the budget is divided by if there are fewer, since others may follow."""

_BATCHES = 8
"""The batches of instances that a part has room for."""

_FEWEST_ROWS = 32
"""The rows of the smallest batch."""

_LOOKS = 8
"""The most shares to look at for pages to compress."""

_AT_ONCE = 4
"""The most pages to compress at once, which takes some milliseconds each."""


class MemoryBudget:
    """A budget of bytes.

    Args:
        limit: the budget (bytes). None means that there is none.
    """

    def __init__(self, limit: int | None) -> None:
        self.limit = math.inf if limit is None else limit * _USED
        self.held = 0
        """The bytes that all shares hold."""
        self.shares: dict[MemoryShare, None] = {}
        """The shares that hold something. Those that were used least recently come first."""
        self.rows = self.bytes = 0
        """The rows of all answers, and their bytes."""

    @property
    def of_row(self) -> float:
        """The bytes of a row in answers."""
        return self.bytes / self.rows if self.rows else _FIRST_ROW

    def make_room(self, size: float) -> None:
        """Compress some pages, if the budget has no room for this many bytes."""
        packed = 0
        for share in [*islice(self.shares, _LOOKS)]:
            if self.held + size <= self.limit or packed >= _AT_ONCE:
                return
            packed += share.pack(_AT_ONCE - packed)
            self.used(share)

    def used(self, share: MemoryShare) -> None:
        """Put a share behind all others."""
        if share in self.shares:
            self.shares[share] = self.shares.pop(share)


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
        self._pages: WeakSet[SearchPage] = WeakSet()
        self.coming = 0
        """The most rows that requests under way may bring."""
        self._handed = self._rows = 0
        self.limited = budget.limit < math.inf or most is not None
        """True if there is anything to watch."""
        self.closed = False

    @property
    def batch(self) -> int:
        """The most rows to hand out at once."""
        part = min(self._most, self._budget.limit / max(_SCANS, len(self._budget.shares)))
        return max(_FEWEST_ROWS, int(part / _BATCHES / (self._budget.of_row * _ROWS)))

    def received(self, page: SearchPage) -> None:
        """Add an answer, when it comes."""
        if page.size:
            self._budget.rows += len(page)
            self._budget.bytes += page.size
        self._pages.add(page)
        if len(page) > 3 * self.batch:
            page.pack()
        self.weigh()
        self._budget.make_room(0)

    def room(self, rows: int, handed: int, *, needed: bool) -> int:
        """Return how many requests the scan may start.

        Args:
            rows: rows in memory, of pages or decoded.
            handed: rows that the consumer may still hold.
            needed: True if the scan cannot go on without a request. Then the scans of the session make room.
        """
        budget = self._budget
        self._rows, self._handed = rows, handed
        self.weigh()
        budget.used(self)
        page = budget.of_row * self._page_size * _PAGE
        budget.make_room(page if needed else 0)
        part = min(self._most, budget.limit / max(1, len(budget.shares))) - self._held
        room = min(part, budget.limit - budget.held)
        return max(0, min(int(room // page), 1 << 20)) if room < math.inf else 1 << 20

    def weigh(self) -> None:
        """Weigh what the scan holds."""
        if self.closed:
            return
        pages = [*self._pages]
        others = max(0, self._rows - sum(map(len, pages)))
        of_row = self._budget.of_row
        size = sum(page.weight for page in pages)
        size += int(of_row * (self.coming * _PAGE + (self._handed + others) * _ROWS))
        self._hold(size and size + _SCAN)

    def pack(self, most: int) -> int:
        """Compress at most *most* pages. Return the number of pages that were compressed."""
        packed = 0
        for page in [*self._pages]:
            packed += packed < most and page.pack()
        self.weigh()
        return packed

    def close(self) -> None:
        """Hold nothing any more."""
        self._pages.clear()
        self.closed = True
        self._hold(0)

    def _hold(self, size: int) -> None:
        if not size:
            self._budget.shares.pop(self, None)
        elif not self._held:
            self._budget.shares[self] = None
        self._budget.held += size - self._held
        self._held = size
