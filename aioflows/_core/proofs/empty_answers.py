"""Empty answers: which windows without rows are believed to be empty.

`empty_answer_policy` has the number of empty answers that are needed. Invariants:

1. If a row is known beside the window, the window is requested together with this row. The row proves the
   answer.
2. While a row beside the window may soon be known, nothing is decided.
3. If no row is known, as in a scan without any row, the window is requested again from both ends, one request
   right after the other. These pages are small, since a service may answer a page that is too large with no
   rows. If nothing else is left to request, one more answer is enough.
4. If the whole scan has had no row, the window is requested in other ways (`empty_scan`).
5. An empty answer whose count is not 0 is never believed. Only rows can show what the window holds.
6. After a false empty answer, windows that were believed to be empty before are requested again before the
   scan ends (`empty_recheck`).

See docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.empty_answer_policy import empty_answers_needed
from aioflows._core.pages.page import NOTHING, Batch, Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import SMALL_PAGE
from aioflows._core.planning.frontier import covered
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.proofs.empty_recheck import EmptyRecheck
from aioflows._core.proofs.empty_scan import EmptyScan, read_in_parts
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.wire.envelope import Unlisted
from aioflows.errors import AioflowsError
from aioflows.stats import Proof

__all__ = ["EmptyAnswers"]

_WAITS = 4
"""The factor on the needed empty answers after which a scan no longer waits for a known row beside a window.

Such a row may never come within reach.
"""

_OFF_BY = 1
"""The largest count (rows) that a believed answer without rows may state. Some services count one row too
many, or a row that the user may not see."""


class EmptyAnswers:
    """A judge of empty answers: decides whether a window is empty, and which request for the window is next.

    Args:
        state: the state of the scan.
        missing_rows: the search for missing rows.
        recheck: the windows that were taken for empty.
    """

    def __init__(self, state: KeysetState, missing_rows: MissingRows, recheck: EmptyRecheck) -> None:
        self._state = state
        self._frontier, self._gaps = state.frontier, state.gaps
        self._service, self._evidence = state.service, state.evidence
        self._missing_rows, self._recheck = missing_rows, recheck
        self._empty_scan = EmptyScan(state, lambda gap, ask: self._take_for_empty(gap, ask, None))

    def answered(self, ask: PageRequest, gaps: Sequence[Gap], missing: int = 0) -> None:
        """Process an empty answer, which alone proves nothing.

        Args:
            ask: the request that was answered.
            gaps: the gaps in its window.
            missing: the row count that the answer stated. Default: 0.
        """
        gaps = [gap for gap in gaps if gap.error is None]
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                self._missing_rows.search_for(anchor, gap, ask, NOTHING)
                return
        by_another_number = self._service.first_page not in (None, ask.page_no)
        for gap in gaps:
            if not (ask.first <= gap.first and gap.until <= ask.until):
                continue
            if by_another_number:  # the request was sent before the number of the first page was corrected
                gap.forget_empty_answers()
                continue
            if gap.isolated and gap.until - gap.first > self._service.silent_beyond:
                read_in_parts(self._state, gap, self._service.silent_beyond)
                continue
            gap.empty_answers += 1
            gap.empty_size = max(gap.empty_size, ask.page_size)
            gap.missing = missing
            self._judge(gap, ask)

    def _judge(self, gap: Gap, ask: PageRequest) -> None:
        """Decide what follows from one more empty answer about a gap."""
        row = gap.start.known if ask.first < gap.first else gap.end.known if gap.until < ask.until else None
        if row is not None:
            gap.contradicted_at = row
        nothing_else = self._state.options.alone and len(self._gaps) == 1 and not self._frontier.proofs
        needed = empty_answers_needed(self._service, row_known=row is not None, nothing_else=nothing_else)
        if row is not None:
            if gap.empty_answers >= needed:
                self._request_the_row(gap, ask, row)
        elif gap.empty_answers < _WAITS * needed and self._may_know_more(gap):
            return
        elif gap.empty_answers < needed:
            known = self._service.first_page is not None
            if known and gap.empty_answers == 1 and needed > 2:
                self._request_both_ends(gap, ask)
        elif self._empty_scan.unsure_of(gap):
            self._empty_scan.look(gap, ask)
        elif self._evidence.cuts and gap.until - gap.first > self._evidence.seen:
            gap.forget_empty_answers()
            self._state.read_in_parts(gap.first, gap.until)
        else:
            self._take_for_empty(gap, ask, None)

    def _take_for_empty(self, gap: Gap, ask: PageRequest, row: int | None) -> None:
        """Record a window as empty, unless its last answer stated a number of rows."""
        if gap.missing > _OFF_BY:
            problem = (
                f"the window {ask.from_ms}–{ask.to_ms} ms was answered with no rows, {gap.empty_answers} times, while its count says "
                f"that there are {gap.missing:,}: query shorter ranges, or only instances that the user may see"
            )
            self._frontier.fail(gap, Unlisted(problem, "$.data"))
            return
        if row is None:
            self._recheck.add(ask, gap.empty_answers)
        self._frontier.settle(gap, [ProvenRun(gap.first, gap.until, Batch())], Proof.EMPTY)

    def _request_the_row(self, gap: Gap, ask: PageRequest, second: int) -> None:
        """Request the known row beside a window alone, before the row is believed to have gone.

        If the row comes, the empty answer was false, perhaps because the window is too wide. Then the halves of
        the gap are requested alone.
        """
        near = attrs.evolve(ask, first=second * 1000, until=second * 1000 + 1000, tries=None)
        gap.on_hold = True

        def looked(answer: Page | AioflowsError) -> None:
            gap.on_hold = False
            if gap not in self._gaps:
                return
            try:
                if isinstance(answer, AioflowsError):
                    raise answer
                if answer.ids:
                    self._state.reader.read(near, answer)
                elif not self._state.reader.pinned:
                    raise self._missing_rows.misread(ask, second)
            except AioflowsError as error:
                self._frontier.fail(gap, error)
                return
            if not answer.ids:
                self._take_for_empty(gap, ask, second)
                return
            gap.start.known = gap.end.known = gap.contradicted_at = None
            gap.forget_empty_answers()
            self._gaps.halve(gap)

        self._state.follow_ups.add(near, looked)

    def _may_know_more(self, gap: Gap) -> bool:
        """Return True if a row beside a gap is, or may soon be, known, so that another look can be a proof."""
        known = gap.beside(self._service.reach) is not None
        return known or any(one.asked and not one.empty_answers for one in self._gaps)

    def _request_both_ends(self, gap: Gap, ask: PageRequest) -> None:
        """Request a gap from both ends with small pages, and no other request between the two."""
        window = attrs.evolve(
            ask,
            first=gap.first,
            until=gap.until,
            page_size=min(ask.page_size, SMALL_PAGE),
            tries=None,
            page_no=self._service.first_page or 0,
        )
        for backward in (False, True):
            look = gap.edge(backward).ask = attrs.evolve(window, backward=backward)
            self._state.follow_ups.add(look)
