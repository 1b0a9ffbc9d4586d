"""The proof of windows by first pages.

A first page proves a window by the lemma of the keyset walk. Nothing else removes time from a gap.
Invariants:

1. The far end of the proven window is at the last row of the page. A service may cap its pages for any reason,
   so a short page proves no more. If a row is known behind the gap, a page has to reach this row. Otherwise the
   rest is read from its other end, down to a known row.
2. The near end is the start of the window, if a row is known there, or if the scan has seen the service look
   as far (`evidence`). Otherwise the stretch before the first row is believed only if it is not wide compared
   with the distances of the rows. Such a stretch is requested again before the scan ends (`empty_stretches`). A
   wider stretch is first requested by narrower windows.

Other modules judge answers that prove less: an answer with no rows (`empty_answers`), a page with rows of one
second only (`short_page`), a page that lacks a known row (`missing_rows`), the second in which a page ended
(`page_end`), and a second with more rows than a page (`dense_seconds`). See docs/algorithms/keyset.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import attrs

from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page import Batch, Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.density import ProvenStretch, learn
from aioflows._core.planning.frontier import covered
from aioflows._core.planning.gaps import Anchor, Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.proofs.empty_recheck import EmptyRecheck
from aioflows._core.proofs.empty_stretches import EmptyStretches
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.proofs.page_end import STALLS, PageEnds
from aioflows._core.proofs.range_limit import cut_to
from aioflows._core.proofs.short_page import ShortPageCheck
from aioflows.errors import AioflowsError
from aioflows.stats import Proof

__all__ = ["Prover"]


class Prover:
    """A judge of answers: removes proven windows from the gaps and requests what an answer leaves open.

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
        self.missing_rows = MissingRows(state, self.answered)
        self.empty_recheck = EmptyRecheck(state)
        self.empty_stretches = EmptyStretches(state)
        self._empty = empty
        self._page_ends = PageEnds(state, empty, open_dense)
        self._short_page = ShortPageCheck(state, self._prove_short_page)
        self._filtered = state.options.filtered and state.options.confirm
        self._order_unseen_in: list[tuple[int, int]] = []
        """The stretches that only an untested order of rows showed to be empty (milliseconds of scan time)."""

    @property
    def inconsistent(self) -> bool:
        """True if an answer has lacked a row, or if a second does not fit a page."""
        return self.missing_rows.any_missing or any(gap.dense for gap in self._gaps)

    def unsettled(self) -> bool:
        """Return True if a window must be requested again before the scan may end."""
        self.empty_stretches.settle(1 << 30)
        return self.empty_stretches.unsettled or self.empty_recheck.unsettled()

    def answered(self, ask: PageRequest, page: Page) -> None:
        """Process the first page of a window."""
        gaps = self._frontier.finish(ask)
        if not gaps:
            self._frontier.duplicates += len(page.ids)
            return
        if not page.ids:
            self._learn(ask, ProvenStretch(0, ask.until - ask.first, whole=True))
            self._empty(ask, gaps, page.count or 0)
            return
        try:
            reading = self._state.reader.read(ask, page)
        except AioflowsError as error:
            self._frontier.fail(gaps[0], error)
            return
        few = len(reading) < self._state.page_size and len(reading) != self._service.cap
        if few and self._filtered:
            self._filtered = False
            self.empty_stretches.reach_known()
            if not self._service.looks_as_far_as(ask.until - ask.first):
                self._evidence.rows += len(reading)
                self._request_without_filters(ask, page, gaps)
                return
        self._evidence.note(ask, reading)
        if any(first <= ask.first and ask.until <= until for first, until in self._order_unseen_in):
            self.empty_stretches.note_cut()  # the answer for a wider window left these rows out
        self.empty_recheck.note_rows(ask, reading, gaps)
        self._note_number(ask, reading, gaps)
        if not self._state.options.confirm and self._service.may_be_last(ask.page_size, len(reading)):
            self._prove(ask, page, reading, whole=True)
        elif self._short_page.may_be_all(ask, reading, gaps[0]):
            self._short_page.look_further(ask, page, reading)
        else:
            self._prove(ask, page, reading, whole=self._asked_enough(ask, reading, gaps[0]))

    def _request_without_filters(self, ask: PageRequest, page: Page, gaps: Sequence[Gap]) -> None:
        """Find out whether a window with few matches was answered in full, before its page is believed.

        A service that answers about a part of a long range leaves out matches at one end. Without this check,
        the scan could hand out later rows before the limit is seen.
        """
        for gap in gaps:
            gap.on_hold = True

        def answered(width: int | None) -> None:
            held = [gap for gap in gaps if gap in self._gaps]
            for gap in held:
                gap.on_hold = False
            if width and width < ask.until - ask.first:
                self._frontier.duplicates += len(page.ids)
                for gap in held:
                    self._state.read_in_parts(gap.first, gap.until, width)
            else:
                self._evidence.rows -= len(page.ids)  # `answered` counts these rows again
                self.answered(ask, page)

        self._state.follow_ups.run(cut_to(ask, self._state.reader), answered)

    def _note_number(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> None:
        """Record that a page is a first page, if it has a row that another window showed at its edge."""
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                same = (anchor.ask.first, anchor.ask.until) == (ask.first, ask.until)
                # In a second with more rows than a page, a second page may have the row too.
                fits = len(anchor.ids) < anchor.rows
                if fits and not same and not anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self._evidence.numbered = True

    def _prove_short_page(self, ask: PageRequest, page: Page, reading: OrderedPage, whole: bool) -> None:
        if whole:  # if this were a second page, the looks of `short_page` would have shown other rows
            self._evidence.numbered = True
        self._prove(ask, page, reading, whole)

    def _asked_enough(self, ask: PageRequest, reading: OrderedPage, gap: Gap) -> bool:
        """Return True if several requests about one second have returned only a few rows.

        If the window is longer than the second, the gap is first cut at both ends of the second. A service with
        a very small page cap would answer in the same way. So pages of this scan must have had more rows.
        """
        few = len(reading) < min(ask.page_size, self._service.smallest_cap)
        few = few and len(reading) < self._evidence.most(ask.page_size)
        few = few and self._evidence.light(len(reading), reading.page.size)
        if not few or gap.unreached or reading.first != reading.last or gap.stalls <= STALLS:
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
        # The second at which the page ends may reach beyond the window.
        if not whole and ask.backward:
            first = min(until, max(first, (reading.first + 1) * 1000))
        elif not whole:
            until = max(first, min(until, reading.last * 1000))
        unproven = self.empty_stretches.unproven(ask, reading)
        if unproven is not None and ask.backward:
            until = self._part(unproven[0], reading, backward=True)
        elif unproven is not None:
            first = self._part(unproven[1], reading, backward=False)
        gaps = [gap for gap in self._gaps.within(first, until) if gap.error is None] if first < until else []
        if not whole and self._order_unseen(ask, reading, gaps):
            edge = first if ask.backward else until
            for gap in gaps:
                if gap.first < edge < gap.until:
                    self._gaps.split(gap, edge)
            for gap in self._gaps.within(first, until):
                gap.maybe_last = 0
            self._gaps.fences.add(edge)
            self._order_unseen_in.append((first, until))
            self.empty_stretches.drop(ask)  # the stretch stays a gap, and is requested alone
            self._page_ends.note(ask, reading, edge)
            return
        for gap in gaps:
            for anchor in covered(gap, first, until):
                if anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self.missing_rows.search_for(anchor, gap, ask, page)
                    return
        proof = Proof.SHORT_PAGE if whole else Proof.FIRST_PAGE
        kept = sum(
            self._settle(gap, reading, max(first, gap.first), min(until, gap.until), proof) for gap in gaps
        )
        self._frontier.duplicates += len(reading) - kept
        if unproven is not None:
            self.empty_stretches.narrow(*unproven)
        if not gaps and not ask.backward:
            self._ended_before(ask, reading)
        self._count_stalls(ask, proven=bool(gaps))
        self._learn(ask, ProvenStretch(self._spread(ask, reading, whole), until - first, whole))
        if not whole:
            self._page_ends.note(ask, reading, first if ask.backward else until)

    def _settle(self, gap: Gap, reading: OrderedPage, first: int, until: int, proof: Proof) -> int:
        """Remove a window from a gap, and return the number of rows that a page has there."""
        start, stop = reading.index(first // 1000), reading.index(-(-until // 1000))
        known = (reading.second(start), reading.second(stop - 1)) if start < stop else None
        cuts = reading.cuts(start, stop)
        pieces = [(reading.page, reading.rows(*ends)) for ends in pairwise([start, *cuts, stop])]
        edges = pairwise([first, *(reading.second(cut) * 1000 for cut in cuts), until])
        runs = [
            ProvenRun(*ends, Batch((piece,) if piece[1] else ()))
            for ends, piece in zip(edges, pieces, strict=True)
        ]
        self._frontier.settle(gap, runs, proof, known)
        return sum(len(run.batch) for run in runs)

    def _count_stalls(self, ask: PageRequest, *, proven: bool) -> None:
        """Count the answers in a row that prove nothing about a gap.

        After too many, the known rows beside the gap are forgotten, since they may have been deleted.
        """
        for gap in self._gaps.within(ask.first, ask.until):
            gap.stalls = 0 if proven else gap.stalls + 1
            gap.unreached = not proven and (gap.unreached or gap.end.known is not None)
            if not proven:
                gap.forget_empty_answers()  # an answer with rows
            if gap.stalls > STALLS:
                gap.start.known = gap.end.known = None

    def _ended_before(self, ask: PageRequest, reading: OrderedPage) -> None:
        """Forget the known row before a gap if a page ended at this row, so that the next page begins in the gap."""
        for gap in self._gaps.within(ask.first, ask.until)[:1]:
            if gap.start.known is not None and reading.last <= gap.start.known:
                gap.start.known = None

    def _part(self, edge: int, reading: OrderedPage, *, backward: bool) -> int:
        """Cut the gap at the first row of a page, since the stretch before is not proven. Return the cut."""
        for gap in self._gaps.within(edge - 1, edge + 1):
            if gap.first < edge < gap.until:
                later = self._gaps.split(gap, edge)
                if backward:
                    later.start.known = reading.last
                else:
                    gap.end.known = reading.first
        return edge

    def _spread(self, ask: PageRequest, reading: OrderedPage, whole: bool) -> int:
        """Return the number of rows from which the density of a proven window is estimated."""
        start, end = (reading.last, reading.first) if ask.backward else (reading.first, reading.last)
        proven = len(reading) if whole else len(reading) - len(reading.at(end))
        usual = self._state.page_size
        if ask.page_size > usual:
            # A dense second at the start of the page says nothing about the seconds that follow.
            crowd = len(reading.at(start))
            if usual <= crowd < proven:
                return proven - crowd
        return proven

    def _order_unseen(self, ask: PageRequest, reading: OrderedPage, gaps: Sequence[Gap]) -> bool:
        """Return True if only an untested order shows that no row lies before the only second of a page.

        A service that ignores the sorter would return the same page. So the stretch is requested alone.
        """
        flat = reading.first == reading.last and ask.descending not in self._service.sorts
        return flat and any(not gap.empty_answers for gap in gaps)

    def _learn(self, ask: PageRequest, stretch: ProvenStretch) -> None:
        learn(self._gaps, ask, stretch, self._state.full_page)

    def answered_beyond(self, instant: Instant, page: Page) -> None:
        """Process a page that reached beyond a dense second, as the first page of the window behind."""
        first, until = (instant.reach, instant.first) if instant.backward else (instant.until, instant.reach)
        ask = PageRequest(
            first,
            until,
            instant.axis,
            page_size=self._state.page_size,
            backward=instant.backward,
            page_no=self._service.first_page or 0,
        )
        reading = self._state.reader.read(attrs.evolve(instant.ask(0, 1), page_size=ask.page_size), page)
        self._prove(ask, page, reading, whole=False)
        self._frontier.duplicates -= len(reading.at((instant.until - 1) // 1000))
