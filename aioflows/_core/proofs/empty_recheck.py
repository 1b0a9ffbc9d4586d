"""Windows that were taken for empty, and are requested again once the service has returned a false empty answer.

The scan does not end before. If such a window shows rows and then none again, the scan ends with an error.
"""

from __future__ import annotations

import attrs

from aioflows._core.pages.empty_answer_policy import empty_answers_needed
from aioflows._core.pages.ordered_page import Page, PageRequest
from aioflows._core.planning.keyset_state import KeysetState
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["EmptyRecheck"]


class EmptyRecheck:
    """The windows of a scan that were taken for empty without a known row beside them.

    Args:
        state: the state of the scan.
    """

    def __init__(self, state: KeysetState) -> None:
        self._frontier, self._follow_ups, self._service = state.frontier, state.follow_ups, state.service
        self._windows: list[tuple[PageRequest, int]] = []
        self._open = 0

    def add(self, ask: PageRequest, answers: int) -> None:
        """Add a window.

        Args:
            ask: the request for the window.
            answers: the number of empty answers about it.
        """
        self._windows.append((ask, answers))

    def unsettled(self) -> bool:
        """Return True if a window must be requested again before the scan may end, and request it."""
        while self._service.false_empty_seen and self._windows:
            ask, answers = self._windows.pop()
            if answers < empty_answers_needed(self._service):
                self._open += 1
                self._request(ask, answers)
        return self._open > 0

    def _request(self, ask: PageRequest, answers: int, shown: int = 0) -> None:
        """Request a window again.

        Args:
            ask: the last request for the window.
            answers: the number of empty answers about it.
            shown: the number of answers with rows about it.
        """
        again = attrs.evolve(
            ask, tries=None, backward=not ask.backward, page_no=self._service.first_page or 0
        )

        def answered(answer: Page | AioflowsError) -> None:
            needed = empty_answers_needed(self._service)
            if isinstance(answer, AioflowsError):
                self._frontier.error = answer
            elif answer.ids and shown + 1 < needed:
                # The rows were there before, or have appeared since. A service with false empty answers
                # returns another one if it is asked as often.
                self._request(again, answers, shown + 1)
                return
            elif not answer.ids and shown:
                self._frontier.error = CompletenessError(
                    f"the window {ask.from_ms}–{ask.to_ms} ms was answered with nothing, {answers} times, then with rows, "
                    "and with nothing again: the empty answers of this service cannot be relied on"
                )
            elif not answer.ids and answers + 1 < needed:
                self._request(again, answers + 1)
                return
            self._open -= 1

        self._follow_ups.add(again, answered)
