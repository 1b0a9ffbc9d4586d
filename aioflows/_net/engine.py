"""Many requests: starts what the machine wants, feeds it the answers, and reaps what is left.

It decides nothing, and it lives inside `next_rows`: there is no task that pumps and no queue, so a consumer that stops
pulling stops the requests. A cancelled call loses nothing, since rows are taken from the machine with no ``await``
between that and returning them; the requests go on, and the next call finds their answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aioflows._core.pages.reading import Page, PageRequest
from aioflows._core.scans.machine import Machine, PendingEvent, Requester, Waiting
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows._net.loop_slices import LoopSlices
from aioflows._net.spill import Spill
from aioflows._tables.raw_rows import RawRows
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance

__all__ = ["Engine"]

_R = TypeVar("_R", bound="list[FlowInstance] | RawRows")


_STEPS, _PATIENCE = 8, 0.02
"""Steps of the loop, and seconds, that are left to others before rows are handed out, if they have that much to do. An answer
takes some five: to come, in pieces, to be read, to be fed to the machine, and to be followed by the next request."""


class Engine:
    """Runs the machine of one scan.

    Args:
        machine: the *machine*.
        fetch: gets one page.
        zone: tells the zone that the service's times are in.
        slots: *requests* to keep under way. More than the gate lets through at once, so that decoding a page leaves no
            place at the gate empty.
        turns: when to *work* on answers.
        told: takes what happened to the scan, as it happens.
    """

    def __init__(
        self,
        machine: Machine,
        fetch: Callable[[Requester, PageRequest], Coroutine[Any, Any, Page]],
        zone: Callable[[], Coroutine[Any, Any, Zone]],
        slots: int,
        turns: LoopSlices,
        told: Callable[[PendingEvent], object],
    ) -> None:
        self._machine = machine
        self._fetch = fetch
        self._ask_zone = zone
        self._slots = slots
        self._turns = turns
        self._told = told
        self._zone: asyncio.Task[Zone] | None = None
        self._under_way: dict[asyncio.Task[Page], tuple[Requester, PageRequest]] = {}
        self._beside: set[asyncio.Task[Callable[[], None]]] = set()
        self._spill = Spill()
        self._closed = False

    @property
    def under_way(self) -> int:
        """Requests that were started and not yet fed to the machine."""
        return len(self._under_way)

    async def next_rows(self) -> list[FlowInstance] | None:
        """Give the next rows in order, or None at the end; raise the scan's error after all before it was given.

        Raises:
            RuntimeError: it was closed meanwhile.
        """
        return await self._next(self._machine.next_rows)

    async def next_raw(self) -> list[FlowInstance] | RawRows | None:
        """Give the same as the answer they stand in, where that is possible."""
        return await self._next(self._machine.next_raw)

    async def _next(self, next_rows: Callable[[], _R | Waiting]) -> _R | None:
        await self._others()
        while not self._closed:
            await self._feed()
            await self._turns.take()
            if self._closed:
                break
            with self._turns:
                try:
                    rows = next_rows()
                finally:
                    for news in self._machine.drain_events():
                        self._told(news)
                self._start()
            if rows is DONE:
                return None
            if rows is NEED_PAGES:
                await self._wait()
            elif rows:
                return rows
        raise RuntimeError("this scan was closed while it was being iterated")

    async def _others(self) -> None:
        """Let the requests have their turn, though rows may be ready for long: answers come in several steps of the loop."""
        waited = 0.0
        for _ in range(_STEPS):
            took = await self._turns.others()
            waited += took
            if not self._closed and await self._feed() and not self._closed:
                self._start()
            if self._closed or not took or waited > _PATIENCE:
                return

    async def aclose(self) -> None:
        """Cancel what is under way and wait until it is over."""
        self._closed = True
        tasks = self._tasks()
        self._under_way.clear()
        self._beside.clear()
        self._zone = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        await self._spill.aclose()

    def cancel(self) -> None:
        """Cancel what is under way, where nobody can wait for it: in any thread, and even after the loop was closed."""
        tasks = self._tasks()
        self._under_way.clear()
        self._beside.clear()
        self._zone = None
        for task in tasks:
            try:
                task.get_loop().call_soon_threadsafe(_abandon, task)
            except RuntimeError:  # the loop is closed
                _abandon(task, for_good=True)

    def _tasks(self) -> list[asyncio.Task[Any]]:
        zone = [] if self._zone is None else [self._zone]
        return [*self._under_way, *self._beside, *zone]

    def _start(self) -> None:
        for asker, ask in self._machine.wanted(self._slots - len(self._under_way)):
            task = asyncio.create_task(self._fetch(asker, ask))
            self._under_way[task] = (asker, ask)
            if self._zone is None:
                # Beside the first search, not before it: it costs no time.
                self._zone = asyncio.create_task(self._ask_zone())
        for aside in self._machine.disk_tasks():
            self._beside.add(asyncio.create_task(self._spill.perform(aside)))

    async def _feed(self) -> bool:
        """Feed what has come to the machine; tell whether there was anything, so that it may want something else now."""
        fed = False
        for task in [task for task in self._beside if task.done()]:
            self._beside.discard(task)
            error = task.exception()
            if error is None:
                task.result()()
                fed = True
            elif isinstance(error, AioflowsError):
                self._machine.disk_failed(error)
            else:
                raise error
        if self._zone is None or not self._zone.done():
            return fed
        self._machine.set_zone(self._zone.result())
        for answered in [task for task in self._under_way if task.done()]:
            await self._turns.take()
            if self._closed:
                return fed
            with self._turns:
                self._feed_answer(answered)
            fed = True
        return fed

    def _feed_answer(self, task: asyncio.Task[Page]) -> None:
        asker, ask = self._under_way.pop(task)
        error = task.exception()
        if error is None:
            asker.received(ask, task.result())
        elif isinstance(error, AioflowsError):
            asker.failed(ask, error)
        else:
            raise error

    async def _wait(self) -> None:
        if self._zone is not None and not self._zone.done():
            await asyncio.wait([self._zone])
        elif self._under_way or self._beside:
            await asyncio.wait([*self._under_way, *self._beside], return_when=asyncio.FIRST_COMPLETED)
        else:
            raise RuntimeError(f"the scan needs pages but asks for none: {self._machine!r}")


def _abandon(task: asyncio.Task[Any], *, for_good: bool = False) -> None:
    """Cancel a task that nobody will ask about, and let it not complain about that."""
    if for_good and not task.done():
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  (as `asyncio.gather` does)
    elif not task.done():
        task.cancel()
        task.add_done_callback(_seen)
    else:
        _seen(task)


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
