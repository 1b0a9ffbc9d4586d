"""The recheck after a false empty answer: windows that were taken for empty before are requested again.

The scan does not end before that. If such a window shows rows and then none again, the scan ends with an error.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.empty_answer_policy import ROWS_OF_A_FALSE_ANSWER, empty_answers_needed
from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.follow_ups import Script
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["EmptyRecheck"]


class EmptyRecheck:
    """The windows of a scan that were taken for empty without a known row beside them."""

    def __init__(self, state: KeysetState) -> None:
        self._frontier, self._follow_ups, self._service = state.frontier, state.follow_ups, state.service
        self._growing = state.options.growing
        self._windows: list[tuple[PageRequest, int]] = []
        self._open = 0

    def add(self, ask: PageRequest, answers: int) -> None:
        """Add a window.

        Args:
            ask: the request for the window.
            answers: the number of empty answers to the request.
        """
        self._windows.append((ask, answers))

    def note_rows(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> None:
        """Compare a page with the earlier empty answers to its gaps.

        If the page is at least as large as theirs and shows that they were false, the service is marked. If the
        page is smaller and has rows, they are forgotten: `MissingRows` finds out whether their size was the
        cause.
        """
        for gap in gaps:
            if (
                gap.empty_answers
                and ask.page_size >= gap.empty_size
                and _shows_more(reading, gap, growing=self._growing)
            ):
                self._service.false_empty_seen = True
            if ask.page_size < gap.empty_size and reading.index(gap.first // 1000) < reading.index(
                -(-gap.until // 1000)
            ):
                gap.forget_empty_answers()

    def unsettled(self) -> bool:
        """Return True if a window must be requested again before the scan may end, and request it."""
        while self._service.false_empty_seen and self._windows:
            ask, answers = self._windows.pop()
            self._open += 1
            self._follow_ups.start(self._request(ask, answers))
        return self._open > 0

    def _request(self, ask: PageRequest, answers: int) -> Script:
        """Request a window from either end in turn, until enough answers were empty, or enough had rows.

        Rows that came may be old or new. A service with false empty answers returns another one among so many.

        Args:
            ask: the last request for the window.
            answers: the number of empty answers about the window so far.
        """
        needed, shown = empty_answers_needed(self._service), 0
        try:
            while answers < needed and shown < needed:
                ask = attrs.evolve(
                    ask, tries=None, backward=not ask.backward, page_no=self._service.first_page or 0
                )
                page = yield ask
                if page.ids:
                    shown += 1
                elif shown:
                    raise CompletenessError(
                        f"the window {ask.from_ms}–{ask.to_ms} ms was answered with no rows, {answers} times, then with rows, "
                        "then with no rows: the empty answers of this service cannot be relied on. Run the scan again later"
                    )
                else:
                    answers += 1
        except AioflowsError as error:
            self._frontier.error = error
        self._open -= 1


def _shows_more(reading: OrderedPage, gap: Gap, *, growing: bool) -> bool:
    """Return True if a page shows that an empty answer about a gap was false.

    The page has the known row that the empty answer left out, or more rows than may have appeared since.
    """
    second = gap.contradicted_at
    if second is not None and reading.index(second + 1) > reading.index(second):
        return True
    rows = reading.index(-(-gap.until // 1000)) - reading.index(gap.first // 1000)
    return rows >= ROWS_OF_A_FALSE_ANSWER and not growing
