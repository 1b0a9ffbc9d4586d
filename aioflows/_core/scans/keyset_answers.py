"""The answers of a keyset scan: each goes to the part of the scan that waits for it, or to the prover."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.first_page import FirstPageSearch, Outcome, no_such_page, refusal, unreadable
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.failed_windows import MAY_BE_TOO_MUCH, FailedWindows
from aioflows._core.planning.frontier import covered
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.proofs.dense_seconds import DenseSeconds
from aioflows._core.proofs.empty_answers import EmptyAnswers
from aioflows._core.proofs.prover import Prover
from aioflows._core.scans.first_page_requests import FirstPageRequests
from aioflows._core.scans.zone_shown import ZoneShown
from aioflows.errors import AioflowsError

__all__ = ["KeysetAnswers"]


class KeysetAnswers:
    """The parts of a keyset scan that answers go to."""

    def __init__(self, state: KeysetState) -> None:
        self._state = state
        self._frontier, self._follow_ups, self._service = state.frontier, state.follow_ups, state.service
        self._dense_seconds = DenseSeconds(state)
        self._failed_windows = FailedWindows(state)
        self.prover = Prover(state, self._empty, self._dense_seconds.open)
        self._empty_answers = EmptyAnswers(state, self.prover.missing_rows, self.prover.empty_recheck)
        self.first_page = FirstPageRequests(state, self.prover.answered, self._failed)
        self.zone_shown = ZoneShown(state, self.prover.missing_rows.misread)

    def _empty(self, ask: PageRequest, gaps: Sequence[Gap], count: int) -> None:
        self._empty_answers.answered(ask, gaps, count)

    def dense_answered(self, gap: Gap, ask: PageRequest, answer: Page | AioflowsError) -> None:
        """Process an answer about a dense second."""
        beyond = self._dense_seconds.received(gap, ask, answer)
        if beyond is not None:
            self.prover.answered_beyond(*beyond)

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        job = self._follow_ups.job(ask)
        if job is None and page.ids and self._service.disappoints(ask.page_size, len(page.ids)):
            self.first_page.pop(ask)
            self._frontier.finish(ask)
            return
        self._service.saw(ask.page_size, len(page.ids), ask.until - ask.first)
        self.first_page.check.note(ask, page)
        self.zone_shown.note(ask, page)
        if job is not None:
            job(page)
        elif ask.page_size > self._state.page_size and not page.ids and self._lacks_a_row(ask):
            self._too_large(ask)
        elif (search := self.first_page.pop(ask)) is not None:
            self.first_page.step(ask, search, Outcome.ROWS if page.ids else Outcome.EMPTY, page)
        else:
            self.prover.answered(ask, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        """Process the error that a request ended with, after its retries were spent."""
        too_large = ask.page_size > self._state.page_size and (refusal(error) or unreadable(error))
        if too_large:
            self._service.larger_pages = False
        if (job := self._follow_ups.job(ask)) is not None:
            if ask.reads is not None and unreadable(error):
                # A follow-up needs this page size, so the request gets all attempts of the retry policy.
                self._follow_ups.add(attrs.evolve(ask, reads=None), job)
            else:
                job(error)
        elif too_large:
            self._too_large(ask)
        elif (search := self.first_page.pop(ask)) is None:
            if not (no_such_page(error) and not self._state.evidence.rows and self.first_page.renumber(ask)):
                self._failed(ask, error)
        elif no_such_page(error):
            self.first_page.step(ask, search, Outcome.REFUSED, error)
        elif ask.tries == 1 and isinstance(error, MAY_BE_TOO_MUCH):
            self.first_page.again(ask, search, tries=2)  # the error shows nothing about page numbers
        else:
            self._failed(ask, error, search)

    def _failed(self, ask: PageRequest, error: AioflowsError, search: FirstPageSearch | None = None) -> None:
        """Request less, send the request again, or end the scan at its window."""
        tried_all = search is not None and search.last
        if self._failed_windows.failed(ask, error, tried_all=tried_all):
            search = None if search is None else attrs.evolve(search, last=True)
            self.first_page.again(ask, search, tries=None)

    def _too_large(self, ask: PageRequest) -> None:
        """Drop a page that was larger than usual. The usual page is next, and shows that a second is dense."""
        self._service.larger_pages = False
        self.first_page.pop(ask)
        for gap in self._frontier.finish(ask):
            gap.start.page_size = gap.end.page_size = 0

    def _lacks_a_row(self, ask: PageRequest) -> bool:
        return any(
            covered(gap, ask.first, ask.until) for gap in self._state.gaps.within(ask.first, ask.until)
        )
