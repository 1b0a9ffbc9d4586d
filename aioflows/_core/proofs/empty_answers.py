"""Windows that were answered with no rows.

A broken service returns empty answers as easily as correct ones, so one empty answer is not trusted.
Invariants:

1. If a row is known beside the window, the window is requested together with this row. The row proves the
   answer.
2. While such a row may soon be known, nothing is decided.
3. If no row is known, as in a scan without any row, the window is requested again: from its other end, and
   with a small page, since a service may answer a page that is too large with no rows. Another look follows
   if requests about other windows come between.
4. If the whole scan has had no row, the window is requested in other ways. One look uses the other number of
   the first page, if the number is known from other scans only. Other looks use narrower windows inside it
   (`range_limit`), since a service may answer a range that is too long with no rows. If this is seen, the
   range is read in parts.
5. An empty answer whose count is not 0 is never believed. Only rows can show what the window holds.
6. After a false empty answer, many more looks are needed. Windows that were believed to be empty before are
   requested again before the scan ends.

See docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import NOTHING, Batch, OrderedPage, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import SMALL_PAGE, ServiceFacts
from aioflows._core.planning.follow_ups import FollowUps
from aioflows._core.planning.frontier import Frontier, covered
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.proofs.range_limit import LEAST, answered_width, cut_to, in_parts, looks_into
from aioflows._core.wire.envelope import Unlisted
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.stats import Proof

__all__ = ["EmptyAnswers"]

_LOOKS = 3
"""Empty answers after which a window is believed to be empty, if no known row should have come along.

The last two are requested at once, with no other request between. If every n-th answer of a service is wrong,
for any n above 1, one of these two is right.
"""

_LOOKS_AT_ALL = 2
"""The same, if the window is all that remains to be requested.

No requests about other windows come between. The look inside the window, which follows, is the third one.
"""

_INSIDES = 3
"""Empty windows, in a scan without any row, that are requested in other ways.

The result of such a look holds for all windows.
"""

_LOOKS_AGAINST_A_ROW = 6
"""The same as `_LOOKS`, if a known row should have come along.

The row may have gone, but more likely the answers are wrong.
"""

_MOST_LOOKS = 4
"""The wait for a known row beside a window ends after the needed empty answers times this number.

Such a row may never come within reach.
"""

_LOOKS_AT_A_LIAR = 24
"""The same as `_LOOKS`, after the service has returned a false empty answer."""

_OFF_BY = 1
"""The count (rows) that an answer without rows may state and still be believed. Some services count one too many, and a
row that the user may not see is no row of the result."""

_NEARLY = 0.95
"""A window counts as answered before if one of at least this share of its width was answered with rows."""

_ROWS_OF_A_LIE = 3
"""Rows in a window from which an earlier empty answer about it counts as false.

Fewer rows may have appeared since.
"""


class EmptyAnswers:
    """A judge of empty answers: decides whether a window is empty, and which look comes next.

    Args:
        frontier: the gaps of the scan, and the runs that replace them.
        follow_ups: the queue of follow-up requests.
        missing_rows: the search for missing rows.
        reader: the reader of answers.
        service: the facts about the service that the session knows.
        evidence: the evidence that this scan has collected.
        filtered: True if the query filters by more than type and time.
        alone: True if no other scan sends requests in turn with this one.
        growing: True if many rows may appear at once. Then new rows do not show that an empty answer was
            false.
    """

    def __init__(
        self,
        frontier: Frontier,
        follow_ups: FollowUps,
        missing_rows: MissingRows,
        reader: PageReader,
        service: ServiceFacts,
        evidence: ScanEvidence,
        *,
        filtered: bool,
        alone: bool,
        growing: bool,
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._follow_ups = follow_ups
        self._missing_rows = missing_rows
        self._service = service
        self._evidence = evidence
        self._filtered = filtered
        self._reader = reader
        self._alone = alone
        self._growing = growing
        self._believed: list[tuple[PageRequest, int]] = []
        """Requests whose window is believed to be empty, and the number of looks at each."""
        self._unsettled = 0
        self._insides = _INSIDES
        self._known = service.first_page is not None

    def answered(self, ask: PageRequest, gaps: Sequence[Gap], missing: int = 0) -> None:
        """Process an empty answer.

        One answer is not believed, and a known row is hardly ever given up for an empty answer.

        Args:
            ask: the request that was answered.
            gaps: the gaps in its window.
            missing: the row count that the answer stated.
        """
        gaps = [gap for gap in gaps if gap.error is None]
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                self._missing_rows.raise_for(anchor, gap, ask, NOTHING)
                return
        by_another_number = self._service.first_page not in (None, ask.page_no)
        for gap in gaps:
            if not (ask.first <= gap.first and gap.until <= ask.until):
                continue
            if by_another_number:  # sent before the number of the first page was corrected
                gap.forget_empty_answers()
                continue
            if gap.isolated and self._too_wide(gap):
                self._read_in_parts(gap, self._service.silent_beyond)
                continue
            gap.empty_answers += 1
            gap.empty_size = max(gap.empty_size, ask.page_size)
            gap.missing = missing
            witness = (
                gap.start.known if ask.first < gap.first else gap.end.known if gap.until < ask.until else None
            )
            gap.contradicted_at = gap.contradicted_at if witness is None else witness
            needed = self._looks_needed(witness)
            if witness is None and gap.empty_answers < _MOST_LOOKS * needed and self._may_know_more(gap):
                continue
            if gap.empty_answers < needed:
                known = self._service.first_page is not None
                if witness is None and known and gap.empty_answers == 1 and needed > 2:
                    self._look_twice_at_once(gap, ask)
            elif witness is None and not self._evidence.rows and not gap.looked_inside and self._insides:
                self._look_inside(gap, ask)
            elif witness is None and self._evidence.cuts and gap.until - gap.first > self._evidence.seen:
                gap.forget_empty_answers()
                in_parts(self._gaps, gap.first, gap.until, self._evidence, self._service)
            elif witness is None:
                self._believe(gap, ask, witness)
            else:
                self._look_at_the_row(gap, ask, witness)

    def _believe(self, gap: Gap, ask: PageRequest, witness: int | None) -> None:
        if gap.missing > _OFF_BY:
            problem = (
                f"the window {ask.from_ms}–{ask.to_ms} ms was answered with no rows, {gap.empty_answers} times, while its count says "
                f"that there are {gap.missing:,}: ask for shorter ranges, or for what the user may see"
            )
            self._frontier.fail(gap, Unlisted(problem, "$.data"))
            return
        if witness is None:
            self._believed.append((ask, gap.empty_answers))
        self._frontier.settle(gap, [ProvenRun(gap.first, gap.until, Batch())], Proof.EMPTY)

    def _look_at_the_row(self, gap: Gap, ask: PageRequest, second: int) -> None:
        """Request the known row beside a window alone, before the row is believed to have gone.

        If the row is there, the empty answer was false, perhaps because the window is too wide. Then its
        halves are requested alone.
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
                    self._reader.read(near, answer)
                elif not self._reader.pinned:
                    raise self._missing_rows.misread(ask, second)
            except AioflowsError as error:
                self._frontier.fail(gap, error)
                return
            if not answer.ids:
                self._believe(gap, ask, second)
                return
            gap.start.known = gap.end.known = gap.contradicted_at = None
            gap.forget_empty_answers()
            self._gaps.halve(gap)

        self._follow_ups.add(near, looked)

    def _too_wide(self, gap: Gap) -> bool:
        """Return True if a window of this width was answered with no rows although it had some."""
        return gap.until - gap.first > self._service.silent_beyond

    def _read_in_parts(self, gap: Gap, width: int) -> None:
        """Cut a gap into windows of *width* milliseconds, since a wider one was answered with no rows."""
        if width >= gap.until - gap.first:  # the whole window was answered with rows after all
            self._service.false_empty_seen = self._service.false_empty_seen or not self._growing
            gap.forget_empty_answers()
            return
        self._service.silent_beyond = width
        gap.forget_empty_answers()
        in_parts(self._gaps, gap.first, gap.until, self._evidence, self._service, width)

    def _look_inside(self, gap: Gap, ask: PageRequest) -> None:
        """Request a window in other ways, before a scan ends without any row.

        1. The rows without the query's filters show whether the service answers about the whole window.
        2. If the number of the first page is known from other scans, the other number is requested. A service
           that now counts from there answers the known number with no rows, or with the second page.
        3. Narrower windows inside are requested, unless the service has answered a window of nearly this
           width with rows.
        """
        gap.looked_inside = True
        self._insides -= 1
        gap.on_hold = True
        whole = attrs.evolve(ask, first=gap.first, until=gap.until, backward=False)
        if self._filtered and not self._service.looks_as_far_as(ask.until - ask.first):
            self._follow_ups.run(
                cut_to(whole, self._reader), lambda width: self._looked_bare(gap, whole, width)
            )
        else:
            self._look_at_another_page(gap, whole)

    def _looked_bare(self, gap: Gap, whole: PageRequest, width: int | None) -> None:
        """Read a window in parts of *width* milliseconds, if the service answers about so much of it only.

        A *width* of None means that no limit was seen. 0 means that there is no row without the filters
        either.
        """
        if not width:
            self._look_at_another_page(gap, whole, nobody=width == 0)
            return
        gap.on_hold = False
        if gap in self._gaps:
            self._read_in_parts(gap, width)

    def _look_at_another_page(self, gap: Gap, whole: PageRequest, *, nobody: bool = False) -> None:
        """Request the other number of the first page, if its number is known from other scans. Then look
        inside.

        Args:
            gap: the window.
            whole: the request for the window.
            nobody: True if narrower windows without the filters had no rows either.
        """
        known = self._service.first_page
        if known is None:
            # Page 1 has a row if pages count from 1, or if the window has two or more rows.
            self._look_narrower(gap, whole, () if nobody else (0,) if self._filtered else (1, 1))
            return
        other = attrs.evolve(
            whole,
            page_size=1,
            page_no=1 - known,
            tries=1,  # a page number that does not exist may be answered with an error each time
        )

        def looked(answer: Page | AioflowsError) -> None:
            if gap not in self._gaps:
                gap.on_hold = False
            elif isinstance(answer, AioflowsError) or not answer.ids:
                width = gap.until - gap.first
                wide = width > LEAST and not self._filtered and self._service.widest < _NEARLY * width
                self._look_narrower(gap, whole, (known,) if wide else ())
            else:
                gap.on_hold = False
                self._service.first_page = self._service.base = None  # the first page has the other number
                gap.forget_empty_answers()

        self._follow_ups.add(other, looked)

    def _look_narrower(self, gap: Gap, whole: PageRequest, numbers: Sequence[int]) -> None:
        """Request narrower windows, one for each page number in *numbers*.

        If these are empty too, the whole window is believed to be empty.
        """

        def looked(width: int | None) -> None:
            gap.on_hold = False
            if gap not in self._gaps:
                return
            if width is not None:
                self._read_in_parts(gap, width)
            elif self._known and self._service.first_page != whole.page_no:
                # Another scan has corrected the number of the first page, or is about to.
                gap.forget_empty_answers()
            else:
                self._believe(gap, whole, None)

        self._follow_ups.run(answered_width(whole, self._reader, looks_into(whole, numbers)), looked)

    def disproved(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> None:
        """Record that the service returned a false empty answer, if a page of the same size shows rows there.

        A larger page may have been answered with no rows because of its size. `MissingRows` finds that out.
        """
        for gap in gaps:
            if gap.empty_answers and ask.page_size >= gap.empty_size and self._shows(reading, gap):
                self._service.false_empty_seen = True
            if ask.page_size < gap.empty_size and reading.index(gap.first // 1000) < reading.index(
                -(-gap.until // 1000)
            ):
                gap.forget_empty_answers()  # the empty answer was to a larger page than this one

    def unsettled(self) -> bool:
        """Return True if something must be requested again before the scan may end.

        A window may have been believed to be empty before the first false empty answer was seen.
        """
        while self._service.false_empty_seen and self._believed:
            ask, looks = self._believed.pop()
            if looks < _LOOKS_AT_A_LIAR:
                self._unsettled += 1
                self._look_at_the_end(ask, looks)
        return self._unsettled > 0

    def _look_at_the_end(self, ask: PageRequest, looks: int, shown: int = 0) -> None:
        again = attrs.evolve(
            ask, tries=None, backward=not ask.backward, page_no=self._service.first_page or 0
        )

        def looked(answer: Page | AioflowsError) -> None:
            if isinstance(answer, AioflowsError):
                self._frontier.error = answer
            elif answer.ids:
                # The rows were there before, or have appeared since. A service with false empty answers
                # returns another one if it is asked as often.
                if shown + 1 < _LOOKS_AT_A_LIAR:
                    self._look_at_the_end(again, looks, shown + 1)
                    return
            elif shown:
                self._frontier.error = CompletenessError(
                    f"the window {ask.from_ms}–{ask.to_ms} ms was answered with nothing, {looks} times, then with rows, "
                    "and with nothing again: the empty answers of this service cannot be relied on"
                )
            elif looks + 1 < _LOOKS_AT_A_LIAR:
                self._look_at_the_end(again, looks + 1)
                return
            self._unsettled -= 1

        self._follow_ups.add(again, looked)

    def _may_know_more(self, gap: Gap) -> bool:
        """Return True if a row beside a gap is known, or may soon be known.

        Another look can then be a proof.
        """
        known = gap.beside(self._service.reach) is not None
        return known or any(one.asked and not one.empty_answers for one in self._gaps)

    def _look_twice_at_once(self, gap: Gap, ask: PageRequest) -> None:
        """Request a gap from both ends with a small page, with no other request between."""
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
            self._follow_ups.add(look)

    def _shows(self, reading: OrderedPage, gap: Gap) -> bool:
        """Return True if a page shows that an empty answer about a gap was false.

        The page has a row that the answer left out, or more rows than may have appeared since.
        """
        if gap.contradicted_at is not None and reading.index(gap.contradicted_at + 1) > reading.index(
            gap.contradicted_at
        ):
            return True
        rows = reading.index(-(-gap.until // 1000)) - reading.index(gap.first // 1000)
        return rows >= _ROWS_OF_A_LIE and not self._growing

    def _looks_needed(self, witness: int | None) -> int:
        """Return the number of empty answers after which a window is believed to be empty.

        Args:
            witness: the second of a known row beside the window. None means no row.
        """
        looks = _LOOKS if witness is None else _LOOKS_AGAINST_A_ROW
        if witness is None and self._alone and len(self._gaps) == 1 and not self._frontier.proofs:
            looks = _LOOKS_AT_ALL
        return max(looks, _LOOKS_AT_A_LIAR) if self._service.false_empty_seen else looks
