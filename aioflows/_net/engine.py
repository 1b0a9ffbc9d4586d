"""The engine of a scan: it starts requests, passes answers to the machine, and cancels leftover requests.

The engine makes no decision. It runs inside `next_rows`, without a background task and without a queue. So a
consumer that stops pulling stops the requests. A cancelled call loses no row, because there is no ``await``
between taking rows from the machine and returning them. The requests continue, and the next call finds their
answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.scans.machine import Machine, PendingEvent, Requester, Waiting
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.search_page import SearchPage
from aioflows._core.wire.zone import Zone
from aioflows._net.loop_slices import LoopShare, LoopSlices
from aioflows._net.memory_budget import MemoryShare
from aioflows._net.spill import Spill
from aioflows._tables.raw_rows import RawRows
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["Engine"]

_R = TypeVar("_R", bound="list[FlowInstance] | RawRows")


_STEPS, _PATIENCE = 8, 0.02
"""Steps of the loop, and seconds, that other tasks get before rows are handed out.

An answer takes about five steps: it arrives in pieces, is decoded, is passed to the machine, and the next
request starts.
"""


class Engine:
    """The engine that runs the machine of one scan.

    Args:
        machine: the machine.
        fetch: fetches one page.
        zone: returns the zone of the service's times.
        no_zone: returns a zone for rows whose times need none. It is used if `zone` fails.
        slots: the number of requests to keep under way. It exceeds the slots of the gate, so that none is
            empty while a page is decoded.
        turns: limits work on answers to short slices of the loop.
        share: the share of the loop that the scan has.
        memory: the part of the scan in the memory budget of the session.
        report: receives the events of the scan.
    """

    def __init__(
        self,
        machine: Machine,
        fetch: Callable[[ScheduleType, PageRequest], Coroutine[Any, Any, SearchPage]],
        zone: Callable[[], Coroutine[Any, Any, Zone]],
        no_zone: Callable[[], Zone],
        slots: int,
        turns: LoopSlices,
        share: LoopShare,
        memory: MemoryShare,
        report: Callable[[PendingEvent], object],
    ) -> None:
        self._machine = machine
        self._fetch = fetch
        self._ask_zone = zone
        self._no_zone = no_zone
        self._slots = slots
        self._turns = turns
        self._share = share
        self._memory = memory
        self._last = 0
        """The rows that were returned last."""
        self._report = report
        self._zone: asyncio.Task[Zone] | None = None
        self._without_zone: Zone | None = None
        self._under_way: dict[asyncio.Task[SearchPage], tuple[Requester, PageRequest]] = {}
        # In the order in which they began, so that a scan does the same each time.
        self._disk_tasks: dict[asyncio.Task[Callable[[], None]], None] = {}
        self._spill = Spill()
        self._closed = False

    @property
    def under_way(self) -> int:
        """The number of requests that were started and whose answers the machine has not received."""
        return len(self._under_way)

    async def next(self, next_rows: Callable[[], _R | Waiting]) -> _R | None:
        """Return the next rows in order, or None at the end. Raise the scan's error after all rows before it.

        Args:
            next_rows: the machine's `next_rows` or `next_raw`.

        Raises:
            RuntimeError: the scan was closed meanwhile.
        """
        if self._zone is not None:  # otherwise no request was sent
            await self._let_others_run()
        while not self._closed:
            await self._feed()
            await self._share.take()
            if self._closed:
                break
            if self._memory.limited:
                self._machine.hand_out_at_most(self._memory.batch)
            with self._share:
                try:
                    rows = next_rows()
                finally:
                    for event in self._machine.drain_events():
                        self._report(event)
                if rows is not DONE and rows is not NEED_PAGES:
                    self._last = len(rows)
                self._start(needed=rows is NEED_PAGES)
            if rows is DONE:
                return None
            if rows is NEED_PAGES:
                await self._wait()
            elif rows:
                return rows
        raise RuntimeError(
            "this scan was closed while it was being iterated; make a new one with session.scan(query)"
        )

    async def _let_others_run(self) -> None:
        """Let requests proceed before rows are handed out: an answer takes several steps of the loop."""
        waited = 0.0
        for _ in range(_STEPS):
            took = await self._turns.let_others_run()
            waited += took
            if not self._closed and await self._feed() and not self._closed:
                self._start()
            if self._closed or not took or waited > _PATIENCE:
                return

    async def aclose(self) -> None:
        """Cancel all tasks and wait for their end."""
        self._closed = True
        tasks = self._take_tasks()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
        self._memory.close()
        await self._spill.aclose()

    def cancel(self) -> None:
        """Cancel all tasks without waiting. Any thread may call it, also after the loop was closed."""
        self._memory.close()
        for task in self._take_tasks():
            try:
                task.get_loop().call_soon_threadsafe(_abandon, task)
            except RuntimeError:  # the loop is closed
                _abandon(task, for_good=True)

    def _take_tasks(self) -> list[asyncio.Task[Any]]:
        tasks = [*self._under_way, *self._disk_tasks, *([] if self._zone is None else [self._zone])]
        self._under_way.clear()
        self._disk_tasks.clear()
        self._zone = None
        return tasks

    def _start(self, *, needed: bool = False) -> None:
        """Start requests.

        Args:
            needed: True if no rows can be returned before an answer has come. Default: False.
        """
        slots = self._slots - len(self._under_way)
        if self._memory.limited:
            slots = min(slots, self._room(needed=needed))
        fetch = self._fetch_weighed if self._memory.limited else self._fetch
        for asker, ask in self._machine.wanted(slots):
            task = asyncio.create_task(fetch(asker.type, ask))
            self._under_way[task] = (asker, ask)
            self._memory.coming += ask.page_size
            if self._zone is None:
                # At the same time as the first search, so that it costs no time.
                self._zone = asyncio.create_task(self._ask_zone())
        if self._memory.limited:
            self._room(needed=False)  # what was started counts for the other scans
        for work in self._machine.disk_tasks():
            self._disk_tasks[asyncio.create_task(self._spill.perform(work))] = None

    def _room(self, *, needed: bool) -> int:
        """Return how many requests the memory allows. One is allowed if nothing else brings rows."""
        needed = needed and not self._under_way and not self._disk_tasks
        room = self._memory.room(self._machine.held, self._last, needed=needed)
        return max(room, 1) if needed else room

    async def _fetch_weighed(self, type: ScheduleType, ask: PageRequest) -> SearchPage:
        try:
            page = await self._fetch(type, ask)
        finally:
            self._memory.coming -= ask.page_size
        self._memory.received(page)
        return page

    async def _feed(self) -> bool:
        """Pass finished tasks to the machine.

        Return True if there was one, so that it may want new requests.
        """
        fed = False
        for task in [task for task in self._disk_tasks if task.done()]:
            self._disk_tasks.pop(task, None)
            error = task.exception()
            if error is None:
                task.result()()
                fed = True
            elif isinstance(error, AioflowsError):
                self._machine.disk_failed(error)
            else:
                raise error
        zone = self._zone_known()
        if zone is None:
            return fed
        self._machine.set_zone(zone)
        for answered in [task for task in self._under_way if task.done()]:
            await self._share.take()
            if self._closed:
                return fed
            with self._share:
                self._feed_answer(answered, zone)
            fed = True
        return fed

    def _zone_known(self) -> Zone | None:
        """Return the zone to read answers in. None means that it is not known yet.

        Raises:
            AioflowsError: the service did not name its zone, and an answer cannot be read without it.
        """
        if self._zone is None or not self._zone.done():
            return None
        error = self._zone.exception()
        if error is None:
            return self._zone.result()
        answers = [task for task in self._under_way if task.done()]
        pages = [task.result() for task in answers if task.exception() is None]
        if not isinstance(error, AioflowsError) or not all(
            page.needs_no_zone or not page.ids for page in pages
        ):
            raise error
        if self._without_zone is None and any(page.ids for page in pages):
            self._without_zone = self._no_zone()
        if self._without_zone is None and answers:
            raise error
        return self._without_zone

    def _feed_answer(self, task: asyncio.Task[SearchPage], zone: Zone) -> None:
        asker, ask = self._under_way.pop(task)
        error = task.exception()
        if error is None:
            page = task.result()
            page.show_in(zone)
            asker.received(ask, page)
        elif isinstance(error, AioflowsError):
            asker.failed(ask, error)
        else:
            raise error

    async def _wait(self) -> None:
        if self._zone is not None and not self._zone.done():
            await asyncio.wait([self._zone])
        elif self._under_way or self._disk_tasks:
            await asyncio.wait([*self._under_way, *self._disk_tasks], return_when=asyncio.FIRST_COMPLETED)
        else:
            raise RuntimeError(f"the scan needs pages but asks for none: {self._machine!r}")


def _abandon(task: asyncio.Task[Any], *, for_good: bool = False) -> None:
    """Cancel a task whose result is not needed, without asyncio's warnings about it."""
    if for_good and not task.done():
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  (as `asyncio.gather` does)
    elif not task.done():
        task.cancel()
        task.add_done_callback(_retrieve_error)
    else:
        _retrieve_error(task)


def _retrieve_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()
