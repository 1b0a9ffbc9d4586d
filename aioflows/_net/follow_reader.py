"""The reader of one follow: it polls while a consumer waits, and never in the background.

Both doors to a follow own one, as with `ScanReader`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import attrs

from aioflows._core.follow.poll_steps import DONE, TIME, LightPoll, Read, Wait
from aioflows._core.follow.polling import FollowMachine
from aioflows._core.pages.ordered_page import Misplaced
from aioflows._core.wire.zone import Zone
from aioflows._display.html import facts
from aioflows._net.observers import Observers
from aioflows._net.operations import checked_instances
from aioflows._net.scan_reader import ScanReader, SessionParts
from aioflows._net.session_bound import SessionBound
from aioflows._net.zones import FollowZone
from aioflows.checkpoint import FollowCheckpoint
from aioflows.errors import AioflowsError, QueryError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery
from aioflows.stats import FollowStats

__all__ = ["FollowReader"]

_ORDERS = ("trigger_time", None)
_LIGHT_POLL_TRIES = 3


class FollowReader(SessionBound):
    """A follow, without the form in which its instances are handed out.

    Args:
        parts: the parts of the session.
        query: the query.
        machine: decides what to poll.
        resume: the checkpoint of an earlier follow. None means that there is none.
        fingerprint: the fingerprint of the follow, for its checkpoints.

    Raises:
        QueryError: the query's order is not that of the trigger time, or the checkpoint was made in another zone.
    """

    _NAME = "follow"

    def __init__(
        self,
        parts: SessionParts,
        query: FlowQuery,
        machine: FollowMachine,
        resume: FollowCheckpoint | None,
        fingerprint: str,
    ) -> None:
        if query.order_by not in _ORDERS:
            raise QueryError(
                f"a follow must be in the order of the trigger time, not by {query.order_by!r}; omit order_by"
            )
        self._parts = parts
        self._machine = machine
        self._query = query
        self._types = [query.type] if query.type is not None else list(ScheduleType)
        self._running = self._types
        """The same types. The types in which a watched instance was last seen come first."""
        self._pages: list[list[FlowInstance]] = []
        self._fingerprint = fingerprint
        self._zone = FollowZone(parts.zones, resume)
        self._now_ms = 0
        self._zone_is_new = self._zone_doubted = False
        """True if the service was asked for its zone in this poll; True if the next poll must ask it."""
        self._scan: ScanReader | None = None
        self._due: float | None = None
        self._bell = asyncio.Event()
        self._busy = False
        self._noted: Callable[[Sequence[FlowInstance], ScheduleType], None] | None = None

    def __repr__(self) -> str:
        state = "closed" if self._closed else "open"
        stats = self.stats
        return f"<FlowFollow {state}, {stats.polls} polls, {stats.rows_yielded} instances handed out, {stats.watched} watched>"

    def _repr_html_(self) -> str:
        return facts(repr(self), attrs.asdict(self.stats).items())

    def note_types(self, noted: Callable[[Sequence[FlowInstance], ScheduleType], None]) -> None:
        """Call a function with rows and their schedule type, before a row that is new is handed out."""
        self._noted = noted

    @property
    def observers(self) -> Observers:
        """The receivers of the events of the session."""
        return self._parts.watch

    # Reading

    async def next_row(self) -> FlowInstance:
        """Return the next instance. Wait until there is one."""
        await self.refill()
        return self.take()

    async def next_batch(self) -> list[FlowInstance]:
        """Return the next instances. Wait until there is one."""
        await self.refill()
        return self.take_page()

    async def refill(self) -> None:
        """Read and wait until an instance is ready."""
        self._check()
        self._busy = True
        try:
            while not self._machine.in_line:
                await self._proceed()
                self._check_open()
        except AioflowsError as error:
            self._machine.failed()
            self.mark(error)
            await self._stop_reading()
            raise
        except RuntimeError:
            self._check_open()  # a scan within the follow ends with it
            raise
        finally:
            self._busy = False

    @property
    def ready(self) -> int:
        """The number of instances that can be taken at once."""
        return self._machine.in_line

    def take(self) -> FlowInstance:
        """Return an instance that is ready."""
        instance = self._machine.next_instance()
        assert instance is not None
        return instance

    def take_page(self) -> list[FlowInstance]:
        """Return all instances that are ready."""
        return [self.take() for _ in range(self._machine.in_line)]

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
            now_ms = await self._parts.operations.time_ms()
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
            window = attrs.evolve(
                self._query,
                from_trigger_time=step.from_ms,
                to_trigger_time=step.to_ms,
                status=step.status,
                order_by="trigger_time",
            )
            self._scan = ScanReader(self._parts, window, growing=self._known_zone)
            if self._noted is not None and not step.status:  # else a filter may stand around the scan
                self._scan.note_types(self._noted)
        rows: list[FlowInstance] | None = None
        try:
            with suppress(StopAsyncIteration):
                rows = await self._scan.next_page()
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
            page = await self._light_page(query, types[len(pages)], turn=step.poll)
            if page is None:
                whole = False
            else:
                if self._noted is not None:
                    self._noted(page, types[len(pages)])
                pages.append(page)
                rows += page
        if step.status:
            shown = [type for type, page in zip(types, pages, strict=False) if page]
            self._running = [*shown, *(type for type in types if type not in shown)]
        self._pages = []
        self._machine.glanced(rows, whole=whole)

    async def _light_page(
        self, query: FlowQuery, type: ScheduleType, *, turn: int
    ) -> list[FlowInstance] | None:
        """Return the instances of one page of a query. None means that there is no page, or no reliable one.

        Args:
            query: the query.
            type: its schedule type.
            turn: the number of this light poll. While the first page is unknown, pages 0 and 1 are tried in
                turns.
        """
        service = self._parts.service
        if service.false_empty_seen:
            return None
        first = turn % 2 if service.first_page is None else service.first_page
        size = service.usual(self._parts.limits.page_size)
        try:
            page = await self._parts.operations.page(query, type, first, size, tries=_LIGHT_POLL_TRIES)
            return checked_instances(query, page, self._known_zone)
        except AioflowsError:
            return None  # the full poll that follows reports the error

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
        self._begin(self._parts.operations.check_usable)

    def mark(self, error: AioflowsError) -> None:
        error.checkpoint, error.followed = None, self.checkpoint()

    def _abandon(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._outlived:
            raise self._session_closed()
        if self._closed:
            raise RuntimeError("this follow was closed; make a new one with session.follow(query)")

    # Ending

    async def aclose(self) -> None:
        if self._check_loop_to_close():
            self._bell.set()
        self._closed = True
        await self._stop_reading()

    async def _stop_reading(self) -> None:
        scan, self._scan = self._scan, None
        if scan is not None:
            await scan.aclose()

    # State, as `aioflows.FlowFollow` describes it

    @property
    def stats(self) -> FollowStats:
        return self._machine.stats

    def checkpoint(self) -> FollowCheckpoint:
        return self._zone.used(self._machine.checkpoint(self._fingerprint))
