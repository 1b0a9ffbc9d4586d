"""The scan as a machine: it names requests, is fed answers, and releases what nothing unseen can precede.

It makes no call and reads no clock, so any order in which answers arrive gives the same rows in the same order.

``wanted(slots)`` names requests to start. Each of them is answered once, by ``received(ask, page)`` or by
``failed(ask, error)``. ``next_item()`` gives the next batch of rows, ``NEED_PAGES`` while it takes more answers, and
``DONE`` at the end; it raises the scan's error after everything before it in the order was released.
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
from aioflows._core.pages.reading import Direction, Nothing, Page, PageReader, PageRequest
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
"""Requests that may be under way before the consumer has come back for a second and a third batch; after that, every slot.
Who stops within the first batch has then cost one request more than that batch. Who takes rows in no order and comes back takes
all of them."""

_TRIES_OF_PAGE_0 = 4
"""Tries of page 0 after page 1 brought rows: one that fails by accident must not make page 1 the first."""

_TRIES_OF_PAGE_1 = 2
"""Tries of page 1 before a smaller page is tried. Where none of them is answered, the first one gets all its tries."""

_MAY_BE_TOO_MUCH = (ServerFault, TimedOut)
"""Errors that a narrower window may not meet."""

_RANGE = re.compile(
    r"(?i)range|window|span|interval|period|days?\b|too (long|wide|large)|exceed|HTTP 4(00|13)|code 4(00|13)|范围|超"
)
"""Words of a refusal that may be about how wide a window is."""

_WEIGHT, _ROUNDS = 15_000_000, 2.5
"""Bytes of answers that may wait, or what so many rounds of requests bring if that is more: rows may be wide, and many small
pages are no faster for being asked for long before their turn."""

_HALVINGS_AT_FIRST = 7
"""The same before anything was answered, by a fault that does not speak of ranges: it is more likely another one then."""

_HALVINGS = 16
"""How often a window is halved because the service fails on it, before all tries are spent on it."""


class KeysetScan:
    """The machine.

    Args:
        windows: what to read, half-open and disjoint, in *milliseconds* of real time.
        service: what the session knows of the service; shared by its scans.
        descending: whether to give the latest rows first.
        ordered: whether to give rows in order; otherwise as their pages come.
        page_size: *rows* a request.
        concurrency: *requests* that may be under way.
        buffer: *rows* read ahead of the consumer, fewer where they weigh much; what requests under way bring comes on top,
            as many again at most.
        limit: *rows* in all that will be taken; None: every row.
        splits: whether rows may be told apart by a text in their ids; not where the query asks for a text itself.
        filtered: whether rows are left out for more than their type and time.
        alone: whether no other scan asks in turn with this one.
        confirm: whether ends that no row has shown are asked about once more.
        growing: whether rows still appear, many at once, where there was nothing.
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
        """What is to be read, in *milliseconds* of scan time."""
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
        self._came_back = 0  # times that the consumer wanted more than a batch it was given
        self._given = False
        self.rows_received = self._bytes = 0
        self.rows_released = 0

    def _begin(self) -> None:
        """Begin with nothing read, and with the number that the first page is known by."""
        self.evidence = ScanEvidence(self._service)
        self._first_page = FirstPageCheck(self._service, self.evidence)
        self._errands = FollowUps()
        self._frontier = Frontier(self.spans, self._ordered, self._errands)
        self._gaps = self._frontier.gaps
        self._release = self._frontier.release
        self._prover = self._make_prover(
            self._frontier, self._errands, self._reader, self._service, self.evidence
        )
        self._zone_shown = ZoneShown(self._errands, self._reader, self._service, self._prover.misread)

    def __repr__(self) -> str:
        return (
            f"<Scan {self.progress:.0%} done, {len(self._gaps)} gaps, {len(self._under_way)} asks under way, "
            f"{self._release.rows} rows held, {self.rows_released} rows released>"
        )

    @property
    def _page_size(self) -> int:
        return self._service.usual(self._wanted_size)

    @property
    def _stuck(self) -> bool:
        """Whether a full page has come, and nothing can be made of it: the scan begins with a dense second."""
        return self.rows_received >= self._page_size and not self._frontier.proofs

    @property
    def progress(self) -> float:
        """The share of the time range that was released, from 0 to 1."""
        return self._release.progress

    @property
    def position(self) -> int:
        """*Milliseconds* of scan time up to which everything was released, if rows are given in order."""
        return self._release.position

    @property
    def held(self) -> int:
        """Rows that were read and not yet released."""
        return self._release.rows

    def account(self) -> ScanAccount:
        """Return the figures so far."""
        return ScanAccount(
            self.rows_received,
            self._prover.duplicates + self._prover.stretches.duplicates + self._zone_shown.duplicates,
            self._frontier.proofs,
            tuple(CountedWindow(*self.axis.window(a, b), rows) for a, b, rows in self._frontier.counted),
            expected=sum(gap.expected for gap in self._gaps),
        )

    def drain_events(self) -> list[tuple[int, int, int, Proof]]:
        """Return the windows proven since the last call, in *milliseconds* of real time, their rows, and how."""
        news, self._frontier.news = self._frontier.news, []
        return [(*self.axis.window(first, until), rows, proof) for first, until, rows, proof in news]

    def set_zone(self, zone: Zone) -> None:
        """Say which zone the service's times are in; needed before the first answer.

        Where the zone changes its offset, windows are cut, so that each is read with one offset.
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

    # What to ask

    def pressing(self, slots: int) -> list[PageRequest]:
        """Name requests to start, *slots* at most, that an answer made necessary: they go before all others."""
        asks: list[PageRequest] = []
        if self._outdated() or self._number_doubted:
            return asks
        while len(asks) < slots and (errand := self._errands.next()) is not None:
            asks.append(errand)
        self._under_way.update(asks)
        return asks

    def wanted(self, slots: int, elsewhere: int = 0) -> list[PageRequest]:
        """Name requests to start.

        Args:
            slots: how *many* at most; windows are cut for these and those under way, but for *concurrency* at least.
            elsewhere: *rows* of the buffer that others have taken.
        """
        workers = max(self._concurrency, slots + len(self._under_way))
        if self._came_back >= len(_LOOK_AHEAD):
            self._prover.stretches.settle(slots, self._page_size, at_once=True)
        if self._outdated() or self._number_doubted:
            return self._look_at_page_0(slots)
        asks = self.pressing(slots)
        slots -= len(asks)
        if self._came_back < (len(_LOOK_AHEAD) if self._ordered else 1):
            most = max(_LOOK_AHEAD[self._came_back], 2 if self._stuck else 0)
            if self._given and not self._came_back and self._zone_shown.waited:
                most -= 1  # that look ahead has been made
            slots = min(slots, most - len(self._under_way))
        # What is under way takes no memory yet: counted in, it would leave slots empty while the first rows are late.
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
            self._prover.stretches.settle(slots, self._page_size, self._under_way)
            asks += self.pressing(slots)
        return asks or self._look_at_page_0(slots) or self._look_at_zone(slots)

    def _look_at_zone(self, slots: int) -> list[PageRequest]:
        """Ask for the second of a row, where nothing else is to be asked for and nothing shows that the zone is right."""
        if slots <= 0 or self._under_way or not self._zone_shown.unsure:
            return []
        if not self._gaps and self._prover.unsettled() and (asks := self.pressing(slots)):
            return asks  # a stretch that ends at a row may show it as well
        ask = self._zone_shown.look()
        asks = [] if ask is None else [ask]
        self._under_way.update(asks)
        return asks

    @property
    def _number_doubted(self) -> bool:
        """Whether it is to be found out before anything else which page is the first, since something seems odd."""
        return self._first_page.unsure and self._prover.doubtful

    def _outdated(self) -> bool:
        """Begin anew if another page was found to be the first; return True while answers are still under way."""
        if not self._first_page.outdated:
            return False
        if not self._under_way:  # nothing was handed out so far
            self._trails.clear()
            self._begin()
            if self._reader.zone is not None:
                self._cut_at_changes(self._reader.zone)
        return bool(self._under_way)

    def _look_at_page_0(self, slots: int) -> list[PageRequest]:
        """Ask for page 0, where nothing else is to be asked for and nothing shows that page 1 is the first."""
        ask = None if slots <= 0 or self._under_way else self._first_page.look()
        if ask is None:
            return []

        def looked(answer: Page | AioflowsError) -> None:
            try:
                self._first_page.looked(answer)
            except AioflowsError as error:
                self._frontier.error = self._frontier.error or error

        self._errands.expect(ask, looked)
        self._under_way.add(ask)
        return [ask]

    @property
    def _room(self) -> float:
        """Rows that may wait: those of the buffer, unless they weigh too much."""
        rows = _WEIGHT * self.rows_received / self._bytes if self._bytes else math.inf
        return min(self._buffer, max(rows, _ROUNDS * self._concurrency * self._page_size))

    def _ask(self, move: Move) -> PageRequest:
        gap = move.gap
        if move.ask is not None:
            self._errands.expect(move.ask, partial(self._prover.counted, gap, move.ask))
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
        if ask.backward:
            gap.backward = ask
        else:
            gap.forward = ask
        return ask

    # What came

    def received(self, ask: PageRequest, page: Page) -> None:
        """Take the answer to a request."""
        self._back(ask)
        self.rows_received += len(page.ids)
        self._bytes += len(page.body)
        job = self._errands.job(ask)
        if job is None and page.ids and self._service.disappoints(ask.page_size, len(page.ids)):
            self._trails.pop(ask, None)
            self._frontier.put_down(ask)
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
        """Take the error that a request ended with, its retries spent."""
        self._back(ask)
        too_large = ask.page_size > self._page_size and (refusal(error) or unreadable(error))
        if too_large:
            self._service.larger_pages = False
        if (job := self._errands.job(ask)) is not None:
            if ask.reads is not None and unreadable(error):
                # No other size will do, so it is asked for again as often as the policy allows.
                self._errands.add(attrs.evolve(ask, reads=None), job)
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
            self._again(ask, trail, tries=2)  # it says nothing about page numbers
        else:
            self._refused(ask, error, trail)

    def _renumber(self, ask: PageRequest) -> bool:
        """Find out anew which page is the first, where the number that was known is refused from the start of a scan."""
        if self._renumbered:
            return False
        self._renumbered = True
        self._service.first_page = self._service.base = None
        self._frontier.put_down(ask)
        return True

    def _too_large(self, ask: PageRequest) -> None:
        """Drop a page that was asked for larger than usual: the usual one is next, and shows that a second is dense."""
        self._service.larger_pages = False
        self._trails.pop(ask, None)
        for gap in self._frontier.put_down(ask):
            gap.forward_size = gap.backward_size = 0

    def _lacks_a_row(self, ask: PageRequest) -> bool:
        return any(covered(gap, ask.first, ask.until) for gap in self._gaps.within(ask.first, ask.until))

    def _back(self, ask: PageRequest) -> None:
        if ask not in self._under_way:
            raise RuntimeError(f"{ask} was not asked, or was answered before")
        self._under_way.remove(ask)

    def _opened(
        self, ask: PageRequest, trail: FirstPageSearch, outcome: Outcome, answer: Page | AioflowsError
    ) -> None:
        """Follow the trail to the first page."""
        if self._service.first_page is not None:
            self._found_elsewhere(ask, answer)
            return
        trail = trail.then(outcome, answer)
        step = trail.step
        if step in (Step.ASK_0, Step.ASK_1):
            number = 1 if step is Step.ASK_1 else 0
            tries = _TRIES_OF_PAGE_1 if number else _TRIES_OF_PAGE_0
            again = attrs.evolve(ask, page_no=number, tries=tries)
            self._frontier.follow(ask, again)
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
            self._frontier.put_down(ask)
            # The page that is taken may not be the one that was asked for last, and may have to be asked for again.
            ask = attrs.evolve(ask, page_no=self._service.first_page or 0)
            self._prover.answered(ask, Nothing(trail.missing) if trail.page is None else trail.page)

    def _found_elsewhere(self, ask: PageRequest, answer: Page | AioflowsError) -> None:
        """Take an answer after another scan has found out which page is the first; one of another page is dropped."""
        if isinstance(answer, AioflowsError) or ask.page_no != self._service.first_page:
            self._frontier.put_down(ask)
        else:
            self._prover.answered(ask, answer)

    def _again(self, ask: PageRequest, trail: FirstPageSearch | None, tries: int | None) -> None:
        """Ask for the same once more, with more tries."""
        again = attrs.evolve(ask, tries=tries)
        if trail is not None:
            again = attrs.evolve(again, page_no=0)
            self._trails[again] = trail
        self._frontier.follow(ask, again)

    def _refused(self, ask: PageRequest, error: AioflowsError, trail: FirstPageSearch | None = None) -> None:
        """Ask for less where the service fails on a window that can be made narrower; otherwise the scan ends there."""
        gaps = self._gaps.within(ask.first, ask.until)
        if not gaps or self._try_smaller(ask, error):
            self._frontier.put_down(ask)
            return
        if trail is not None and trail.last:
            self._frontier.put_down(ask)
            self._frontier.fail(gaps[0], error)
            return
        gap = gaps[-1] if ask.backward else gaps[0]
        named = refusal(error) and bool(_RANGE.search(str(error)))
        failed = isinstance(error, _MAY_BE_TOO_MUCH) or named
        most = _HALVINGS if named or self.evidence.rows else _HALVINGS_AT_FIRST
        narrower = failed and gap.halvings < most
        cut = (gap.first + gap.until) // 2000 * 1000
        if narrower and ask.until > gap.until:
            self._frontier.put_down(ask)
            gap.halvings += 1  # it is asked for again without what lies behind it
        elif narrower and ask.until - ask.first > self._service.reach and gap.first < cut < gap.until:
            self._frontier.put_down(ask)
            gap.halvings += 1
            self._gaps.split(gap, cut)
        elif failed and ask.tries is not None:
            self._again(ask, trail and attrs.evolve(trail, last=True), tries=None)
        else:
            self._frontier.put_down(ask)
            if not (isinstance(error, ServerFault) and not self._sizes_tried and self._unread(ask)):
                self._frontier.fail(gap, error)

    def _unread(self, ask: PageRequest) -> bool:
        """Note that a page may be too large to be read; return False if no smaller one is left to try."""
        return self._service.unread_size(ask.page_size)

    def _try_smaller(self, ask: PageRequest, error: AioflowsError) -> bool:
        """Note that a page size is refused, if the error may mean that; the gap is asked for by a smaller one then.

        Services refuse in many ways: with a code of the gateway or of their own, with HTTP 400 or 413, or by failing. One
        that fails on a size that it has answered in this scan is in trouble of another kind, unless nothing else helps: rows
        may be wider there. What stands between may cut an answer that is too long for it, or put something else in its place.
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

    # What to hand out

    def next_item(self) -> ProvenRun | Literal[Signal.NEED_PAGES, Signal.DONE]:
        """Release the next run that has rows, in the scan's order."""
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
        broken = self._gaps[0].broken if self._ordered else self._broken()
        if broken is not None:
            raise broken
        return NEED_PAGES

    def remaining(self) -> list[tuple[int, int]]:
        """Return the windows of which nothing was released, in *milliseconds* of scan time."""
        windows = [(gap.first, gap.until) for gap in self._gaps]
        return sorted(windows + [(run.first, run.until) for run in self._release.waiting])

    @property
    def under_way(self) -> int:
        """Requests that were named and not answered yet."""
        return len(self._under_way)

    def pending(self) -> list[tuple[int, int, float]]:
        """Return the windows of which nothing is proven, in *milliseconds* of scan time, and the rows to expect there."""
        return [(gap.first, gap.until, gap.expected) for gap in self._gaps]

    def _broken(self) -> AioflowsError | None:
        return None if self._under_way else next((gap.broken for gap in self._gaps if gap.broken), None)
