"""The gate of a session: it limits the concurrency and the rate of all attempts.

Three rules hold at every moment:

1. At most ``limit`` attempts are inside. A slot belongs to exactly one attempt, or it is free. A free slot
   goes to the first waiting attempt at once, so no newcomer overtakes it. A slot is always returned: when its
   attempt is done, fails, or is cancelled at any point, even between being admitted and running.
2. No attempt enters while the gate is paused, not even an admitted attempt that has not run yet. A pause is
   never shortened.
3. No attempt enters before the end of the gap after the last entry. With a rate the gap is ``1 / rate`` from
   the first entry on, so there is no opening burst. After a refusal the gap comes from `RateEstimate`. The
   first entries, and those after a pause, are always a few milliseconds apart. At first only a few attempts
   may be inside, and each answer allows one more. So a service that accepts fewer refuses the first attempts
   before the last ones are sent.

Waiting attempts are in one heap, ordered by ticket. A new ticket is one round behind the last ticket of the
same scan. So scans that share the gate enter in turn, however many requests each has waiting. The first
requests of a scan that is new, or has rested, are some rounds *ahead*, so a small question does not wait for
one request of each bulk scan. No more attempts enter ahead than in turn, so any number of small questions
leaves half of the entries to bulk scans.

A request keeps its ticket for all its attempts, so after a refusal or a pause it stands before later
requests. One timer is set to the moment when the gate next opens. Only `_admit` decides which attempts enter,
synchronously. All other methods record an event and call it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from aioflows._core.resilience.rate_estimate import RateEstimate

__all__ = ["FIRST", "Gate", "Ticket"]

Ticket = tuple[int, int]
"""The round of an attempt, and its place in the round."""

FIRST: Ticket = (0, 0)
"""The ticket of attempts that enter before all others."""

_APART = 0.003
_PROBING = 0.006  # the same before `_TOLD` answers, if more than `_AT_FIRST` attempts may be inside
_TOLD = 18  # answers that show that the service has no small burst
_SURE = 0.001  # seconds between entries after them
_Place = tuple[Ticket, "asyncio.Future[None]"]

_ROUNDS_AHEAD = 4  # rounds by which the first ticket of a scan is before those that enter in turn
_SAVED = 8  # entries in turn, at most, that allow as many entries ahead later
_AT_FIRST = 16  # attempts that may be inside before the first answer


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class Gate:
    """The gate: it limits the attempts in flight and their rate, and can pause them all.

    ``async with gate:`` holds a slot for one attempt, as `enter` and `leave` do. Do not sleep while holding a
    slot.

    Args:
        concurrency: the greatest number of attempts inside.
        rate: the greatest rate (attempts per second). None means no limit. Default: None.
        clock: returns the time of the loop's timers (seconds). Default: the running loop's.
    """

    def __init__(
        self, concurrency: int, rate: float | None = None, *, clock: Callable[[], float] = _loop_time
    ) -> None:
        self.limit = self._concurrency = concurrency
        self._gap = 1 / rate if rate else 0.0
        self._clock = clock
        self._pace = RateEstimate()
        self._inside = 0
        self._queue: list[_Place] = []
        self._tickets = 0
        self._round = 0  # the latest round of all entries
        self._saved = _SAVED  # attempts that may enter ahead
        self._timer: asyncio.TimerHandle | None = None
        self._next_entry = 0.0  # the end of the gap after the last entry
        self._paused_until = 0.0
        self._answers = 0  # up to `_TOLD`
        self._apart = concurrency  # entries that still have to be kept apart
        self._room = min(concurrency, _AT_FIRST)  # attempts that may be inside so far

    @property
    def in_flight(self) -> int:
        """The number of attempts inside."""
        return self._inside

    @property
    def waiting(self) -> int:
        """The number of waiting attempts."""
        return len(self._queue)

    @property
    def paused_for(self) -> float:
        """The rest of the pause (seconds). 0 means that there is no pause."""
        return max(0.0, self._paused_until - self._clock()) if self._paused_until else 0.0

    def pause(self, seconds: float) -> bool:
        """Pause the gate for some seconds from now. Return True if it was not paused before."""
        return self.pause_until(self._clock() + seconds)

    def pause_until(self, moment: float) -> bool:
        """Pause the gate until a moment of its clock. Return True if it was not paused before."""
        now = self._clock()
        news = self._paused_until <= now < moment
        if moment > max(now, self._paused_until):
            self._paused_until = moment
            self._apart = self.limit
            self._set_timer()
        return news

    @property
    def rate(self) -> float | None:
        """The rate that the service is known to accept (attempts per second).

        None means that it never refused.
        """
        return self._pace.bound

    def ticket(self, behind: int = 0) -> Ticket:
        """Return a new ticket. Attempts with lower tickets enter earlier.

        Args:
            behind: the round of the last ticket of the same scan. Default: 0.
        """
        self._tickets += 1
        return max(self._round - _ROUNDS_AHEAD, behind) + 1, self._tickets

    async def enter(self, ticket: Ticket) -> None:
        """Wait for a slot. The caller must `leave` afterwards."""
        if self._inside < self._room and not self._queue and self._is_open():
            self._let_in(ticket)
            return
        await self._wait(ticket)

    def leave(self) -> None:
        """Return the slot."""
        self._inside -= 1
        if self._queue:
            self._admit()

    def accepted(self) -> None:
        """Record that the service answered."""
        self._pace.accepted(self._clock())
        self._answers = min(_TOLD, self._answers + 1)
        if self._room < self.limit:
            self._room += 1

    def throttled(self, entered: float, pause: float) -> None:
        """Record that the service refused an attempt because it received too many.

        Args:
            entered: the moment at which the attempt entered (seconds of the clock).
            pause: the wait that the service asked for (seconds). 0 means that it asked for none.
        """
        now = self._clock()
        if self._pace.throttled(entered, now, pause):
            self._delay_next(now)

    def unavailable(self, entered: float) -> bool:
        """Record a refusal without a reason. Return True if too many attempts seem to be the reason."""
        now = self._clock()
        meant, bound = self._pace.unavailable(entered, now)
        if bound:
            self._delay_next(now)
        return meant

    def closed(self, entered: float) -> bool:
        """Record a closed connection. Return True if too many attempts seem to be the reason."""
        now = self._clock()
        meant, bound = self._pace.closed(entered, now)
        if bound:
            self._delay_next(now)
        return meant

    def limit_to(self, most: int | None) -> None:
        """Lower the limit to the connections of a pool. None restores the limit that was given."""
        limit = self._concurrency if most is None else min(self._concurrency, most)
        if limit != self.limit:
            self.limit = limit
            self._room = min(limit, max(self._room, _AT_FIRST))
            self._apart = min(limit, self._apart)

    def _delay_next(self, now: float) -> None:
        """Delay the next entry after a refusal, until the service may accept it."""
        self._next_entry = max(self._next_entry, now + max(self._pace.gap(now), self._pace.rest(now)))
        self._set_timer()

    async def __aenter__(self) -> None:
        await self.enter(self.ticket())

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def _is_open(self) -> bool:
        """Return True if an attempt may enter now, and record its entry."""
        if not self._apart and not self._paused_until and not self._gap and self._pace.bound is None:
            return True  # without a rate, a pause or a refusal the clock does not matter
        now = self._clock()
        if now < self._opens():
            return False
        self._entered(now)
        return True

    def _let_in(self, ticket: Ticket) -> None:
        self._inside += 1
        self._pace.sent(self._clock())
        self._round = max(self._round, ticket[0])

    def _opens(self) -> float:
        return max(self._next_entry, self._paused_until)

    def _entered(self, now: float) -> None:
        gap = max(self._gap, self._pace.gap(now))
        if self._apart:
            self._apart -= 1
            gap = max(gap, self._apart_by())
        self._next_entry = now + gap

    def _apart_by(self) -> float:
        """Return the seconds between entries, so that few are sent before the first refusal has come."""
        if self.limit <= _AT_FIRST:
            return _APART
        return _PROBING if self._answers < _TOLD else _SURE

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
            self._inside -= 1  # a pause began after the admission, so the attempt waits again at its place

    def _give_up(self, place: _Place) -> None:
        if not place[1].cancelled():
            self.leave()  # admitted, and cancelled before it ran
        elif place in self._queue:
            self._queue.remove(place)
            heapq.heapify(self._queue)
            self._set_timer()

    def _admit(self) -> None:
        """Admit all attempts that may enter now, and set the timer for the next."""
        while self._can_admit() and self._is_open():
            self._hand_over()
        self._set_timer()

    def _can_admit(self) -> bool:
        """Return True if a slot is free and an attempt waits that was not cancelled."""
        while self._queue and self._queue[0][1].cancelled():
            heapq.heappop(self._queue)
        return bool(self._queue) and self._inside < self._room

    def _hand_over(self) -> None:
        place = self._queue[0]
        if self._is_ahead(place) and not self._saved:
            in_turn = (one for one in self._queue if not self._is_ahead(one) and not one[1].cancelled())
            place = min(in_turn, default=place)
        if place is self._queue[0]:
            heapq.heappop(self._queue)
        else:
            self._queue.remove(place)
            heapq.heapify(self._queue)
        self._saved = max(0, self._saved - 1) if self._is_ahead(place) else min(_SAVED, self._saved + 1)
        place[1].set_result(None)
        self._let_in(place[0])

    def _is_ahead(self, place: _Place) -> bool:
        return FIRST[0] < place[0][0] < self._round

    def _set_timer(self) -> None:
        """Set the timer to the next opening of the gate, if an attempt waits for nothing else."""
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
            self._paused_until = 0.0  # the timer may fire early by a rounding error
        # The entry counts from the moment it was due, so that a late loop does not lower the rate. A service without
        # a burst would refuse the next one then.
        if self._can_admit() and moment >= self._opens():
            self._entered(self._clock() if self._pace.is_strict else moment)
            self._hand_over()
        self._admit()

    def __repr__(self) -> str:
        state = f"{self._inside}/{self.limit} in flight, {len(self._queue)} waiting"
        try:
            paused = self.paused_for
            rate = self._pace.rate(self._clock())
        except RuntimeError:  # no loop is running
            paused, rate = 0.0, self._pace.bound
        paced = f", at most {rate:.1f} a second" if rate else ""
        return f"<Gate {state}{paced}{f', paused for {paused:.1f} s' if paused else ''}>"
