"""Short pages whose rows all lie in one second.

Such a page may be complete, or the service may have capped it. No row is known before the second, and no row
of another second proves the end of the page. Three looks decide:

1. For a single row, one more request reads from the other end of the window. It must return the same row.
   This look is enough if a page of this scan has had several rows, or if the scan has had no other row.
2. For several rows, the last row is requested again by its number, as the first row of a page with nothing
   behind it. The number may be unknown as well: a service that counts from 1 may answer page 0 with page 1.
3. Page numbers may end before the rows do. So if the service may cap its pages at this number of rows,
   everything behind the first millisecond is requested too. The answer must not have a new row.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.ordered_page import NOTHING, OrderedPage, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.frontier import Frontier
from aioflows._core.planning.gaps import Gap
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["SingleSecondPages"]

_STALLS = 2
"""Looks in a row without a proof, after which no more are made."""


class SingleSecondPages:
    """A search for rows behind a short page of one second.

    Args:
        frontier: the gaps of the scan.
        service: the facts about the service that the session knows.
        evidence: the evidence that this scan has collected.
        reader: the reader of answers.
        prove: the callback for a page, with True if the page is complete.
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
        """Return True if a page may be complete, but no row of another second can prove it."""
        return (
            self._service.may_be_last(ask.page_size, len(reading))
            and not ask.backward
            and gap.witness is None
            and (
                gap.beyond is None or reading.last < gap.beyond
            )  # otherwise that row proves the end of the page
            and gap.stalls < _STALLS
            and reading.first == reading.last
            and (gap.left is None or gap.left.ids <= set(reading.ids))
        )

    def look_further(
        self, ask: PageRequest, page: Page, reading: OrderedPage, base: int | None = None
    ) -> None:
        """Request the rows that would follow the page.

        If the page has three rows or more, its last row is requested again, since an answer without rows
        would prove nothing.

        Args:
            ask: the request that returned the page.
            page: the page.
            reading: the same page, laid out.
            base: the number from which pages seem to count, after page 0 was answered like page 1.
        """
        more = self._evidence.most(ask.page_size) > 1 and self._evidence.light(1, len(page.body))
        if len(reading) == 1 < self._service.smallest_cap and (more or self._evidence.rows == 1):
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
                else:  # ties change their order, or rows are removed from pages after the page was cut
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
        """Make the last looks at a page behind which no row was found.

        A row that was deleted meanwhile may have moved another one out of sight of the earlier looks. So the
        first page is requested again and must be unchanged. This is left out if the page has fewer rows than
        any expected cap.
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

        # Where the service was seen to sort, the page shows what lies before its row. So the window may begin
        # there, and then shows the zone as well.
        seen = ask.descending in self._service.sorts
        behind = attrs.evolve(
            ask, first=max(ask.first, reading.last * 1000) if seen else ask.first, backward=True
        )
        self._look(ask, behind, looked)

    def _lies_in(self, ask: PageRequest, page: Page) -> bool:
        """Return True if the rows of a page lie in its window, by the time zone of the service."""
        try:
            self._reader.read(ask, page)
        except CompletenessError:
            return False
        return True

    def _look_for_one_more(self, ask: PageRequest, page: Page, reading: OrderedPage) -> None:
        """Find out whether two page numbers name the first page, or a second page had the same rows by
        chance.

        In the second case there are at least two more rows than on the page. One of them stands at the number
        requested here.
        """

        def looked(answer: Page) -> None:
            if answer.ids:
                self._prove(ask, page, reading, False)
            else:
                self._service.base = ask.page_no + 1
                self._nothing_follows(ask, page, reading)

        self._look(ask, attrs.evolve(ask, page_no=ask.page_no + len(reading) + 1, page_size=1), looked)

    def _look(self, ask: PageRequest, other: PageRequest, looked: Callable[[Page], None]) -> None:
        """Send another request before the first page of a window is judged."""
        again = attrs.evolve(other, tries=None)

        def answered(answer: Page | AioflowsError) -> None:
            for gap in self._frontier.finish(ask):
                gap.on_hold = False
            if not isinstance(answer, AioflowsError):
                looked(answer)
            elif refusal(answer):
                looked(NOTHING)  # the service may refuse a number beyond the last page
            else:
                self._refuse(ask, answer)

        self._frontier.replace(ask, again, answered)

    def _refuse(self, ask: PageRequest, error: AioflowsError) -> None:
        for gap in self._frontier.finish(ask)[:1]:
            self._frontier.fail(gap, error)
