"""Reading by page numbers, where nothing else is left: more rows in one instant than a page can hold.

Page numbers lose rows when rows come or go, or when ties are broken another way in each answer. So

1. pages overlap: page ``p`` of size ``s`` starts at row ``p * s``, and the sizes are chosen so that every page starts
   inside the one before it. A row that stands where it stood proves the join.
2. the last page is the one that is not full; it tells how many rows there are, and holds a row that was seen before,
   so that an empty answer ends nothing.
3. a pass whose joins all hold, and that brought as many different rows as it counted, is taken. Otherwise passes are
   repeated until two in a row bring nothing new, and no more is counted than was seen.

A service that counts from 1 may answer page 0 with page 1. Where ties stand still, the second page shows it; otherwise
every pass counts one page too many, and once nothing else is new, numbers are tried from 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from aioflows._core.overlap import overlapping
from aioflows._core.pages import Ask, Axis, Page
from aioflows._core.service import Service

__all__ = ["Counting"]

_PASSES = 80
"""Passes after which an instant is given up; rows whose ties are broken at random take about a dozen."""

_QUIET = 2
"""Passes that bring nothing new, one after the other, after which nothing more is expected."""

_QUIET_TO_GUESS = 8
"""Such passes after which numbers are tried from 1: fewer may have missed a row by chance, which looks the same."""

_FEW = 3
"""Rows in a page up to which pages may fit together by chance."""

_TORN = 20
"""Passes without an end after which it is given up: page numbers do not reach that deep."""


class Counting:
    """All rows of one window, by page numbers.

    Args:
        first: *milliseconds* of scan time, where the window starts.
        until: *milliseconds* of scan time, where it ends.
        axis: the direction of the scan.
        page_size: *rows* to ask for in the first page, which may bring more than any did so far.
        most: *rows* that a page is known to bring.
        service: what the session knows of the service.
        page: the first page, if it is known already.
    """

    def __init__(
        self,
        first: int,
        until: int,
        axis: Axis,
        page_size: int,
        most: int,
        service: Service,
        page: Page | None = None,
    ) -> None:
        self.window = (first, until)
        self._axis = axis
        self._page_size = page_size
        self._most = most
        self._service = service
        self._base = service.base if service.base is not None else service.first_page or 0
        self.rows: dict[str, tuple[Page, int]] = {}
        self.done = False
        self.failed = False
        self._guessing = False
        self._passes = self._quiet = self._torn = 0
        self._begin()
        if page is not None and len(page.ids) == most:
            self._pages.append(next(self._plan))
            self._next = 1
            self._place(*self._pages[0], page)

    def _begin(self) -> None:
        if not self._guessing and self._service.base is not None:
            self._base = self._service.base
        self._plan = overlapping(self._most)
        self._sent: dict[Ask, int] = {}
        self._pages: list[tuple[int, int]] = []
        self._answers: dict[int, Page] = {}
        self._placed: list[str] = []
        self._next = 0
        self._joined = True
        self._known = len(self.rows)

    def wanted(self) -> Iterator[Ask]:
        """Name the pages to ask for now, one at a time: what is not taken is not noted as asked."""
        while not (self.done or self.failed) and self._worth_another():
            number, size = next(self._plan)
            # A later page has to be of a size that the service gives, since its rows begin at a multiple of it.
            asked = size if number else self._page_size
            ask = Ask(*self.window, self._axis, page_size=asked, page_no=self._base + number)
            self._sent[ask] = len(self._pages)
            self._pages.append((number, size))
            yield ask

    def _worth_another(self) -> bool:
        """One page after the other, or at once what the last instant that was counted would have taken."""
        if len(self._pages) == self._next:
            return True
        number, size = self._pages[-1]
        return (number + 1) * size < self._service.instant

    def received(self, ask: Ask, page: Page) -> None:
        """Take a page, and go on as far as the pages so far are without a hole."""
        index = self._sent.pop(ask, None)
        if index is None:
            return  # asked for in a pass that has ended
        self._answers[index] = page
        while not (self.done or self.failed) and self._next in self._answers:
            page = self._answers.pop(self._next)
            number, size = self._pages[self._next]
            self._next += 1
            self._place(number, size, page)

    def _place(self, number: int, size: int, page: Page) -> None:
        ids = page.ids
        offset = number * size
        for row, name in enumerate(ids):
            self.rows.setdefault(name, (page, row))
        if (
            number == 1
            and self._service.base is None
            and not self._guessing
            and ids
            and [*ids] == self._placed[: len(ids)]
        ):
            self._guess(1)  # page 0 seems to be another name for page 1
            self._begin()
            return
        overlap = len(self._placed) - offset
        if not ids and (overlap > 0 or not offset):
            # The row that both pages share is gone, or page numbers do not reach here; or all rows are.
            self._end(torn=True)
            return
        if [*ids[:overlap]] != self._placed[offset:]:
            self._joined = False
        self._placed = [*self._placed[:offset], *ids]
        if len(self._placed) > 4 * len(self.rows) + 8 * self._most:
            self.failed = True  # whatever number is asked for, the same rows come
        elif len(ids) < size:
            self._end(torn=False)

    def _end(self, *, torn: bool) -> None:
        """Judge a pass."""
        self._passes += 1
        self._torn += torn
        total, seen = len(self._placed), len(self.rows)
        self._quiet = 0 if seen > self._known else self._quiet + 1
        if not torn and self._settled(total, seen):
            self.done = True
            self._service.instant = total
            self._service.base = self._base if self._guessing else self._service.base
        elif self._quiet >= _QUIET_TO_GUESS and self._service.base is None:
            self._guess(0 if self._guessing else 1)
        elif self._passes >= _PASSES or self._torn >= _TORN:
            self.failed = True
        self._begin()

    def _settled(self, total: int, seen: int) -> bool:
        """Tell whether a pass that counted *total* rows leaves none to be expected beyond those *seen*."""
        if self._guessing:
            # Begun a page too late, a pass counts too few; by chance it may count as many as were seen.
            sure = _QUIET if self._joined and self._most > _FEW else _QUIET_TO_GUESS
            return total == seen and self._quiet >= sure
        whole = self._passes == 1 and self._joined and len(set(self._placed)) == total and self._most > _FEW
        return whole or (total <= seen and self._quiet >= _QUIET)

    def _guess(self, base: int) -> None:
        self._base, self._guessing, self._quiet = base, base == 1, 0
