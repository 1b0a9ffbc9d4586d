"""Where every attempt of a session passes, one gate for all of its scans.

Three things hold at every moment:

1. At most ``limit`` attempts are inside, and a slot belongs to exactly one attempt or to nobody. It is handed over the
   moment it is free, so no newcomer overtakes who waits, and it comes back whatever becomes of its owner: done, failed,
   or cancelled at any point, even between being let in and noticing.
2. Nobody enters while the gate is paused, not even who was let in but had not run yet. A pause is never shortened.
3. Nobody enters earlier than the gap after the one before. With a rate the gap is ``1 / rate``, from the first
   entry on, so there is no opening burst; where the service has complained, it is what `RateEstimate` has found out since. The
   first entries, and those after a pause, are kept a little apart in any case, and more than a few are inside at once only
   when as many were answered: a service that bears fewer has refused the first of them before the last are sent.

Who waits stands in one heap, ordered by ticket. Whoever draws a ticket is placed one round behind its own last one, so
scans that share the gate enter in turn, however many requests each has waiting, and a single question enters next. A
request keeps its ticket for all of its attempts, so who was refused, or sent back by a pause, stands before who came
later. One timer, never more, stands at the moment when the gate next opens. Who enters is decided in one place, `_admit`,
synchronously; everything else only records what happened and calls it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from types import TracebackType

from aioflows._core.resilience.rate_estimate import RateEstimate

__all__ = ["FIRST", "Gate", "Ticket"]

Ticket = tuple[int, int]
"""The round in which one enters, and the place in it."""

FIRST: Ticket = (0, 0)
"""The ticket of those who go before everybody else."""

_APART = 0.003  # seconds between the first entries, and between those after a pause
_AT_FIRST = 16  # attempts inside while the service has answered none


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Gate:
    """Bounds how many attempts are in flight and how fast they start, and stops them all for a while.

    ``async with gate:`` holds a slot for one attempt, as `enter` and `leave` do. Nothing may sleep in there.

    Args:
        concurrency: *attempts* inside at once.
        rate: *attempts per second* that enter at most; None: no bound.
        clock: gives the *time* in seconds, on the scale of the running loop's timers, which is its default.
    """

    def __init__(
        self, concurrency: int, rate: float | None = None, *, clock: Callable[[], float] = _loop_time
    ) -> None:
        self.limit = self._most = concurrency
        self._gap = 1 / rate if rate else 0.0
        self._clock = clock
        self._pace = RateEstimate()
        self._inside = 0
        self._queue: list[tuple[Ticket, asyncio.Future[None]]] = []
        self._tickets = 0
        self._round = 0  # of the last one who entered
        self._timer: asyncio.TimerHandle | None = None
        self._next_entry = 0.0  # the gap after the last entry ends here
        self._paused_until = 0.0
        self._apart = concurrency  # entries that are still kept apart
        self._room = min(concurrency, _AT_FIRST)  # attempts that may be inside so far

    @property
    def in_flight(self) -> int:
        """Attempts inside."""
        return self._inside

    @property
    def waiting(self) -> int:
        """Attempts that want to enter."""
        return len(self._queue)

    @property
    def paused_for(self) -> float:
        """Seconds until a pause ends; 0 if there is none."""
        return max(0.0, self._paused_until - self._clock()) if self._paused_until else 0.0

    def pause(self, seconds: float) -> bool:
        """Lets nobody enter for some seconds from now; tells whether that is news, or the gate was paused already."""
        return self.pause_until(self._clock() + seconds)

    def pause_until(self, moment: float) -> bool:
        """Lets nobody enter before a moment of the clock; tells whether the gate was open until now."""
        now = self._clock()
        news = self._paused_until <= now < moment
        if moment > max(now, self._paused_until):
            self._paused_until = moment
            self._apart = self.limit
            self._set_timer()
        return news

    @property
    def rate(self) -> float | None:
        """Attempts per second that the service is known to bear; None: it has never complained."""
        return self._pace.bound

    def ticket(self, behind: int = 0) -> Ticket:
        """Draws a ticket: who holds a lower one enters earlier.

        Args:
            behind: the *round* of the last ticket that the same scan has drawn.
        """
        self._tickets += 1
        return max(self._round, behind) + 1, self._tickets

    async def enter(self, ticket: Ticket) -> None:
        """Returns when there is a slot; whoever gets one must `leave`."""
        if self._inside < self._room and not self._queue and self._is_open():
            self._let_in(ticket)
            return
        await self._wait(ticket)

    def leave(self) -> None:
        """Gives the slot back."""
        self._inside -= 1
        if self._queue:
            self._admit()

    def accepted(self) -> None:
        """Notes that the service has answered."""
        self._pace.accepted(self._clock())
        if self._room < self.limit:
            self._room += 1

    def throttled(self, entered: float, pause: float) -> None:
        """Notes that the service has refused an attempt, because there were too many.

        Args:
            entered: when that *attempt* entered.
            pause: *seconds* that the service wants us to wait; 0: it did not say.
        """
        now = self._clock()
        if self._pace.throttled(entered, now, pause):
            self._cut(now)

    def unavailable(self, entered: float) -> bool:
        """Notes that the service has refused an attempt and not said why; tells whether there seem to be too many."""
        now = self._clock()
        meant, bound = self._pace.unavailable(entered, now)
        if bound:
            self._cut(now)
        return meant

    def closed(self, entered: float) -> bool:
        """Notes that a connection was closed instead of an answer; tells whether that seems to mean too many."""
        now = self._clock()
        meant, bound = self._pace.closed(entered, now)
        if bound:
            self._cut(now)
        return meant

    def fit(self, most: int | None) -> None:
        """Lets no more inside at once than a pool lets out of its connections; None: as many as were given."""
        limit = self._most if most is None else min(self._most, most)
        if limit != self.limit:
            self.limit = limit
            self._room = min(limit, max(self._room, _AT_FIRST))
            self._apart = min(limit, self._apart)

    def _cut(self, now: float) -> None:
        """Lets the next one in when there may be place for it, which was just denied."""
        self._next_entry = max(self._next_entry, now + max(self._pace.gap(now), self._pace.rest(now)))
        self._set_timer()

    async def __aenter__(self) -> None:
        await self.enter(self.ticket())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()

    def _is_open(self) -> bool:
        """Whether one may enter now, who then counts as entered."""
        if not self._apart and not self._paused_until and not self._gap and self._pace.bound is None:
            return True  # neither a rate nor, so far, a pause or a complaint: no need to look at the clock
        now = self._clock()
        if now < self._opens():
            return False
        self._entered(now)
        return True

    def _let_in(self, ticket: Ticket) -> None:
        self._inside += 1
        self._round = max(self._round, ticket[0])

    def _opens(self) -> float:
        return max(self._next_entry, self._paused_until)

    def _entered(self, now: float) -> None:
        gap = max(self._gap, self._pace.gap(now))
        if self._apart:
            self._apart -= 1
            gap = max(gap, _APART)
        self._next_entry = now + gap

    async def _wait(self, ticket: Ticket) -> None:
        while True:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            place = (ticket, turn)
            heapq.heappush(self._queue, place)
            self._admit()
            try:
                await turn
            except asyncio.CancelledError:
                self._give_up(place)
                raise
            if not self._paused_until or self._clock() >= self._paused_until:
                return
            self._inside -= 1  # a pause began after this one was let in: back to the same place

    def _give_up(self, place: tuple[Ticket, asyncio.Future[None]]) -> None:
        if not place[1].cancelled():
            self.leave()  # let in, and cancelled before it could notice
        elif place in self._queue:
            self._queue.remove(place)
            heapq.heapify(self._queue)
            self._set_timer()

    def _admit(self) -> None:
        """Lets in whoever may enter now, and sets the timer for the next."""
        while self._somebody_may_enter() and self._is_open():
            self._hand_over()
        self._set_timer()

    def _somebody_may_enter(self) -> bool:
        """Whether a slot is free and somebody waits for it who has not been cancelled meanwhile."""
        while self._queue and self._queue[0][1].cancelled():
            heapq.heappop(self._queue)
        return bool(self._queue) and self._inside < self._room

    def _hand_over(self) -> None:
        ticket, turn = heapq.heappop(self._queue)
        turn.set_result(None)
        self._let_in(ticket)

    def _set_timer(self) -> None:
        """Sees to it that the timer stands where the gate next opens, if anybody waits for that alone."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and self._inside < self._room:
            opens = self._opens()
            delay = max(0.0, opens - self._clock())
            self._timer = asyncio.get_running_loop().call_later(delay, self._on_time, opens)

    def _on_time(self, moment: float) -> None:
        self._timer = None
        if moment >= self._paused_until:
            self._paused_until = 0.0  # over, even if rounding brought the timer a hair early
        # The entry counts from the moment it was due: a loop that is late must not slow the rate down.
        if self._somebody_may_enter() and moment >= self._opens():
            self._entered(moment)
            self._hand_over()
        self._admit()

    def __repr__(self) -> str:
        state = f"{self._inside}/{self.limit} in flight, {len(self._queue)} waiting"
        try:
            paused = self.paused_for
            rate = self._pace.rate(self._clock())
        except RuntimeError:  # shown where no loop runs
            paused, rate = 0.0, self._pace.bound
        paced = f", at most {rate:.1f} a second" if rate else ""
        return f"<Gate {state}{paced}{f', paused for {paused:.1f} s' if paused else ''}>"
