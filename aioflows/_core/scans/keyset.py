"""The keyset scan of one schedule type: a pure machine that names requests, takes answers and releases rows.

A row is released once no unread row can precede it. The machine makes no call and reads no clock. So any
order of answers leads to the same rows in the same order.

1. ``wanted(slots)`` returns the requests to start. Each request is answered once, by ``received(ask, page)``
   or by ``failed(ask, error)``.
2. ``next_item()`` returns the next run of rows, ``NEED_PAGES`` if more answers are needed, or ``DONE`` at the
   end.
3. ``next_item()`` raises the scan's error after everything before the error in the order was released.

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.gap_request import ask_for
from aioflows._core.planning.keyset_state import KeysetOptions, KeysetState
from aioflows._core.planning.read_ahead import ReadAhead, RowReserve, RowsElsewhere
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.planning.request_choice import Move, moves
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.keyset_answers import KeysetAnswers
from aioflows._core.scans.signals import DONE, NEED_PAGES, Signal
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError
from aioflows.stats import CountedWindow, Proof

__all__ = ["KeysetScan"]

_NOTHING_ELSE = RowsElsewhere()


class KeysetScan:
    """The keyset scan of one schedule type.

    Args:
        windows: the windows to read, half-open and disjoint (ms of real time).
        service: the facts that the session knows about the service. All scans of a session share them.
        descending: True if the latest rows come first. Default: False.
        concurrency: requests that may be under way. Default: 16.
        buffer: rows to read ahead of the consumer, fewer if the rows are large. With the rows that requests
            under way may bring, it is a quarter more. Default: 20,000.
        limit: rows that the consumer takes in all. Default: None, which means every row.
        page_size, ordered, splits, filtered, alone, confirm, growing: see `KeysetOptions`.
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
        self._concurrency = concurrency
        self._limit = math.inf if limit is None else limit
        self._service = service
        self._reader = PageReader(service)
        self._ordered = ordered
        self._read_ahead = ReadAhead(buffer, concurrency, ordered=ordered)
        self._under_way: dict[PageRequest, int] = {}
        """The requests under way, each with the rows that it may bring."""
        self._waited_for = True
        """True if the last call of `next_item` found no rows."""
        self.rows_released = 0
        self._begin(
            KeysetState(
                self.spans,
                self._reader,
                service,
                KeysetOptions(page_size, ordered, splits, filtered, alone, confirm, growing),
            )
        )

    def _begin(self, state: KeysetState) -> None:
        """Begin to read all windows, with the number of the first page as it is known now."""
        self._state = state
        self._frontier, self._gaps, self._release = state.frontier, state.gaps, state.frontier.release
        self._follow_ups = state.follow_ups
        self._answers = KeysetAnswers(state)
        self._prover, self._first_page = self._answers.prover, self._answers.first_page
        self._zone_shown = self._answers.zone_shown

    def __repr__(self) -> str:
        return (
            f"<KeysetScan {self.progress:.0%} done, {len(self._gaps)} gaps, {len(self._under_way)} asks under way, "
            f"{self._release.rows} rows held, {self.rows_released} rows released>"
        )

    @property
    def evidence(self) -> ScanEvidence:
        """The evidence that this scan has collected."""
        return self._state.evidence

    @property
    def _stuck(self) -> bool:
        """True if a full page has come and nothing is proven yet: the scan begins with a dense second."""
        return self._read_ahead.rows_received >= self._state.page_size and not self._frontier.proofs

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

    @property
    def coming(self) -> int:
        """Rows that the requests under way may bring."""
        return sum(self._under_way.values())

    def _rows_of(self, ask: PageRequest, move: Move | None = None) -> int:
        """Return the rows that a request may bring."""
        rows, cap = ask.page_size, self._service.cap
        if move is not None and move.ask is None and not move.gap.edge(ask.backward).page_size:
            rows = min(rows, self._state.page_size)  # a larger page is only a precaution where few rows are
        return rows if cap is None else min(rows, cap)

    def account(self) -> ScanAccount:
        """Return the figures so far."""
        return ScanAccount(
            self._read_ahead.rows_received,
            self._frontier.duplicates,
            self._frontier.proofs,
            tuple(CountedWindow(*self.axis.window(a, b), rows) for a, b, rows in self._frontier.counted),
            expected=sum(gap.expected for gap in self._gaps),
        )

    def drain_events(self) -> list[tuple[int, int, int, Proof]]:
        """Return the windows proven since the last call: start, end (ms of real time), rows, kind of proof."""
        news, self._frontier.news = self._frontier.news, []
        return [(*self.axis.window(first, until), rows, proof) for first, until, rows, proof in news]

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times, which the first answer needs.

        Windows are cut at the changes of the zone's offset, so that each window is read with one offset.
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

    # Requests and answers

    def pressing(self, slots: int) -> list[PageRequest]:
        """Return at most *slots* requests that an answer made necessary, and that go before all others."""
        asks: list[PageRequest] = []
        if self._outdated() or self._number_unsure:
            return asks
        while len(asks) < slots and (follow_up := self._follow_ups.next()) is not None:
            asks.append(follow_up)
        for ask in asks:
            self._under_way[ask] = self._rows_of(ask)
        return asks

    def wanted(self, slots: int, elsewhere: RowsElsewhere = _NOTHING_ELSE) -> list[PageRequest]:
        """Return the requests to start.

        Args:
            slots: the most requests to return. Windows are cut for these requests and the requests under way,
                or for the scan's concurrency if that is more.
            elsewhere: rows of the buffer that the rest of a merged scan uses. Default: none.
        """
        workers = max(self._concurrency, slots + len(self._under_way))
        if self._read_ahead.unlimited:
            self._prover.empty_stretches.settle(slots, at_once=True)
        if self._outdated() or self._number_unsure:
            return self._look_at_page_0(slots)
        if self._zone_shown.date_unsure:
            self._zone_shown.start()
        asks = self.pressing(slots)
        slots -= len(asks)
        if not self._read_ahead.unlimited:
            slots = self._read_ahead.slots(
                slots, len(self._under_way), stuck=self._stuck, zone_checked=self._zone_shown.waited
            )
        if slots > 0:
            planned = self._read_on(slots, workers, elsewhere)
            asks += planned
            slots -= len(planned)
        if slots > 0 and self._gaps and self._read_ahead.unlimited:
            self._prover.empty_stretches.settle(slots, self._under_way)
            asks += self.pressing(slots)
        return asks or self._look_at_page_0(slots) or self._look_at_zone(slots)

    def _read_on(self, slots: int, workers: int, elsewhere: RowsElsewhere) -> list[PageRequest]:
        """Return at most *slots* requests for gaps, as far as the buffer has room for their rows."""
        page_size = self._state.page_size
        page = self._service.full(page_size) if self._service.cap else page_size
        most = self._read_ahead.most(page_size) - elsewhere.partitions * page
        budget = min(max(most - elsewhere.held, 1), self._limit - self.rows_released)
        if (self._gaps.ready if self._ordered else self.held) >= budget:
            return []
        must = not self._under_way and self._waited_for if elsewhere.must is None else elsewhere.must
        reserve = RowReserve(
            self._read_ahead.room(page_size),
            most,
            page,
            elsewhere.held + elsewhere.reserved + self.held + self.coming,
            must,
            elsewhere.first,
        )
        size = self._state.full_page
        if self._ordered:
            chosen = moves(self._gaps, size, workers, budget, lambda: reserve.share)
        else:
            chosen = moves(self._gaps, size, workers, math.inf)
        asks: list[PageRequest] = []
        while len(asks) < slots and reserve.fits(0) and (move := next(chosen, None)) is not None:
            ask = self._ask_for(move) if move.ask is None else move.ask
            rows = self._rows_of(ask, move)
            if move.ask is None and not elsewhere.partitions and not reserve.fits(rows):
                break  # a larger page for a dense second waits until it has room, if no other partition waits for it
            self._begin_move(move, ask)
            reserve.start(rows)
            self._under_way[ask] = rows
            asks.append(ask)
        return asks

    def _look_at_zone(self, slots: int) -> list[PageRequest]:
        """Return a request for the second of a row, if nothing else is left and no answer shows the zone."""
        if slots <= 0 or self._under_way or not self._zone_shown.unsure:
            return []
        if not self._gaps and self._prover.unsettled() and (asks := self.pressing(slots)):
            return asks  # the request for an empty stretch ends at a row, so it may prove the zone
        self._zone_shown.start()
        return self.pressing(slots)

    @property
    def _number_unsure(self) -> bool:
        """True if an answer is inconsistent, perhaps because page 1 is not the first page."""
        return self._first_page.check.unsure and self._prover.inconsistent

    def _outdated(self) -> bool:
        """Begin again if another page is the first. Return True while earlier requests are under way."""
        if not self._first_page.check.outdated:
            return False
        if not self._under_way:  # rows wait for this check, so no row was handed out
            self._begin(self._state.begin_again())
            if self._reader.zone is not None:
                self._cut_at_changes(self._reader.zone)
        return bool(self._under_way)

    def _look_at_page_0(self, slots: int) -> list[PageRequest]:
        """Return a request for page 0, if nothing else is left and nothing proves that page 1 is the first."""
        ask = None if slots <= 0 or self._under_way else self._first_page.look_at_page_0()
        if ask is None:
            return []
        self._under_way[ask] = self._rows_of(ask)
        return [ask]

    def _begin_move(self, move: Move, ask: PageRequest) -> None:
        """Note that the request of a move is sent."""
        if move.ask is not None:
            self._follow_ups.expect(ask, partial(self._answers.dense_answered, move.gap, ask))
        else:
            self._first_page.add(ask)
            move.gap.edge(ask.backward).ask = ask

    def _ask_for(self, move: Move) -> PageRequest:
        usual = self._state.page_size
        tried = any(self._service.unsure_of(ask.page_size) for ask in self._under_way)
        return ask_for(
            move.gap,
            backward=move.backward,
            gaps=self._gaps,
            service=self._service,
            axis=self.axis,
            usual=self._service.settled(usual) if tried else usual,
            pinned=self._reader.pinned,
        )

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        self._back(ask)
        self._read_ahead.received(page)
        self._answers.received(ask, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        """Process the error that a request ended with, after its retries were spent."""
        self._back(ask)
        self._answers.failed(ask, error)

    def _back(self, ask: PageRequest) -> None:
        if ask not in self._under_way:
            raise RuntimeError(
                f"{ask} was not asked, or was answered before: answer each request of wanted() once"
            )
        del self._under_way[ask]

    # Rows, and windows that are left

    def next_item(self) -> ProvenRun | Literal[Signal.NEED_PAGES, Signal.DONE]:
        """Return the next run that has rows, in the scan's order.

        Raises:
            AioflowsError: the scan's error, after everything before the error was released.
        """
        self._read_ahead.asked_for_more()
        item = self._next_item()
        self._waited_for = item is NEED_PAGES
        return item

    def _next_item(self) -> ProvenRun | Literal[Signal.NEED_PAGES, Signal.DONE]:
        if self._first_page.check.unsure:
            if self._first_page.check.asked and not self._under_way and self._frontier.error is not None:
                raise self._frontier.error
            return NEED_PAGES
        if self._zone_shown.unsure:
            if self._zone_shown.error is not None:
                raise self._zone_shown.error
            self._zone_shown.waited = True
            return NEED_PAGES
        while (run := self._release.next()) is not None:
            if rows := len(run.batch):
                self._read_ahead.handed_out()
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
        """Return the windows whose rows were not released (ms of scan time)."""
        windows = [(gap.first, gap.until) for gap in self._gaps]
        return sorted(windows + [(run.first, run.until) for run in self._release.waiting])

    @property
    def under_way(self) -> int:
        """The number of requests that were returned by `wanted` and not answered yet."""
        return len(self._under_way)

    def pending(self) -> list[tuple[int, int, float]]:
        """Return the unproven windows (ms of scan time), each with the number of rows to expect."""
        return [(gap.first, gap.until, gap.expected) for gap in self._gaps]

    def _broken(self) -> AioflowsError | None:
        return None if self._under_way else next((gap.error for gap in self._gaps if gap.error), None)
