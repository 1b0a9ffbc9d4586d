"""The session: one service, one user, and all their operations."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from typing import TYPE_CHECKING, Any, Self, TypeVar
from weakref import WeakSet

import attrs

from aioflows._core.clocks.field_clocks import FieldClocks
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.follow.poll_timing import PollTiming
from aioflows._core.follow.polling import FollowMachine
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.endpoints import Address
from aioflows._core.wire.zone import Zone
from aioflows._net.access_token import AccessTokens
from aioflows._net.call import CallTally
from aioflows._net.call_options import deadline_seconds, in_time, limits_within, rules_for
from aioflows._net.follow_reader import FollowReader
from aioflows._net.gate import Gate
from aioflows._net.http import AiohttpTransport
from aioflows._net.loop_bound import LoopBound
from aioflows._net.loop_slices import LoopSlices
from aioflows._net.observers import Observer, Observers
from aioflows._net.operations import Operations, checked_instances
from aioflows._net.retrying import RetryingCaller
from aioflows._net.row_dates import RowDates
from aioflows._net.scan_reader import ScanReader, SessionParts
from aioflows._net.transport import Transport
from aioflows._net.zones import Zones
from aioflows.checkpoint import Checkpoint, FollowCheckpoint, fingerprint, follow_fingerprint
from aioflows.errors import QueryError
from aioflows.follow import FlowFollow, timing_of
from aioflows.models import FlowInstance, FlowPage
from aioflows.query import FlowQuery, epoch_ms
from aioflows.scan import FlowScan
from aioflows.settings import AppKey, Limits, RetryPolicy

if TYPE_CHECKING:
    from aiohttp import ClientSession

__all__ = ["FlowSession"]

_T = TypeVar("_T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATE = "call again, or give a later deadline"


class FlowSession(LoopBound):
    """A session with one EnOS deployment, as one user of one organization.

    Use it as an async context manager, and keep one for the life of your application. Its scans share its
    connections, its token, its limits, and its knowledge of the service. The session sends nothing before the
    first request.

    Args:
        base_url: the scheme and host of the API gateway, as in ``https://apigw.example.com``.
        user_id: the EnOS user, whose rights apply.
        org_id: the organization of the user.
        auth: the keys of the application. None means that the gateway asks for none. Default: None.
        http: an ``aiohttp.ClientSession`` of yours; the session does not close it. Or any object with
            `Transport`'s two methods; the session closes it. Default: None, the session makes its own.
        limits: the limits of requests and of memory.
        retry: the rules for retries.
        server_timezone: the zone of the service's times, as a tzinfo or a text ("GMT+8", "Asia/Shanghai").
            None means that each scan asks the service. The service names the present offset only, so give the
            zone if it has daylight saving time. Default: None.
        other_timezone: the zone of the times other than the trigger time, if the service prints them in
            another one: start, end and creation. None means that the session finds it out from the rows.
            Default: None.
        first_page: the number of the service's first page, 0 or 1. None means that the session finds out.
            Default: None.
        observer: a function that is called with each `Event`, on the event loop, so it must return quickly.
            Its first error is logged, and its errors do not affect the session. Default: None.
        allow_http: True to accept plain HTTP to another host than this machine. Default: False.
        rng: the random generator for the jitter of waits. Pass a seeded one for repeatable tests. Default: a
            new generator, seeded by the system.

    Raises:
        QueryError: a value is invalid. The message says what to give instead.
    """

    _NAME = "session"
    _work_clock = staticmethod(time.perf_counter)

    def __init__(
        self,
        base_url: str,
        *,
        user_id: str,
        org_id: str,
        auth: AppKey | None = None,
        http: ClientSession | Transport | None = None,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
        server_timezone: str | tzinfo | None = None,
        other_timezone: str | tzinfo | None = None,
        first_page: int | None = None,
        observer: Observer | None = None,
        allow_http: bool = False,
        rng: Random | None = None,
    ) -> None:
        self._address = Address(base_url, allow_http=allow_http)
        identity = (("userId", _name("user_id", user_id)), ("orgId", _name("org_id", org_id)))
        if first_page not in (None, 0, 1) or isinstance(first_page, bool):
            raise QueryError(f"first_page must be 0, 1 or None, not {first_page!r}")
        self.limits = limits
        zone = None if server_timezone is None else attrs.evolve(Zone.parse(server_timezone), given=True)
        other = None if other_timezone is None else Zone.parse(other_timezone)
        self._gate = Gate(limits.concurrency, limits.rate)
        self._transport: Transport = (
            http if isinstance(http, Transport) else AiohttpTransport(http, connections=limits.concurrency)
        )
        turns, watch = LoopSlices(self._work_clock), Observers(observer)
        credentials = AccessTokens(auth, self._address.gateway, watch=watch)
        self._caller = RetryingCaller(
            self._transport, self._gate, credentials, retry, rng=rng, watch=watch, turns=turns
        )
        operations = Operations(
            self._address, identity, self._caller, self._check_usable, retry.throttle_codes
        )
        self._parts = SessionParts(
            ServiceFacts(first_page),
            SeenFilters(),
            limits,
            self._gate,
            operations,
            Zones(zone, operations.zone, FieldClocks(other, watch.warn)),
            turns,
            watch,
        )
        self._dates = RowDates(operations, self._parts.service, limits.page_size, self.flow_instances)
        self._readers: WeakSet[ScanReader] = WeakSet()
        self._followers: WeakSet[FollowReader] = WeakSet()
        self._state = "not entered"

    def __repr__(self) -> str:
        return (
            f"<FlowSession {self._address.gateway} {self._state}, {len(self._readers)} scans, {self._gate!r}>"
        )

    async def __aenter__(self) -> Self:
        self._check_loop()
        self._state = "open"
        return self

    async def aclose(self) -> None:
        """Close all open scans and follows, and the connections. Safe to call more than once.

        Raises:
            RuntimeError: the session belongs to another event loop that still runs. Close it there.
        """
        self._check_loop_to_close()
        self._state = "closed"
        for follower in list(self._followers):
            await follower.aclose()
        for reader in list(self._readers):
            await reader.aclose()
        await self._transport.close()

    # Scans

    async def flow_instances(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> AsyncGenerator[FlowInstance, None]:
        """Yield all instances of a query, in its order: a shortcut for `scan`, with the same arguments.

        Use `scan` itself for time-outs that do not end it, for pages, statistics or a checkpoint.
        """
        scan = self.scan(query, limit=limit, limits=limits, retry=retry, deadline=deadline)
        try:
            async for instance in scan:
                yield instance
        finally:
            await scan.aclose()

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
        confirm: bool = True,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowScan:
        """Return a new scan. Nothing is sent before it is iterated.

        Args:
            query: the query.
            limit: the greatest number of instances in all. None means every instance. Default: None.
            resume: the checkpoint of an earlier scan of the same query. The scan yields the rows that the
                earlier one had not handed out. Default: None.
            proven: True to prove completeness under change in every order. By trigger time, or in no order,
                it is always proven, and also if the result fits ``Limits.buffer``. Otherwise the first row
                waits for the last page, and rows that do not fit are spilled to a temporary file. Default:
                False.
            confirm: True to confirm each end that no row proves, such as the end of a short page, with one
                more search. With False a query with few matches takes one search instead of two. But rows are
                lost silently if the service cuts pages or ranges shorter than this session has seen. Default:
                True.
            limits: the limits of this scan, instead of those of the session. The limits of the session on
                requests hold in any case, so they can only be lowered. To change one limit, give
                ``attrs.evolve(session.limits, page_size=100)``. Default: None, those of the session.
            retry: the rules for retries of this scan's requests. If its ``budget`` is None, the scan shares
                the retry budget of the session. Default: None, those of the session.
            deadline: the longest time from the start of the iteration to its end, including the time of the
                consumer (seconds, or a timedelta). When it has passed, the next read raises
                `DeadlineExceeded`, which carries the checkpoint. Default: None, no deadline.

        Raises:
            QueryError: the checkpoint belongs to another query, its rows were read in another zone, the order
                is not possible, or a value is invalid. If the zone must be asked from the service, the scan
                raises this error before its first row.
        """
        if not isinstance(query, FlowQuery):
            raise QueryError(f"scan() takes a FlowQuery, not {query!r}")
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise QueryError(f"limit must be a whole number of instances from 0, or None, not {limit!r}")
        if resume is not None and resume.fingerprint != fingerprint(query):
            raise QueryError("this checkpoint is from another query; resume with the query of its scan")
        limits = limits_within(self.limits, limits)
        reader = ScanReader(
            self._parts if limits is self.limits else attrs.evolve(self._parts, limits=limits),
            query,
            limit=limit,
            resume=resume,
            proven=proven,
            confirm=confirm,
            rules=rules_for(self._caller, retry, self.limits, limits),
            deadline=deadline_seconds(deadline),
        )
        self._readers.add(reader)
        return FlowScan(reader)

    def follow(
        self,
        query: FlowQuery,
        *,
        since: datetime | int | None = None,
        changes: bool = False,
        settle_time: float | None = None,
        watch_time: float | None = None,
        min_wait: float | None = None,
        max_wait: float | None = None,
        resume: FollowCheckpoint | None = None,
        settle: float | None = None,
        watch: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> FlowFollow:
        """Return a new follow: the instances of a query as they appear.

        Nothing is sent before it is iterated.

        If the query has statuses, an instance appears when it first has one of them, however long it has run
        before. A follow ends with the query's range, so give a range that reaches far into the future.

        Args:
            query: which instances. Its order must be that of the trigger time.
            since: the first trigger time that counts (an aware datetime, or epoch milliseconds). Default: the
                service's present time.
            changes: True to hand out an instance again at each change of its status that a poll sees, until
                it is finished.
            settle_time: how late after its trigger time an instance may show (seconds). A later instance may
                be missed. Every poll reads a window of this length again. Default: 60.
            watch_time: how long after its trigger time an unfinished instance is watched (seconds). Default:
                86,400.
            min_wait: the shortest wait between two polls (seconds), reached while new instances arrive.
                Default: 2.
            max_wait: the longest wait between two polls (seconds), reached while nothing new arrives.
                Default: 60.
            resume: the checkpoint of an earlier follow of the same query. The instances that it had not
                handed out follow, and *since* is ignored.
            settle: the old name of *settle_time*; it warns, and will be removed in the next release.
            watch: the old name of *watch_time*, likewise.
            least: the old name of *min_wait*, likewise.
            most: the old name of *max_wait*, likewise.

        Raises:
            QueryError: the checkpoint belongs to another follow, its rows were read in another zone, or a
                value is invalid. If the zone must be asked from the service, the follow raises this error
                before its first row.
        """
        timing = timing_of((settle_time, watch_time, min_wait, max_wait), (settle, watch, least, most))
        if not isinstance(query, FlowQuery):
            raise QueryError(f"follow() takes a FlowQuery, not {query!r}")
        mark = follow_fingerprint(query, changes=changes)
        if resume is not None and resume.fingerprint != mark:
            raise QueryError(
                "this checkpoint is from another follow; resume with the same query and changes="
            )
        machine = FollowMachine(
            None if since is None else epoch_ms(since, "since"),
            query.from_ms,
            query.to_ms,
            status=query.status,
            changes=changes,
            pace=PollTiming(**timing),
            resume=resume,
        )
        reader = FollowReader(self._parts, query, machine, resume, mark)
        self._followers.add(reader)
        return FlowFollow(reader)

    # Single requests

    async def page(
        self,
        query: FlowQuery,
        page_no: int,
        page_size: int,
        *,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowPage:
        """Return one page, by one search. An empty answer is not repeated, and nothing is proven.

        Args:
            query: the query. Its ``type`` must be one schedule type, because a search takes one.
            page_no: the number of the page. The first page is 0 or 1, depending on the deployment.
            page_size: the number of instances per page.
            retry: the rules for retries of this request. Default: None, those of the session.
            deadline: the longest time for the call (seconds, or a timedelta). Default: None, no deadline.

        Raises:
            DeadlineExceeded: the deadline has passed.
            CompletenessError: an instance does not match the query's status, owner or expression.
        """
        if query.type is None:
            raise QueryError(
                "page() is one search, and a search takes one schedule type; give FlowQuery(type=...)"
            )
        for name, value, least in (("page_no", page_no, 0), ("page_size", page_size, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise QueryError(f"{name} must be a whole number from {least}, not {value!r}")
        seconds, tally = deadline_seconds(deadline), self._tally(retry)

        async def read() -> FlowPage:
            assert query.type is not None
            search = self._parts.operations.page(query, query.type, page_no, page_size, tally=tally)
            page, zone = await self._with_zone(search)
            instances = await self._dates.read(
                lambda zone, offsets: checked_instances(query, page, zone, offsets),
                page.walls,
                page.ids,
                zone,
                query,
            )
            return FlowPage(instances, page.count)

        return await in_time(read(), seconds, _LATE)

    def _tally(self, retry: RetryPolicy | None) -> CallTally:
        return CallTally(rules=rules_for(self._caller, retry, self.limits, self.limits))

    async def _with_zone(self, request: Coroutine[Any, Any, _T]) -> tuple[_T, Zone]:
        """Send a request and ask for the zone at the same time, so that the zone costs no time."""
        zone = asyncio.create_task(self._parts.zones.find())
        try:
            return await request, await zone
        finally:
            zone.cancel()
            await asyncio.gather(zone, return_exceptions=True)

    async def get(
        self,
        instance_id: str,
        *,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowInstance:
        """Return one flow instance by its id ("Get Flow Instance").

        Args:
            instance_id: the id.
            retry: the rules for retries of this request. Default: None, those of the session.
            deadline: the longest time for the call (seconds, or a timedelta). Default: None, no deadline.

        Raises:
            DeadlineExceeded: the deadline has passed.
        """
        name = _name("instance_id", instance_id)
        seconds, tally = deadline_seconds(deadline), self._tally(retry)

        async def ask() -> FlowInstance:
            read, zone = await self._with_zone(self._parts.operations.instance(name, tally=tally))
            one = read(attrs.evolve(zone, clocks=None), None)
            assert one.trigger_time is not None, "an answer without a trigger time is refused"
            return await self._dates.read(read, [one.trigger_time.replace(tzinfo=None)], [name], zone)

        return await in_time(ask(), seconds, _LATE)

    async def server_timezone(self) -> tzinfo:
        """Return the zone of the service's times: the given one, or the one that the service names now."""
        return (await self._parts.zones.find()).tzinfo

    async def server_time(self) -> datetime:
        """Return the service's current time ("Get Current Time"), in UTC."""
        return _EPOCH + timedelta(milliseconds=await self._parts.operations.time_ms())

    def _check_usable(self) -> None:
        if self._state != "open":
            raise RuntimeError(
                f"the session is {self._state}; use it inside 'async with FlowSession(...) as session:'"
            )
        self._check_loop()


def _name(field: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise QueryError(f"{field} must be a text and not blank, not {value!r}")
    return value
