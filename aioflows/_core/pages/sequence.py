"""Page sequence: the pages of one window by their numbers, and their answers in page order.

Pages overlap (`overlap`), so a reader can prove that no row lies between two pages. A service that counts
from 1 may answer page 0 with page 1. Then the second page repeats the first, and is requested again under its
real number. Until the first number is known, pages are requested one at a time. See
docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections import deque

import attrs

from aioflows._core.pages.overlap import overlapping
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["PageSequence", "PlacedPage"]

_SHARED = 40
"""The size of a page divided by this number is the number of rows that two pages share. With these, pages
overlap even after some rows were deleted."""


@attrs.frozen
class PlacedPage:
    """A page and its place in the window.

    Args:
        offset: rows before the page.
        size: page size that was requested (rows).
        page: page that came.
    """

    offset: int
    size: int
    page: Page


class PageSequence:
    """The pages of one window.

    Args:
        first: request for the first page, with a page size that the service accepts.
        service: facts of the session about the service.
    """

    def __init__(self, first: PageRequest, service: ServiceFacts) -> None:
        self._first = first
        self._service = service
        self._plan = overlapping(first.page_size, max(2, first.page_size // _SHARED))
        self._places: list[tuple[int, int]] = []
        self._sent: dict[PageRequest, int] = {}
        self._again: deque[int] = deque()
        self._answers: dict[int, tuple[PageRequest, Page]] = {}
        self._next = 0
        self._ids: list[str] = []
        self._counted = False

    @property
    def under_way(self) -> int:
        """The number of requests without an answer yet."""
        return len(self._sent)

    @property
    def held(self) -> int:
        """The rows that wait for an earlier page."""
        return sum(len(page.ids) for _, page in self._answers.values())

    @property
    def asked(self) -> int:
        """The rows that were requested, counted from the start of the window."""
        if not self._places:
            return 0
        number, size = self._places[-1]
        return (number + 1) * size

    def ask(self) -> PageRequest | None:
        """Return the next request. None means that an answer must come before."""
        if self._again:
            index = self._again.popleft()
        else:
            if self._places and not self._base_known and len(self._places) > self._next:
                return None
            index = len(self._places)
            self._places.append(next(self._plan))
        number, size = self._places[index]
        first = self._service.first_page or 0
        page_no = (self._base + number) if number else first
        ask = attrs.evolve(self._first, page_no=page_no, page_size=size)
        self._sent[ask] = index
        return ask

    def received(self, ask: PageRequest, page: Page) -> None:
        """Add an answer."""
        self._answers[self._sent.pop(ask)] = (ask, page)

    def next(self) -> PlacedPage | None:
        """Return the next page in order. None means that the page has not come yet."""
        if self._next not in self._answers:
            return None
        ask, page = self._answers[self._next]
        number, size = self._places[self._next]
        if number and self._misnumbered(ask, number, page):
            del self._answers[self._next]
            self._again.append(self._next)
            return None
        del self._answers[self._next]
        self._counted = self._counted or bool(number)
        self._ids = list(page.ids) if not number else self._ids
        self._next += 1
        return PlacedPage(number * size, size, page)

    def once_more(self) -> None:
        """Request the last returned page again. Later pages wait for the answer."""
        self._next -= 1
        self._again.append(self._next)

    @property
    def _base(self) -> int:
        return self._service.base or 0

    @property
    def _base_known(self) -> bool:
        return self._service.base is not None or self._counted

    def _misnumbered(self, ask: PageRequest, number: int, page: Page) -> bool:
        """Return True if a page was requested under a number that belongs to another page."""
        if ask.page_no - number != self._base:
            return True  # the number that pages count from was found meanwhile
        if self._base_known or not page.ids or [*page.ids] != self._ids[: len(page.ids)]:
            return False
        self._service.base = 1
        return True
