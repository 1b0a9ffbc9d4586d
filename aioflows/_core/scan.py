"""The scan as a machine: it names requests, is fed answers, and releases what nothing unseen can precede.

It makes no call and reads no clock, so any order in which answers arrive gives the same rows in the same order.

``wanted(slots)`` names requests to start. Each of them is answered once, by ``received(ask, page)`` or by
``failed(ask, error)``. ``next_item()`` gives the next batch of rows, ``NEED_PAGES`` while it takes more answers, and
``DONE`` at the end; it raises the scan's error after everything before it in the order was released.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Literal

import attrs

from aioflows._core.dense import Dense
from aioflows._core.opening import Outcome, Step, next_step, refusal
from aioflows._core.pages import Ask, Axis, Page, Reading
from aioflows._core.plan import Anchor, Gap, Gaps
from aioflows._core.release import Batch, Release, Run
from aioflows._core.schedule import Move, learn, moves
from aioflows._core.service import LARGEST_PAGE, Service
from aioflows._core.times import Zone, wall_seconds
from aioflows.errors import AioflowsError, CompletenessError, ServerFault, TimedOut
from aioflows.models import FlowInstance

__all__ = ["DONE", "NEED_PAGES", "Scan", "Signal"]


class Signal(enum.Enum):
    """What a scan says when it has no rows to give."""

    NEED_PAGES = "more answers are needed"
    DONE = "everything was given"


NEED_PAGES: Final = Signal.NEED_PAGES
DONE: Final = Signal.DONE

_LOOK_AHEAD = (1, 1, 8, 64)
"""Requests that may be under way before the consumer has taken 0, 1, 2, 3 batches; after that, every slot."""

_NARROW = 899_000
"""Milliseconds; offsets of the world's zones lie on a grid of 15 minutes, so that a window narrower than that, all of
whose rows are read inside it, is read with the right one."""

_LOOKS = 3
"""Empty answers after which a window is believed to be empty, where no row is known that should have come along."""

_LOOKS_AGAINST_A_ROW = 6
"""The same where one is: it may have gone, but more likely the answers are wrong."""

_DOUBTS = 8
"""Answers about one gap that were disproved, after which the service is not believed at all."""

_TRIES_OF_PAGE_0 = 4
"""Tries of page 0 after page 1 brought rows: one that fails by accident must not make page 1 the first."""

_HALVINGS = 10
"""How often a window is halved because the service fails on it, before all tries are spent on it."""

_TIES_TO_GO_LARGER = 0.25
"""The share of a full page in its last second from which that second is asked for with a larger page."""


@attrs.frozen
class _Trail:
    """What came of asking for the first page by its numbers, while these are not known."""

    outcomes: tuple[Outcome, ...] = ()
    page: Page | None = None

    def then(self, outcome: Outcome, answer: Page | AioflowsError) -> _Trail:
        """Add an outcome; of several pages with rows, the last is the one to take, unless page 0 was empty then."""
        page = answer if outcome is Outcome.ROWS and not isinstance(answer, AioflowsError) else self.page
        return _Trail((*self.outcomes, outcome), page)


@attrs.define(eq=False)
class _Doubt:
    """A row that should have come again and did not, and the answer that it was missing from."""

    anchor: Anchor
    gap: Gap
    ask: Ask
    page: Page
    rounds: int = 5


@attrs.frozen
class _Nothing:
    """A page without rows."""

    ids: Sequence[str] = ()
    times: Sequence[str] = ()

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:  # noqa: ARG002
        """Give none."""
        return []


class Scan:
    """The machine.

    Args:
        windows: what to read, half-open and disjoint, in *milliseconds* of real time.
        service: what the session knows of the service; shared by its scans.
        descending: whether to give the latest rows first.
        ordered: whether to give rows in order; otherwise as their pages come.
        page_size: *rows* a request.
        concurrency: *requests* that may be under way.
        buffer: *rows* read ahead of the consumer.
        limit: *rows* in all that will be taken; None: every row.
    """

    def __init__(
        self,
        windows: Sequence[tuple[int, int]],
        *,
        service: Service,
        descending: bool = False,
        ordered: bool = True,
        page_size: int = 500,
        concurrency: int = 16,
        buffer: int = 20_000,
        limit: int | None = None,
    ) -> None:
        self.axis = Axis(descending)
        self.spans = sorted(self.axis.window(first, until) for first, until in windows if first < until)
        """What is to be read, in *milliseconds* of scan time."""
        self._ordered = ordered
        self._page_size = page_size
        self._concurrency = concurrency
        self._buffer = buffer
        self._limit = math.inf if limit is None else limit
        self._service = service
        self._zone: Zone | None = None
        self._gaps = Gaps(self.spans)
        self._release = Release(self.spans, ordered)
        self._urgent: deque[Ask] = deque()
        self._under_way: set[Ask] = set()
        self._jobs: dict[Ask, Callable[[Page | AioflowsError], None]] = {}
        self._trails: dict[Ask, _Trail] = {}
        self._error: AioflowsError | None = None
        self._pulled = 0
        self.rows_received = 0
        self.rows_released = 0
        self.duplicates = 0
        self.windows = 0

    def __repr__(self) -> str:
        return (
            f"<Scan {self.progress:.0%} done, {len(self._gaps)} gaps, {len(self._under_way)} asks under way, "
            f"{self._release.rows} rows held, {self.rows_released} rows released>"
        )

    @property
    def progress(self) -> float:
        """The share of the time range that was released, from 0 to 1."""
        return self._release.progress

    @property
    def position(self) -> int:
        """*Milliseconds* of scan time up to which everything was released, if rows are given in order."""
        return self._release.position

    def read_in(self, zone: Zone) -> None:
        """Say which zone the service's times are in; needed before the first answer.

        Where the zone changes its offset, windows are cut, so that each is read with one offset.
        """
        if self._zone is not None:
            return
        self._zone = zone
        for gap in list(self._gaps):
            low, high = self.axis.window(gap.first, gap.until)
            cuts = sorted(self.axis.window(cut, cut)[0] for cut in zone.transitions(low, high))
            later = gap
            for cut in cuts:
                later = self._gaps.split(later, cut)
                self._gaps.fences.add(cut)

    # What to ask

    @property
    def held(self) -> int:
        """Rows that were read and not yet released."""
        return self._release.rows

    def wanted(self, slots: int, elsewhere: int = 0) -> list[Ask]:
        """Name requests to start.

        Args:
            slots: how *many* at most.
            elsewhere: *rows* of the buffer that others have taken.
        """
        asks: list[Ask] = []
        ahead = _LOOK_AHEAD[self._pulled] if self._pulled < len(_LOOK_AHEAD) else slots + len(self._under_way)
        slots = min(slots, ahead - len(self._under_way))
        while self._urgent and slots > len(asks):
            asks.append(self._urgent.popleft())
        budget = min(max(self._buffer - elsewhere, 1), self._limit - self.rows_released)
        held = self._gaps.ready if self._ordered else self.held
        if slots > len(asks) and held < budget:
            page = self._service.full(self._page_size)
            for move in moves(self._gaps, page, self._concurrency, budget if self._ordered else math.inf):
                asks.append(self._ask(move))
                if slots == len(asks):
                    break
        self._under_way.update(asks)
        return asks

    def _ask(self, move: Move) -> Ask:
        gap = move.gap
        if move.ask is not None:
            self._jobs[move.ask] = partial(self._counted, gap, move.ask)
            return move.ask
        first, until, backward = self._window(gap, move.backward)
        size = gap.backward_size if backward else gap.forward_size
        ask = Ask(
            first,
            until,
            self.axis,
            page_size=size or self._page_size,
            backward=backward,
            page_no=self._service.first_page or 0,
            tries=self._tries(until - first),
        )
        if self._service.first_page is None:
            self._trails[ask] = _Trail()
        if backward:
            gap.backward = ask
        else:
            gap.forward = ask
        return ask

    def _window(self, gap: Gap, backward: bool) -> tuple[int, int, bool]:
        """Choose what to ask for in a gap: the window, and whether against scan time."""
        reach = max(self._service.widest, _NARROW)
        if gap.short or gap.looks:
            # A row beside the gap is read again, so that the proof does not lean on an empty answer.
            if gap.witness is not None and gap.until - gap.witness * 1000 <= reach:
                return gap.witness * 1000, gap.until, True
            if gap.looks and gap.beyond is not None and gap.beyond * 1000 + 1000 - gap.first <= reach:
                return gap.first, gap.beyond * 1000 + 1000, False
        elif not backward and gap.left is not None and not self._service.zone_pinned:
            return gap.first, min(gap.until, gap.left.second * 1000 + 1000), False
        return gap.first, gap.until, backward

    def _tries(self, width: int) -> int | None:
        """Try a window twice that is wider than any the service has answered; it is halved rather than insisted on."""
        if self._service.first_page is None:
            return 1
        return 2 if self._is_wide(width) else None

    def _is_wide(self, width: int) -> bool:
        return width > max(self._service.widest, _NARROW)

    # What came

    def received(self, ask: Ask, page: Page) -> None:
        """Take the answer to a request."""
        self._back(ask)
        self.rows_received += len(page.ids)
        if page.ids:
            self._service.saw(ask.page_size, len(page.ids), ask.until - ask.first)
        if (job := self._jobs.pop(ask, None)) is not None:
            job(page)
        elif (trail := self._trails.pop(ask, None)) is not None:
            self._opened(ask, trail, Outcome.ROWS if page.ids else Outcome.EMPTY, page)
        else:
            self._answered(ask, page)

    def failed(self, ask: Ask, error: AioflowsError) -> None:
        """Take the error that a request ended with, its retries spent."""
        self._back(ask)
        if ask.page_size > self._page_size and refusal(error):
            self._service.larger_pages = False
        if (job := self._jobs.pop(ask, None)) is not None:
            job(error)
        elif ask.page_size > self._page_size and refusal(error):
            for gap in self._put_down(ask):
                # The usual page is asked for next, and shows that the second is dense.
                gap.forward_size = gap.backward_size = 0
        elif (trail := self._trails.pop(ask, None)) is None:
            self._refused(ask, error)
        elif refusal(error):
            self._opened(ask, trail, Outcome.REFUSED, error)
        elif ask.tries == 1:
            self._again(ask, trail)
        else:
            self._refused(ask, error)

    def _back(self, ask: Ask) -> None:
        if ask not in self._under_way:
            raise RuntimeError(f"{ask} was not asked, or was answered before")
        self._under_way.remove(ask)

    def _opened(self, ask: Ask, trail: _Trail, outcome: Outcome, answer: Page | AioflowsError) -> None:
        """Follow the trail to the first page."""
        trail = trail.then(outcome, answer)
        step = next_step(trail.outcomes)
        if step in (Step.ASK_0, Step.ASK_1):
            number = 1 if step is Step.ASK_1 else 0
            again = attrs.evolve(ask, page_no=number, tries=None if number else _TRIES_OF_PAGE_0)
            self._follow(ask, again, None)
            self._trails[again] = trail
            return
        if step is Step.TAKE_0:
            self._service.first_page = 0
        elif step is Step.TAKE_1:
            self._service.first_page = self._service.base = 1
        if step is Step.FAIL:
            assert isinstance(answer, AioflowsError)
            self._refused(ask, answer)
        else:
            self._put_down(ask)
            # The page that is taken may not be the one that was asked for last, and may have to be asked for again.
            ask = attrs.evolve(ask, page_no=self._service.first_page or 0)
            self._answered(ask, trail.page if trail.page is not None else _Nothing())

    def _answered(self, ask: Ask, page: Page) -> None:
        """Take the first page of a window."""
        gaps = self._put_down(ask)
        if not gaps:
            self.duplicates += len(page.ids)
            return
        if not page.ids:
            self._nothing(ask, gaps)
            return
        try:
            reading = self._reading(ask, page)
        except AioflowsError as error:
            self._break(gaps[0], error)
            return
        whole = self._service.ends_short(ask.page_size, len(reading))
        anchor = gaps[0].left
        lone = gaps[0].witness is None and reading.first == reading.last and not ask.backward
        lone = lone and (anchor is None or anchor.ids <= set(page.ids))
        if not whole and lone and self._service.may_be_last(ask.page_size, len(reading)):
            self._look_further(ask, page, reading)
        else:
            self._prove(ask, page, reading, whole)

    def _reading(self, ask: Ask, page: Page) -> Reading:
        zone = self._zone
        assert zone is not None, "read_in() comes before the first answer"
        offset = zone.offset_at(ask.from_ms // 1000)
        reading = Reading(ask, page, lambda text: wall_seconds(text) - offset)
        if ask.until - ask.first <= _NARROW:
            self._service.zone_pinned = True
        return reading

    def _prove(self, ask: Ask, page: Page, reading: Reading, whole: bool) -> None:
        """Take what a page proves out of the gaps."""
        first, until = ask.first, ask.until
        if not whole and ask.backward:
            first = max(first, (reading.first + 1) * 1000)
        elif not whole:
            until = min(until, reading.last * 1000)
        gaps = self._gaps.within(first, until) if first < until else []
        for gap in gaps:
            for anchor in (gap.left, gap.right):
                covered = anchor is not None and _covers(first, until, anchor.second, gap)
                if anchor is not None and covered and anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self._doubt(anchor, gap, ask, page)
                    return
        kept = 0
        for gap in gaps:
            low, high = max(first, gap.first), min(until, gap.until)
            start, stop = reading.index(low // 1000), reading.index(-(-high // 1000))
            rows = reading.rows(start, stop)
            kept += len(rows)
            known = (reading.second(start), reading.second(stop - 1)) if start < stop else None
            self._settle(gap, Run(low, high, Batch(((page, rows),) if rows else ())), known)
        self.duplicates += len(reading) - kept
        proven = (
            len(reading)
            if whole
            else len(reading) - len(reading.at(reading.first if ask.backward else reading.last))
        )
        learn(self._gaps, ask, proven, until - first, whole, self._service.full(self._page_size))
        if not whole:
            self._go_on(ask, reading, first if ask.backward else until)

    def _settle(self, gap: Gap, run: Run, known: tuple[int, int] | None = None) -> None:
        self.windows += 1
        self._gaps.take(gap, run.first, run.until, len(run.batch), known)
        self._release.put(run)

    def _go_on(self, ask: Ask, reading: Reading, edge: int) -> None:
        """Mark where a page left off: at the second of its last row, which may hold more."""
        second = reading.first if ask.backward else reading.last
        gap = self._gaps.ending(edge) if ask.backward else self._gaps.starting(edge)
        if gap is None:
            return
        ties = reading.at(second)
        anchor = Anchor(second, frozenset(ties), ask)
        stuck = len(ties) == len(reading)
        if ask.backward:
            gap.right = anchor
            if gap.short:
                gap.short = False  # the page that may have been the last was not
                self._service.capped(self._page_size, self._service.most(self._page_size))
        else:
            gap.left = anchor
            gap.short = gap.witness is not None and self._service.may_be_last(ask.page_size, len(reading))
        if gap.short or (not stuck and len(ties) < _TIES_TO_GO_LARGER * self._service.full(self._page_size)):
            return
        size = self._larger(ask, len(reading), stuck)
        if size and ask.backward:
            gap.backward_size = size
        elif size:
            gap.forward_size = size
        elif stuck:
            self._open_dense(gap, second, None if ask.backward else reading.page)

    def _larger(self, ask: Ask, rows: int, stuck: bool) -> int:
        """Give the size of a larger page that is worth asking for, or 0 if the service gives none."""
        if ask.page_size > self._page_size and rows <= self._service.most(self._page_size):
            self._service.larger_pages = False
        if not self._service.larger_pages or (stuck and ask.page_size >= LARGEST_PAGE):
            return 0
        return min(LARGEST_PAGE, 4 * (ask.page_size if stuck else self._page_size))

    # Seconds that no page holds

    def _open_dense(self, gap: Gap, second: int, page: Page | None) -> None:
        low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
        anchor = next(
            (one for one in (gap.left, gap.right) if one is not None and one.second == second), None
        )
        known = anchor.ids if anchor is not None else frozenset()
        if gap.first < low:
            gap = self._gaps.split(gap, low)
        if high < gap.until:
            self._gaps.split(gap, high)
        size = LARGEST_PAGE if self._service.larger_pages else self._page_size
        gap.dense = Dense(low, high, self.axis, size, self._service, known, page)

    def _counted(self, gap: Gap, ask: Ask, answer: Page | AioflowsError) -> None:
        """Take an answer about a dense second."""
        dense = gap.dense
        if dense is None or gap not in self._gaps:
            return
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            if answer.ids:
                self._reading(ask, answer)
            dense.received(ask, answer)
        except AioflowsError as error:
            self._break(gap, error)
            return
        if dense.done:
            batch = dense.batch()
            second = gap.first // 1000
            self._settle(gap, Run(gap.first, gap.until, batch), (second, second))

    # Answers that need another look

    def _nothing(self, ask: Ask, gaps: Sequence[Gap]) -> None:
        """Take an empty answer: it is believed the second time, and never against a row that was seen."""
        for gap in gaps:
            for anchor in (gap.left, gap.right):
                if anchor is not None and _covers(ask.first, ask.until, anchor.second, gap):
                    self._doubt(anchor, gap, ask, _Nothing())
                    return
        for gap in gaps:
            if ask.first <= gap.first and gap.until <= ask.until:
                gap.looks += 1
                learn(self._gaps, ask, 0, gap.until - gap.first, True, self._service.full(self._page_size))
                witnessed = (ask.first, ask.until) != (gap.first, gap.until)
                if witnessed and gap.looks >= _LOOKS_AGAINST_A_ROW and not self._service.zone_pinned:
                    self._break(gap, self._misread((gap.witness if ask.backward else gap.beyond) or 0))
                elif gap.looks >= (_LOOKS_AGAINST_A_ROW if witnessed else _LOOKS):
                    self._settle(gap, Run(gap.first, gap.until, Batch()))

    def _look_further(self, ask: Ask, page: Page, reading: Reading) -> None:
        """Ask for what would follow the only rows there are, all in one second, with nothing before them to lean on.

        Where there are three or more, the last of them is asked for once more, so that an answer without any row
        proves nothing.
        """
        base = self._service.base if self._service.base is not None else ask.page_no
        size = len(reading) - 1 if len(reading) > 2 else len(reading)
        again = attrs.evolve(ask, page_no=base + 1, page_size=size, tries=None)
        self._follow(ask, again, partial(self._looked_further, ask, page, reading, size))

    def _looked_further(
        self, ask: Ask, page: Page, reading: Reading, size: int, answer: Page | AioflowsError
    ) -> None:
        for gap in self._put_down(ask):
            gap.held = False
        if isinstance(answer, AioflowsError):
            self._refused(ask, answer)
        elif len(answer.ids) == len(reading) - size and set(answer.ids) <= set(page.ids):
            self._prove(ask, page, reading, whole=True)
        elif self._service.base is None and len(answer.ids) == size and set(answer.ids) <= set(page.ids):
            self._service.base = ask.page_no + 1  # page 0 was answered with page 1
            self._look_further(ask, page, reading)
        else:
            if set(answer.ids) - set(page.ids):
                self._service.capped(ask.page_size, len(reading))
            self._prove(ask, page, reading, whole=False)

    def _doubt(self, anchor: Anchor, gap: Gap, ask: Ask, page: Page) -> None:
        """Look for a row that did not come again, where it was and where it should be."""
        gap.held = True
        self._look_where_it_was(_Doubt(anchor, gap, ask, page))

    def _look_where_it_was(self, doubt: _Doubt) -> None:
        again = attrs.evolve(doubt.anchor.ask, tries=None)
        self._urgent.append(again)
        self._jobs[again] = partial(self._looked_where_it_was, doubt, again)

    def _looked_where_it_was(self, doubt: _Doubt, again: Ask, answer: Page | AioflowsError) -> None:
        """Others may stand for it, where a second holds more rows than a page and ties change."""
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            there = self._may_hold(again, answer, doubt.anchor.second)
        except AioflowsError as error:
            self._break(doubt.gap, error)
            return
        if not there:
            self._dispel(doubt)  # it is gone
            return
        first = doubt.anchor.second * 1000
        near = attrs.evolve(doubt.anchor.ask, first=first, until=first + 1000, tries=None)
        self._urgent.append(near)
        self._jobs[near] = partial(self._looked_where_it_should_be, doubt, near)

    def _may_hold(self, ask: Ask, page: Page, second: int) -> bool:
        """Tell whether a page shows a row in a second, or is no proof that there is none."""
        if not page.ids:
            return not self._service.zone_pinned
        reading = self._reading(ask, page)
        if reading.at(second):
            return True
        reached = reading.first < second if ask.backward else reading.last > second
        whole = self._service.ends_short(ask.page_size, len(reading))
        return not (reached or whole or self._service.zone_pinned)

    def _looked_where_it_should_be(self, doubt: _Doubt, near: Ask, answer: Page | AioflowsError) -> None:
        """A row that was misread is never found there; one that comes and goes is, or is gone, sooner or later."""
        doubt.rounds -= 1
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            if answer.ids:
                self._reading(near, answer)
            elif not doubt.rounds:
                raise self._misread(doubt.anchor.second)
        except AioflowsError as error:
            self._break(doubt.gap, error)
            return
        if not answer.ids:
            self._look_where_it_was(doubt)
            return
        # Rows are where they should be, so it is the answer that was wrong, and what it left out is asked for again.
        doubt.gap.held = False
        doubt.gap.doubts += 1
        if doubt.gap.doubts > _DOUBTS:
            self._break(doubt.gap, self._contradiction(doubt.ask))

    def _dispel(self, doubt: _Doubt) -> None:
        """Go on with the answer that had raised a doubt."""
        gap = doubt.gap
        gap.held = False
        if gap.left is doubt.anchor:
            gap.left = None
        if gap.right is doubt.anchor:
            gap.right = None
        self._answered(doubt.ask, doubt.page)

    def _misread(self, second: int) -> CompletenessError:
        time = self.axis.second(second) * 1000
        return CompletenessError(
            f"rows that are read as triggered at {time} ms are there when a wide window is asked for, but not when that "
            f"second is: the service's times are not in the zone {self._zone} that it names, or not always. "
            "Give the zone it really uses as FlowSession(server_timezone=...)"
        )

    @staticmethod
    def _contradiction(ask: Ask) -> CompletenessError:
        return CompletenessError(
            f"answers about the window {ask.from_ms}–{ask.to_ms} ms leave out, again and again, rows that other answers show "
            "there: nothing that this service answers can be relied on"
        )

    # Failures

    def _again(self, ask: Ask, trail: _Trail) -> None:
        """Ask for the first page once more, after an error that says nothing about page numbers."""
        again = attrs.evolve(ask, tries=None)
        self._follow(ask, again, None)
        self._trails[again] = trail

    def _refused(self, ask: Ask, error: AioflowsError) -> None:
        """Halve a window that the service fails on, if it is wide; otherwise the scan ends there."""
        gaps = self._put_down(ask)
        if not gaps:
            return
        gap = gaps[-1] if ask.backward else gaps[0]
        cut = (gap.first + gap.until) // 2000 * 1000
        wide = (
            self._is_wide(ask.until - ask.first) and gap.halvings < _HALVINGS and gap.first < cut < gap.until
        )
        if wide and isinstance(error, (ServerFault, TimedOut)):
            gap.halvings += 1
            self._gaps.split(gap, cut)
        else:
            self._break(gap, error)

    def _break(self, gap: Gap, error: AioflowsError) -> None:
        if gap in self._gaps:
            gap.broken = error
        elif self._error is None:
            self._error = error

    # What is under way in a gap

    def _put_down(self, ask: Ask) -> list[Gap]:
        """Note that a request is over; give the gaps that it bears on."""
        gaps = self._gaps.within(ask.first, ask.until)
        for gap in gaps:
            if gap.forward is ask:
                gap.forward = None
            if gap.backward is ask:
                gap.backward = None
        return gaps

    def _follow(self, ask: Ask, again: Ask, job: Callable[[Page | AioflowsError], None] | None) -> None:
        """Put a request in the place of another."""
        for gap in self._gaps.within(ask.first, ask.until):
            if gap.forward is ask:
                gap.forward = again
            elif gap.backward is ask:
                gap.backward = again
            elif job is not None:
                gap.held = True
        self._urgent.append(again)
        if job is not None:
            self._jobs[again] = job

    # What to hand out

    def next_item(self) -> Run | Literal[Signal.NEED_PAGES, Signal.DONE]:
        """Release the next run that has rows, in the scan's order."""
        while (run := self._release.next()) is not None:
            if rows := len(run.batch):
                self._pulled += 1
                self._gaps.ready -= rows
                self.rows_released += rows
                return run
        if not self._gaps:
            if self._error is not None:
                raise self._error
            return DONE
        broken = self._gaps[0].broken if self._ordered else self._broken()
        if broken is not None:
            raise broken
        return NEED_PAGES

    def remaining(self) -> list[tuple[int, int]]:
        """Give the windows of which nothing was released, in *milliseconds* of scan time."""
        windows = [(gap.first, gap.until) for gap in self._gaps]
        return sorted(windows + [(run.first, run.until) for run in self._release.waiting])

    def _broken(self) -> AioflowsError | None:
        return None if self._under_way else next((gap.broken for gap in self._gaps if gap.broken), None)


def _covers(first: int, until: int, second: int, gap: Gap) -> bool:
    """Tell whether a proven window holds all of a second, as far as it lies in the gap."""
    low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
    return low < high and first <= low and high <= until
