"""The whole way over real sockets: the emulator in its own process, the client here."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from aioflows import (
    AppKey,
    ConnectFailed,
    FlowQuery,
    FlowSession,
    Limits,
    ScheduleType,
    SessionClosed,
    TransportError,
)
from aioflows.emulator import EmulatorProcess, Fault
from aioflows.query import SortKey

pytestmark = pytest.mark.real_time


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(
        instances=8_000, seed=5, latency=0.005, ties="unstable", app_key="access", app_secret="secret"
    ) as running:
        yield running


def session_of(emulator: EmulatorProcess, http: aiohttp.ClientSession | None = None) -> FlowSession:
    auth = AppKey("access", "secret")
    return FlowSession(
        emulator.url, user_id="u", org_id="o", auth=auth, http=http, limits=Limits(page_size=100)
    )


def open_sockets() -> int:
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor of this very listing
            links.append(str(descriptor.readlink()))
    return sum(link.startswith("socket:") for link in links)


@pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
async def test_everything_comes_once_and_in_order(emulator: EmulatorProcess, order: SortKey | None) -> None:
    async with session_of(emulator) as session:
        query = FlowQuery(emulator.start_ms, emulator.end_ms, order_by=order)
        keys = [(one.trigger_time, one.instance_id) async for one in session.flow_instances(query)]
    assert len({name for _, name in keys}) == len(keys) == emulator.instances
    if order is not None:
        assert keys == sorted(keys, reverse=order.startswith("-"))


async def test_pages_and_rows_are_the_same(emulator: EmulatorProcess) -> None:
    query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC)
    async with session_of(emulator) as session:
        rows = [one async for one in session.scan(query)]
        paged = [one async for page in session.scan(query).pages() for one in page]
    assert rows == paged


async def test_a_given_http_session_stays_open(emulator: EmulatorProcess) -> None:
    async with aiohttp.ClientSession() as http:
        async with session_of(emulator, http) as session:
            await session.server_time()
        assert not http.closed


async def test_ending_early_leaves_no_task_and_no_socket(emulator: EmulatorProcess) -> None:
    before = open_sockets()
    query = FlowQuery(emulator.start_ms, emulator.end_ms)
    async with session_of(emulator) as session:
        async with session.scan(query) as scan:
            async for _ in scan:
                break
        assert asyncio.all_tasks() == {asyncio.current_task()}
        async for _ in session.flow_instances(query):
            break
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.03), session.scan(query) as scan:
                async for _ in scan:
                    await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert open_sockets() == before


async def test_scans_of_one_session_run_side_by_side(emulator: EmulatorProcess) -> None:
    query = FlowQuery(emulator.start_ms, emulator.end_ms)
    async with session_of(emulator) as session:

        async def count() -> int:
            return sum([len(page) async for page in session.scan(query).pages()])

        assert await asyncio.gather(*(count() for _ in range(4))) == [emulator.instances] * 4


async def test_a_request_ends_with_its_session() -> None:
    hole = Fault(1, "black-hole", times=100)
    async with EmulatorProcess(instances=10, seed=1, faults=[hole]) as hollow:
        async with FlowSession(hollow.url, user_id="u", org_id="o") as session:
            query = FlowQuery(hollow.start_ms, hollow.end_ms, type=ScheduleType.PERIODIC)
            requests = [asyncio.create_task(session.page(query, 0, 10)) for _ in range(20)]
            while hollow.requests.get("search", 0) < 16:  # noqa: ASYNC110  (nobody tells)
                await asyncio.sleep(0.01)
        ends = await asyncio.wait_for(asyncio.gather(*requests, return_exceptions=True), 1)
        assert {type(end) for end in ends} <= {SessionClosed, ConnectFailed, TransportError}
