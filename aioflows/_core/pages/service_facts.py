"""What a session has learnt about the service it talks to, shared by all of its scans.

Every fact here was seen in an answer. Nothing is taken from the documentation, which names no largest page, leaves
open whether pages count from 0 or from 1, and knows of no cap. All of it saves requests, and none of it proves that
something is complete, since a service may change while a session lives (`evidence`).
"""

from __future__ import annotations

import math

__all__ = ["LARGEST_PAGE", "NARROW", "SMALL_PAGE", "ServiceFacts", "larger"]

NARROW = 899_000
"""Milliseconds; offsets of the world's zones lie on a grid of 15 minutes, so that a window narrower than that, all of
whose rows are read inside it, is read with the right one."""

NEVER = 1 << 62
"""Milliseconds that no window has."""

LARGEST_PAGE = 4_000
"""Rows; no page larger than this is asked for, however dense a second is."""


SMALL_PAGE = 1
"""Rows of the page that an empty window is looked at again with: no service can refuse fewer."""

_STEP_DOWN = 5
"""How many times smaller the next page is where none was answered yet: 500, 100, 20, 4, 1 takes four refusals."""

_NEARLY = 0.95
"""The share of a window that has to have been seen to be answered about."""

_CLOSE_ENOUGH = 1.25
"""How many times larger than the largest page that is answered the smallest refused one may be: more tries would save less
than a fifth of the requests."""


def larger(size: int) -> int:
    """Return the rows to ask for where *size* were too few."""
    return min(LARGEST_PAGE, 4 * size)


class ServiceFacts:
    """The facts about one service, as far as they are known.

    Args:
        first_page: the *number* of the first page, 0 or 1; None: to be found out.
        smallest_cap: *rows*; that pages may be capped below this is not reckoned with where it would cost every small
            question one more request (`lone`). The vendor's own sample asks for pages of ten.
    """

    def __init__(self, first_page: int | None = None, *, smallest_cap: int = 10) -> None:
        self.smallest_cap = smallest_cap
        self.first_page = first_page
        self.told = first_page is not None
        """Whether the number of the first page was given, rather than found out."""
        self.base = first_page
        """The number that page numbers count from. A service that counts from 1 may answer page 0 with page 1's
        rows: then 0 serves as the first page, but the second is number 2."""
        self._pinned: list[object] = []
        self.sorts: set[bool] = set()
        """The directions, descending or not, in which it was seen to sort by trigger time."""
        self.lied = False
        """Whether it has answered that there is nothing where there was something."""
        self._accepted = 0
        """The largest page size that was answered with rows, while larger ones are refused."""
        self._refused: int | None = None
        """The smallest page size that was refused, or answered with nothing where a smaller one brings rows."""
        self._doubtful: int | None = None
        """A page size that may be too large as well, by the few rows that it was answered with."""
        self._read = 0
        """The most rows of a page that was read, while larger ones are not."""
        self._from_one = False
        self._unread: dict[int, int] = {}
        """How often a page of a size could not be read, where that may be because of its size."""
        self.larger_pages = True
        """Whether asking for more rows than usual has brought more, or was not tried yet."""
        self.milliseconds_help = True
        """Whether cutting a dense second into milliseconds is worth trying: not once all was in one of them."""
        self.sorters_help = True
        """Whether it takes several sorters, by which rows of one trigger time come in one order."""
        self.texts_help = True
        """Whether a search for a text brings the rows that have it in their ids, and not any."""
        self.instant = 0
        """The rows that an instant which has to be counted will hold at least, by those before it."""
        self.nulls_first: dict[tuple[str, bool], bool] = {}
        """For a sort field and whether it is descending: whether rows that lack it stand before all others."""
        self.widest = 0
        """The widest window, in milliseconds, that was answered with rows."""
        self.looked_back = self.looked_ahead = NARROW
        """How far back from the end of a window, and ahead from its start, it was seen to answer, in milliseconds."""
        self._cut_to = NEVER
        self.silent_beyond = NEVER
        """The milliseconds of a window that has rows, where a wider one around it was answered with nothing."""
        self._most: dict[int, int] = {}
        self._capped: dict[int, int] = {}

    def __repr__(self) -> str:
        return f"<Service first_page={self.first_page} zone_pinned={self.zone_pinned} most={self._most}>"

    @property
    def zone_pinned(self) -> bool:
        """Whether windows too narrow for a wrong offset have shown that times are read in the right zone."""
        return bool(self._pinned)

    def pinned(self, zone: object) -> bool:
        """Return True if such windows were read in this zone: the service may name another one while a session lives."""
        return zone in self._pinned

    def pin(self, zone: object) -> None:
        """Note that a window too narrow for a wrong offset was read in this zone."""
        if zone not in self._pinned:
            self._pinned.append(zone)

    @property
    def reach(self) -> int:
        """Milliseconds that it is known to be able to answer about at once."""
        return min(max(self.widest, NARROW), self._cut_to)

    def saw(self, size: int, rows: int, width: int) -> None:
        """Note that a page of *size* was answered with so many rows, over a window of *width* milliseconds."""
        if rows:
            self.widest = max(self.widest, width)
            self.accept_size(size, rows)
        if rows > self._most.get(size, 0):
            self._most[size] = rows

    def looks_as_far_as(self, width: int) -> bool:
        """Return True if it was seen to answer about all of a window as wide (ms) as this, from both its ends."""
        return width <= min(self.looked_back, self.looked_ahead) / _NEARLY

    def cuts_to(self, width: int) -> None:
        """Note that longer windows than this (ms) are answered about in part only."""
        self._cut_to = width
        self.looked_back, self.looked_ahead = max(self.looked_back, width), max(self.looked_ahead, width)

    def sees(self, width: int, *, backward: bool) -> bool:
        """Return True if it was seen to answer about the near end of a window as wide (ms) as this (`Evidence.sees`)."""
        return width <= (self.looked_ahead if backward else self.looked_back) / _NEARLY

    def capped(self, size: int, rows: int) -> None:
        """Note that a page of *size* ended after so many rows although there were more."""
        self._capped[size] = max(rows, self._capped.get(size, 0))

    @property
    def cap(self) -> int | None:
        """The most rows that any page brought, if more were asked for and there were more."""
        capped = [rows for size, rows in self._capped.items() if rows < size]
        return max(capped) if capped else None

    def usual(self, size: int) -> int:
        """Return the rows to ask for where *size* are wanted: fewer where so many are refused.

        A fifth of what was refused is tried first, then what lies between the two, until they are within a quarter. What
        could not be read, rather than was refused, may have been bad luck: it is asked for once more then.
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
        """Return the rows to ask for where so many are wanted, and the answer will not tell whether so many can be had."""
        return self._accepted or size if self.unsure_of(size) else size

    def settled(self, size: int) -> int:
        """Return the rows to ask for where so many are wanted, and another request finds out whether such pages can be read.

        Those that cannot are asked for again, which takes time; a refusal comes at once.
        """
        return self.answered(size) if self._refused in self._unread else size

    def _give_up(self, size: int) -> bool:
        self._refused = size if self._refused is None else min(self._refused, size)
        self.larger_pages = False
        return True

    def refuse_size(self, size: int) -> bool:
        """Note that a page of *size* rows is refused; return False if no smaller one is left to try."""
        if size <= 1:
            return False
        if size <= self._accepted:
            self._accepted = 0
        return self._give_up(size)

    @property
    def _again(self) -> bool:
        """Whether the smallest size that seems too large could not be read once, and was not asked for again."""
        return self._refused is not None and self._unread.get(self._refused) == 1

    def _close_enough(self, bound: int) -> bool:
        return bound <= self._accepted * _CLOSE_ENOUGH + 1

    def unread_size(self, size: int) -> bool:
        """Note that a page of *size* rows cannot be read, perhaps since it is too large; return False if it is the smallest.

        A proxy may cut long answers, or show a page of its own instead. Where no smaller page was read either, one of a single
        row tells that from a service that fails.
        """
        if size <= 1:
            return False
        if size <= self._read:
            self._read = 0  # rows are wider here
        if size <= self._accepted:
            self._accepted = self._read
        self._from_one = not self._accepted
        self._unread[size] = self._unread.get(size, 0) + 1
        return self._give_up(size)

    def start_from_one(self, size: int) -> None:
        """Note that no page size was answered, so that it may not be the size that is refused: *size* was the first.

        Pages of one row are asked for until one is answered, perhaps over a narrower window, and then larger ones again.
        """
        self._refused, self._accepted, self._from_one = size, 0, True

    @property
    def refuses_sizes(self) -> bool:
        """Whether larger pages are refused, or answered with nothing."""
        return self._refused is not None

    def unsure_of(self, size: int) -> bool:
        """Return True if larger pages were refused, and none of *size* rows was answered yet."""
        return self._refused is not None and size > self._accepted

    def disappoints(self, size: int, rows: int) -> bool:
        """Return True if larger pages are refused, and one of a size that was not answered before has fewer rows than smaller ones.

        It may be the last page, with which some services answer one that is too large. So a smaller size is next.
        """
        if not self.unsure_of(size) or rows >= self._accepted:
            return False
        self._doubtful = size
        return True

    def accept_size(self, size: int, rows: int) -> None:
        """Note that a page of *size* rows was answered with so many rows."""
        if self._refused is None:
            return
        if size >= self._refused:
            if self._refused in self._unread and not (self._again and rows >= self._refused / _CLOSE_ENOUGH):
                return  # it was read since it had few rows, or rows are wider elsewhere
            self._refused = None  # it was refused for another reason
            self._unread.clear()
            self._read = 0
        else:
            self._read = max(self._read, min(size, rows))
        if self._doubtful is not None and size >= self._doubtful:
            self._doubtful = None
        self._accepted = max(self._accepted, size)
        self._from_one = False

    def crowded(self, size: int) -> bool:
        """Return True if pages larger than *size*, asked for because a second may hold as many rows, have brought more."""
        return self.larger_pages and self.most(LARGEST_PAGE) > size

    def counted(self, rows: int) -> None:
        """Note how many rows an instant held: fewer are believed at once, more by and by."""
        self.instant = min(rows, self.instant + -(-(rows - self.instant) // 4)) if self.instant else rows

    def may_be_last(self, size: int, rows: int) -> bool:
        """Return True if an answer may well be all there is, though nothing proves it yet."""
        return rows < size and (rows < self.most(size) or rows > self._capped.get(size, 0))

    def most(self, size: int) -> int:
        """Return the most rows that a page of *size* is known to bring (a smaller one that brought them counts)."""
        return max((rows for asked, rows in self._most.items() if asked <= size), default=0)

    def full(self, size: int) -> int:
        """Return the rows to expect of a full page."""
        return self.most(size) or self.usual(size)
