"""The session: one service, one user, and all their operations."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Self, SupportsIndex, TypeVar, overload
from weakref import WeakSet

import attrs

from aioflows._compiled import decoder_name
from aioflows._core.clocks.field_clocks import FieldClocks
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wait.until import Until, statuses_of
from aioflows._core.wire.endpoints import Address
from aioflows._core.wire.zone import Zone
from aioflows._net.access_token import AccessTokens
from aioflows._net.call import CallTally
from aioflows._net.call_options import deadline_seconds, in_time, limits_within, rules_for
from aioflows._net.clock_questions import ClockQuestions
from aioflows._net.gate import Gate
from aioflows._net.http import AiohttpTransport
from aioflows._net.http_options import connection_options
from aioflows._net.loop_bound import LoopBound
from aioflows._net.loop_slices import LoopSlices
from aioflows._net.memory_budget import MemoryBudget
from aioflows._net.observers import Observer, Observers
from aioflows._net.operations import Operations, checked_instances
from aioflows._net.retrying import RetryingCaller
from aioflows._net.row_dates import RowDates
from aioflows._net.scan_reader import ScanReader, SessionParts
from aioflows._net.short_door import FlowInstances
from aioflows._net.transport import Transport
from aioflows._net.zone_check import ZoneCheck, likely_types
from aioflows._net.zones import Zones
from aioflows._numbers import as_seconds, as_whole, whole_from
from aioflows.checkpoint import Checkpoint, FollowCheckpoint, fingerprint, follow_fingerprint
from aioflows.errors import QueryError, SessionClosed
from aioflows.models import FlowInstance, FlowPage, FlowStatus
from aioflows.query import FlowQuery, epoch_ms
from aioflows.scan import FlowScan
from aioflows.settings import AppKey, Limits, RetryPolicy, Timeouts

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from yarl import URL

    from aioflows._net.follow_reader import FollowReader
    from aioflows._net.governed_gate import GovernedGate
    from aioflows._net.waits import Waits
    from aioflows.follow import FlowFollow

__all__ = ["FlowSession"]

_T = TypeVar("_T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST_POLL = 0.05  # seconds
_LATE = "call again, or give a later deadline"


class FlowSession(LoopBound):
    """A session with one EnOS deployment, as one user of one organization.

    Use it as an async context manager, and keep one for the life of your application. Its scans share its
    connections, its token, its limits, and its knowledge of the service. The session sends nothing before the
    first request.

    Args:
        base_url: the address of the API gateway, as in ``https://apigw.example.com``. It may stand below a
            path, as in ``https://example.com/gateway``.
        user_id: the EnOS user, whose rights apply.
        org_id: the organization of the user.
        auth: the keys of the application. None means that the gateway asks for none. Default: None.
        http: an ``aiohttp.ClientSession`` of yours; the session does not close it. Or any object with
            `Transport`'s two methods; the session closes it. Default: None, the session makes its own.
        proxy: the URL of an HTTP proxy, as in ``http://user:password@proxy.example.com:3128``. For https it
            sees the host of the gateway only. Default: None, no proxy.
        ssl: a PEM file with the certificate authorities to trust instead of the system's, or an
            ``ssl.SSLContext`` that verifies. Default: None, those that the system trusts.
        headers: headers to add to each request. Their values are kept as secrets. Default: none.
        user_agent: the header ``User-Agent``. None means ``aioflows/`` and the version, or that of *http*.
        trust_env: True to use ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``, unless there
            is a *proxy*. Passwords in ``~/.netrc`` are never used. Default: False.
        timeout: the time for one attempt at a request (seconds), or `Timeouts`. Default: None, which means
            60 by `RetryPolicy.attempt_timeout`, and 10 for a connection.
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
        governor: the address of an `aioflows.governor.Governor`, which limits the requests of many sessions
            together. Default: None.
        observer: a function that is called with each `Event`, on the event loop, so it must return quickly.
            Its first error is logged, and its errors do not affect the session. Default: None.
        allow_http: True to accept plain HTTP to another host than this machine. Default: False.
        rng: the random generator for the jitter of waits. Pass a seeded one for repeatable tests. Default: a
            new generator, seeded by the system.

    Raises:
        QueryError: a value is invalid. The message says what to give instead.
    """

    _NAME = "session"
    _work_clock = staticmethod(time.thread_time)
    _step_clock = staticmethod(time.perf_counter)

    def __init__(
        self,
        base_url: str | URL,
        *,
        user_id: str,
        org_id: str,
        auth: AppKey | None = None,
        http: ClientSession | Transport | None = None,
        proxy: str | URL | None = None,
        ssl: SSLContext | str | os.PathLike[str] | None = None,
        headers: Mapping[str, str] | None = None,
        user_agent: str | None = None,
        trust_env: bool = False,
        timeout: float | Timeouts | None = None,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008  (frozen)
        server_timezone: str | tzinfo | None = None,
        other_timezone: str | tzinfo | None = None,
        first_page: int | None = None,
        governor: str | None = None,
        observer: Observer | None = None,
        allow_http: bool = False,
        rng: Random | None = None,
    ) -> None:
        self._address = Address(base_url, allow_http=allow_http)
        identity = (("userId", _name("user_id", user_id)), ("orgId", _name("org_id", org_id)))
        if first_page is not None and as_whole(first_page) not in (0, 1):
            raise QueryError(f"first_page must be 0, 1 or None, not {first_page!r}")
        self.limits = limits
        zone = None if server_timezone is None else attrs.evolve(Zone.parse(server_timezone), given=True)
        other = None if other_timezone is None else Zone.parse(other_timezone)
        self._governed = (
            None
            if governor is None
            else _governed_gate(governor, limits, [self._address.gateway, user_id, org_id])
        )
        self._gate = self._governed or Gate(limits.concurrency, limits.rate)
        options, added = connection_options(
            self._address, http, proxy, ssl, headers, user_agent, timeout, trust_env=trust_env
        )
        retry = options.with_total(retry)
        self._transport: Transport = (
            http
            if isinstance(http, Transport)
            else AiohttpTransport(http, connections=limits.concurrency, options=options)
        )
        turns, watch = LoopSlices(self._work_clock, self._step_clock), Observers(observer)
        credentials = AccessTokens(auth, self._address.gateway, watch=watch, secrets=options.secrets(added))
        self._caller = RetryingCaller(
            self._transport, self._gate, credentials, retry, rng=rng, watch=watch, turns=turns, headers=added
        )
        operations = Operations(
            self._address, identity, self._caller, self._check_usable, retry.throttle_codes
        )
        service = ServiceFacts(first_page)
        zones = Zones(zone, operations.zone, FieldClocks(other, watch.warn))
        questions = ClockQuestions(operations, service, zones, limits.page_size)
        self._parts = SessionParts(
            service,
            SeenFilters(),
            limits,
            self._gate,
            operations,
            zones,
            questions,
            turns,
            watch,
            MemoryBudget(limits.memory),
            self._address.gateway,
            self._governed,
        )
        self._dates = RowDates(questions, self.flow_instances)
        self._zone_check = ZoneCheck(operations, service, watch)
        self._rng = rng or Random()
        self._waits: Waits | None = None
        self._readers: WeakSet[ScanReader] = WeakSet()
        self._followers: WeakSet[FollowReader] = WeakSet()
        self._state, self._entered = "not entered", False

    def __repr__(self) -> str:
        return (
            f"<FlowSession {self._address.gateway} {self._state}, {len(self._readers)} scans, {self._gate!r}, "
            f"decoder: {decoder_name()}>"
        )

    async def __aenter__(self) -> Self:
        await self.open()
        if self._entered:
            raise RuntimeError(
                "this session is entered by an 'async with' already, whose end would close it for both; enter "
                "it once, and pass it to the code that uses it"
            )
        self._entered = True
        return self

    async def open(self) -> Self:
        """Open the session without ``async with``, and return it. Nothing is sent.

        Safe to call more than once. Call `aclose` at the end.

        Raises:
            SessionClosed: the session was closed. A closed session cannot be opened again.
            RuntimeError: no event loop of asyncio runs, or the session belongs to another one.
        """
        self._check_loop()
        if self._state == "closed":
            raise SessionClosed("this session was closed, and cannot be opened again; make a new one")
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
            await follower.close_with_session()
        for reader in list(self._readers):
            await reader.close_with_session()
        if self._waits is not None:
            await self._waits.aclose()
        await self._transport.close()
        if self._governed is not None:
            await self._governed.aclose()

    @property
    def transport(self) -> Transport:
        """The transport that sends the requests, for a transport of yours that notes or changes what it sends.

        Give yours to another session as *http*. Each session closes its own.
        """
        return self._transport

    # Scans

    def flow_instances(
        self,
        query: FlowQuery,
        *,
        limit: SupportsIndex | None = None,
        limits: Limits | None = None,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> AsyncGenerator[FlowInstance, None]:
        """Return an async generator of all instances of a query, in its order: a shortcut for `scan`.

        Its arguments are those of `scan`.

        A cancelled step, for instance by ``asyncio.timeout``, loses no instance: the next one goes on at the
        same place. Use `scan` itself for pages, statistics or a checkpoint.
        """
        scan = self.scan(query, limit=limit, limits=limits, retry=retry, deadline=deadline)
        return FlowInstances(scan.reader)

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: SupportsIndex | None = None,
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
        most = None if limit is None else whole_from(0, limit, "limit", ", or None")
        if resume is not None and resume.fingerprint != fingerprint(query):
            raise QueryError("this checkpoint is from another query; resume with the query of its scan")
        limits = limits_within(self.limits, limits)
        reader = ScanReader(
            self._parts if limits is self.limits else attrs.evolve(self._parts, limits=limits),
            query,
            limit=most,
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
        since: datetime | SupportsIndex | None = None,
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
        from aioflows._core.follow.poll_timing import PollTiming  # noqa: PLC0415  (few sessions follow)
        from aioflows._core.follow.polling import FollowMachine  # noqa: PLC0415
        from aioflows._net.follow_reader import FollowReader  # noqa: PLC0415
        from aioflows.follow import FlowFollow, timing_of  # noqa: PLC0415

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
        page_no: SupportsIndex,
        page_size: SupportsIndex,
        *,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> FlowPage:
        """Return one page, by one search. An empty answer is not repeated, and completeness is not proven.

        If the session was given no zone, and no rows have shown the zone of the service, one search more checks
        it.

        Args:
            query: the query. Its ``type`` must be one schedule type, because a search takes one.
            page_no: the number of the page. The first page is 0 or 1, depending on the deployment.
            page_size: the number of instances per page.
            retry: the rules for retries of this request. Default: None, those of the session.
            deadline: the longest time for the call (seconds, or a timedelta). Default: None, no deadline.

        Raises:
            DeadlineExceeded: the deadline has passed.
            CompletenessError: an instance does not match the query's status, owner or expression, or the
                service names a wrong zone.
        """
        if query.type is None:
            raise QueryError(
                "page() is one search, and a search takes one schedule type; give FlowQuery(type=...)"
            )
        number, size = whole_from(0, page_no, "page_no"), whole_from(1, page_size, "page_size")
        seconds, tally = deadline_seconds(deadline), self._tally(retry)
        self._check_usable()

        async def read() -> FlowPage:
            assert query.type is not None
            search = self._parts.operations.page(query, query.type, number, size, tally=tally)
            page, zone = await self._with_zone(search)
            page.show_in(zone)
            self._zone_check.note_page(zone, page.walls, query)
            await self._zone_check.check(zone, page.walls, page.ids, (query.type,), tally)
            instances = await self._dates.read(
                lambda zone, offsets: checked_instances(query, page, zone, offsets),
                page.walls,
                page.ids,
                zone,
                query,
            )
            if not zone.given and (outside := _first_outside(query, instances)) is not None:
                name, time = outside
                await self._zone_check.check_row(zone, time.replace(tzinfo=None), name, (query.type,), tally)
                self._parts.watch.warn(
                    f"instance {name!r:.80} came with trigger time {time}, outside the range that was requested. Either the service "
                    "ignores the range, or its times are not in the zone that it names. If so, give their zone as "
                    "FlowSession(server_timezone=...)"
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

        If the session was given no zone, and no rows have shown the zone of the service, a search checks it.

        Args:
            instance_id: the id.
            retry: the rules for retries of this request. Default: None, those of the session.
            deadline: the longest time for the call (seconds, or a timedelta). Default: None, no deadline.

        Raises:
            NotFound: the service has no instance with this id.
            CompletenessError: the service names a wrong zone.
            DeadlineExceeded: the deadline has passed.
        """
        name = _name("instance_id", instance_id)
        seconds, tally = deadline_seconds(deadline), self._tally(retry)
        self._check_usable()

        async def ask() -> FlowInstance:
            read, zone = await self._with_zone(self._parts.operations.instance(name, tally=tally))
            one = read(attrs.evolve(zone, clocks=None), None)
            assert one.trigger_time is not None, "an answer without a trigger time is refused"
            walls = [one.trigger_time.replace(tzinfo=None)]
            await self._zone_check.check(zone, walls, [name], likely_types(one), tally)
            return await self._dates.read(read, walls, [name], zone)

        return await in_time(ask(), seconds, _LATE)

    async def cuts(
        self,
        query: FlowQuery,
        n: SupportsIndex,
        *,
        min_rows: SupportsIndex = 0,
        retry: RetryPolicy | None = None,
        deadline: float | timedelta | None = None,
    ) -> list[FlowQuery]:
        """Return the query cut by trigger time into at most *n* queries of about as many instances each.

        Together they match exactly what the query matches, so that they can be read by several processes or
        machines. They are in the order of the query. Their bounds are whole seconds, so a second is never cut,
        and there are fewer of them where a second has more instances than a part.

        The bounds are found by searches for single rows: at most 60, or 5 % of the searches that reading the
        range takes, and at most 120 if the service refuses deep pages. They take about four times the latency
        of a search. The sizes of the parts are estimates, so nothing is lost if instances come or go meanwhile.

        Args:
            query: the query.
            n: the greatest number of queries, from 1.
            min_rows: the least number of instances of a part, about. Fewer parts are made if there are too
                few instances, and finding that out takes fewer searches. Default: 0, any number.
            retry: the rules for retries of these requests. Default: None, those of the session.
            deadline: the longest time for the call (seconds, or a timedelta). Default: None, no deadline.

        Raises:
            DeadlineExceeded: the deadline has passed.
        """
        from aioflows._net.range_cuts import windows_of  # noqa: PLC0415  (few sessions cut)

        if not isinstance(query, FlowQuery):
            raise QueryError(f"cuts() takes a FlowQuery, not {query!r}")
        parts, least = whole_from(1, n, "n"), whole_from(0, min_rows, "min_rows")
        seconds = deadline_seconds(deadline)
        tally = self._tally(retry)
        self._check_usable()
        found = windows_of(
            query, parts, self.limits.page_size, self._parts.operations, self._parts.zones, tally, least
        )
        cut = await in_time(found, seconds, _LATE)
        if self._governed is not None:
            self._governed.announce(query)
        return cut

    # Waiting

    @overload
    async def wait(  # type: ignore[overload-overlap]  # a text is an iterable of texts as well
        self,
        ids: str,
        until: Until = ...,
        timeout: float | timedelta | None = ...,
        *,
        poll: float = ...,
        grace: float = ...,
    ) -> FlowInstance: ...

    @overload
    async def wait(
        self,
        ids: Iterable[str],
        until: Until = ...,
        timeout: float | timedelta | None = ...,
        *,
        poll: float = ...,
        grace: float = ...,
    ) -> list[FlowInstance]: ...

    async def wait(
        self,
        ids: str | Iterable[str],
        until: Until = FlowStatus.is_final,
        timeout: float | timedelta | None = None,
        *,
        poll: float = 30.0,
        grace: float = 3.0,
    ) -> FlowInstance | list[FlowInstance]:
        """Wait until instances have a status. Return the instance of one id, or a list in the order of several.

        All waits of a session share their polls, and a poll is at most three requests. A status counts only
        if the request that shows it was sent after the wait began. A status that comes and goes between two
        polls is not seen.

        Args:
            ids: the id of an instance, or several.
            until: the statuses that end the wait: `FlowStatus.is_final`, another function of a `FlowStatus`,
                a status, or several. Default: every final status.
            timeout: the longest wait (seconds, or a ``timedelta``). None means no limit. Default: None.
            poll: the longest interval between two polls (seconds). The first polls are a second apart.
                Default: 30.
            grace: how long an instance may stay unknown to the service (seconds), as one that is about to
                be triggered. Default: 3.

        Raises:
            QueryError: a value makes no sense.
            WaitTimeout: an instance had none of the statuses in time. It is a ``TimeoutError``, and names the
                open instances.
            NotFound: the service does not know an instance, and the grace is over.
        """
        self._check_usable()
        if not isinstance(ids, Iterable):
            raise QueryError(f"ids must be the id of an instance, or several ids, not {ids!r}")
        names = [_name("ids", one) for one in ([ids] if isinstance(ids, str) else ids)]
        found = await self._shared_waits().wait(
            names,
            statuses_of(until),
            timeout=None if timeout is None else _seconds("timeout", timeout),
            grace=_seconds("grace", grace),
            longest=max(_seconds("poll", poll), _SHORTEST_POLL),
        )
        return found[0] if isinstance(ids, str) else found

    def _shared_waits(self) -> Waits:
        from aioflows._net.waits import Waits  # noqa: PLC0415  (few sessions wait)

        if self._waits is None:
            self._waits = Waits(self._parts, self._dates, self._zone_check, self._rng)
        return self._waits

    async def server_timezone(self) -> tzinfo:
        """Return the zone of the service's times: the given one, or the one that the service names now."""
        self._check_usable()
        return (await self._parts.zones.find()).tzinfo

    async def server_time(self) -> datetime:
        """Return the service's current time ("Get Current Time"), in UTC."""
        return _EPOCH + timedelta(milliseconds=await self._parts.operations.time_ms())

    def _check_usable(self) -> None:
        if self._state == "closed":
            raise SessionClosed("the session is closed; make a new one")
        if self._state != "open":
            raise RuntimeError(
                "the session is not entered; use it inside 'async with FlowSession(...) as session:', or call "
                "'await session.open()' before"
            )
        self._check_loop()


def _seconds(field: str, value: object) -> float:
    seconds = as_seconds(value)
    if seconds is None or seconds < 0:
        raise QueryError(f"{field} must be a number of seconds from 0, or a timedelta, not {value!r}")
    return seconds


def _first_outside(query: FlowQuery, instances: Sequence[FlowInstance]) -> tuple[str, datetime] | None:
    """Return the id and the trigger time of the first instance outside the range of a query. Answers have whole seconds."""
    first, until = query.from_ms // 1000, query.to_ms / 1000
    times = ((one.instance_id, one.trigger_time) for one in instances)
    return next(
        ((name, time) for name, time in times if time and not first <= time.timestamp() < until), None
    )


def _name(field: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise QueryError(f"{field} must be a text and not blank, not {value!r}")
    return value


def _governed_gate(text: str, limits: Limits, source: list[str]) -> GovernedGate:
    from aioflows._core.governor.address import GovernorAddress  # noqa: PLC0415  (few sessions need it)
    from aioflows._net.governed_gate import GovernedGate  # noqa: PLC0415
    from aioflows._net.governor_line import GovernorLine  # noqa: PLC0415
    from aioflows._sealed import digest  # noqa: PLC0415

    address = GovernorAddress.parse(text)
    return GovernedGate(
        limits.concurrency, limits.rate, GovernorLine(address), address.share, source=digest(source)
    )
