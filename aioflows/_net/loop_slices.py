"""Slices of the event loop: decoding is limited to short slices, so that the loop stays responsive.

A page takes a few milliseconds of work that cannot be interrupted. The loop runs all ready tasks before it
looks at timers and sockets again. With fifty scans that each have a page ready this would take a quarter of a
second. So:

1. One step of the loop has work for one `SLICE`, plus the piece of work that began before its end. Other work
   waits.
2. Waiting work is admitted first come, first served, one piece at each step of the loop. So all scans share a
   slow phase.
3. Work does not wait if there is no other work. A single scan exceeds a slice by at most one page.

Handing out rows comes last, because a request that starts a step later also ends a step later.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

__all__ = ["SLICE", "LoopSlices"]

SLICE = 0.002
"""The work in one step of the loop (seconds)."""


_QUIET = 0.0001
"""A step of the loop with only a timer or two due is shorter than this (seconds)."""


class LoopSlices:
    """The slices of one loop.

    Use ``await turns.take()``, then ``with turns:`` around a piece of work without ``await``.

    Args:
        clock: returns a time that measures work (seconds). A virtual loop's own clock does not. Default:
            ``time.perf_counter``.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._spent = self._began = 0.0
        self._step: asyncio.Handle | None = None

    async def let_others_run(self) -> float:
        """Wait for one step of the loop.

        Return its duration (seconds), or 0 if the step had hardly any work.
        """
        began = self._clock()
        await asyncio.sleep(0)
        took = self._clock() - began
        return took if took > _QUIET else 0.0

    async def take(self) -> None:
        """Wait until the slice has time for a piece of work."""
        if self._spent < SLICE and not self._waiting:
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._go_on()
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *_: object) -> None:
        self._spent += self._clock() - self._began
        if self._spent >= SLICE and self._step is not None:
            self._step.cancel()  # otherwise it could run in this step of the loop, whose slice is spent
            self._step = None
        self._go_on()

    def _go_on(self) -> None:
        if self._step is None:
            self._step = asyncio.get_running_loop().call_soon(self._next_step)

    def _next_step(self) -> None:
        self._step = None
        self._spent = 0.0
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        if self._waiting:
            self._go_on()
