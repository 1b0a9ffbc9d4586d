"""The keyset scan of one schedule type: a pure machine that names requests, takes answers and releases rows.

A row is released once no row that was not read yet can precede it. The machine makes no call and reads no
clock. So any order of answers gives the same rows in the same order.

1. ``wanted(slots)`` returns the requests to start. Each of them is answered once, by ``received(ask, page)``
   or by ``failed(ask, error)``.
2. ``next_item()`` returns the next run of rows, ``NEED_PAGES`` if more answers are needed, or ``DONE`` at the
   end.
3. ``next_item()`` raises the scan's error after everything before the error in the order was released.

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Literal

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import FirstPageSearch, Outcome, Step, no_such_page, refusal, unreadable
from aioflows._core.pages.first_page_check import FirstPageCheck
from aioflows._core.pages.ordered_page import Direction, Nothing, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.follow_ups import FollowUps
from aioflows._core.planning.frontier import Frontier, covered
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.planning.schedule import Move, moves
from aioflows._core.planning.window_size import ask_for
from aioflows._core.proofs.prover import Prover
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.signals import DONE, NEED_PAGES, Signal
from aioflows._core.scans.zone_shown import ZoneShown
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, ServerFault, TimedOut
from aioflows.stats import CountedWindow, Proof

__all__ = ["KeysetScan"]


_LOOK_AHEAD = (1, 4)
"""The most requests under way before the consumer has asked for a second and a third batch. After that, all
slots are used.

So a consumer that stops within the first batch has cost one more request than that batch. An unordered scan
uses all slots once the consumer has asked for a second batch.
"""

_TRIES_OF_PAGE_0 = 4
"""The attempts at page 0 after page 1 had rows, so that one failure does not make page 1 the first page."""

_TRIES_OF_PAGE_1 = 2
"""The attempts at page 1 before a smaller page is tried.

If all of them fail, the first request gets its full retries.
"""

_MAY_BE_TOO_MUCH = (ServerFault, TimedOut)
"""Errors that may not occur for a narrower window."""

_RANGE = re.compile(
    r"(?i)range|window|span|interval|period|days?\b|too (long|wide|large)|exceed|HTTP 4(00|13)|code 4(00|13)|范围|超"
)
"""Words of a refusal that may be about the width of a window."""

_WEIGHT, _ROUNDS = 15_000_000, 2.5
"""The bytes of answers that may wait, and the rounds of requests that may wait if they hold more bytes.

Rows may be wide. Many small pages are not faster if they are requested long before their turn.
"""

_HALVINGS_AT_FIRST = 7
"""How often a window is halved before anything was answered, if the error does not speak of ranges.

Another cause of the error is more likely then.
"""

_HALVINGS = 16
"""How often a window is halved because the service fails on it. Then the request gets its full retries."""


class KeysetScan:
    """The keyset scan of one schedule type.

    Args:
        windows: the windows to read, half-open and disjoint (ms of real time).
        service: the facts that the session knows about the service. All scans of a session share them.
        descending: True if the latest rows come first. Default: False.
        ordered: True if rows are released in order, False if they are released as their pages come. Default:
            True.
        page_size: rows per request. Default: 500.
        concurrency: requests that may be under way. Default: 16.
        buffer: rows to read ahead of the consumer, fewer if the rows are large. Requests under way may add as
            many again. Default: 20,000.
        limit: rows that the consumer takes in all. Default: None, which means every row.
        splits: True if rows may be told apart by a text in their ids. False if the query itself asks for a
            text. Default: True.
        filtered: True if the query leaves out rows by more than their type and time. Default: False.
        alone: True if no other scan sends requests in turn with this one. Default: True.
        confirm: True if ends that no row has shown are asked about once more. Default: True.
        growing: True if many rows may still appear at once in empty ranges. Default: False.
    """

    def __init__(
        self,
        windows: Sequence[tuple[int, int]],
        *,
        service: ServiceFacts,
        descending: bool = False,
        ordered: bool = True,
        page_size: int = 500,
        concurrency: int = 16,
        buffer: int = 20_000,
        limit: int | None = None,
        splits: bool = True,
        filtered: bool = False,
        alone: bool = True,
        confirm: bool = True,
        growing: bool = False,
    ) -> None:
        self.axis = Direction(descending)
        self.spans = sorted(self.axis.window(first, until) for first, until in windows if first < until)
        """The windows to read (ms of scan time)."""
        self._ordered = ordered
        self._wanted_size = page_size
        self._concurrency = concurrency
        self._buffer = buffer
        self._limit = math.inf if limit is None else limit
        self._service = service
        self._sizes_tried = self._renumbered = False
        self._reader = PageReader(service)
        self._make_prover = partial(
            Prover,
            page_size=page_size,
            splits=splits,
            filtered=filtered,
            alone=alone,
            confirm=confirm,
            growing=growing,
        )
        self._begin()
        self._under_way: set[PageRequest] = set()
        self._trails: dict[PageRequest, FirstPageSearch] = {}
        self._came_back = 0  # how often the consumer asked for more after a batch
        self._given = False
        self.rows_received = self._bytes = 0
        self.rows_released = 0

    def _begin(self) -> None:
        """Begin with nothing read, and with the first page's number that is known now."""
        self.evidence = ScanEvidence(self._service)
        self._first_page = FirstPageCheck(self._service, self.evidence)
        self._follow_ups = FollowUps()
        self._frontier = Frontier(self.spans, self._ordered, self._follow_ups)
        self._gaps = self._frontier.gaps
        self._release = self._frontier.release
        self._prover = self._make_prover(
            self._frontier, self._follow_ups, self._reader, self._service, self.evidence
        )
        self._zone_shown = ZoneShown(self._follow_ups, self._reader, self._service, self._prover.misread)

    def __repr__(self) -> str:
        return (
            f"<KeysetScan {self.progress:.0%} done, {len(self._gaps)} gaps, {len(self._under_way)} asks under way, "
            f"{self._release.rows} rows held, {self.rows_released} rows released>"
        )

    @property
    def _page_size(self) -> int:
        return self._service.usual(self._wanted_size)

    @property
    def _stuck(self) -> bool:
        """True if a full page has come and nothing is proven yet: the scan begins with a dense second."""
        return self.rows_received >= self._page_size and not self._frontier.proofs

    @property
    def progress(self) -> float:
        """The share of the time range that was released, from 0 to 1."""
        return self._release.progress

    @property
    def position(self) -> int:
        """The time up to which everything was released, if rows are released in order (ms of scan time)."""
        return self._release.position

    @property
    def held(self) -> int:
        """Rows that were read and not yet released."""
        return self._release.rows

    def account(self) -> ScanAccount:
        """Return the figures so far."""
        return ScanAccount(
            self.rows_received,
            self._prover.duplicates + self._prover.empty_stretches.duplicates + self._zone_shown.duplicates,
            self._frontier.proofs,
            tuple(CountedWindow(*self.axis.window(a, b), rows) for a, b, rows in self._frontier.counted),
            expected=sum(gap.expected for gap in self._gaps),
        )

    def drain_events(self) -> list[tuple[int, int, int, Proof]]:
        """Return the windows that were proven since the last call: from and to (ms of real time),
        rows, and kind of proof.
        """
        news, self._frontier.news = self._frontier.news, []
        return [(*self.axis.window(first, until), rows, proof) for first, until, rows, proof in news]

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times. The zone is needed before the first answer.

        If the zone changes its offset, windows are cut there, so that each window is read with one offset.
        """
        if self._reader.zone is not None:
            return
        self._reader.zone = zone
        self._cut_at_changes(zone)

    def _cut_at_changes(self, zone: Zone) -> None:
        for gap in list(self._gaps):
            low, high = self.axis.window(gap.first, gap.until)
            cuts = sorted(self.axis.window(cut, cut)[0] for cut in zone.transitions(low, high))
            later = gap
            for cut in cuts:
                later = self._gaps.split(later, cut)
                self._gaps.fences.add(cut)
                self._gaps.turns.add(cut)

    # Requests

    def pressing(self, slots: int) -> list[PageRequest]:
        """Return at most `slots` requests that an answer made necessary.

        They go before all other requests.
        """
        asks: list[PageRequest] = []
        if self._outdated() or self._number_doubted:
            return asks
        while len(asks) < slots and (follow_up := self._follow_ups.next()) is not None:
            asks.append(follow_up)
        self._under_way.update(asks)
        return asks

    def wanted(self, slots: int, elsewhere: int = 0) -> list[PageRequest]:
        """Return the requests to start.

        Args:
            slots: the most requests to return. Windows are cut for these requests and those under way, but
                for at least as many as the scan's concurrency.
            elsewhere: rows of the buffer that other scans have taken.
        """
        workers = max(self._concurrency, slots + len(self._under_way))
        if self._came_back >= len(_LOOK_AHEAD):
            self._prover.empty_stretches.settle(slots, self._page_size, at_once=True)
        if self._outdated() or self._number_doubted:
            return self._look_at_page_0(slots)
        asks = self.pressing(slots)
        slots -= len(asks)
        if self._came_back < (len(_LOOK_AHEAD) if self._ordered else 1):
            most = max(_LOOK_AHEAD[self._came_back], 2 if self._stuck else 0)
            if self._given and not self._came_back and self._zone_shown.waited:
                most -= 1  # requested while the zone was checked
            slots = min(slots, most - len(self._under_way))
        # Requests under way take no memory yet. If they counted, slots would stay empty while the first rows
        # are late.
        room = self._room
        coming = min(room, self._concurrency * self._page_size)
        budget = min(max(room + coming - elsewhere, 1), self._limit - self.rows_released)
        held = self._gaps.ready if self._ordered else self.held
        if slots > 0 and held < budget:
            page = self._service.full(self._page_size)
            chosen = moves(self._gaps, page, workers, budget if self._ordered else math.inf)
            planned = len(asks)
            for move in islice(chosen, slots):
                ask = self._ask(move)
                self._under_way.add(ask)
                asks.append(ask)
            slots -= len(asks) - planned
        if slots > 0 and self._gaps and self._came_back >= len(_LOOK_AHEAD):
            self._prover.empty_stretches.settle(slots, self._page_size, self._under_way)
            asks += self.pressing(slots)
        return asks or self._look_at_page_0(slots) or self._look_at_zone(slots)

    def _look_at_zone(self, slots: int) -> list[PageRequest]:
        """Return a request for the second of a row, if no other request is left and no answer shows
        the zone.
        """
        if slots <= 0 or self._under_way or not self._zone_shown.unsure:
            return []
        if not self._gaps and self._prover.unsettled() and (asks := self.pressing(slots)):
            return asks  # an empty stretch that ends at a row may prove the zone as well
        ask = self._zone_shown.look()
        asks = [] if ask is None else [ask]
        self._under_way.update(asks)
        return asks

    @property
    def _number_doubted(self) -> bool:
        """True if the number of the first page must be found out before anything else, because an
        answer is odd.
        """
        return self._first_page.unsure and self._prover.doubtful

    def _outdated(self) -> bool:
        """Begin again if another page turned out to be the first.

        Return True while answers are still under way.
        """
        if not self._first_page.outdated:
            return False
        if not self._under_way:  # nothing was handed out so far
            self._trails.clear()
            self._begin()
            if self._reader.zone is not None:
                self._cut_at_changes(self._reader.zone)
        return bool(self._under_way)

    def _look_at_page_0(self, slots: int) -> list[PageRequest]:
        """Return a request for page 0, if no other request is left and nothing proves that page 1
        is the first.
        """
        ask = None if slots <= 0 or self._under_way else self._first_page.look()
        if ask is None:
            return []

        def looked(answer: Page | AioflowsError) -> None:
            try:
                self._first_page.looked(answer)
            except AioflowsError as error:
                self._frontier.error = self._frontier.error or error

        self._follow_ups.expect(ask, looked)
        self._under_way.add(ask)
        return [ask]

    @property
    def _room(self) -> float:
        """The rows that may wait: the buffer's, or fewer if the rows are large."""
        rows = _WEIGHT * self.rows_received / self._bytes if self._bytes else math.inf
        return min(self._buffer, max(rows, _ROUNDS * self._concurrency * self._page_size))

    def _ask(self, move: Move) -> PageRequest:
        gap = move.gap
        if move.ask is not None:
            self._follow_ups.expect(move.ask, partial(self._prover.counted, gap, move.ask))
            return move.ask
        usual = self._page_size
        tried = any(self._service.unsure_of(ask.page_size) for ask in self._under_way)
        ask = ask_for(
            gap,
            backward=move.backward,
            gaps=self._gaps,
            service=self._service,
            axis=self.axis,
            usual=self._service.settled(usual) if tried else usual,
            pinned=self._reader.pinned,
        )
        if self._service.first_page is None:
            self._trails[ask] = FirstPageSearch()
        gap.edge(ask.backward).ask = ask
        return ask

    # Answers

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        self._back(ask)
        self.rows_received += len(page.ids)
        self._bytes += len(page.body)
        job = self._follow_ups.job(ask)
        if job is None and page.ids and self._service.disappoints(ask.page_size, len(page.ids)):
            self._trails.pop(ask, None)
            self._frontier.finish(ask)
            return
        self._service.saw(ask.page_size, len(page.ids), ask.until - ask.first)
        self._first_page.note(ask, page)
        self._zone_shown.note(ask, page)
        if job is not None:
            job(page)
        elif ask.page_size > self._page_size and not page.ids and self._lacks_a_row(ask):
            self._too_large(ask)
        elif (trail := self._trails.pop(ask, None)) is not None:
            self._opened(ask, trail, Outcome.ROWS if page.ids else Outcome.EMPTY, page)
        else:
            self._prover.answered(ask, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        """Process the error that a request ended with, after its retries were spent."""
        self._back(ask)
        too_large = ask.page_size > self._page_size and (refusal(error) or unreadable(error))
        if too_large:
            self._service.larger_pages = False
        if (job := self._follow_ups.job(ask)) is not None:
            if ask.reads is not None and unreadable(error):
                # Another size does not help here, so the request is repeated as the retry policy allows.
                self._follow_ups.add(attrs.evolve(ask, reads=None), job)
            else:
                job(error)
        elif too_large:
            self._too_large(ask)
        elif (trail := self._trails.pop(ask, None)) is None:
            if no_such_page(error) and not self.evidence.rows and self._renumber(ask):
                return
            self._refused(ask, error)
        elif no_such_page(error):
            self._opened(ask, trail, Outcome.REFUSED, error)
        elif ask.tries == 1 and isinstance(error, _MAY_BE_TOO_MUCH):
            self._again(ask, trail, tries=2)  # the error says nothing about page numbers
        else:
            self._refused(ask, error, trail)

    def _renumber(self, ask: PageRequest) -> bool:
        """Find the first page again, if the service refuses the known number at the start of a scan."""
        if self._renumbered:
            return False
        self._renumbered = True
        self._service.first_page = self._service.base = None
        self._frontier.finish(ask)
        return True

    def _too_large(self, ask: PageRequest) -> None:
        """Drop a page that was requested larger than usual.

        The usual page is next, and shows that a second is dense.
        """
        self._service.larger_pages = False
        self._trails.pop(ask, None)
        for gap in self._frontier.finish(ask):
            gap.start.page_size = gap.end.page_size = 0

    def _lacks_a_row(self, ask: PageRequest) -> bool:
        return any(covered(gap, ask.first, ask.until) for gap in self._gaps.within(ask.first, ask.until))

    def _back(self, ask: PageRequest) -> None:
        if ask not in self._under_way:
            raise RuntimeError(f"{ask} was not asked, or was answered before")
        self._under_way.remove(ask)

    def _opened(
        self, ask: PageRequest, trail: FirstPageSearch, outcome: Outcome, answer: Page | AioflowsError
    ) -> None:
        """Go one step further in the search for the first page."""
        if self._service.first_page is not None:
            self._found_elsewhere(ask, answer)
            return
        trail = trail.then(outcome, answer)
        step = trail.step
        if step in (Step.ASK_0, Step.ASK_1):
            number = 1 if step is Step.ASK_1 else 0
            tries = _TRIES_OF_PAGE_1 if number else _TRIES_OF_PAGE_0
            again = attrs.evolve(ask, page_no=number, tries=tries)
            self._frontier.replace(ask, again)
            self._trails[again] = trail
            return
        if step is Step.TAKE_0:
            self._service.first_page = 0
        elif step is Step.TAKE_1:
            self._service.first_page = self._service.base = 1
        error = trail.unlisted if step is Step.EMPTY else answer
        if step in (Step.EMPTY, Step.FAIL) and isinstance(error, AioflowsError):
            self._refused(ask, error, FirstPageSearch(last=trail.last))
        else:
            self._frontier.finish(ask)
            # The page that is used may not be the last one requested. It may have to be requested again.
            ask = attrs.evolve(ask, page_no=self._service.first_page or 0)
            self._prover.answered(ask, Nothing(trail.missing) if trail.page is None else trail.page)

    def _found_elsewhere(self, ask: PageRequest, answer: Page | AioflowsError) -> None:
        """Use an answer if another scan has found the first page meanwhile.

        An answer for another page is dropped.
        """
        if isinstance(answer, AioflowsError) or ask.page_no != self._service.first_page:
            self._frontier.finish(ask)
        else:
            self._prover.answered(ask, answer)

    def _again(self, ask: PageRequest, trail: FirstPageSearch | None, tries: int | None) -> None:
        """Send the same request again, with more attempts."""
        again = attrs.evolve(ask, tries=tries)
        if trail is not None:
            again = attrs.evolve(again, page_no=0)
            self._trails[again] = trail
        self._frontier.replace(ask, again)

    def _refused(self, ask: PageRequest, error: AioflowsError, trail: FirstPageSearch | None = None) -> None:
        """Ask for less if the service fails on a window that can be narrowed.

        Otherwise end the scan at this window.
        """
        gaps = self._gaps.within(ask.first, ask.until)
        if not gaps or self._try_smaller(ask, error):
            self._frontier.finish(ask)
            return
        if trail is not None and trail.last:
            self._frontier.finish(ask)
            self._frontier.fail(gaps[0], error)
            return
        gap = gaps[-1] if ask.backward else gaps[0]
        named = refusal(error) and bool(_RANGE.search(str(error)))
        failed = isinstance(error, _MAY_BE_TOO_MUCH) or named
        most = _HALVINGS if named or self.evidence.rows else _HALVINGS_AT_FIRST
        narrower = failed and gap.halvings < most
        if narrower and ask.until > gap.until:
            self._frontier.finish(ask)
            gap.halvings += 1  # the next request leaves out what lies behind the gap
        elif narrower and ask.until - ask.first > self._service.reach and gap.middle is not None:
            self._frontier.finish(ask)
            self._gaps.halve(gap)
        elif failed and ask.tries is not None:
            self._again(ask, trail and attrs.evolve(trail, last=True), tries=None)
        else:
            self._frontier.finish(ask)
            if not (isinstance(error, ServerFault) and not self._sizes_tried and self._unread(ask)):
                self._frontier.fail(gap, error)

    def _unread(self, ask: PageRequest) -> bool:
        """Note that a page may be too large to be read. Return False if no smaller size is left to try."""
        return self._service.unread_size(ask.page_size)

    def _try_smaller(self, ask: PageRequest, error: AioflowsError) -> bool:
        """Note that a page size is refused, if the error may mean that. Then a smaller size is tried.

        Services refuse in many ways: with a code of the gateway, with a code of their own, with HTTP 400 or
        413, or by failing. If the service fails on a size that it has answered in this scan, the failure has
        another cause. That size is reduced only if nothing else helps, since rows may be wider in this
        window. A proxy may also cut off an answer that is too long, or replace it.
        """
        if unreadable(error):
            return self._unread(ask)
        if self._sizes_tried or not refusal(error):
            return False
        if isinstance(error, ServerFault) and self.evidence.answered(ask.page_size):
            return False
        if self._service.refuse_size(ask.page_size):
            return True
        self._service.start_from_one(self._wanted_size)
        self._sizes_tried = True
        return False

    # Rows

    def next_item(self) -> ProvenRun | Literal[Signal.NEED_PAGES, Signal.DONE]:
        """Return the next run that has rows, in the scan's order.

        Raises:
            AioflowsError: the scan's error, after everything before it was released.
        """
        self._came_back += self._given
        self._given = False
        if self._first_page.unsure:
            if self._first_page.asked and not self._under_way and self._frontier.error is not None:
                raise self._frontier.error
            return NEED_PAGES
        if self._zone_shown.unsure:
            if self._zone_shown.error is not None:
                raise self._zone_shown.error
            self._zone_shown.waited = True
            return NEED_PAGES
        while (run := self._release.next()) is not None:
            if rows := len(run.batch):
                self._given = True
                self._gaps.ready -= rows
                self.rows_released += rows
                return run
        if not self._gaps:
            if self._frontier.error is not None:
                raise self._frontier.error
            return NEED_PAGES if self._prover.unsettled() else DONE
        broken = self._gaps[0].error if self._ordered else self._broken()
        if broken is not None:
            raise broken
        return NEED_PAGES

    def remaining(self) -> list[tuple[int, int]]:
        """Return the windows of which nothing was released (ms of scan time)."""
        windows = [(gap.first, gap.until) for gap in self._gaps]
        return sorted(windows + [(run.first, run.until) for run in self._release.waiting])

    @property
    def under_way(self) -> int:
        """The number of requests that were returned by `wanted` and not answered yet."""
        return len(self._under_way)

    def pending(self) -> list[tuple[int, int, float]]:
        """Return the windows of which nothing is proven (ms of scan time), and the rows to expect in each."""
        return [(gap.first, gap.until, gap.expected) for gap in self._gaps]

    def _broken(self) -> AioflowsError | None:
        return None if self._under_way else next((gap.error for gap in self._gaps if gap.error), None)
