"""How the catalogue tells a story: a scan meets trouble, and whatever becomes of it, no row is lost or comes twice.

A scan that ends in an error is gone on with, from the checkpoint in the error, on a healthy service with the same rows.
What both have given must be everything, once, and in order.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import attrs

from aioflows import AioflowsError, AppKey, Checkpoint, FlowQuery, FlowSession, Limits, RetryPolicy
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from aioflows.stats import ScanStats
from tests.support.fakes import EmulatorTransport

__all__ = ["KEYS", "ORDERS", "QUICK", "Story", "expected", "session_with", "told", "world_of"]

ORDERS: tuple[SortKey | None, ...] = ("trigger_time", "-trigger_time", None)
QUICK = RetryPolicy(base=0.01, cap=0.1)
KEYS: dict[str, Any] = {"app_key": "access", "app_secret": "secret"}
_WORLD: dict[str, Any] = {"instances": 300, "seed": 3, "profile": "uniform", "schedule_types": (1,)}
_OF_THE_WORLD = ("instances", "seed", "profile", "schedule_types", "zone", "first_day", "days", "ids")


@attrs.frozen
class Story:
    """What became of a scan.

    Attributes:
        emulator: the service in trouble, closed by now, with its records.
        rows: ids of all that came, before the error and after.
        before: how many of them came before it.
        error: what the scan ended in, if in an error.
        stats: the account of the scan.
        sent: when each search was sent, in the loop's time; through memory only.
    """

    emulator: Emulator
    rows: list[str]
    before: int
    error: AioflowsError | None
    stats: ScanStats
    sent: list[float]

    @property
    def outcomes(self) -> list[str]:
        """How the service answered each search."""
        return [search.outcome for search in self.emulator.searches]

    @property
    def most_failures(self) -> int:
        """How often the search that failed most did so; one for fewer rows is another search."""
        failed = [search for search in self.emulator.searches if search.outcome not in ("ok", "empty")]
        same = Counter(
            (one.from_ms, one.to_ms, one.page_no, one.page_size, one.sorters, one.outcome) for one in failed
        )
        return max(same.values(), default=0)


def world_of(*faults: Fault, **switches: Any) -> Emulator:
    """An emulator of a few hundred rows, to which something happens."""
    return Emulator(**{**_WORLD, **switches}, faults=faults)


def expected(emulator: Emulator, query: FlowQuery) -> list[str]:
    """What a query has to bring, in its order."""
    rows = emulator.matching(query.from_ms, query.to_ms, type=query.type, status=tuple(query.status))
    ids = [id for _, id in rows]
    return ids[::-1] if query.order_by == "-trigger_time" else ids


@asynccontextmanager
async def session_with(
    emulator: Emulator,
    *,
    http: aiohttp.ClientSession | None = None,
    url: str = "",
    page_size: int = 20,
    concurrency: int = 4,
    buffer: int = 20_000,
    retry: RetryPolicy = QUICK,
    latency: float = 0.01,
    sockets: bool = False,
    observer: Callable[[object], None] | None = None,
    server_timezone: str | None = None,
) -> AsyncIterator[tuple[FlowSession, EmulatorTransport | None]]:
    """A session with an emulator that is open: through memory, or over sockets where it is being served."""
    sockets = sockets or bool(url)
    transport = None if sockets else EmulatorTransport(emulator, latency=latency)
    access = emulator.access
    auth = AppKey(access.app_key, access.app_secret) if access.app_key and access.app_secret else None
    async with FlowSession(
        url or (emulator.url if sockets else "https://enos.test"),
        user_id="u",
        org_id="o",
        auth=auth,
        http=transport or http,
        limits=Limits(page_size=page_size, concurrency=concurrency, buffer=buffer),
        retry=retry,
        server_timezone=server_timezone,
        observer=observer,
        allow_http=bool(url),
    ) as session:
        if transport is not None:  # so that the local clock shows the time in which the service lives
            session._caller._attempts._credentials._now = transport.now
        yield session, transport


async def told(
    *faults: Fault,
    order: SortKey | None = "trigger_time",
    sockets: bool = False,
    status: Sequence[int] = (),
    session: dict[str, Any] | None = None,
    **switches: Any,
) -> Story:
    """Scan a world in which faults happen, go on after an error, and see that nothing is lost or comes twice.

    Args:
        faults: what *happens*.
        order: the *order* asked for.
        sockets: whether it goes over real sockets, rather than through memory.
        status: the *codes* asked for.
        session: how the session *is*: keywords of `session_with`.
        switches: how the service *is*.
    """
    emulator = world_of(*faults, **switches)
    type = 1 if len(emulator.world.schedule_types) == 1 else None
    async with AsyncExitStack() as stack:
        if sockets:
            await stack.enter_async_context(emulator)
        else:
            stack.enter_context(emulator)
        query = FlowQuery(emulator.start, emulator.end, type=type, order_by=order, status=status)
        asked, transport = await stack.enter_async_context(
            session_with(emulator, sockets=sockets, **(session or {}))
        )
        rows: list[str] = []
        error: AioflowsError | None = None
        async with asked.scan(query) as scan:
            try:
                async for one in scan:
                    rows.append(one.instance_id)
            except AioflowsError as caught:
                error = caught
        due = expected(emulator, query)
        sent = [one.at for one in transport.sent if one.request.method == "POST"] if transport else []
    before = len(rows)
    if error is not None:
        rows += await _rest(emulator, query, error)
    if order is None:
        rows, due = sorted(rows), sorted(due)
    assert rows == due, (
        f"{len(due)} rows, {len(set(due) - set(rows))} lost, {len(rows) - len(set(rows))} twice"
    )
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return Story(emulator, rows, before, error, scan.stats, sent)


async def _rest(emulator: Emulator, query: FlowQuery, error: AioflowsError) -> list[str]:
    """What a healthy service gives from the checkpoint in an error."""
    assert error.checkpoint is not None, f"{error!r} does not tell where the scan stood"
    checkpoint = Checkpoint.from_json(error.checkpoint.to_json())
    same = {name: getattr(emulator.world, name) for name in _OF_THE_WORLD}
    with Emulator(**same) as healthy:
        async with session_with(healthy) as (session, _), session.scan(query, resume=checkpoint) as scan:
            return [one.instance_id async for one in scan]
