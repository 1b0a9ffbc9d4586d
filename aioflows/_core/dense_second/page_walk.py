"""Reading by page numbers, where nothing else is left: more rows in one instant than a page can hold.

Invariants:

1. Pages overlap: page ``p`` of size ``s`` starts at row ``p * s``, and the sizes are chosen so that every page starts
   inside the one before it. A row that stands where it stood proves the join: as long as ties keep their order, all
   that lasts before that row was on an earlier page, and all that follows is still to come, whatever else came or went.
2. A walk whose joins all hold, and that brought no row twice, is clean. Any other proves nothing (`rounds`).
3. The end is a row of another second, or a page that is not full and that no row follows by its number, since a page may
   have been cut short. The latter is believed only where the service is
   known to answer rows that deep in this scan, since page numbers may end before the rows do (`ScanEvidence.deepest`).

A service that counts from 1 may answer page 0 with page 1: then the second page repeats the first, and numbers go on
from there.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence

from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.overlap import overlapping
from aioflows._core.pages.reading import Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["Ending", "PageWalk"]

_SURELY = 0.5
"""The share of the last instant that was walked through which the next one is taken to have, too."""

_FEW = 15
"""Rows in a page up to which pages may fit together by chance, where ties are broken at random."""


class Ending(enum.Enum):
    """How a walk ended."""

    REACHED = "a row of another second was reached"
    SHORT = "the last page was not full"
    TORN = "a page held nothing, though it starts with a row that was seen before"
    UNJOINED = "a row did not stand where it stood before, or came twice"


class PageWalk:
    """All rows of one instant, page after page.

    Args:
        instant: *what* to read.
        most: *rows* that a page is known to bring.
        service: what the session knows of the service.
        evidence: what this scan was shown.
        first: the first page, if it is known already.
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
        """The page that reached a row of another second: of what follows, it shows all up to there."""
        self._placed: Sequence[str] = ()
        self._restart()
        if first is not None and len(first.ids) == most:
            self._pages.append(next(self._plan))
            self._next = 1
            self._place(0, most, first)

    @property
    def most(self) -> int:
        """The rows that its pages bring: fewer than at first where these were cut short."""
        return self._most

    @property
    def tied(self) -> bool:
        """Whether rows of one trigger time are sorted by further fields."""
        return bool(self._instant.ties)

    @property
    def total(self) -> int:
        """The rows that were counted."""
        return len(self._placed)

    @property
    def done(self) -> bool:
        """Whether every join held up to an end, whatever that is worth."""
        return self.ending in (Ending.REACHED, Ending.SHORT)

    @property
    def clean(self) -> bool:
        """Whether every join held up to an end that can be believed."""
        return self.ending is Ending.REACHED or (
            self.ending is Ending.SHORT and self._evidence.reaches(self.total)
        )

    def _restart(self) -> None:
        self._plan = overlapping(self._most)
        self._pages: list[tuple[int, int]] = []
        self._sent: dict[PageRequest, int] = {}
        self._answers: dict[int, InstantPage] = {}
        self._next = 0
        self._next_page: tuple[int, int] | None = None
        """The number and size of the page behind the one that was not full, once no row stands behind that one's last."""
        self._cut = (0, 0)
        """That one's number and size."""
        self._short: int | None = None
        """The rows of a page that was not full, after which one more row is asked for by its number."""

    def wanted(self) -> Iterator[PageRequest]:
        """Name the pages to ask for now, one at a time: what is not taken is not noted as asked."""
        while self.ending is None and self._worth_another():
            if self._short is None:
                number, size = next(self._plan)
            elif self._next_page is not None:
                number, size = self._next_page
            else:
                number, size = len(self._placed), 1
            ask = self._instant.ask(self._base + number, size)
            self._sent[ask] = len(self._pages)
            self._pages.append((number, size))
            yield ask

    def _worth_another(self) -> bool:
        """One page after the other, or at once what an instant like the last one will take in any case."""
        if len(self._pages) == self._next:
            return True
        if self._short is not None:
            return False
        number, size = self._pages[-1]
        return (number + 1) * size < self._service.instant * _SURELY

    def received(self, ask: PageRequest, sheet: InstantPage) -> None:
        """Take a page, and go on as far as the pages so far are without a hole."""
        index = self._sent.pop(ask, None)
        if index is None:
            return  # asked for before it was known where numbers start
        self._answers[index] = sheet
        while self.ending is None and self._next in self._answers:
            sheet = self._answers.pop(self._next)
            number, size = self._pages[self._next]
            self._next += 1
            self._place(number, size, sheet)

    def _place(self, number: int, size: int, sheet: InstantPage) -> None:
        ids, offset = sheet.ids, number * size
        if self._short is not None:
            self._after_the_last(ids)
            return
        for row, name in enumerate(ids):
            self.rows.setdefault(name, (sheet.page, row))
        overlap = len(self._placed) - offset
        if number == 1 and self._repeats_the_first(ids):
            self._base += 1  # page 0 was answered with page 1
            self._restart()
            self._pages.append(next(self._plan))
            self._next = 1
            return
        if not ids and not sheet.beyond:
            self.ending = Ending.TORN
            return
        if [*ids[:overlap]] != [*self._placed[offset:]]:
            self.ending = Ending.UNJOINED
            return
        self._placed = [*self._placed[:offset], *ids]
        if len(ids) > overlap:
            self._evidence.deepest = max(self._evidence.deepest, offset + 1)
        if sheet.beyond:
            self.overrun = sheet.page
        if sheet.beyond:
            self._end(Ending.REACHED)
        elif len(ids) < size:
            self._short, self._cut = len(ids), (number, size)
            del self._pages[self._next :]
            self._sent.clear()
            self._answers.clear()
        elif len(self._placed) > len(self.rows):
            self.ending = Ending.UNJOINED

    def _after_the_last(self, ids: Sequence[str]) -> None:
        """End where no row follows a page that was not full, by its number; read smaller pages where one does.

        Where rows are left out after pages were cut, it is the next page that shows more.
        """
        short = self._short or 0
        if not ids or set(ids) <= set(self.rows):
            if self._next_page is None and short:
                number, size = self._cut
                self._next_page = number + 1, size
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
        unknown = self._service.base is None and self._base == (self._service.first_page or 0)
        return unknown and bool(ids) and [*ids] == [*self._placed[: len(ids)]]

    def _end(self, ending: Ending) -> None:
        if len(self._placed) > len(self.rows) or (self._most <= _FEW and len(self._pages) > 1):
            ending = Ending.UNJOINED
        elif len(self._pages) > 1:
            self._service.counted(self.total)
            self._service.base = self._base
        self.ending = ending
