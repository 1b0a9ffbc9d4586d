"""Keeps the work on answers from filling the loop: a little at a time, then everything else has its turn.

A page takes a few milliseconds of work that cannot be interrupted, and the loop runs all tasks that are ready before it
looks at timers and sockets again. Fifty scans that each have a page ready would make that a quarter of a second. So:

1. In one step of the loop there is work for one `SLICE`, and what is begun before its end; who comes later waits.
2. Who waits is let in first come, first served, one at each step of the loop; so a slow stretch is shared by all.
3. Nobody waits where there is nobody else: one scan alone never exceeds a slice by more than a page.

Rows that are handed out come last of all: a request that gets under way a step later is a step later at its end, too.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

__all__ = ["SLICE", "LoopSlices"]

SLICE = 0.002
"""Seconds of work between two looks of the loop at everything else."""


_QUIET = 0.0001
"""Seconds that a step of the loop does not take in which nothing but a timer or two is due."""


class LoopSlices:
    """``await turns.take()``, then ``with turns:`` around one piece of work, with no ``await`` between or inside.

    Args:
        clock: gives a *time* in seconds, which is what work takes; a loop's own clock need not tell that.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._spent = self._began = 0.0
        self._step: asyncio.Handle | None = None

    async def others(self) -> float:
        """Lets everything else have one step of the loop; gives the seconds that it took, 0 if there was hardly anything."""
        began = self._clock()
        await asyncio.sleep(0)
        took = self._clock() - began
        return took if took > _QUIET else 0.0

    async def take(self) -> None:
        """Returns when there is time for a piece of work."""
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._spent += self._clock() - self._began
        if self._spent >= SLICE and self._step is not None:
            self._step.cancel()  # it may be due in this very step of the loop, which has done its share
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
