"""Slices of the event loop: decoding is limited to short slices, so that the loop stays responsive.

A page takes a few milliseconds of work that cannot be interrupted. The loop runs all ready tasks before it
looks at timers and sockets again. With fifty scans that each have a page ready this would take a quarter of a
second. So:

1. One step of the loop has work for one `SLICE`, plus the piece of work that began before its end. Other work
   waits.
2. Waiting work is admitted one piece at each step of the loop. The share of the scan that has used the least
   processor time comes first. So scans get equal parts of the loop, however large their pieces are.
3. Work does not wait if there is no other work. A single scan exceeds a slice by at most one page.
4. A share that has used much less than the others goes *ahead*: its work does not wait, for one more slice in
   each step. So a small question does not queue behind bulk scans. But while others wait, no more is done
   ahead than in turn. So any number of small questions leaves half of the loop to bulk scans.
5. A garbage collection is charged to no share. It takes up to 100 ms, and the scan whose work happens to
   start it did not make all of the garbage. Charged, it kept equal scans 4 to 9 % apart instead of 2 %.

The rule is start-time fair queueing (Goyal, Vin and Cheng, 1996). The virtual time is the least that a waiting
share has used, and it never falls. No share is more than `CREDIT` behind it. So a scan that is new, or that
has rested, cannot claim the loop for as long as the others have run. No share is more than one `_LEAD` before
it. So a scan that ran alone does not wait for others to use as much.

Handing out rows comes last, because a request that starts a step later also ends a step later.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections import deque
from collections.abc import Callable
from operator import attrgetter
from threading import get_ident

__all__ = ["CREDIT", "SLICE", "LoopShare", "LoopSlices"]

SLICE = 0.002
"""The work in one step of the loop (seconds)."""

CREDIT = 0.06
"""The work by which a new share is behind the virtual time (seconds)."""

_LEAD = 0.02
"""The work by which shares in turn may differ from the virtual time (seconds). A page takes less.

A share that is behind by more goes ahead.
"""

_SAVED = 0.05
"""The most work in turn that allows work ahead later (seconds)."""

_QUIET = 0.0001
"""A step of the loop with only a timer or two due is shorter than this (seconds)."""

_used = attrgetter("used")


class LoopShare:
    """The share that one scan has of a loop.

    Use ``await share.take()``, then ``with share:`` around a piece of work without ``await``.

    Args:
        slices: the slices of the loop.
    """

    __slots__ = ("_slices", "used")

    def __init__(self, slices: LoopSlices) -> None:
        self._slices = slices
        self.used = 0.0
        """The work of the share, on the scale of the virtual time (seconds)."""

    async def take(self) -> None:
        """Wait until the slice has time for a piece of work of this share."""
        await self._slices.take(self)

    def __enter__(self) -> None:
        self._slices.begin()

    def __exit__(self, *_: object) -> None:
        self._slices.end(self)


class LoopSlices:
    """The slices of one loop.

    Args:
        work: returns the processor time of this thread (seconds), so that a busy machine charges nothing to a
            scan. Default: ``time.thread_time``.
        clock: returns a time in which steps of the loop are measured (seconds). A virtual loop's own clock
            does not pass meanwhile. Default: ``time.perf_counter``.
    """

    def __init__(
        self,
        work: Callable[[], float] = time.thread_time,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._work = work
        self._clock = clock
        self._waiting: dict[LoopShare, deque[asyncio.Future[None]]] = {}
        self._spent = self._spent_ahead = 0.0
        self._began = self._collecting = self._collected = 0.0
        self._thread = 0
        self._now = 0.0
        """The virtual time (seconds of work)."""
        self._saved = _SAVED
        """The work that may be done ahead of others (seconds)."""
        self._step: asyncio.Handle | None = None

    def share(self) -> LoopShare:
        """Return a new share of the loop."""
        return LoopShare(self)

    async def let_others_run(self) -> float:
        """Wait for one step of the loop.

        Return its duration (seconds), or 0 if the step had hardly any work.
        """
        began = self._clock()
        await asyncio.sleep(0)
        took = self._clock() - began
        return took if took > _QUIET else 0.0

    async def take(self, share: LoopShare) -> None:
        """Wait until the slice has time for a piece of work of a share."""
        if self._spent < SLICE and not self._waiting:
            return
        share.used = max(share.used, self._now - CREDIT)
        if self._spent_ahead < SLICE and self._saved > 0 and self._goes_ahead(share):
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(share, deque()).append(turn)
        self._go_on()
        try:
            await turn
        except asyncio.CancelledError:
            turns = self._waiting.get(share)
            if turns is not None and turn in turns:
                turns.remove(turn)
                if not turns:
                    del self._waiting[share]
            raise

    def begin(self) -> None:
        """Note the begin of a piece of work."""
        self._thread, self._collected = get_ident(), 0.0
        gc.callbacks.append(self._collects)
        self._began = self._work()

    def end(self, share: LoopShare) -> None:
        """Note the end of a piece of work, and charge it to a share."""
        spent = self._work() - self._began
        gc.callbacks.remove(self._collects)
        work = spent - self._collected
        if self._goes_ahead(share):
            self._spent_ahead += spent
            self._saved -= work
        else:
            self._spent += spent
            self._saved = min(_SAVED, self._saved + work)
        share.used += work
        if not self._waiting:
            self._now = max(self._now, share.used - _LEAD)
        share.used = min(share.used, self._now + _LEAD)
        if self._spent >= SLICE and self._step is not None:
            self._step.cancel()  # otherwise it could run in this step of the loop, whose slice is spent
            self._step = None
        self._go_on()

    def _collects(self, phase: str, _: dict[str, int]) -> None:
        """Measure a garbage collection. Collections of other threads are not part of the work."""
        if get_ident() != self._thread:
            return
        if phase == "start":
            self._collecting = self._work()
        else:
            self._collected += self._work() - self._collecting

    def _go_on(self) -> None:
        if self._step is None:
            self._step = asyncio.get_running_loop().call_soon(self._next_step)

    def _next_step(self) -> None:
        self._step = None
        self._spent = self._spent_ahead = 0.0
        if self._waiting:
            self._now = max(self._now, min(map(_used, self._waiting)))
        while self._waiting:
            share = self._next_share()
            turns = self._waiting[share]
            turn = turns.popleft()
            if not turns:
                del self._waiting[share]
            if not turn.done():
                turn.set_result(None)
                break
        if self._waiting:
            self._go_on()

    def _next_share(self) -> LoopShare:
        """Return the waiting share that has used the least, of those that may go before the others."""
        share = min(self._waiting, key=_used)
        if self._saved <= 0:
            in_turn = (one for one in self._waiting if not self._goes_ahead(one))
            share = min(in_turn, key=_used, default=share)
        return share

    def _goes_ahead(self, share: LoopShare) -> bool:
        return share.used < self._now - _LEAD
