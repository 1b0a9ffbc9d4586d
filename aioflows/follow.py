"""The follow for users: an async iterator of new instances, which polls only while its consumer waits."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Protocol, Self

import attrs

from aioflows._core.follow.poll_steps import DONE, TIME, LightPoll, Read, Wait
from aioflows._core.follow.polling import FollowMachine
from aioflows._core.pages.ordered_page import Misplaced
from aioflows._core.wire.zone import Zone
from aioflows._display.html import facts
from aioflows._net.loop_bound import LoopBound
from aioflows._net.zones import FollowZone
from aioflows.checkpoint import FollowCheckpoint
from aioflows.errors import AioflowsError, QueryError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery
from aioflows.scan import FlowScan
from aioflows.stats import FollowStats

__all__ = ["FlowFollow", "timing_of"]

_ORDERS = ("trigger_time", None)


_TIMING = {"settle_time": 60.0, "watch_time": 86_400.0, "min_wait": 2.0, "max_wait": 60.0}
"""The defaults of a follow, in seconds."""
_RENAMED = {"settle": "settle_time", "watch": "watch_time", "least": "min_wait", "most": "max_wait"}


def timing_of(**given: float | None) -> dict[str, float]:
    """Return the timing of a follow by the names of today; call it from the method that a user calls.

    Args:
        given: the values (seconds) by their names, old names included. None means the default.

    Raises:
        QueryError: a value was given under its old name and its new name.
    """
    timing = {name: value for name in _TIMING if (value := given[name]) is not None}
    for old, new in _RENAMED.items():
        if (value := given[old]) is None:
            continue
        if new in timing:
            raise QueryError(f"both {old}= and {new}= were given, which mean the same; drop {old}=")
        warnings.warn(f"{old}= is now called {new}=; use {new}=", DeprecationWarning, stacklevel=3)
        timing[new] = value
    return _TIMING | timing


class _Scans(Protocol):
    def __call__(self, query: FlowQuery, zone: Zone, /) -> FlowScan: ...


class _LightSearch(Protocol):
    async def __call__(self, query: FlowQuery, zone: Zone, /, *, turn: int) -> list[FlowInstance] | None: ...


class FlowFollow(LoopBound, AsyncIterator[FlowInstance]):
    """A follow: the instances of a query as they appear.

    `FlowSession.follow` makes it. It sends nothing before iteration.

    Iterate it (``async for instance in follow``), or its `batches`, once and from one task. As an async
    context manager it leaves no request under way. Otherwise call `aclose`. A cancelled ``__anext__``, for
    instance by ``asyncio.timeout``, loses no instance. An error ends the iteration but not the follow:
    iterate it again to continue.

    Raises:
        AioflowsError: while iterating. Its ``followed`` is the checkpoint.
        RuntimeError: two tasks iterate the follow at once, it was closed, or it is used on another event
            loop.
    """

    _NAME = "follow"

    def __init__(
        self,
        machine: FollowMachine,
        query: FlowQuery,
        scan: _Scans,
        clock: Callable[[], Awaitable[int]],
        look: _LightSearch,
        fingerprint: str,
        zone: FollowZone,
    ) -> None:
        if query.order_by not in _ORDERS:
            raise QueryError(
                f"a follow must be in the order of the trigger time, not by {query.order_by!r}; omit order_by"
            )
        self._machine = machine
        self._query = query
        self._make_scan = scan
        self._clock = clock
        self._look = look
        self._types = [query.type] if query.type is not None else list(ScheduleType)
        self._running = self._types
        """The same types. The types in which a watched instance was last seen come first."""
        self._pages: list[list[FlowInstance]] = []
        self._fingerprint = fingerprint
        self._zone = zone
        self._now_ms = 0
        self._zone_is_new = self._zone_doubted = False
        """True if the service was asked for its zone in this poll; True if the next poll must ask it."""
        self._scan: FlowScan | None = None
        self._due: float | None = None
        self._bell = asyncio.Event()
        self._busy = self._closed = False

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        stats = self.stats
        return f"<FlowFollow {state}, {stats.polls} polls, {stats.rows_yielded} instances handed out, {stats.watched} watched>"

    def _repr_html_(self) -> str:
        return facts(repr(self), attrs.asdict(self.stats).items())

    # Iterating

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FlowInstance:
        """Return the next instance. Wait until there is one."""
        await self._refill()
        return self._take()

    def batches(self) -> AsyncIterator[list[FlowInstance]]:
        """Return an iterator of lists of new instances. A checkpoint between two lists is small."""
        return _FollowBatches(self)

    async def _refill(self) -> None:
        """Read and wait until an instance is ready."""
        self._check()
        self._busy = True
        try:
            while not self._machine.in_line:
                await self._proceed()
                self._check_open()
        except AioflowsError as error:
            self._machine.failed()
            error.checkpoint, error.followed = None, self.checkpoint()
            await self._stop_reading()
            raise
        finally:
            self._busy = False

    def _take(self) -> FlowInstance:
        instance = self._machine.next_instance()
        assert instance is not None
        return instance

    def _take_batch(self) -> list[FlowInstance]:
        return [self._take() for _ in range(self._machine.in_line)]

    async def _proceed(self) -> None:
        step = self._machine.step()
        if step is DONE:
            raise StopAsyncIteration
        if step is TIME:
            await self._begin_poll()
        elif isinstance(step, Wait):
            await self._rest(step.seconds)
        elif isinstance(step, LightPoll):
            await self._poll_lightly(step)
        else:
            await self._read(step)

    async def _begin_poll(self) -> None:
        """Ask for the service's time. Ask for its zone at the same time, if the known one is too old."""
        self._zone_is_new = self._zone_doubted
        named = asyncio.create_task(self._zone.find(anew=self._zone_doubted))
        try:
            now_ms = await self._clock()
            self._zone.take(await named, now_ms)
            self._zone_doubted = False
        finally:
            named.cancel()
            await asyncio.gather(named, return_exceptions=True)
        self._now_ms = now_ms
        self._machine.told_time(now_ms)

    async def _rest(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        if self._due is None:  # a cancelled wait continues; it does not start again
            self._due = loop.time() + seconds
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._due):
                await self._bell.wait()
        self._check_open()
        self._due = None
        self._machine.waited()

    async def _read(self, step: Read) -> None:
        if self._scan is None:
            self._scan = self._make_scan(
                attrs.evolve(
                    self._query,
                    from_trigger_time=step.from_ms,
                    to_trigger_time=step.to_ms,
                    status=step.status,
                    order_by="trigger_time",
                ),
                self._known_zone,
            )
        try:
            rows = await anext(self._scan.pages(), None)
        except Misplaced:
            self._zone_doubted = self._zone.changes
            if not self._zone_doubted or self._zone_is_new:
                raise
            await self._stop_reading()
            self._zone_is_new = True
            if not self._zone.take(await self._zone.find(anew=True), self._now_ms):
                raise
            return  # clocks changed since the service named its zone, so the window is read again
        if rows is None:
            self._scan = None
            self._machine.read()
        else:
            self._machine.received(rows)

    async def _poll_lightly(self, step: LightPoll) -> None:
        """Ask for one page of each schedule type. Pages received before a cancellation are kept."""
        # A service that answers every third search with an empty page would otherwise hide the same type in
        # each poll.
        turn = step.poll % len(self._types)
        types = self._running if step.status else [*self._types[turn:], *self._types[:turn]]
        pages = self._pages
        rows = [row for page in pages for row in page]
        whole = True
        while whole and len(pages) < len(types) and not (step.status and self._machine.as_known(rows)):
            query = attrs.evolve(
                self._query,
                from_trigger_time=step.from_ms,
                to_trigger_time=step.to_ms,
                type=types[len(pages)],
                status=step.status,
                order_by="-trigger_time",
            )
            page = await self._look(query, self._known_zone, turn=step.poll)
            if page is None:
                whole = False
            else:
                pages.append(page)
                rows += page
        if step.status:
            shown = [type for type, page in zip(types, pages, strict=False) if page]
            self._running = [*shown, *(type for type in types if type not in shown)]
        self._pages = []
        self._machine.glanced(rows, whole=whole)

    @property
    def _known_zone(self) -> Zone:
        assert self._zone.zone is not None, "each poll begins with the zone"
        return self._zone.zone

    def _check(self) -> None:
        self._check_open()
        if self._busy:
            raise RuntimeError(
                "this follow is being iterated by another task; make a follow for each consumer"
            )
        self._check_loop()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("this follow was closed; make a new one with session.follow(query)")

    # Ending

    async def aclose(self) -> None:
        """Close the follow: cancel its requests and wait for their end. Safe to call more than once.

        Raises:
            RuntimeError: the follow belongs to another event loop that still runs. Close it there.
        """
        if self._check_loop_to_close():
            self._bell.set()
        self._closed = True
        await self._stop_reading()

    async def _stop_reading(self) -> None:
        scan, self._scan = self._scan, None
        if scan is not None:
            await scan.aclose()

    # State

    @property
    def stats(self) -> FollowStats:
        """The statistics so far."""
        return self._machine.stats

    def checkpoint(self) -> FollowCheckpoint:
        """Return a checkpoint of the instances handed out, for ``session.follow(query, resume=...)``."""
        return self._zone.used(self._machine.checkpoint(self._fingerprint))


class _FollowBatches(AsyncIterator[list[FlowInstance]]):
    """A follow by lists."""

    def __init__(self, follow: FlowFollow) -> None:
        self._follow = follow

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[FlowInstance]:
        await self._follow._refill()  # noqa: SLF001  (an iterator over the same follow)
        return self._follow._take_batch()  # noqa: SLF001
