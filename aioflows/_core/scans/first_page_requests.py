"""The requests that find out which page is the first: page 0 or page 1.

The rules are in `first_page` and `first_page_check`. While the number is unknown, each request has one
attempt, and begins a search.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.first_page import FirstPageSearch, Outcome, Step
from aioflows._core.pages.page import Nothing, Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.proofs.first_page_check import FirstPageCheck
from aioflows.errors import AioflowsError

__all__ = ["FirstPageRequests"]

_TRIES_OF_PAGE_0 = 4
"""The attempts at page 0 after page 1 had rows, so that one failure does not make page 1 the first page."""

_TRIES_OF_PAGE_1 = 2
"""The attempts at page 1, before less is requested or the first request gets its full retries."""


class FirstPageRequests:
    """The searches for the first page, one for each request that began while its number was unknown.

    Args:
        state: the state of the scan.
        answered: called with a request and the first page of its window.
        failed: called with a request, its error and the search, if no page could be read.
    """

    def __init__(
        self,
        state: KeysetState,
        answered: Callable[[PageRequest, Page], None],
        failed: Callable[[PageRequest, AioflowsError, FirstPageSearch | None], None],
    ) -> None:
        self._state = state
        self._frontier, self._service = state.frontier, state.service
        self._answered = answered
        self._failed = failed
        self._searches: dict[PageRequest, FirstPageSearch] = {}
        self.check = FirstPageCheck(state.service, state.evidence)

    def add(self, ask: PageRequest) -> None:
        """Begin a search with a request, if the number of the first page is not known."""
        if self._service.first_page is None:
            self._searches[ask] = FirstPageSearch()

    def pop(self, ask: PageRequest) -> FirstPageSearch | None:
        """Remove the search that a request belongs to, and return it."""
        return self._searches.pop(ask, None)

    def step(
        self, ask: PageRequest, search: FirstPageSearch, outcome: Outcome, answer: Page | AioflowsError
    ) -> None:
        """Go one step further in a search."""
        if self._service.first_page is not None:
            self._found_elsewhere(ask, answer)
            return
        search = search.then(outcome, answer)
        step = search.step
        if step in (Step.ASK_0, Step.ASK_1):
            number = 1 if step is Step.ASK_1 else 0
            tries = _TRIES_OF_PAGE_1 if number else _TRIES_OF_PAGE_0
            self._replace(ask, attrs.evolve(ask, page_no=number, tries=tries), search)
            return
        if step is Step.TAKE_0:
            self._service.first_page = 0
        elif step is Step.TAKE_1:
            self._service.first_page = self._service.base = 1
        error = search.unlisted if step is Step.EMPTY else answer
        if step in (Step.EMPTY, Step.FAIL) and isinstance(error, AioflowsError):
            self._failed(ask, error, FirstPageSearch(last=search.last))
        else:
            self._frontier.finish(ask)
            # The page that is used may not be the last page requested, so its request gets its number.
            ask = attrs.evolve(ask, page_no=self._service.first_page or 0)
            self._answered(ask, Nothing(search.missing) if search.page is None else search.page)

    def _found_elsewhere(self, ask: PageRequest, answer: Page | AioflowsError) -> None:
        """Use an answer if another scan has found this page to be the first. Otherwise drop the answer."""
        if isinstance(answer, AioflowsError) or ask.page_no != self._service.first_page:
            self._frontier.finish(ask)
        else:
            self._answered(ask, answer)

    def again(self, ask: PageRequest, search: FirstPageSearch | None, tries: int | None) -> None:
        """Send a request again, with more attempts, and with page 0 if it belongs to a search."""
        again = attrs.evolve(ask, tries=tries, page_no=ask.page_no if search is None else 0)
        self._replace(ask, again, search)

    def _replace(self, ask: PageRequest, again: PageRequest, search: FirstPageSearch | None) -> None:
        if search is not None:
            self._searches[again] = search
        self._frontier.replace(ask, again)

    def renumber(self, ask: PageRequest) -> bool:
        """Begin the search again, once in a scan, if the service refuses the known number.

        Return False if the search was begun again before.
        """
        if self._state.renumbered:
            return False
        self._state.renumbered = True
        self._service.first_page = self._service.base = None
        self._frontier.finish(ask)
        return True

    def look_at_page_0(self) -> PageRequest | None:
        """Return a request for page 0, if nothing proves that page 1 is the first page. Otherwise return None."""
        ask = self.check.look()
        if ask is None:
            return None

        def answered(answer: Page | AioflowsError) -> None:
            try:
                self.check.looked(answer)
            except AioflowsError as error:
                self._frontier.error = self._frontier.error or error

        self._state.follow_ups.expect(ask, answered)
        return ask
