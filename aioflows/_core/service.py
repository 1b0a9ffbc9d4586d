"""What a session has learnt about the service it talks to, shared by all of its scans.

Every fact here was seen in an answer. Nothing is taken from the documentation, which names no largest page, leaves
open whether pages count from 0 or from 1, and knows of no cap.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

__all__ = ["LARGEST_PAGE", "NARROW", "Service", "larger"]

NARROW = 899_000
"""Milliseconds; offsets of the world's zones lie on a grid of 15 minutes, so that a window narrower than that, all of
whose rows are read inside it, is read with the right one."""

LARGEST_PAGE = 4_000
"""Rows; no page larger than this is asked for, however dense a second is."""


def larger(size: int) -> int:
    """Give the rows to ask for where *size* were too few."""
    return min(LARGEST_PAGE, 4 * size)


class Service:
    """The facts about one service, as far as they are known.

    Args:
        first_page: the *number* of the first page, 0 or 1; None: to be found out.
        smallest_cap: *rows*; that pages may be capped below this is not reckoned with where it would cost every small
            question one more request (`lone`). The vendor's own sample asks for pages of ten.
    """

    def __init__(self, first_page: int | None = None, *, smallest_cap: int = 10) -> None:
        self.smallest_cap = smallest_cap
        self.first_page = first_page
        self.base = first_page
        """The number that page numbers count from. A service that counts from 1 may answer page 0 with page 1's
        rows: then 0 serves as the first page, but the second is number 2."""
        self._read_in: WeakKeyDictionary[object, object] = WeakKeyDictionary()
        self._pinned: list[object] = []
        self.sorts: set[bool] = set()
        """The directions, descending or not, in which it was seen to sort by trigger time."""
        self.lied = False
        """Whether it has answered that there is nothing where there was something."""
        self.largest_page: int | None = None
        """The rows that a page may have, where the service has refused twice as many."""
        self.larger_pages = True
        """Whether asking for more rows than usual has brought more, or was not tried yet."""
        self.milliseconds_help = True
        """Whether cutting a dense second into milliseconds is worth trying: not once all was in one of them."""
        self.texts_help = True
        """Whether a search for a text brings the rows that have it in their ids, and not any."""
        self.instant = 0
        """The rows that an instant which has to be counted will hold at least, by those before it."""
        self.deepest = 0
        """The most rows into a result that a page by its number has brought; numbers may end somewhere beyond."""
        self.nulls_first: dict[tuple[str, bool], bool] = {}
        """For a sort field and whether it is descending: whether rows that lack it stand before all others."""
        self.widest = 0
        """The widest window, in milliseconds, that was answered."""
        self._most: dict[int, int] = {}
        self._capped: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Service first_page={self.first_page} zone_pinned={self.zone_pinned} most={self._most}>"

    @property
    def zone_pinned(self) -> bool:
        """Whether windows too narrow for a wrong offset have shown that times are read in the right zone.

        The zone that a service names may change while a session lives, so that two scans read in two zones: then this
        holds once it holds for both.
        """
        return bool(self._pinned) and all(zone in self._pinned for zone in self._read_in.values())

    def read_in(self, reader: object, zone: object) -> None:
        """Note the zone that answers are read in from now on, as long as *reader* exists."""
        self._read_in[reader] = zone

    def pin(self, zone: object) -> None:
        """Note that a window too narrow for a wrong offset was read in this zone."""
        if zone not in self._pinned:
            self._pinned.append(zone)

    @property
    def reach(self) -> int:
        """Milliseconds that it is known to be able to answer about at once."""
        return max(self.widest, NARROW)

    def saw(self, size: int, rows: int, width: int) -> None:
        """Note that a page of *size* was answered with so many rows, over a window of *width* milliseconds."""
        self.widest = max(self.widest, width)
        if rows > self._most.get(size, 0):
            self._most[size] = rows

    def capped(self, size: int, rows: int) -> None:
        """Note that a page of *size* ended after so many rows although there were more."""
        self._capped[size] = max(rows, self._capped.get(size, 0))

    @property
    def cap(self) -> int | None:
        """The most rows that any page brought, if more were asked for and there were more."""
        capped = [rows for size, rows in self._capped.items() if rows < size]
        return max(capped) if capped else None

    def usual(self, size: int) -> int:
        """Return the rows to ask for where *size* are wanted."""
        return min(size, self.largest_page or size)

    def crowded(self, size: int) -> bool:
        """Tell whether pages larger than *size*, asked for because a second may hold as many rows, have brought more."""
        return self.larger_pages and self.most(LARGEST_PAGE) > size

    def halve(self, size: int) -> bool:
        """Ask for half as many rows from now on, because *size* were refused; False: that was tried already."""
        if self.largest_page is not None or size < 2:
            return False
        self.largest_page, self.larger_pages = size // 2, False
        return True

    def counted(self, rows: int) -> None:
        """Note how many rows an instant held: fewer are believed at once, more by and by."""
        self.instant = min(rows, self.instant + -(-(rows - self.instant) // 4)) if self.instant else rows

    def may_be_last(self, size: int, rows: int) -> bool:
        """Return True if an answer may well be all there is, though nothing proves it yet."""
        return rows < size and rows > self._capped.get(size, 0)

    def most(self, size: int) -> int:
        """Give the most rows that a page of *size* is known to bring (a smaller one that brought them counts)."""
        return max((rows for asked, rows in self._most.items() if asked <= size), default=0)

    def ends_short(self, size: int, rows: int) -> bool:
        """Return True if an answer of so many rows is all there is.

        Fewer than asked for proves nothing, since a service may cap its pages without a word. Fewer than the same
        service has been seen to return does, as long as its cap is steady.
        """
        return rows < min(size, self.most(size))

    def full(self, size: int) -> int:
        """Give the rows to expect of a full page."""
        return self.most(size) or self.usual(size)
