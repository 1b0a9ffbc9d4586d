"""The search for the largest page size that a service answers.

1. The first try after a refusal is a fifth of the refused size. Then sizes between the largest answered size
   and the smallest refused size are tried, until the two differ by a quarter at most.
2. A page that is too large is refused, unreadable since a proxy cuts long answers, or has fewer rows than
   smaller pages had. An unreadable size is requested once more, because the failure may not depend on the size.
"""

from __future__ import annotations

import math

__all__ = ["PageSizeSearch"]

_STEP_DOWN = 5
"""The divisor of the page size after a refusal, before any page was answered: 500, 100, 20, 4, 1."""

_CLOSE_ENOUGH = 1.25
"""The ratio of the smallest refused page to the largest answered page below which the search stops.
Further tries would save less than a fifth of the requests."""


class PageSizeSearch:
    """The page sizes that one service refused and answered."""

    def __init__(self) -> None:
        self._accepted = 0
        """The largest page size that was answered with rows, while larger pages are refused."""
        self._refused: int | None = None
        """The smallest page size that was refused, or had no rows where a smaller page had rows."""
        self._doubtful: int | None = None
        """A page size that may be too large too, because its answer had few rows. None means no such size."""
        self._read = 0
        """The most rows of a readable page, while larger pages are unreadable."""
        self._from_one = False
        self._unread: dict[int, int] = {}
        """For a page size, the number of unreadable answers."""
        self.larger_pages = True
        """True if larger pages than usual brought more rows, or were not tried yet."""

    def usual(self, size: int) -> int:
        """Return the page size to request (rows): *size*, or a smaller size if *size* is refused."""
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

        An unreadable page is requested again, so it costs time. A refusal comes at once.
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

        A proxy may cut a long answer, or return an error page instead. If no smaller page was read either, a
        page of one row shows whether the size or the service is the cause.
        """
        if size <= 1:
            return False
        if size <= self._read:
            self._read = 0  # a size that was read before is unreadable, so rows have more bytes here
        if size <= self._accepted:
            self._accepted = self._read
        self._from_one = not self._accepted
        self._unread[size] = self._unread.get(size, 0) + 1
        return self._give_up(size)

    def start_from_one(self, size: int) -> None:
        """Note that no page size was answered, so the size may not be the reason.

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
        """Return True if a page of a new size has fewer rows than smaller pages had, while larger are refused.

        Some services answer a page that is too large with the last page. So a smaller size is tried next.
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
                return  # a page with few or small rows does not show that the size is readable
            self._refused = None  # a page this large was answered, so the refusal had another reason
            self._unread.clear()
            self._read = 0
        else:
            self._read = max(self._read, min(size, rows))
        if self._doubtful is not None and size >= self._doubtful:
            self._doubtful = None
        self._accepted = max(self._accepted, size)
        self._from_one = False
