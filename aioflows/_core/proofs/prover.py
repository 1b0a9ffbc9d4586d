"""The proof of windows by first pages.

A first page proves a window by the lemma of the keyset walk. Nothing else removes time from a gap.
Invariants:

1. The far end of the proven window is at the last row of the page. A short page proves nothing by itself,
   since a service may cap its pages for any reason. If a row is known behind the gap, the page has to reach
   it. Otherwise the rest is read from its other end, down to a known row.
2. The near end is the start of the window, if a row is known there, or if the scan has seen the service look
   as far (`evidence`). Otherwise the stretch before the first row is believed only if it is not wider than
   the distances between the rows of the page. It is then requested again before the scan ends
   (`empty_stretches`). A wider stretch is first requested by narrower windows.

Other modules judge answers that prove less: an answer with no rows (`empty_answers`), a page with rows of one
second only (`single_second`), a page that lacks a known row (`missing_rows`), and a second with more rows
than a page (`dense_second`). See docs/algorithms/keyset.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import attrs

from aioflows._core.dense_second.dense_second import DenseSecond
from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal, unreadable
from aioflows._core.pages.ordered_page import Batch, OrderedPage, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import LARGEST_PAGE, ServiceFacts, larger
from aioflows._core.planning.density import ProvenStretch, learn
from aioflows._core.planning.follow_ups import FollowUps
from aioflows._core.planning.frontier import Frontier, covered
from aioflows._core.planning.gaps import Anchor, Gap
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.proofs.empty_answers import EmptyAnswers
from aioflows._core.proofs.empty_stretches import EmptyStretches
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.proofs.range_limit import cut_to, in_parts
from aioflows._core.proofs.single_second import SingleSecondPages
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.stats import Proof

__all__ = ["Prover"]

_STALLS = 3
"""Answers in a row without a proof, after which a known row beside a gap counts as deleted."""

_TIES_TO_GO_LARGER = 0.25
"""The share of a full page in its last second from which this second is requested with a larger page."""


class Prover:
    """A judge of answers: removes proven windows from the gaps and requests what an answer leaves open.

    Args:
        frontier: the gaps of the scan, and the runs that replace them.
        follow_ups: the queue of follow-up requests.
        reader: the reader of answers.
        service: the facts about the service that the session knows.
        evidence: the evidence that this scan has collected.
        page_size: rows in a page.
        splits: True if a dense second may be read by texts in ids. False if the query searches for a text
            itself.
        filtered: True if the query filters by more than type and time.
        alone: True if no other scan sends requests in turn with this one.
        confirm: True if ends without a known row are requested again.
        growing: True if many rows may appear at once where there were none.
    """

    def __init__(
        self,
        frontier: Frontier,
        follow_ups: FollowUps,
        reader: PageReader,
        service: ServiceFacts,
        evidence: ScanEvidence,
        page_size: int,
        *,
        splits: bool,
        filtered: bool,
        alone: bool,
        confirm: bool,
        growing: bool,
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._follow_ups = follow_ups
        self._reader = reader
        self._service = service
        self._evidence = evidence
        self._wanted_size = page_size
        self._splits = splits
        self._missing_rows = MissingRows(frontier, follow_ups, reader, service, self.answered)
        self._empty_answers = EmptyAnswers(
            frontier,
            follow_ups,
            self._missing_rows,
            reader,
            service,
            evidence,
            filtered=filtered,
            alone=alone,
            growing=growing,
        )
        self._single_second = SingleSecondPages(
            frontier, service, evidence, reader, self._prove_single_second
        )
        self.empty_stretches = EmptyStretches(
            frontier, follow_ups, reader, service, evidence, filtered=filtered, confirm=confirm
        )
        self._confirm = confirm
        self._looks_at_everybody = filtered and confirm
        self._counted_anew = False
        self.duplicates = 0
        """Rows that came again and were dropped."""

    @property
    def _page_size(self) -> int:
        return self._service.usual(self._wanted_size)

    @property
    def doubtful(self) -> bool:
        """True if an answer has lacked a row, or if a second does not fit a page."""
        return self._missing_rows.raised or any(gap.dense for gap in self._gaps)

    def misread(self, ask: PageRequest, second: int) -> CompletenessError:
        """Return the error for a second of scan time whose rows appear at another time."""
        return self._missing_rows.misread(ask, second)

    def unsettled(self) -> bool:
        """Return True if something must be requested again before the scan may end."""
        self.empty_stretches.settle(1 << 30, self._page_size)
        return self.empty_stretches.unsettled or self._empty_answers.unsettled()

    def answered(self, ask: PageRequest, page: Page) -> None:
        """Process the first page of a window."""
        gaps = self._frontier.finish(ask)
        if not gaps:
            self.duplicates += len(page.ids)
            return
        if not page.ids:
            self._learn(ask, ProvenStretch(0, ask.until - ask.first, whole=True))
            self._empty_answers.answered(ask, gaps, page.count or 0)
            return
        try:
            reading = self._reader.read(ask, page)
        except AioflowsError as error:
            self._frontier.fail(gaps[0], error)
            return
        few = len(reading) < self._page_size and len(reading) != self._service.cap
        if few and self._looks_at_everybody:
            self._looks_at_everybody = False
            self.empty_stretches.reach_known()
            if not self._service.looks_as_far_as(ask.until - ask.first):
                self._evidence.rows += len(reading)
                self._look_at_everybody(ask, page, gaps)
                return
        self._evidence.note(ask, reading)
        self._empty_answers.disproved(ask, reading, gaps)
        self._note_number(ask, reading, gaps)
        if not self._confirm and self._service.may_be_last(ask.page_size, len(reading)):
            self._prove(ask, page, reading, whole=True)
        elif self._single_second.may_be_all(ask, reading, gaps[0]):
            self._single_second.look_further(ask, page, reading)
        else:
            self._prove(ask, page, reading, whole=self._asked_enough(ask, reading, gaps[0]))

    def _look_at_everybody(self, ask: PageRequest, page: Page, gaps: Sequence[Gap]) -> None:
        """Find out whether a window with few matches was answered in full, before its page is believed.

        A service that answers about a part of a long range leaves out matches at one end. Without this check
        the scan could hand out the rows behind them before the limit is seen.
        """
        for gap in gaps:
            gap.on_hold = True

        def looked(width: int | None) -> None:
            held = [gap for gap in gaps if gap in self._gaps]
            for gap in held:
                gap.on_hold = False
            if width and width < ask.until - ask.first:
                self.duplicates += len(page.ids)
                for gap in held:
                    in_parts(self._gaps, gap.first, gap.until, self._evidence, self._service, width)
            else:
                self._evidence.rows -= len(page.ids)  # they are noted now
                self.answered(ask, page)

        self._follow_ups.run(cut_to(ask, self._reader), looked)

    def _note_number(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> None:
        """Record that a page is a first page, if it has a row that another window showed at its edge."""
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                same = (anchor.ask.first, anchor.ask.until) == (ask.first, ask.until)
                # If the second holds more rows than a page, a second page may have the row too.
                fits = len(anchor.ids) < anchor.rows
                if fits and not same and not anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self._evidence.numbered = True

    def _prove_single_second(self, ask: PageRequest, page: Page, reading: OrderedPage, whole: bool) -> None:
        if whole:  # a second page would have shown other rows in these looks
            self._evidence.numbered = True
        self._prove(ask, page, reading, whole)

    def _asked_enough(self, ask: PageRequest, reading: OrderedPage, gap: Gap) -> bool:
        """Return True if several requests about one second have returned only a few rows.

        If the window is longer than the second, the gap is first cut at both ends of the second. A service
        that caps its pages below the smallest expected cap would answer in the same way. So pages of this
        scan must have had more rows.
        """
        few = len(reading) < min(ask.page_size, self._service.smallest_cap)
        few = few and len(reading) < self._evidence.most(ask.page_size)
        few = few and self._evidence.light(len(reading), len(reading.page.body))
        if not few or gap.unreached or reading.first != reading.last or gap.stalls <= _STALLS:
            return False
        first, until = reading.first * 1000, reading.first * 1000 + 1000
        if gap.first < first < gap.until:
            gap = self._gaps.split(gap, first)
        if gap.first < until < gap.until:
            self._gaps.split(gap, until)
        return ask.first >= first and ask.until <= until

    def _prove(self, ask: PageRequest, page: Page, reading: OrderedPage, whole: bool) -> None:
        """Remove the window that a page proves from the gaps."""
        first, until = ask.first, ask.until
        # A window may start or end within the second at which its page ends.
        if not whole and ask.backward:
            first = min(until, max(first, (reading.first + 1) * 1000))
        elif not whole:
            until = max(first, min(until, reading.last * 1000))
        doubted = self.empty_stretches.doubted(ask, reading, self._service.full(self._page_size))
        if doubted is not None and ask.backward:
            until = self._part(doubted[0], reading, backward=True)
        elif doubted is not None:
            first = self._part(doubted[1], reading, backward=False)
        gaps = [gap for gap in self._gaps.within(first, until) if gap.error is None] if first < until else []
        if not whole and self._order_unseen(ask, reading, gaps):
            edge = first if ask.backward else until
            for gap in gaps:
                if gap.first < edge < gap.until:
                    self._gaps.split(gap, edge)
            for gap in self._gaps.within(first, until):
                gap.maybe_last = 0
            self._gaps.fences.add(edge)
            self._go_on(ask, reading, edge)
            return
        for gap in gaps:
            for anchor in covered(gap, first, until):
                if anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self._missing_rows.raise_for(anchor, gap, ask, page)
                    return
        kept = 0
        for gap in gaps:
            low, high = max(first, gap.first), min(until, gap.until)
            start, stop = reading.index(low // 1000), reading.index(-(-high // 1000))
            known = (reading.second(start), reading.second(stop - 1)) if start < stop else None
            cuts = reading.cuts(start, stop)
            pieces = [(page, reading.rows(*ends)) for ends in pairwise([start, *cuts, stop])]
            edges = pairwise([low, *(reading.second(cut) * 1000 for cut in cuts), high])
            runs = [
                ProvenRun(*ends, Batch((piece,) if piece[1] else ()))
                for ends, piece in zip(edges, pieces, strict=True)
            ]
            kept += sum(len(run.batch) for run in runs)
            self._frontier.settle(gap, runs, Proof.SHORT_PAGE if whole else Proof.FIRST_PAGE, known)
        self.duplicates += len(reading) - kept
        if doubted is not None:
            self.empty_stretches.narrow(*doubted)
        if not gaps and not ask.backward:
            self._ended_before(ask, reading)
        self._count_stalls(ask, proven=bool(gaps))
        self._learn(ask, ProvenStretch(self._spread(ask, reading, whole), until - first, whole))
        if not whole:
            self._go_on(ask, reading, first if ask.backward else until)

    def _count_stalls(self, ask: PageRequest, *, proven: bool) -> None:
        """Count the answers that prove nothing about a gap.

        After too many, the known rows beside the gap are forgotten, since they may have been deleted.
        """
        for gap in self._gaps.within(ask.first, ask.until):
            gap.stalls = 0 if proven else gap.stalls + 1
            gap.unreached = not proven and (gap.unreached or gap.beyond is not None)
            if not proven:
                gap.looks = gap.empty_size = 0  # the gap is not empty any more
            if gap.stalls > _STALLS:
                gap.witness = gap.beyond = None

    def _ended_before(self, ask: PageRequest, reading: OrderedPage) -> None:
        """Forget the known row before a gap if a page ended there. The next page begins in the gap."""
        for gap in self._gaps.within(ask.first, ask.until)[:1]:
            if gap.witness is not None and reading.last <= gap.witness:
                gap.witness = None

    def _part(self, edge: int, reading: OrderedPage, *, backward: bool) -> int:
        """Cut the gap at the first row of a page, and return the cut.

        The page does not prove the stretch before the cut.
        """
        for gap in self._gaps.within(edge - 1, edge + 1):
            if gap.first < edge < gap.until:
                later = self._gaps.split(gap, edge)
                if backward:
                    later.witness = reading.last
                else:
                    gap.beyond = reading.first
        return edge

    def _spread(self, ask: PageRequest, reading: OrderedPage, whole: bool) -> int:
        """Return the number of rows from which the density of a proven window is estimated."""
        start, end = (reading.last, reading.first) if ask.backward else (reading.first, reading.last)
        proven = len(reading) if whole else len(reading) - len(reading.at(end))
        if ask.page_size > self._page_size:
            # A second that does not fit a usual page says nothing about the seconds around it.
            crowd = len(reading.at(start))
            if self._page_size <= crowd < proven:
                return proven - crowd
        return proven

    def _order_unseen(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> bool:
        """Return True if only an untested order says that no row lies before the only second of a page.

        A service that ignores the sorter would return the same page. Then the stretch before the page is
        requested alone.
        """
        flat = reading.first == reading.last and ask.descending not in self._service.sorts
        return flat and any(not gap.looks for gap in gaps)

    def _learn(self, ask: PageRequest, stretch: ProvenStretch) -> None:
        learn(self._gaps, ask, stretch, self._service.full(self._page_size))

    def _go_on(self, ask: PageRequest, reading: OrderedPage, edge: int) -> None:
        """Record where a page ended: at the second of its last row, which may have more rows."""
        second = reading.first if ask.backward else reading.last
        gap = self._gaps.ending(edge) if ask.backward else self._gaps.starting(edge)
        if gap is None:
            return
        ties = reading.at(second)
        anchor = Anchor(second, frozenset(ties), ask, len(reading))
        stuck = len(ties) == len(reading)
        full = len(reading) in (ask.page_size, self._service.most(ask.page_size))
        if ask.backward:
            gap.right = anchor
            if gap.maybe_last and not (stuck and gap.left is not None and anchor.ids <= gap.left.ids):
                self._was_not_last(gap)
            gap.maybe_last = 0
        else:
            went_on = gap.left is None or gap.left.second < second
            if not went_on and not full and gap.beyond is not None and ask.until > gap.beyond * 1000:
                gap.beyond = None  # the page would have reached this row, so the row has gone
            gap.left = anchor
            gap.maybe_last = self._may_be_last(gap, ask, len(reading), went_on=went_on)
        if ask.page_size < self._page_size:
            return  # the page was small; a usual one is next
        if stuck and not full and gap.stalls <= _STALLS + 1:
            return  # rows have appeared or gone: request the second again first
        if gap.maybe_last or (
            not stuck and len(ties) < _TIES_TO_GO_LARGER * self._service.full(self._page_size)
        ):
            return
        size = self._larger(ask, len(reading), stuck)
        if size and ask.backward:
            gap.backward_size = size
        elif size:
            gap.forward_size = size
            if not self._reader.pinned:
                # A page with the whole second reaches beyond it, so it cannot check the zone.
                self._pin(gap, second)
        elif stuck:
            self._open_dense(gap, anchor, reading.page)

    def _may_be_last(self, gap: Gap, ask: PageRequest, rows: int, *, went_on: bool) -> int:
        """Return the rows of a page from the start of a gap if it may be the last page, otherwise 0."""
        if gap.witness is None or self._no_larger(ask, rows) or (went_on and gap.beyond is not None):
            return 0
        if ask.until < gap.until:
            return 0  # the request was for a part of the gap
        if self._evidence.cut_short and went_on:
            return 0  # short pages were followed by rows before
        return rows if self._service.may_be_last(ask.page_size, rows) else 0

    def _was_not_last(self, gap: Gap) -> None:
        """Record that rows followed a short page."""
        size = gap.left.ask.page_size if gap.left is not None else self._page_size
        if gap.maybe_last < self._evidence.most(size):
            self._evidence.cut_short = True
        self._service.capped(size, gap.maybe_last)

    def _pin(self, gap: Gap, second: int) -> None:
        """Request a second with a known row alone, to check the time zone."""
        assert gap.left is not None
        until = min(gap.until, second * 1000 + 1000)
        alone = attrs.evolve(
            gap.left.ask, first=gap.first, until=until, page_size=self._page_size, tries=None
        )

        def looked(answer: Page | AioflowsError) -> None:
            if isinstance(answer, AioflowsError):
                return  # the larger page may still arrive, and the page after it shows the zone
            if not answer.ids:
                near = self._gaps.within(alone.first, alone.until)
                self._empty_answers.answered(alone, near, answer.count or 0)
                return
            self.duplicates += len(answer.ids)
            try:
                self._reader.read(alone, answer)
            except AioflowsError as error:
                self._frontier.fail(gap, error)

        self._follow_ups.add(alone, looked)

    # Seconds with more rows than a page

    def _larger(self, ask: PageRequest, rows: int, stuck: bool) -> int:
        """Return the size of a larger page that is worth a request. Return 0 if the service returns none."""
        if self._no_larger(ask, rows):
            self._service.larger_pages = False
        if not self._service.larger_pages or (stuck and ask.page_size >= LARGEST_PAGE):
            return 0
        return larger(ask.page_size if stuck else self._page_size)

    def _no_larger(self, ask: PageRequest, rows: int) -> bool:
        """Return True if a page larger than usual had only as many rows as a usual page."""
        usual = self._page_size
        return ask.page_size > usual and rows == (self._evidence.most(usual) or self._service.most(usual))

    def _open_dense(self, gap: Gap, anchor: Anchor, page: Page) -> None:
        second = anchor.second
        low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
        if gap.first < low:
            gap = self._gaps.split(gap, low)
        if high < gap.until:
            self._gaps.split(gap, high)
        size = LARGEST_PAGE if self._service.larger_pages else self._page_size
        ways = self._frontier.instants(gap, anchor.ask.axis, self._service.reach)
        gap.dense = DenseSecond(
            ways,
            size,
            self._service,
            self._evidence,
            (self._frontier.spans[0][0], self._frontier.spans[-1][1]),
            self._reader,
            page,
            backward=anchor.ask.backward,
            splits=self._splits,
        )

    def counted(self, gap: Gap, ask: PageRequest, answer: Page | AioflowsError) -> None:
        """Process an answer about a dense second."""
        dense = gap.dense
        if not isinstance(dense, DenseSecond) or gap not in self._gaps:
            return
        try:
            if isinstance(answer, AioflowsError):
                if refusal(answer) and self._begin_smaller(gap, ask):
                    return
                if unreadable(answer) and self._service.unread_size(ask.page_size):
                    gap.dense = None
                    return
                if not (refusal(answer) and dense.refused(ask)):
                    raise dense.too_deep(ask, answer) from answer
            else:
                dense.received(ask, answer)
        except AioflowsError as error:
            if not (isinstance(error, CompletenessError) and self._count_anew(gap)):
                self._frontier.fail(gap, error)
            return
        if dense.done:
            second = gap.first // 1000
            proof = Proof.COUNTED if dense.counted else Proof.MILLISECONDS
            self._frontier.settle(
                gap, [ProvenRun(gap.first, gap.until, dense.batch())], proof, (second, second)
            )
            if dense.overrun is not None:
                self._go_on_from(*dense.overrun)

    def _count_anew(self, gap: Gap) -> bool:
        """Restart a dense second if pages may count from another number than in earlier scans.

        Return True if the second is restarted. This happens once in a scan.
        """
        service = self._service
        base = gap.dense.base if isinstance(gap.dense, DenseSecond) else None
        if self._counted_anew or service.told or base in (None, service.first_page):
            return False
        self._counted_anew = True
        if service.base == base:
            service.base = None
        gap.dense = None
        return True

    def _begin_smaller(self, gap: Gap, ask: PageRequest) -> bool:
        """Restart a dense second with smaller pages, if the service may have refused the page size.

        Return True if the second is restarted.
        """
        if self._evidence.answered(ask.page_size) or not self._service.refuse_size(ask.page_size):
            return False
        gap.dense = None
        return True

    def _go_on_from(self, instant: Instant, page: Page) -> None:
        """Process a page that reached beyond a dense second. It is the first page of the window behind."""
        first, until = (instant.reach, instant.first) if instant.backward else (instant.until, instant.reach)
        ask = PageRequest(
            first,
            until,
            instant.axis,
            page_size=self._page_size,
            backward=instant.backward,
            page_no=self._service.first_page or 0,
        )
        reading = self._reader.read(attrs.evolve(instant.ask(0, 1), page_size=self._page_size), page)
        self._prove(ask, page, reading, whole=False)
        self.duplicates -= len(reading.at((instant.until - 1) // 1000))
