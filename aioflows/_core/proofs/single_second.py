"""A page that may be all there is, and has no row in another second that could show it.

It has fewer rows than were asked for, all of them in one second, and no row is known before it. It may have been cut short,
though. So

1. a single row is asked for from the other end of the window, which has to bring the same one, unless the scan has brought
   others, and never two at once;
2. of several rows, the last is asked for once more by its number, as the first row of a page behind which nothing follows.
   Which number that is may be unknown as well: a service that counts from 1 may answer page 0 with page 1;
3. page numbers may end before the rows do. So where there are as many rows as a service may cap its pages at, everything
   behind the first millisecond is asked for as well, and must not bring a row that the page did not.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.reading import NOTHING, OrderedPage, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.frontier import Frontier
from aioflows._core.planning.gaps import Gap
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["SingleSecondPages"]

_STALLS = 2
"""Looks without a proof, one after the other, after which others are not tried."""


class SingleSecondPages:
    """Looks for what may follow the only rows there are.

    Args:
        frontier: the gaps of the scan.
        service: what the session knows of the service.
        evidence: what this scan was shown.
        reader: reads answers.
        prove: takes a page, and whether it is all there is.
    """

    def __init__(
        self,
        frontier: Frontier,
        service: ServiceFacts,
        evidence: ScanEvidence,
        reader: PageReader,
        prove: Callable[[PageRequest, Page, OrderedPage, bool], None],
    ) -> None:
        self._frontier = frontier
        self._service = service
        self._evidence = evidence
        self._reader = reader
        self._prove = prove

    def may_be_all(self, ask: PageRequest, reading: OrderedPage, gap: Gap) -> bool:
        """Return True if a page may be all there is, but has no row in another second that could show it."""
        return (
            self._service.may_be_last(ask.page_size, len(reading))
            and not ask.backward
            and gap.witness is None
            and (
                gap.beyond is None or reading.last < gap.beyond
            )  # otherwise that row is the witness of its end
            and gap.stalls < _STALLS
            and reading.first == reading.last
            and (gap.left is None or gap.left.ids <= set(reading.ids))
        )

    def look_further(
        self, ask: PageRequest, page: Page, reading: OrderedPage, base: int | None = None
    ) -> None:
        """Ask for what would follow the only rows there are.

        Where there are three or more, the last of them is asked for once more, so that an answer without any row
        proves nothing.

        Args:
            ask: the *request* that brought them.
            page: what it *brought*.
            reading: the same, laid out.
            base: the number that pages seem to count from, after page 0 seems to have been answered with page 1.
        """
        most = self._evidence.most(ask.page_size)
        if len(reading) == 1 < self._service.smallest_cap and (most > 1 or self._evidence.rows == 1):
            self._look_from_the_end(ask, page, reading)
            return
        known = self._service.base if self._service.base is not None else ask.page_no
        rows = len(reading)
        size = rows - 1 if rows > 2 else rows

        def looked(answer: Page) -> None:
            same = set(answer.ids) <= set(page.ids)
            if same and len(answer.ids) == rows - size and base is None:
                if not answer.ids or answer.ids[0] == page.ids[-1]:
                    self._nothing_follows(ask, page, reading)
                else:  # ties in another order, or rows that are left out of pages after these were counted
                    self._look_from_the_end(ask, page, reading)
            elif same and len(answer.ids) == rows - size:
                self._look_for_one_more(ask, page, reading)
            elif same and len(answer.ids) == size and self._service.base is None and base is None:
                self.look_further(ask, page, reading, ask.page_no + 1)
            else:
                if not same:
                    self._service.capped(ask.page_size, rows)
                self._prove(ask, page, reading, False)

        number = (known if base is None else base) + 1
        self._look(ask, attrs.evolve(ask, page_no=number, page_size=size), looked)

    def _nothing_follows(self, ask: PageRequest, page: Page, reading: OrderedPage) -> None:
        """Take a page for all there is, after looks at what would follow it.

        A row that went meanwhile may have moved another one out of sight of these looks, so the first page has to be what
        it was; unless it has fewer rows than any cap that is reckoned with.
        """

        def looked(answer: Page) -> None:
            self._prove(ask, page, reading, set(answer.ids) == set(page.ids))

        def looked_behind(answer: Page) -> None:
            if set(answer.ids) <= set(page.ids):
                self._look(ask, ask, looked)
            else:
                self._service.capped(ask.page_size, len(reading))
                self._prove(ask, page, reading, False)

        behind = reading.first * 1000 + 1
        if len(reading) < max(2, self._service.smallest_cap):
            self._prove(ask, page, reading, True)
        elif ask.first < behind < ask.until:
            self._look(ask, attrs.evolve(ask, first=behind), looked_behind)
        else:
            self._look(ask, ask, looked)

    def _look_from_the_end(self, ask: PageRequest, page: Page, reading: OrderedPage) -> None:
        def looked(answer: Page) -> None:
            same = set(answer.ids) == set(page.ids) and self._lies_in(behind, answer)
            if same and len(reading) > 1:
                self._nothing_follows(ask, page, reading)
            else:
                self._prove(ask, page, reading, same)

        # The window begins at the row, since what lies before is shown: so the row must lie at both of its ends.
        behind = attrs.evolve(ask, first=max(ask.first, reading.last * 1000), backward=True)
        self._look(ask, behind, looked)

    def _lies_in(self, ask: PageRequest, page: Page) -> bool:
        """Return True if the rows of a page lie in its window, as read in the zone that the service names."""
        try:
            self._reader.read(ask, page)
        except CompletenessError:
            return False
        return True

    def _look_for_one_more(self, ask: PageRequest, page: Page, reading: OrderedPage) -> None:
        """Tell a second name for the first page from a second page that had the same rows by chance.

        The latter would mean at least two rows more than the page holds, and one of them stands at this number.
        """

        def looked(answer: Page) -> None:
            if answer.ids:
                self._prove(ask, page, reading, False)
            else:
                self._service.base = ask.page_no + 1
                self._nothing_follows(ask, page, reading)

        self._look(ask, attrs.evolve(ask, page_no=ask.page_no + len(reading) + 1, page_size=1), looked)

    def _look(self, ask: PageRequest, other: PageRequest, looked: Callable[[Page], None]) -> None:
        """Ask for something else before the first page of a window is judged."""
        again = attrs.evolve(other, tries=None)

        def answered(answer: Page | AioflowsError) -> None:
            for gap in self._frontier.put_down(ask):
                gap.held = False
            if not isinstance(answer, AioflowsError):
                looked(answer)
            elif refusal(answer):
                looked(NOTHING)  # a number beyond the last page may be refused
            else:
                self._refuse(ask, answer)

        self._frontier.follow(ask, again, answered)

    def _refuse(self, ask: PageRequest, error: AioflowsError) -> None:
        for gap in self._frontier.put_down(ask)[:1]:
            self._frontier.fail(gap, error)
