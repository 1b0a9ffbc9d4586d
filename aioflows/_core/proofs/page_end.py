"""Page ends: the second in which a page ended, and the next request at this edge of the gap.

The page proves everything before the second of its last row, and nothing about that second. So the next page
begins with that second. If the second may hold more rows than a usual page, the next page is larger.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import LARGEST_PAGE, larger
from aioflows._core.planning.gaps import Anchor, Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows.errors import AioflowsError

__all__ = ["STALLS", "PageEnds"]

STALLS = 3
"""Answers in a row without a proof, after which a known row beside a gap counts as deleted."""

_SECOND = 1000  # ms, the resolution of trigger times in answers

_TIES_TO_GO_LARGER = 0.25
"""The share of a full page that lies in one second from which the second is requested with a larger page."""


class PageEnds:
    """The seconds in which the pages of a scan ended.

    Args:
        state: the state of the scan.
        empty: called for an answer without rows, with the request, the gaps in its window and the stated count.
        open_dense: called with a gap, the last rows of a page and the page, if their second does not fit a
            page.
    """

    def __init__(
        self,
        state: KeysetState,
        empty: Callable[[PageRequest, Sequence[Gap], int], None],
        open_dense: Callable[[Gap, Anchor, Page], None],
    ) -> None:
        self._state = state
        self._frontier, self._gaps = state.frontier, state.gaps
        self._service, self._evidence = state.service, state.evidence
        self._empty = empty
        self._open_dense = open_dense

    def note(self, ask: PageRequest, reading: OrderedPage, edge: int) -> None:
        """Record where a page ended: at the second of its last row, which may have more rows.

        Args:
            ask: the request.
            reading: the page.
            edge: where the window ends that the page proves (milliseconds of scan time).
        """
        gap = self._gaps.bordering(edge, backward=ask.backward)
        if gap is None:
            return
        second = reading.first if ask.backward else reading.last
        ties = reading.at(second)
        stuck = len(ties) == len(reading)
        full = len(reading) in (ask.page_size, self._service.most(ask.page_size))
        anchor = Anchor(second, frozenset(ties), ask, len(reading))
        self._set_anchor(gap, anchor, stuck=stuck, full=full)
        usual = self._state.page_size
        if ask.page_size < usual and not self._largest_for_few(ask, len(reading)):
            return  # the page was smaller than usual, so a usual page is next
        if stuck and not full and gap.stalls <= STALLS + 1:
            return  # rows were added or deleted, so the second is requested again first
        if gap.maybe_last or not (stuck or len(ties) >= _TIES_TO_GO_LARGER * self._state.full_page):
            return
        if size := self._larger(ask, len(reading), stuck):
            gap.edge(ask.backward).page_size = size
            if not (ask.backward or self._state.reader.pinned):
                # The larger page reaches beyond the second, so its rows do not check the zone.
                self._pin(gap, anchor)
        elif stuck:
            self._open_dense(gap, anchor, reading.page)

    def _largest_for_few(self, ask: PageRequest, rows: int) -> bool:
        """Return True if a request for one second with few rows had the largest size that is not being tested."""
        alone = ask.until - ask.first <= _SECOND
        return alone and rows < ask.page_size >= self._service.answered(self._state.page_size)

    def _set_anchor(self, gap: Gap, anchor: Anchor, *, stuck: bool, full: bool) -> None:
        """Record the last rows of a page at the edge of the gap that is left.

        Args:
            gap: the gap.
            anchor: the last rows.
            stuck: True if all rows of the page lie in one second.
            full: True if the page was full.
        """
        ask, before, known = anchor.ask, gap.start.anchor, gap.end.known
        gap.edge(ask.backward).anchor = anchor
        if ask.backward:
            if gap.maybe_last and not (stuck and before is not None and anchor.ids <= before.ids):
                self._was_not_last(gap)
            gap.maybe_last = 0
            return
        went_on = before is None or before.second < anchor.second
        if not went_on and not full and known is not None and ask.until > known * 1000:
            gap.end.known = None  # a page that is not full reaches this row, unless the row was deleted
        gap.maybe_last = self._may_be_last(gap, ask, anchor.rows, went_on=went_on)

    def _may_be_last(self, gap: Gap, ask: PageRequest, rows: int, *, went_on: bool) -> int:
        """Return the rows of a page from the start of a gap if the page may be the last, otherwise 0."""
        if gap.start.known is None or self._no_larger(ask, rows) or (went_on and gap.end.known is not None):
            return 0
        if ask.until < gap.until:
            return 0  # the request was for a part of the gap
        if self._evidence.cut_short and went_on:
            return 0  # rows have followed a short page of this scan
        return rows if self._service.may_be_last(ask.page_size, rows) else 0

    def _was_not_last(self, gap: Gap) -> None:
        """Record that rows followed a short page."""
        anchor = gap.start.anchor
        size = self._state.page_size if anchor is None else anchor.ask.page_size
        if gap.maybe_last < self._evidence.most(size):
            self._evidence.cut_short = True
        self._service.capped(size, gap.maybe_last)

    def _pin(self, gap: Gap, anchor: Anchor) -> None:
        """Request a second with a known row alone, to check the time zone."""
        until = min(gap.until, anchor.second * 1000 + 1000)
        alone = attrs.evolve(
            anchor.ask, first=gap.first, until=until, page_size=self._state.page_size, tries=None
        )

        def answered(answer: Page | AioflowsError) -> None:
            if isinstance(answer, AioflowsError):
                return  # a later page can check the zone
            if not answer.ids:
                near = self._gaps.within(alone.first, alone.until)
                self._empty(alone, near, answer.count or 0)
                return
            self._frontier.duplicates += len(answer.ids)
            try:
                self._state.reader.read(alone, answer)
            except AioflowsError as error:
                self._frontier.fail(gap, error)

        self._state.follow_ups.add(alone, answered)

    def _larger(self, ask: PageRequest, rows: int, stuck: bool) -> int:
        """Return the size of a larger page that is worth a request. 0 means no such size."""
        if self._no_larger(ask, rows):
            self._service.larger_pages = False
        if not self._service.larger_pages or (stuck and ask.page_size >= LARGEST_PAGE):
            return 0
        return larger(ask.page_size if stuck else self._state.page_size)

    def _no_larger(self, ask: PageRequest, rows: int) -> bool:
        """Return True if a page larger than usual had only as many rows as a usual page."""
        usual = self._state.page_size
        return ask.page_size > usual and rows == (self._evidence.most(usual) or self._service.most(usual))
