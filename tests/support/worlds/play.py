"""Plays a world: the real client against the service, on a loop whose clock jumps, without a socket."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, cast

from multidict import CIMultiDict

from aioflows import Checkpoint, FlowInstance, FlowQuery, FlowScan, FlowSession, Limits, RetryPolicy
from aioflows._net.transport import Answer, Request
from aioflows.models import ScheduleType
from aioflows.query import SortKey
from tests.support.virtual import Deadlock, VirtualLoop
from tests.support.worlds.draw import Query, World
from tests.support.worlds.lies import Heard, Liar
from tests.support.worlds.service import Service

__all__ = ["Given", "Played", "play"]

MOST_REQUESTS = 6_000
_WORK = 0.000_3
"""How long a piece of work takes (seconds), on average."""
_HEADERS: Mapping[str, str] = CIMultiDict({"Content-Type": "application/json"})


class ReplayLoop(VirtualLoop):
    """A virtual loop on which the work of threads is done at once, so that a world goes the same way each time."""

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  (the error is raised by `await done`)
            done.set_exception(error)
        return done


class WorldSession(FlowSession):
    """A session whose work takes a time that is drawn, so that what depends on it is done again in the same way.

    Args:
        pace: draws how long a piece of work takes.
        rest: the arguments of a session.
    """

    def __init__(self, pace: Random, **rest: Any) -> None:
        self._pace, self._worked = pace, 0.0
        super().__init__("https://enos.test", user_id="u", org_id="o", **rest)

    def _work_clock(self) -> float:
        self._worked += self._pace.expovariate(1 / _WORK)
        return self._worked

    _step_clock = _work_clock


class Endless(Exception):
    """A scan has asked more than any should."""


@dataclass(slots=True)
class Given:
    """A row that was handed out.

    Args:
        id: its id.
        ms: its trigger time (ms since 1970), as it was dated.
    """

    id: str
    ms: int


@dataclass
class Played:
    """One scan, as it went.

    Args:
        given: the rows, in the order in which they were handed out.
        error: what it ended with; None: well.
        heard: its requests.
        asked: how many requests were sent, those for the zone as well.
    """

    given: list[Given] = field(default_factory=list)
    error: Exception | None = None
    heard: list[Heard] = field(default_factory=list)
    asked: int = 0


class WorldTransport:
    """Carries requests to a service in this process.

    Args:
        liar: the service.
        rng: draws how long a request takes.
        latency: seconds of the slowest.
    """

    def __init__(self, liar: Liar, rng: Random, latency: float) -> None:
        self.liar = liar
        self.sent = 0
        self.most = MOST_REQUESTS
        self._rng = rng
        self._latency = latency

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        """Answer a request after a while."""
        self.sent += 1
        if self.sent > self.most:
            raise Endless(f"more than {MOST_REQUESTS:,} requests")
        await asyncio.sleep(self._latency * self._rng.random())
        if request.operation == "search":
            status, body = self.liar.search(json.loads(request.body or b""))
            return Answer(status, _HEADERS, body)
        return Answer(
            200, _HEADERS, json.dumps({"code": 0, "msg": "OK", "data": self._said(request)}).encode()
        )

    def _said(self, request: Request) -> Any:
        if request.operation == "getTimeZone":
            return {"timezone": self.liar.zone_name}
        return 1_735_689_600_000

    async def close(self) -> None:
        """Close nothing."""


def play(world: World) -> list[Played]:
    """Play a world; return its scans, one after the other."""
    loop = ReplayLoop()
    collects = gc.isenabled()
    gc.disable()  # a collection inside a piece of work is measured, and when it comes is not drawn
    asyncio.set_event_loop(loop)
    loop.set_exception_handler(lambda _, __: None)
    played: list[Played] = []
    try:
        loop.run_until_complete(_play(world, played))
    except Deadlock as error:
        if played:
            played[-1].error = error
    finally:
        _clear(loop)
        if collects:
            gc.enable()
    return played


def _clear(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    try:
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=5))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def _session(world: World, transport: WorldTransport, scan: int) -> FlowSession:
    quirks, reader = world.scans[scan], world.reader
    return WorldSession(
        Random(f"work {world.seed}"),
        http=transport,
        limits=Limits(concurrency=reader.concurrency, page_size=reader.page_size, buffer=reader.buffer),
        retry=RetryPolicy(),
        server_timezone=quirks.zone_name if reader.told_zone else None,
        first_page=quirks.base if reader.told_page else None,
        rng=Random(world.seed),
    )


def flow_query(query: Query) -> FlowQuery:
    """Return the client's form of a query."""
    return FlowQuery(
        query.first,
        query.last,
        type=None if query.type is None else ScheduleType(query.type),
        status=query.status,
        owner=query.owner,
        expression=query.expression,
        order_by=cast("SortKey | None", query.order),
    )


async def _play(world: World, played: list[Played]) -> None:
    rng = Random(f"play {world.seed}")
    service = Service(world.rows, world.scans[0], Random(f"ties {world.seed}"))
    liar = Liar(service, world.lies, Random(f"lies {world.seed}"))
    transport = WorldTransport(liar, rng, world.reader.latency)
    query = flow_query(world.query)
    async with _session(world, transport, 0) as session:
        for number, quirks in enumerate(world.scans):
            service.quirks = quirks
            service.forget()
            liar.heard = []
            sent = transport.sent
            transport.most = sent + MOST_REQUESTS
            one = Played(heard=liar.heard)
            played.append(one)
            try:
                await _read(world, session, query, one, transport, number)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is what is asked about)
                one.error = error
            one.asked = transport.sent - sent


async def _read(
    world: World, session: FlowSession, query: FlowQuery, one: Played, transport: WorldTransport, number: int
) -> None:
    reader = world.reader
    scan = session.scan(query, limit=reader.limit)
    if reader.stops is not None:
        at = await _take(scan, reader.how, one, reader.stops)
        if at is None:
            return
        resume = Checkpoint.from_json(at)
        if reader.anew:
            async with _session(world, transport, number) as other:
                await _take(other.scan(query, resume=resume), reader.how, one, None)
            return
        scan = session.scan(query, resume=resume)
    await _take(scan, reader.how, one, None)


async def _take(scan: FlowScan, how: str, one: Played, most: int | None) -> str | None:
    """Take rows; return the checkpoint where it stops, or None where it has come to its end."""
    async with scan:
        if how == "list" and most is None:
            _note(one, await scan.list())
            return None
        pages: AsyncIterator[list[FlowInstance]] = _single(scan) if how == "items" else scan.pages()
        left = most
        async for page in pages:
            _note(one, page)
            if left is not None:
                left -= len(page)
                if left <= 0:
                    return scan.checkpoint().to_json()
    return None


async def _single(scan: FlowScan) -> AsyncIterator[list[FlowInstance]]:
    async for row in scan:
        yield [row]


def _note(one: Played, rows: list[FlowInstance]) -> None:
    for row in rows:
        time = row.trigger_time
        one.given.append(Given(row.instance_id, -1 if time is None else round(time.timestamp() * 1000)))
