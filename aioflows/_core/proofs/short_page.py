"""Short pages whose rows all lie in one second.

Such a page may be complete, or the service may have capped it. No row is known before the second, and no row
of another second proves the end of the page. Three looks decide:

1. For a single row, one more request reads from the other end of the window, and must return the same row. This
   look is enough if a page of this scan has had several rows, or if the scan has had no other row.
2. For several rows, the last row is requested again by its number, as the first row of a page, and no row may
   follow. The number may be unknown: a service that counts from 1 may answer page 0 with page 1.
3. Page numbers may end before the rows do. So if the service may cap its pages at this number of rows,
   everything behind the first millisecond is requested too. The answer must not have a new row.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeAlias

import attrs

from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page import NOTHING, Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["ShortPageCheck"]

_STALLS = 2
"""Answers in a row without a proof, after which no more looks are made."""

_Looks: TypeAlias = Generator[PageRequest, Page, bool]


class ShortPageCheck:
    """A search for rows behind a short page of one second.

    Args:
        state: the state of the scan.
        prove: the callback for a page, with True if the page is complete.
    """

    def __init__(
        self, state: KeysetState, prove: Callable[[PageRequest, Page, OrderedPage, bool], None]
    ) -> None:
        self._frontier, self._service, self._evidence = state.frontier, state.service, state.evidence
        self._reader = state.reader
        self._prove = prove
        self._followed: set[str] = set()
        """The ids of last rows behind which a look from the other end has shown other rows."""

    def may_be_all(self, ask: PageRequest, reading: OrderedPage, gap: Gap) -> bool:
        """Return True if a page may be complete, but no row of another second can prove it."""
        return (
            self._service.may_be_last(ask.page_size, len(reading))
            and not ask.backward
            and gap.start.known is None
            and (
                gap.end.known is None or reading.last < gap.end.known
            )  # a later known row proves the end of the page
            and gap.stalls < _STALLS
            and reading.first == reading.last
            and reading.ids[-1] not in self._followed
            and (gap.start.anchor is None or gap.start.anchor.ids <= set(reading.ids))
        )

    def look_further(self, ask: PageRequest, page: Page, reading: OrderedPage) -> None:
        """Request the rows that would follow a page, before the page is judged.

        Args:
            ask: the request that returned the page.
            page: the page.
            reading: the same page, in scan order.
        """
        script = self._is_whole(ask, page, reading)

        def answered(answer: Page | AioflowsError) -> None:
            gaps = self._frontier.finish(ask)
            for gap in gaps:
                gap.on_hold = False
            if isinstance(answer, AioflowsError):
                if not refusal(answer):
                    for gap in gaps[:1]:
                        self._frontier.fail(gap, answer)
                    return
                answer = NOTHING  # a refusal may mean that no page has this number
            go_on(answer)

        def go_on(answer: Page | None) -> None:
            try:
                other = next(script) if answer is None else script.send(answer)
            except StopIteration as end:
                self._prove(ask, page, reading, end.value)
            else:
                self._frontier.replace(ask, attrs.evolve(other, tries=None), answered)

        go_on(None)

    def _is_whole(
        self, ask: PageRequest, page: Page, reading: OrderedPage, base: int | None = None
    ) -> _Looks:
        """Return True if no row follows a page.

        An empty answer would prove nothing. So if the page has three rows or more, its last row must come
        again.

        Args:
            ask: the request that returned the page.
            page: the page.
            reading: the same page, in scan order.
            base: the number from which pages seem to count, after page 0 was answered like page 1. Default:
                None, which means the number that the request assumes.
        """
        rows = len(reading)
        more = self._evidence.most(ask.page_size) > 1 and self._evidence.light(1, page.size)
        if rows == 1 < self._service.smallest_cap and (more or self._evidence.rows == 1):
            return (yield from self._is_same_from_the_end(ask, page, reading))
        known = self._service.base if self._service.base is not None else ask.page_no
        size = rows - 1 if rows > 2 else rows
        number = (known if base is None else base) + 1
        answer = yield attrs.evolve(ask, page_no=number, page_size=size)
        if not set(answer.ids) <= set(page.ids):
            self._service.capped(ask.page_size, rows)
            return False
        if len(answer.ids) == rows - size:
            if base is not None:
                return (yield from self._is_first_page_twice(ask, page, reading))
            if not answer.ids or answer.ids[0] == page.ids[-1]:
                return (yield from self._is_unchanged(ask, page, reading))
            # Ties have changed their order, or the service removes rows from a page after cutting it.
            return (yield from self._is_same_from_the_end(ask, page, reading))
        if len(answer.ids) == size and self._service.base is None and base is None:
            return (yield from self._is_whole(ask, page, reading, ask.page_no + 1))
        return False

    def _is_unchanged(self, ask: PageRequest, page: Page, reading: OrderedPage) -> _Looks:
        """Make the last looks at a page behind which no row was found. Return True if it is unchanged.

        A row that was deleted meanwhile may have moved another row out of the earlier looks. So the first page
        is requested again, unless it has fewer rows than any expected cap.
        """
        if len(reading) < max(2, self._service.smallest_cap):
            return True
        behind = reading.first * 1000 + 1
        if ask.first < behind < ask.until:
            answer = yield attrs.evolve(ask, first=behind)
            if not set(answer.ids) <= set(page.ids):
                self._service.capped(ask.page_size, len(reading))
                return False
        answer = yield ask
        return set(answer.ids) == set(page.ids)

    def _is_same_from_the_end(self, ask: PageRequest, page: Page, reading: OrderedPage) -> _Looks:
        """Request the window from its other end. Return True if the page is the same."""
        # If the service was seen to sort, no row lies before the second of the page. A window that begins there
        # also checks the zone.
        seen = ask.descending in self._service.sorts
        first = max(ask.first, reading.last * 1000) if seen else ask.first
        behind = attrs.evolve(ask, first=first, backward=True)
        answer = yield behind
        same = set(answer.ids) == set(page.ids) and self._lies_in(behind, answer)
        if not set(answer.ids) <= set(page.ids):
            self._followed.add(reading.ids[-1])
        if same and len(reading) > 1:
            return (yield from self._is_unchanged(ask, page, reading))
        return same

    def _lies_in(self, ask: PageRequest, page: Page) -> bool:
        """Return True if the rows of a page lie in its window, by the time zone of the service."""
        try:
            self._reader.read(ask, page)
        except CompletenessError:
            return False
        return True

    def _is_first_page_twice(self, ask: PageRequest, page: Page, reading: OrderedPage) -> _Looks:
        """Return True if two page numbers name the first page, and no row follows it.

        A second page with the same rows by chance would mean at least two more rows. One of these would have
        the number that is requested here.
        """
        answer = yield attrs.evolve(ask, page_no=ask.page_no + len(reading) + 1, page_size=1)
        if answer.ids:
            return False
        self._service.base = ask.page_no + 1
        return (yield from self._is_unchanged(ask, page, reading))
