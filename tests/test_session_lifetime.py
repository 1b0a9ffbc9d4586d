"""Opening, closing, copying and sharing a session, and what a stream is told that outlives it."""

from __future__ import annotations

import asyncio
import copy
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import aioflows.sync
from aioflows import Checkpoint, FlowQuery, FlowSession, SessionClosed
from aioflows.emulator import Emulator
from aioflows.export import export
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but
from tests.test_session import world

ROOT = Path(__file__).parent.parent


async def test_a_session_may_be_opened_without_a_block_and_more_than_once() -> None:
    async with world() as here:
        session = FlowSession("https://enos.test", user_id="u", org_id="o", http=here.transport)
        assert await session.open() is session
        assert await session.open() is session
        await session.server_time()
        await session.aclose()


async def test_a_scan_may_begin_before_its_session_was_entered_and_goes_on_after() -> None:
    async with world(100) as here:
        session = FlowSession("https://enos.test", user_id="u", org_id="o", http=here.transport)
        scan = session.scan(here.query())
        with pytest.raises(RuntimeError, match=r"await session\.open\(\)"):
            await anext(scan)
        async with session:
            assert len(await scan.list()) == 100
        assert scan.stats.elapsed > 0


async def test_a_session_is_entered_once() -> None:
    async with world() as here:
        with pytest.raises(RuntimeError, match="entered by an 'async with' already"):
            async with here.session:
                pass
        await here.session.server_time()


DOORS: dict[str, Callable[[FlowSession, FlowQuery, list[str]], Coroutine[Any, Any, None]]] = {}


def door(read: Callable[[FlowSession, FlowQuery, list[str]], Coroutine[Any, Any, None]]) -> None:
    DOORS[read.__name__] = read


@door
async def rows(session: FlowSession, query: FlowQuery, got: list[str]) -> None:
    async for instance in session.scan(query):
        got.append(instance.instance_id)
        await asyncio.sleep(0.001)


@door
async def pages(session: FlowSession, query: FlowQuery, got: list[str]) -> None:
    async for page in session.scan(query).pages():
        got += [one.instance_id for one in page]
        await asyncio.sleep(0.05)


@door
async def short_door(session: FlowSession, query: FlowQuery, got: list[str]) -> None:
    async for instance in session.flow_instances(query):
        got.append(instance.instance_id)
        await asyncio.sleep(0.001)


@door
async def record_batches(session: FlowSession, query: FlowQuery, got: list[str]) -> None:
    async for batch in session.scan(query).record_batches(["instance_id"]):
        got += batch.column(0).to_pylist()
        await asyncio.sleep(0.05)


@door
async def everything_at_once(session: FlowSession, query: FlowQuery, got: list[str]) -> None:
    got += [one.instance_id for one in await session.scan(query).list()]


@pytest.mark.parametrize("read", DOORS)
@pytest.mark.parametrize("after", long_but(0.2, of=[0.005, 0.2]))
async def test_a_stream_that_outlives_its_session_ends_in_an_error_with_its_checkpoint(
    read: str, after: float
) -> None:
    async with world(latency=0.03) as here:
        query, got = here.query(), list[str]()
        reading = asyncio.create_task(DOORS[read](here.session, query, got))
        await asyncio.sleep(after)
        await here.session.aclose()
        with pytest.raises(
            SessionClosed, match=r"session\.scan\(query, resume=error\.checkpoint\)"
        ) as caught:
            await reading
        assert caught.value.checkpoint is not None
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=here.transport) as session:
            rest = session.scan(query, resume=caught.value.checkpoint)
            got += [one.instance_id async for one in rest]
        assert got == here.expected(query)


async def test_a_scan_that_had_ended_before_its_session_stays_ended() -> None:
    async with world(100) as here:
        scan = here.session.scan(here.query())
        assert len([one async for one in scan]) == 100
        await here.session.aclose()
        with pytest.raises(RuntimeError, match="this scan was closed"):
            await anext(scan)


@pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_a_session_is_neither_copied_nor_pickled(way: Callable[[object], object]) -> None:
    async with world() as here:
        for thing in (here.session, here.session.scan(here.query()).reader):
            with pytest.raises(TypeError, match="cannot be pickled or copied"):
                way(thing)


async def test_a_follow_that_outlives_its_session_ends_in_an_error_with_its_checkpoint() -> None:
    async with world(500, latency=0.03) as here:
        follow = here.session.follow(here.query(), since=here.emulator.start)
        got = [(await anext(follow)).instance_id]

        async def read() -> None:
            async for instance in follow:
                got.append(instance.instance_id)
                await asyncio.sleep(0.01)

        reading = asyncio.create_task(read())
        await asyncio.sleep(0.1)
        await here.session.aclose()
        with pytest.raises(
            SessionClosed, match=r"session\.follow\(query, resume=error\.followed\)"
        ) as caught:
            await reading
        assert caught.value.followed == follow.checkpoint()
        assert caught.value.checkpoint is None


async def test_a_follow_that_waits_is_woken_when_its_session_is_closed() -> None:
    async with world(10, latency=0.03) as here:
        follow = here.session.follow(FlowQuery(here.emulator.start, 4_000_000_000_000))
        waiting = asyncio.create_task(anext(follow))
        await asyncio.sleep(0.1)
        await here.session.aclose()
        with pytest.raises(SessionClosed) as caught:
            await waiting
        assert caught.value.followed is not None


@pytest.mark.real_time
async def test_an_export_that_outlives_its_session_goes_on_with_resume(tmp_path: Path) -> None:
    target = tmp_path / "all.jsonl"
    async with world(latency=0.03) as here:
        exporting = asyncio.create_task(export(here.session, here.query(), target))
        await asyncio.sleep(0.2)
        await here.session.aclose()
        with pytest.raises(SessionClosed):
            await exporting
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=here.transport) as session:
            await export(session, here.query(), target, resume=True)
    assert target.read_text().count("\n") == 2_000


@pytest.mark.parametrize("read", ["rows", "pages", "batches", "table", "all", "short"])
def test_without_await_a_stream_that_outlives_its_session_has_its_checkpoint_too(read: str) -> None:
    with Emulator(instances=2_000, seed=3) as emulator:
        query = FlowQuery(emulator.start, emulator.end)
        session = aioflows.sync.FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=EmulatorTransport(emulator)
        ).open()
        scan = session.scan(query)
        next(scan)
        session.close()
        reads: dict[str, Callable[[], object]] = {
            "rows": lambda: next(scan),
            "pages": lambda: list(scan.pages()),
            "batches": lambda: list(scan.record_batches()),
            "table": scan.to_arrow,
            "all": scan.list,
            "short": lambda: list(scan),
        }
        with pytest.raises(SessionClosed) as caught:
            while True:
                reads[read]()
        checkpoint = caught.value.checkpoint
        assert isinstance(checkpoint, Checkpoint)
        assert checkpoint == scan.checkpoint()


def test_without_await_a_session_is_opened_once_and_entered_once() -> None:
    with Emulator(instances=10) as emulator:
        session = aioflows.sync.FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=EmulatorTransport(emulator)
        )
        assert session.open() is session.open()
        with session:
            with pytest.raises(RuntimeError, match="entered by a 'with' already"), session:
                pass
            session.server_time()
            with pytest.raises(TypeError, match="cannot be pickled or copied"):
                copy.copy(session)
        with pytest.raises(SessionClosed, match="cannot be opened again"):
            session.open()


def test_where_no_loop_of_asyncio_runs_the_error_names_asyncio() -> None:
    session = FlowSession("https://enos.test", user_id="u", org_id="o")
    scan = session.scan(FlowQuery(0, 1_704_067_200_000))
    steps: list[Callable[[], Coroutine[Any, Any, object]]] = [
        session.__aenter__,
        session.open,
        lambda: anext(scan),
        scan.reader.next_page,
        scan.list,
        lambda: session.follow(FlowQuery(0, 1_704_067_200_000)).__anext__(),
    ]
    for step in steps:
        coroutine = step()
        with pytest.raises(RuntimeError, match=r"needs asyncio.*asyncio\.run\(main\(\)\)"):
            coroutine.send(None)


async def test_a_session_of_a_loop_that_was_closed_says_so() -> None:
    session = FlowSession("https://enos.test", user_id="u", org_id="o")
    await asyncio.to_thread(asyncio.run, session.open())
    with pytest.raises(RuntimeError, match="another event loop, which was closed, as asyncio"):
        await session.server_time()


FORKED = """
import asyncio, gc, os, time, warnings
import aioflows.sync
from aioflows import FlowQuery, FlowSession
from aioflows.emulator import EmulatorProcess

warnings.simplefilter("ignore", DeprecationWarning)

def told(use):
    try:
        use()
    except RuntimeError as error:
        print("fork" in str(error) and "make a new session" in str(error), flush=True)

async def opened(session):
    await session.open()
    await session.server_time()

with EmulatorProcess(instances=500, seed=1) as emulator:
    query = FlowQuery(emulator.start_ms, emulator.end_ms)
    with aioflows.sync.FlowSession(emulator.url, user_id="u", org_id="o") as session:
        scan = session.scan(query)
        next(scan)
        async_session = FlowSession(emulator.url, user_id="u", org_id="o")
        loop = asyncio.new_event_loop()
        loop.run_until_complete(opened(async_session))
        if not (child := os.fork()):
            for use in (session.server_time, session.open, lambda: list(scan), lambda: session.scan(query),
                        lambda: scan.stats, lambda: asyncio.run(opened(async_session)),
                        lambda: loop.run_until_complete(opened(async_session))):
                told(use)
            session.close()
            del scan, session, async_session
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        began = time.monotonic()
        print(1 + len(list(scan)))
        loop.run_until_complete(async_session.server_time())
        loop.run_until_complete(async_session.aclose())
        loop.close()
        print(time.monotonic() - began < 5)  # an attempt may take a minute
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_is_told_of_the_fork_and_its_parent_goes_on() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert run.stdout.split() == ["True"] * 7 + ["500", "True"], run.stderr
