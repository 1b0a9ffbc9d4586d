"""Page walk: reads an instant with more rows than a page by page numbers.

Invariants:

1. Pages overlap: page ``p`` of size ``s`` starts at row ``p * s``, and the sizes are chosen so that every
   page starts inside the one before it. A row that both pages have at the same place proves the join. As long
   as ties keep their order, every lasting row before it was on an earlier page, and every later row is still
   to come.
2. A walk is clean if all its joins hold and no row came twice. Any other walk proves nothing
   (`repeated_passes`).
3. The end is a row of another second, or a page that is not full. A page may have been cut short, so the row
   after a short page is requested by its number and must not exist. Page numbers may also end before the rows
   do. So a short page is believed only if page numbers reached deeper in this scan (`ScanEvidence.deepest`).

A service that counts from 1 may answer page 0 with page 1. Then the second page repeats the first, and page
numbers count from 1. See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.overlap import overlapping
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["Ending", "PageWalk"]

_SHARE_EXPECTED = 0.5
"""The share of the rows of the last instant that the next instant is assumed to have as well."""

_JOINS_BY_CHANCE = 15
"""The page size (rows) up to which pages may fit together by chance, if ties come in random order."""


class Ending(enum.Enum):
    """The ways in which a walk can end."""

    REACHED = "a row of another second was reached"
    SHORT = "the last page was not full"
    EMPTY_PAGE = "a page was empty, although it starts at a row that was seen before"
    UNJOINED = "a row was not at the place where it was before, or came twice"


class PageWalk:
    """A walk over the pages of one instant.

    Args:
        instant: instant to read.
        most: page size of the walk (rows): the rows of a full page.
        service: facts of the session about the service.
        evidence: facts of this scan.
        first: first page, if it was read before. A page that is not full is not used. Default: None, which
            means that the first page is requested.
    """

    def __init__(
        self,
        instant: Instant,
        most: int,
        service: ServiceFacts,
        evidence: ScanEvidence,
        first: InstantPage | None = None,
    ) -> None:
        self._instant = instant
        self._most = most
        self._service = service
        self._evidence = evidence
        self._base = service.base if service.base is not None else service.first_page or 0
        self.rows: dict[str, tuple[Page, int]] = {}
        self.ending: Ending | None = None
        self.overrun: Page | None = None
        """The page that reached a row of another second, and shows every row up to that row."""
        self._placed: Sequence[str] = ()
        self._restart()
        if first is not None and len(first.ids) == most:
            self._pages.append(next(self._plan))
            self._next = 1
            self._place(0, most, first)

    @property
    def most(self) -> int:
        """The page size of the walk (rows). It shrinks if pages were cut short."""
        return self._most

    @property
    def tied(self) -> bool:
        """True if rows of one trigger time are sorted by further fields."""
        return bool(self._instant.ties)

    @property
    def depth(self) -> int:
        """The depth of the last page's end: the number of rows that were counted."""
        return len(self._placed)

    @property
    def done(self) -> bool:
        """True if every join held up to an end, even if the end is not proven."""
        return self.ending in (Ending.REACHED, Ending.SHORT)

    @property
    def clean(self) -> bool:
        """True if every join held up to an end that is believed (invariant 3)."""
        return self.ending is Ending.REACHED or (
            self.ending is Ending.SHORT and self._evidence.reaches(self.depth)
        )

    def _restart(self) -> None:
        self._plan = overlapping(self._most)
        self._pages: list[tuple[int, int]] = []
        self._sent: dict[PageRequest, int] = {}
        self._answers: dict[int, InstantPage] = {}
        self._next = 0
        self._next_page: tuple[int, int] | None = None
        """The number and size of the page after the short page. None until the row after the short page was
        shown not to exist."""
        self._short_page = (0, 0)
        """The number and size of the short page."""
        self._short_rows: int | None = None
        """The rows of the short page. None means that no page was short."""
        self._shift = 0
        """1 if numbers behind the short page are one higher, since page 0 may be another name for page 1."""

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        while self.ending is None and self._wants_another():
            if self._short_rows is None:
                number, size = next(self._plan)
            elif self._next_page is not None:
                number, size = self._next_page
            else:
                number, size = len(self._placed) + self._shift, 1
            ask = self._instant.ask(self._base + number, size)
            self._sent[ask] = len(self._pages)
            self._pages.append((number, size))
            yield ask

    def _wants_another(self) -> bool:
        """Return True if another page may be requested now.

        Pages are requested one by one. Only the pages that half of the rows expected in an instant fill are
        requested at once.
        """
        if len(self._pages) == self._next:
            return True
        if self._short_rows is not None:
            return False
        number, size = self._pages[-1]
        return (number + 1) * size < self._service.instant * _SHARE_EXPECTED

    def received(self, ask: PageRequest, shown: InstantPage) -> None:
        """Add a page, and continue through all pages that came without a hole."""
        index = self._sent.pop(ask, None)
        if index is None:
            return  # this page was requested before the number of the first page was known
        self._answers[index] = shown
        while self.ending is None and self._next in self._answers:
            shown = self._answers.pop(self._next)
            number, size = self._pages[self._next]
            self._next += 1
            self._place(number, size, shown)

    def _place(self, number: int, size: int, shown: InstantPage) -> None:
        ids, offset = shown.ids, number * size
        if self._short_rows is not None:
            self._after_short_page(ids)
            return
        for row, name in enumerate(ids):
            self.rows.setdefault(name, (shown.page, row))
        overlap = len(self._placed) - offset
        if number == 1 and self._repeats_the_first(ids):
            self._base += 1  # the service counts from 1, and answered page 0 with page 1
            self._restart()
            self._pages.append(next(self._plan))
            self._next = 1
            return
        if not ids and not shown.beyond:
            self.ending = Ending.EMPTY_PAGE
            return
        if [*ids[:overlap]] != [*self._placed[offset:]]:
            self.ending = Ending.UNJOINED
            return
        self._placed = [*self._placed[:offset], *ids]
        if len(ids) > overlap:
            self._evidence.deepest = max(self._evidence.deepest, offset + 1)
        if shown.beyond:
            self.overrun = shown.page
            self._end(Ending.REACHED)
        elif len(ids) < size:
            self._short_rows, self._short_page = len(ids), (number, size)
            del self._pages[self._next :]
            self._sent.clear()
            self._answers.clear()
        elif len(self._placed) > len(self.rows):
            self.ending = Ending.UNJOINED

    def _after_short_page(self, ids: Sequence[str]) -> None:
        """End the walk if no row follows the short page, or restart it with smaller pages if a row follows.

        A service may leave rows out of a page after cutting it. So the page after the short page is requested
        too.
        """
        short = self._short_rows or 0
        if not ids or set(ids) <= set(self.rows):
            if ids and self._next_page is None and not self._shift and self._base_unknown:
                self._shift = 1  # this row is the last one, if page 0 was answered with page 1
            elif self._next_page is None and short:
                number, size = self._short_page
                self._next_page = number + 1 + self._shift, size
            else:
                self._end(Ending.SHORT)
        elif self._next_page is not None:
            self._evidence.cut_short = True
            self.ending = Ending.UNJOINED
        elif 1 < short < self._most:
            self._most, self._placed = short, ()
            self._restart()
        else:
            self.ending = Ending.UNJOINED

    def _repeats_the_first(self, ids: Sequence[str]) -> bool:
        return self._base_unknown and bool(ids) and [*ids] == [*self._placed[: len(ids)]]

    @property
    def _base_unknown(self) -> bool:
        return self._service.base is None and self._base == (self._service.first_page or 0)

    def _end(self, ending: Ending) -> None:
        if len(self._placed) > len(self.rows) or (self._most <= _JOINS_BY_CHANCE and len(self._pages) > 1):
            ending = Ending.UNJOINED
        elif len(self._pages) > 1:
            self._service.counted(self.depth)
            if not self._shift:
                self._service.base = self._base
        self.ending = ending
