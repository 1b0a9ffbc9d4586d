"""Service facts: what a session has learnt about its service, shared by all its scans.

Every fact was seen in an answer. The documentation names no largest page and no cap, and does not settle
whether pages count from 0 or from 1. The facts only save requests. A service may change while a session is
open, so they do not prove completeness (see `evidence`).
"""

from __future__ import annotations

from aioflows._core.clocks.daylight import ShownDates, may_change
from aioflows._core.pages.page_size import PageSizeSearch
from aioflows._core.wire.zone import Zone

__all__ = ["LARGEST_PAGE", "NARROW", "SMALL_PAGE", "ServiceFacts", "larger"]

NARROW = 899_000
"""Width of a narrow window (ms), just under 15 minutes. Zone offsets lie on a grid of 15 minutes. So an offset
that puts all rows inside such a window is right."""

NEVER = 1 << 62
"""A width (ms) that no window reaches."""

LARGEST_PAGE = 4_000
"""The largest page that is requested (rows), however dense a second is."""

SMALL_PAGE = 1
"""Page size (rows) for the second look at an empty window. No service can refuse a smaller page."""

_NEARLY = 0.95
"""The share of a window that answers must have covered."""


def larger(size: int) -> int:
    """Return the next larger page size (rows) after *size*."""
    return min(LARGEST_PAGE, 4 * size)


class ServiceFacts(PageSizeSearch):
    """The facts about one service, as far as they are known.

    Args:
        first_page: number of the first page, 0 or 1. Default: None, which means unknown.
        smallest_cap: smallest page cap that is considered (rows) where each small query would need one more
            request (`short_page`). Default: 10, the page size in the vendor's sample.
    """

    def __init__(self, first_page: int | None = None, *, smallest_cap: int = 10) -> None:
        super().__init__()
        self.smallest_cap = smallest_cap
        self.first_page = first_page
        self.told = first_page is not None
        """True if the number of the first page was configured, not found out."""
        self.base = first_page
        """The number that page numbers count from. None means unknown. A service that counts from 1 may answer
        page 0 with the rows of page 1. Then 0 works as the first page, but the second page is number 2."""
        self._pinned: list[object] = []
        self._dates: dict[int, ShownDates] = {}
        self.sorts: set[bool] = set()
        """The directions (True: descending) in which the service was seen to sort by trigger time."""
        self.false_empty_seen = False
        """True once the service returned an empty answer for a window that had rows."""
        self.milliseconds_help = True
        """True until a millisecond held more rows than a page, or millisecond pieces contradicted each other."""
        self.sorters_help = True
        """True while the service accepts several sorters, which order rows of the same trigger time."""
        self.texts_help = True
        """True while a search for a text returns only rows that have the text in their ids."""
        self.instant = 0
        """The rows that the next counted instant is expected to hold."""
        self.nulls_first: dict[tuple[str, bool], bool] = {}
        """For (sort field, descending): True if rows without that field come before all others."""
        self.widest = 0
        """The widest window that was answered with rows (ms)."""
        self.looked_back = self.looked_ahead = NARROW
        """How far back from the end of a window, and ahead from its start, answers were seen to reach
        (ms)."""
        self.cuts = False
        """True once a narrower window showed rows that the answer for a wider window left out."""
        self._cut_to = NEVER
        self.silent_beyond = NEVER
        """The width (ms) of a window that has rows although the answer for a wider window around it had none."""
        self._most: dict[int, int] = {}
        self._capped: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<ServiceFacts first_page={self.first_page} zone_pinned={self.zone_pinned} most={self._most}>"

    @property
    def zone_pinned(self) -> bool:
        """True if narrow windows have shown that times are read in the right zone."""
        return bool(self._pinned)

    def pinned(self, zone: object) -> bool:
        """Return True if narrow windows were read in this zone. A service may change its zone."""
        return zone in self._pinned

    def pin(self, zone: object) -> None:
        """Note that a narrow window was read in this zone. A wrong offset would have put rows outside it."""
        if zone not in self._pinned:
            self._pinned.append(zone)

    def dates_of(self, zone: Zone) -> ShownDates | None:
        """Return the dates for which rows have shown the offset of a zone that the service named.

        None means that it holds for all dates: the user gave the zone, the zone has its changes, or no place
        with this offset has daylight saving time.
        """
        if zone.given or not zone.fixed or not may_change(offset := zone.offset_at(0)):
            return None
        return self.dates(offset)

    def dates(self, offset: int) -> ShownDates:
        """Return the dates for which rows have shown that an offset is right (s east of Greenwich)."""
        return self._dates.setdefault(offset, ShownDates())

    @property
    def reach(self) -> int:
        """The width of the widest window (ms) that the service is known to answer for at once."""
        return min(max(self.widest, NARROW), self._cut_to)

    def saw(self, size: int, rows: int, width: int) -> None:
        """Note an answer.

        Args:
            size: page size that was requested (rows).
            rows: rows that came.
            width: width of the window (ms).
        """
        if rows:
            self.widest = max(self.widest, width)
            self.accept_size(size, rows)
        if rows > self._most.get(size, 0):
            self._most[size] = rows

    def looks_as_far_as(self, width: int) -> bool:
        """Return True if answers were seen to cover all of a window of this width (ms), from both ends."""
        return width <= min(self.looked_back, self.looked_ahead) / _NEARLY

    def cuts_to(self, width: int) -> None:
        """Note that the service answers for only a part of wider windows than this (ms)."""
        self.cuts, self._cut_to = True, width
        self.looked_back, self.looked_ahead = max(self.looked_back, width), max(self.looked_ahead, width)

    def sees(self, width: int, *, backward: bool) -> bool:
        """Return True if answers were seen to cover the near end of a window of this width (ms).

        See `ScanEvidence.sees`.
        """
        return width <= (self.looked_ahead if backward else self.looked_back) / _NEARLY

    def capped(self, size: int, rows: int) -> None:
        """Note that a page of *size* rows ended after *rows* although more existed."""
        self._capped[size] = max(rows, self._capped.get(size, 0))

    @property
    def cap(self) -> int | None:
        """The most rows of a page that ended early although more existed. None means no such page."""
        capped = [rows for size, rows in self._capped.items() if rows < size]
        return max(capped) if capped else None

    def crowded(self, size: int) -> bool:
        """Return True if pages larger than *size*, requested for a dense second, brought more rows."""
        return self.larger_pages and self.most(LARGEST_PAGE) > size

    def counted(self, rows: int) -> None:
        """Note the rows of an instant. The estimate falls at once, and rises by a quarter of the difference."""
        self.instant = min(rows, self.instant + -(-(rows - self.instant) // 4)) if self.instant else rows

    def may_be_last(self, size: int, rows: int) -> bool:
        """Return True if an answer of *rows* rows is likely complete, although nothing proves that yet."""
        return rows < size and (rows < self.most(size) or rows > self._capped.get(size, 0))

    def most(self, size: int) -> int:
        """Return the most rows that a page of at most *size* rows is known to have had."""
        return max((rows for asked, rows in self._most.items() if asked <= size), default=0)

    def full(self, size: int) -> int:
        """Return the expected rows of a full page."""
        return self.most(size) or self.usual(size)
