"""Service facts: what a session has learnt about its service, shared by all its scans.

Every fact was seen in an answer. The documentation names no largest page and no cap, and does not settle
whether pages count from 0 or from 1. These facts only save requests. They do not prove completeness, because
a service may change while a session is open (see `evidence`).
"""

from __future__ import annotations

import math

__all__ = ["LARGEST_PAGE", "NARROW", "SMALL_PAGE", "ServiceFacts", "larger"]

NARROW = 899_000
"""Width of a narrow window (ms), just under 15 minutes. Zone offsets lie on a grid of 15 minutes. So if
all rows lie inside a narrower window, their zone offset is right."""

NEVER = 1 << 62
"""A width (ms) that no window reaches."""

LARGEST_PAGE = 4_000
"""The largest page that is requested (rows), however dense a second is."""


SMALL_PAGE = 1
"""Page size (rows) for the second look at an empty window. No service can refuse a smaller page."""

_STEP_DOWN = 5
"""Divisor of the page size after a refusal, before any page was answered: 500, 100, 20, 4, 1."""

_NEARLY = 0.95
"""The share of a window that answers must have covered."""

_CLOSE_ENOUGH = 1.25
"""The ratio of the smallest refused page to the largest answered page below which the search stops.
Further tries would save less than a fifth of the requests."""


def larger(size: int) -> int:
    """Return the next larger page size (rows) after *size*."""
    return min(LARGEST_PAGE, 4 * size)


class ServiceFacts:
    """The facts about one service, as far as they are known.

    Args:
        first_page: number of the first page, 0 or 1. None means unknown. Default: None.
        smallest_cap: smallest page cap that is considered (rows) where each small query would need one more
            request (`single_second`). Default: 10, the page size in the vendor's sample.
    """

    def __init__(self, first_page: int | None = None, *, smallest_cap: int = 10) -> None:
        self.smallest_cap = smallest_cap
        self.first_page = first_page
        self.told = first_page is not None
        """True if the number of the first page was configured, not found out."""
        self.base = first_page
        """The number that page numbers count from. A service that counts from 1 may answer page 0 with the
        rows of page 1. Then 0 works as the first page, but the second page is number 2."""
        self._pinned: list[object] = []
        self.sorts: set[bool] = set()
        """The directions (True: descending) in which the service was seen to sort by trigger time."""
        self.false_empty_seen = False
        """True once the service returned an empty answer for a window that had rows."""
        self._accepted = 0
        """The largest page size that was answered with rows, while larger pages are refused."""
        self._refused: int | None = None
        """The smallest page size that was refused, or had no rows where a smaller page had some."""
        self._doubtful: int | None = None
        """A page size that may be too large as well, because its answer had few rows."""
        self._read = 0
        """The most rows of a readable page, while larger pages are unreadable."""
        self._from_one = False
        self._unread: dict[int, int] = {}
        """For a page size, how often an answer was unreadable, perhaps because of its size."""
        self.larger_pages = True
        """True if larger pages than usual brought more rows, or were not tried yet."""
        self.milliseconds_help = True
        """True while it is worth cutting a dense second into milliseconds: until one held more than a
        page."""
        self.sorters_help = True
        """True while the service accepts several sorters, which order rows of the same trigger time."""
        self.texts_help = True
        """True while a search for a text returns only rows that have the text in their ids."""
        self.instant = 0
        """The rows that the next counted instant is expected to hold, from earlier ones."""
        self.nulls_first: dict[tuple[str, bool], bool] = {}
        """For (sort field, descending): True if rows without that field come before all others."""
        self.widest = 0
        """The widest window that was answered with rows (ms)."""
        self.looked_back = self.looked_ahead = NARROW
        """How far back from the end of a window, and ahead from its start, answers were seen to reach
        (ms)."""
        self.cuts = False
        """True once the service answered for only a part of a window, and a narrower one showed the rest."""
        self._cut_to = NEVER
        self.silent_beyond = NEVER
        """The width (ms) of a window that has rows although a wider window around it was answered without
        any."""
        self._most: dict[int, int] = {}
        self._capped: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<ServiceFacts first_page={self.first_page} zone_pinned={self.zone_pinned} most={self._most}>"

    @property
    def zone_pinned(self) -> bool:
        """True if narrow windows have shown that times are read in the right zone."""
        return bool(self._pinned)

    def pinned(self, zone: object) -> bool:
        """Return True if narrow windows were read in this zone.

        The service may change its zone during a session.
        """
        return zone in self._pinned

    def pin(self, zone: object) -> None:
        """Note that a narrow window was read in this zone. A wrong offset would have put rows outside it."""
        if zone not in self._pinned:
            self._pinned.append(zone)

    @property
    def reach(self) -> int:
        """The width of a window (ms) that the service is known to answer for at once."""
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
        """The most rows of a page that ended early although more existed.

        None means no such page was seen.
        """
        capped = [rows for size, rows in self._capped.items() if rows < size]
        return max(capped) if capped else None

    def usual(self, size: int) -> int:
        """Return the page size to request (rows) when *size* is wanted.

        A smaller size is returned if that size is refused. The first try is a fifth of the refused size. Then
        sizes between the largest answered and the smallest refused one are tried, until the two differ by a
        quarter at most. An unreadable size, unlike a refused one, is then requested once more, because that
        failure may not depend on the size.
        """
        if self._refused is None or size < self._refused:
            return size
        if not self._accepted:
            return 1 if self._from_one else max(1, self._refused // _STEP_DOWN)
        bound = min(self._refused, self._doubtful or self._refused)
        if self._close_enough(bound):
            return self._refused if self._again and self._doubtful is None else self._accepted
        return math.isqrt(self._accepted * bound)

    def answered(self, size: int) -> int:
        """Return the page size to request (rows) when the answer cannot show whether *size* is too large."""
        return self._accepted or size if self.unsure_of(size) else size

    def settled(self, size: int) -> int:
        """Return the page size to request (rows) while another request tests whether it is readable.

        An unreadable page costs time, because it is requested again. A refusal comes at once.
        """
        return self.answered(size) if self._refused in self._unread else size

    def _give_up(self, size: int) -> bool:
        self._refused = size if self._refused is None else min(self._refused, size)
        self.larger_pages = False
        return True

    def refuse_size(self, size: int) -> bool:
        """Note that a page of *size* rows was refused. Return False if no smaller size is left to try."""
        if size <= 1:
            return False
        if size <= self._accepted:
            self._accepted = 0
        return self._give_up(size)

    @property
    def _again(self) -> bool:
        """True if the smallest size that seems too large was unreadable once, and was not requested again."""
        return self._refused is not None and self._unread.get(self._refused) == 1

    def _close_enough(self, bound: int) -> bool:
        return bound <= self._accepted * _CLOSE_ENOUGH + 1

    def unread_size(self, size: int) -> bool:
        """Note that a page of *size* rows was unreadable. Return False if no smaller size is left to try.

        A proxy may cut long answers, or replace them with its own page. If no smaller page was read either, a
        page of one row shows whether the size or the service is the cause.
        """
        if size <= 1:
            return False
        if size <= self._read:
            self._read = 0  # rows have more bytes here
        if size <= self._accepted:
            self._accepted = self._read
        self._from_one = not self._accepted
        self._unread[size] = self._unread.get(size, 0) + 1
        return self._give_up(size)

    def start_from_one(self, size: int) -> None:
        """Note that no page size was answered, so that the size may not be the reason.

        Pages of one row are requested until one is answered, perhaps over a narrower window. Then larger
        pages follow.

        Args:
            size: the first page size that was tried (rows).
        """
        self._refused, self._accepted, self._from_one = size, 0, True

    @property
    def refuses_sizes(self) -> bool:
        """True if larger pages are refused, or answered without rows."""
        return self._refused is not None

    def unsure_of(self, size: int) -> bool:
        """Return True if larger pages were refused, and no page of *size* rows was answered yet."""
        return self._refused is not None and size > self._accepted

    def disappoints(self, size: int, rows: int) -> bool:
        """Return True if a page of a new size has too few rows, while larger pages are refused.

        That is fewer rows than smaller pages had. Some services answer a page that is too large with the last
        page. So a smaller size is tried next.
        """
        if not self.unsure_of(size) or rows >= self._accepted:
            return False
        self._doubtful = size
        return True

    def accept_size(self, size: int, rows: int) -> None:
        """Note that a page of *size* rows was answered with *rows* rows."""
        if self._refused is None:
            return
        if size >= self._refused:
            if self._refused in self._unread and not (self._again and rows >= self._refused / _CLOSE_ENOUGH):
                return  # this page had few rows, or rows have more bytes elsewhere
            self._refused = None  # the refusal had another reason
            self._unread.clear()
            self._read = 0
        else:
            self._read = max(self._read, min(size, rows))
        if self._doubtful is not None and size >= self._doubtful:
            self._doubtful = None
        self._accepted = max(self._accepted, size)
        self._from_one = False

    def crowded(self, size: int) -> bool:
        """Return True if pages larger than *size*, requested for a dense second, brought more rows."""
        return self.larger_pages and self.most(LARGEST_PAGE) > size

    def counted(self, rows: int) -> None:
        """Note the rows of an instant.

        The estimate falls at once, and rises by a quarter of the difference.
        """
        self.instant = min(rows, self.instant + -(-(rows - self.instant) // 4)) if self.instant else rows

    def may_be_last(self, size: int, rows: int) -> bool:
        """Return True if an answer is likely complete, though nothing proves it yet."""
        return rows < size and (rows < self.most(size) or rows > self._capped.get(size, 0))

    def most(self, size: int) -> int:
        """Return the most rows that a page of at most *size* rows is known to have had."""
        return max((rows for asked, rows in self._most.items() if asked <= size), default=0)

    def full(self, size: int) -> int:
        """Return the expected rows of a full page."""
        return self.most(size) or self.usual(size)
