"""Who may use a scan, for how long, and what is left when it ends, however it ends.

Two consumers, use after closing, closing while somebody waits, and steps that time out: ``tests/test_session.py``. Open
sockets: ``tests/scenarios/test_sockets.py``. That no task, no socket and no complaint of the loop outlives a test is seen to by
``tests/support/virtual.py``, for every test. Ten thousand scans cancelled at random: ``benchmarks/leaks.py``.
"""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from aioflows import FlowScan, FlowSession, Limits, RetryPolicy, ScheduleType
from aioflows.emulator import Emulator, Fault
from tests.support.fakes import EmulatorTransport
from tests.support.virtual import VirtualLoop
from tests.test_session import World, world

ROOT = Path(__file__).parents[2]
LIMITS = Limits(page_size=50, concurrency=8)

Use = Callable[[FlowSession, FlowScan], Awaitable[object]]

USES: dict[str, Use] = {
    "the next row": lambda session, scan: anext(scan),
    "the next rows": lambda session, scan: anext(scan.pages()),
    "closing the scan": lambda session, scan: scan.aclose(),
    "a request": lambda session, scan: session.server_time(),
    "closing the session": lambda session, scan: session.aclose(),
}


def elsewhere(use: Callable[[], Awaitable[object]]) -> str:
    """Do something on another loop in another thread; give what the error says."""
    said: list[str] = []

    def thread() -> None:
        async def main() -> None:
            await use()

        try:
            asyncio.run(main())
        except RuntimeError as error:
            said.append(str(error))

    worker = threading.Thread(target=thread)
    worker.start()
    worker.join()
    return "".join(said)


class TestLoopsAndThreads:
    @pytest.mark.parametrize("what", USES)
    async def test_another_loop_is_refused_and_does_no_harm(self, what: str) -> None:
        async with world(latency=1.0) as here, here.session.scan(here.query()) as scan:
            got = [(await anext(scan)).instance_id]
            assert scan.reader.handout.held, "it has rows in hand"
            assert "belongs to another event loop" in elsewhere(lambda: USES[what](here.session, scan))
            got += [one.instance_id async for one in scan]
            assert got == here.expected(here.query())

    async def test_a_session_belongs_to_the_loop_that_it_was_entered_on(self) -> None:
        async with world() as here:
            assert "belongs to another event loop" in elsewhere(here.session.__aenter__)

    @pytest.mark.parametrize("what", USES)
    def test_after_its_loop_nothing_hangs_and_nothing_complains(self, what: str) -> None:
        complaints: list[str] = []
        loop = VirtualLoop()
        loop.set_exception_handler(lambda _, said: complaints.append(f"{said}"))
        left = [loop.run_until_complete(begun())]
        loop.close()
        after_its_loop(*left[0], what)
        left.clear()
        gc.collect()
        assert complaints == []


def after_its_loop(here: World, scan: FlowScan, what: str) -> None:
    async def use() -> None:
        async with asyncio.timeout(1):
            await USES[what](here.session, scan)

    loop = VirtualLoop()
    if what.startswith("closing"):
        loop.run_until_complete(use())
    else:
        with pytest.raises(RuntimeError, match="belongs to another event loop"):
            loop.run_until_complete(use())
    loop.run_until_complete(scan.aclose())
    loop.run_until_complete(here.session.aclose())
    loop.close()
    here.emulator.close()


async def begun() -> tuple[World, FlowScan]:
    """A scan that has given a row and has requests under way, with nobody who will close it."""
    emulator = Emulator(instances=2_000, seed=3).open()
    transport = EmulatorTransport(emulator, latency=1.0)
    session = FlowSession("https://enos.test", user_id="u", org_id="o", http=transport, limits=LIMITS)
    here = World(emulator, transport, await session.__aenter__())
    scan = session.scan(here.query())
    await anext(scan)
    assert scan.reader._engine.under_way
    return here, scan


FORKED = """
import asyncio, logging, os
from aioflows import FlowQuery, FlowSession, Limits
from aioflows.emulator import EmulatorProcess

logging.getLogger("asyncio").setLevel(logging.ERROR)  # a busy machine is slow, and says so in this mode

async def main(emulator):
    async with FlowSession(emulator.url, user_id="u", org_id="o", limits=Limits(page_size=50)) as session:
        async with session.scan(FlowQuery(emulator.start_ms, emulator.end_ms)) as scan:
            await anext(scan)
            if not (child := os.fork()):
                try:
                    for use in (lambda: anext(scan), scan.aclose, session.server_time, session.aclose):
                        async def main():
                            await asyncio.wait_for(use(), 5)
                        try:
                            asyncio.run(main())
                            print("used", flush=True)
                        except RuntimeError as error:
                            print("another event loop" in str(error), flush=True)
                finally:
                    os._exit(0)
            os.waitpid(child, 0)
            print(1 + len([row async for row in scan]))

with EmulatorProcess(instances=3_000, seed=1, latency=0.01) as emulator:
    asyncio.run(asyncio.wait_for(main(emulator), 30))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_process_can_neither_use_a_scan_nor_harm_it() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "dev", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert run.stdout.split() == ["True"] * 4 + ["3000"], run.stderr
    assert not run.stderr


async def until_something_fails(scan: FlowScan) -> None:
    """Take rows, one after the other, until a request has failed that nobody has looked at."""
    while not any(task.done() and task.exception() for task in scan.reader._engine._under_way):
        await anext(scan)
        await asyncio.sleep(0.05)


class TestForgotten:
    async def test_there_is_exactly_one_warning(self) -> None:
        async with world() as here:
            scan = here.session.scan(here.query())
            await anext(scan)
            with warnings.catch_warnings(record=True, action="always") as warned:
                del scan
                gc.collect()
                await asyncio.sleep(1)
                gc.collect()
            assert [one.category for one in warned] == [ResourceWarning]
            assert here.transport.in_flight == 0

    async def test_what_fails_after_that_is_no_complaint(self) -> None:
        retry = RetryPolicy(max_tries=1)
        faults = [Fault(at=12, kind="code-62103", times=1_000)]
        async with world(latency=0.1, retry=retry, faults=faults) as here:
            scan = here.session.scan(here.query(type=ScheduleType.PERIODIC))
            await until_something_fails(scan)
            with pytest.warns(ResourceWarning, match="never closed"):
                del scan
                gc.collect()
            await asyncio.sleep(0)

    async def test_it_may_happen_in_another_thread(self) -> None:
        async with world(latency=1.0) as here:
            scans = [here.session.scan(here.query())]
            await anext(scans[0])

            def forget() -> None:
                with warnings.catch_warnings(action="ignore"):
                    scans.clear()
                    gc.collect()

            worker = threading.Thread(target=forget)
            worker.start()
            worker.join()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert here.transport.in_flight == 0

    async def test_one_that_was_never_begun_or_is_over_is_not_reported(self) -> None:
        async with world() as here:
            never = here.session.scan(here.query())
            over = here.session.scan(here.query())
            assert len([one async for one in over]) == len(here.expected(here.query()))
            limited = here.session.scan(here.query(), limit=3)
            assert len([one async for one in limited]) == 3
            del never, over, limited
            gc.collect()


class TestEndings:
    async def test_one_that_was_never_begun_sends_nothing_and_may_be_closed(self) -> None:
        async with world() as here:
            async with here.session.scan(here.query()) as scan:
                pass
            await scan.aclose()
            with pytest.raises(RuntimeError, match="closed"):
                await anext(scan.pages())
            assert here.transport.sent == []

    @pytest.mark.parametrize("by_pages", [False, True])
    async def test_an_exception_in_the_body_comes_out_as_it_is(self, by_pages: bool) -> None:
        async with world(latency=1.0) as here:
            with pytest.raises(ZeroDivisionError) as caught:
                async with here.session.scan(here.query()) as scan:
                    rows: AsyncIterator[object] = scan.pages() if by_pages else scan
                    async for _ in rows:
                        raise ZeroDivisionError
            assert caught.value.__context__ is None
            assert here.transport.in_flight == 0

    async def test_leaving_the_loop_leaves_nothing_under_way(self) -> None:
        async with world(latency=1.0) as here:
            async with here.session.scan(here.query()) as scan:
                async for _ in scan:
                    break
            assert here.transport.in_flight == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_a_step_that_wait_for_has_given_up_is_followed_by_the_same_row(self) -> None:
        async with world(latency=1.0) as here, here.session.scan(here.query()) as scan:
            got: list[str] = []
            while True:
                try:
                    got.append((await asyncio.wait_for(anext(scan), 0.3)).instance_id)
                except TimeoutError:
                    continue
                except StopAsyncIteration:
                    break
            assert got == here.expected(here.query())

    @pytest.mark.parametrize("steps", range(1, 12))
    async def test_closing_that_is_cancelled_may_be_done_again(self, steps: int) -> None:
        async with world(latency=1.0) as here:
            scan = here.session.scan(here.query())
            await anext(scan)
            closing = asyncio.create_task(scan.aclose())
            for _ in range(steps):
                await asyncio.sleep(0)
            closing.cancel()
            await asyncio.wait([closing])
            await scan.aclose()
            await asyncio.sleep(0)
            assert here.transport.in_flight == 0
            assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_an_error_that_nobody_waited_for_is_no_complaint(self) -> None:
        faults = [Fault(at=12, kind="code-62103", times=1_000)]
        async with world(latency=0.1, faults=faults) as here:
            scan = here.session.scan(here.query(type=ScheduleType.PERIODIC))
            await until_something_fails(scan)
            await scan.aclose()
