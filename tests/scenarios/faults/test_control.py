"""The caller stops, stalls, forgets, or uses a scan where it does not belong (faults K1 to K7).

What ``tests/test_session.py`` shows is not shown again: leaving a scan early, closing it twice, a second consumer, a closed
scan or session (K2), a step that times out and goes on at the same row (K3), and that closing wakes who waits (K6).
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import warnings
from collections.abc import Coroutine
from functools import partial
from typing import Any

import pytest

from aioflows import Denied, FlowQuery, FlowScan, FlowSession, RetryPolicy
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport, loop_time
from tests.support.story import KEYS, ORDERS, expected, session_with, told, world_of
from tests.support.virtual import CancellingLoop, CancellingVirtualLoop, VirtualLoop, run_real, run_virtual

REAL = pytest.mark.real_time
TROUBLE = [
    Fault(2, "http-500"),
    Fault(4, "throttle", seconds=2),
    Fault(6, "code-1203"),
    Fault(7, "reset"),
    Fault(1, "code-1005", on="timezone"),
    Fault(2, "code-1005", on="token"),
]


def clients() -> set[asyncio.Task[Any]]:
    """All tasks but those of an emulator that is served in this loop."""
    return {task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())}


async def cancelled(
    loop: CancellingVirtualLoop | CancellingLoop, query: FlowQuery, session: FlowSession, leave_after: int
) -> bool:
    """Scan in a task that the loop cancels, and that leaves after so many rows; whether it was cancelled."""
    idle = clients()

    async def consume() -> None:
        async with session.scan(query) as scan:
            taken = 0
            async for _ in scan:
                taken += 1
                if taken == leave_after:
                    break

    loop.victim = asyncio.create_task(consume())
    await asyncio.wait([loop.victim])
    if not loop.victim.cancelled():
        loop.victim.result()
        return False
    assert clients() == idle, "a task is left"
    gate = session._gate
    assert (gate.in_flight, gate.waiting) == (0, 0)
    return True


class TestCancelled:
    # K1

    @pytest.mark.parametrize(
        ("order", "leave_after"),
        [("trigger_time", 50), pytest.param(None, 1_000, marks=pytest.mark.long)],
    )
    def test_at_every_turn_of_the_loop_it_leaves_nothing_and_the_session_works_on(
        self, order: SortKey | None, leave_after: int
    ) -> None:
        async def scan(loop: CancellingVirtualLoop) -> bool:
            with world_of(*TROUBLE, instances=120, latency=0.02, **KEYS) as emulator:
                query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
                async with session_with(emulator, concurrency=3) as (session, transport):
                    assert transport is not None
                    was = await cancelled(loop, query, session, leave_after)
                    assert transport.in_flight == 0
                    rows = [one.instance_id async for one in session.scan(query)]
                due = expected(emulator, query)
                assert (rows if order else sorted(rows)) == (due if order else sorted(due))
            return was

        turn = 1
        while run_virtual(scan(loop := CancellingVirtualLoop(turn)), loop):
            turn += 1
        assert turn > 60, (
            "connecting, waiting, renewing the token, sleeping, reading and closing take more turns"
        )

    @pytest.mark.long
    def test_over_sockets_as_well(self) -> None:
        async def scan(loop: CancellingLoop) -> bool:
            async with world_of(*TROUBLE[:4:3], instances=60) as emulator:
                query = FlowQuery(emulator.start, emulator.end, type=1)
                async with session_with(emulator, sockets=True, concurrency=3) as (session, _):
                    was = await cancelled(loop, query, session, 1_000)
                    assert [one.instance_id async for one in session.scan(query)] == expected(emulator, query)
            return was

        turns = 0
        while turns < 60 and run_real(scan(loop := CancellingLoop(turns + 1)), loop):
            turns += 1
        assert turns > 20


class TestLeft:
    # K2

    async def test_by_an_exception_of_the_consumer_it_leaves_nothing(self) -> None:
        with world_of() as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator) as (session, transport):
                with pytest.raises(ZeroDivisionError):
                    async with session.scan(query) as scan:
                        async for _ in scan:
                            raise ZeroDivisionError
                assert transport is not None
                assert transport.in_flight == 0
                assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_before_it_was_started_it_has_sent_nothing(self) -> None:
        with world_of() as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator) as (session, transport):
                async with session.scan(query):
                    pass
                session.scan(query)
                assert transport is not None
                assert transport.sent == []

    async def test_on_another_loop_it_says_where_it_belongs(self) -> None:
        with world_of() as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator) as (session, _), session.scan(query) as scan:
                first = await taken(scan)
                caught = await asyncio.to_thread(elsewhere, lambda: anext(scan))
                assert "another event loop" in str(caught)
                caught = await asyncio.to_thread(elsewhere, session.server_time)
                assert "another event loop" in str(caught)
                rest = [one.instance_id async for one in scan]
            assert first + rest == expected(emulator, query), "and it has lost nothing by that"


async def taken(scan: FlowScan) -> list[str]:
    """The ids of all rows that are ready, so that the next one takes a request."""
    rows = [(await anext(scan)).instance_id]
    while scan.reader.handout.held:
        rows.append((await anext(scan)).instance_id)
    return rows


def elsewhere(use: Any) -> BaseException | None:
    """What using something in this thread, on a loop of its own, raises."""

    async def used() -> BaseException | None:
        try:
            await use()
        except RuntimeError as error:
            return error
        return None

    return run_virtual(used())


class TestFailedBehindTheScenes:
    # K4

    @pytest.mark.parametrize("order", ORDERS)
    async def test_the_error_of_a_page_waits_for_the_rows_before_it_and_disturbs_nobody(
        self, order: SortKey | None
    ) -> None:
        with world_of(Fault(7, "code-62103", times=1000)) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
            async with session_with(emulator) as (session, _), session.scan(query) as scan:
                rows: list[str] = []
                with pytest.raises(Denied):
                    async for one in scan:
                        rows.append(one.instance_id)
                        began = loop_time()
                        await asyncio.sleep(100)
                        assert loop_time() == began + 100
                assert len(rows) > 20, "what was read before is not withheld"
                if order is not None:
                    assert rows == expected(emulator, query)[: len(rows)]


class TestSlow:
    # K5

    async def test_ten_minutes_a_row_cost_a_token_now_and_then_and_no_memory(self) -> None:
        with world_of(instances=400, token_seconds=7200, **KEYS) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator, buffer=40) as (session, _), session.scan(query) as scan:
                rows, most = [], 0
                async for one in scan:
                    rows.append(one.instance_id)
                    most = max(most, emulator.rows_answered - scan.stats.duplicates - len(rows))
                    await asyncio.sleep(600)
            assert rows == expected(emulator, query)
            assert scan.stats.retries == 0, "no request was sent with a token that had died"
            assert 10 <= emulator.requests["token"] <= 400 * 600 / 7200 + 1
        assert most <= 2 * 40 + 4 * 20

    @REAL
    async def test_connections_that_were_closed_meanwhile_are_replaced_without_a_wait(self) -> None:
        faults = (Fault(number, "close") for number in range(3, 24, 5))
        story = await told(*faults, sockets=True, session={"concurrency": 1})
        assert story.error is None
        assert story.stats.retries >= 4
        assert story.stats.waited == 0.0


class TestGone:
    # K6

    def test_once_its_loop_is_closed_a_scan_says_so_and_does_not_hang(self) -> None:
        with world_of(latency=1.0) as emulator:
            loop = VirtualLoop()
            complaints: list[Any] = []
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            scan = loop.run_until_complete(begun(emulator))
            loop.close()
            assert "another event loop" in str(elsewhere(partial(anext, scan)))
            with warnings.catch_warnings(record=True) as told_of:
                warnings.simplefilter("always")
                del scan
                gc.collect()
            assert [one.category for one in told_of].count(ResourceWarning) <= 1

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
    def test_in_a_forked_process_a_session_says_where_it_belongs(self) -> None:
        if threading.active_count() > 1:
            pytest.skip("a process with threads must not be forked")

        async def parent() -> int:
            with world_of() as emulator:
                async with session_with(emulator) as (session, _):
                    await session.server_time()
                    child = os.fork()
                    if not child:
                        fate = 1
                        try:
                            fate = forked(session.server_time())
                        finally:
                            os._exit(fate)
                    _, fate = await asyncio.to_thread(os.waitpid, child, 0)
                    return os.waitstatus_to_exitcode(fate)

        assert run_virtual(parent()) == 0


async def begun(emulator: Emulator) -> FlowScan:
    """A scan with requests under way, whose session nobody has closed."""
    # With its zone given, what looks ahead is under way when the first rows come.
    http = EmulatorTransport(emulator)
    session = FlowSession("https://enos.test", user_id="u", org_id="o", http=http, server_timezone="GMT+8")
    await session.__aenter__()
    scan = session.scan(FlowQuery(emulator.start, emulator.end, type=1))
    await taken(scan)
    assert scan.reader._engine.under_way
    return scan


def forked(use: Coroutine[Any, Any, object]) -> int:
    """What a child of this process sees: 0 if it is told, 2 if it is not, 3 if it hangs."""
    asyncio.set_event_loop(None)
    asyncio._set_running_loop(None)
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(asyncio.wait_for(use, 5))
    except RuntimeError as error:
        return 0 if "another event loop" in str(error) else 2
    except TimeoutError:
        return 3
    return 2


class TestClocks:
    # K7

    @staticmethod
    async def times(jump: float, at: float, **switches: Any) -> tuple[list[float], float]:
        """When each request is sent where the wall clock jumps at a time, and how long the scan waited in all."""
        faults = [
            Fault(3, "http-503"),
            Fault(5, "throttle", seconds=30),
            Fault(8, "code-62109", times=3),
            Fault(12, "black-hole"),
        ]
        with world_of(*faults, throttle="429-date", **switches) as emulator:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            async with session_with(emulator, retry=RetryPolicy(base=0.0)) as (session, transport):
                assert transport is not None
                keys = session._caller._attempts._credentials
                keys._now = lambda: transport.now() + (jump if loop_time() >= at else 0.0)
                session._caller._rng.seed(1)
                async with session.scan(query) as scan:
                    rows = [one.instance_id async for one in scan]
            assert rows == expected(emulator, query)
            return [sent.at for sent in transport.sent], scan.stats.waited

    @pytest.mark.parametrize("at", [0.0, 0.05, 1.0, 31.0])
    @pytest.mark.parametrize("jump", [-3600.0, 3600.0])
    async def test_a_wall_clock_that_jumps_changes_no_deadline_and_no_wait(
        self, jump: float, at: float
    ) -> None:
        began = loop_time()
        usual = await self.times(0.0, 0.0)
        length = loop_time() - began
        jumped = await self.times(jump, length + at)
        assert jumped[1] == usual[1]
        assert [moment - length for moment in jumped[0]] == pytest.approx(usual[0])

    @pytest.mark.parametrize("at", [0.05, 1.0, 31.0])
    @pytest.mark.parametrize("jump", [-3600.0, 3600.0])
    async def test_where_requests_bear_its_time_it_is_set_right_without_a_wait(
        self, jump: float, at: float
    ) -> None:
        sent, waited = await self.times(jump, at, **KEYS)
        assert waited < 40
        assert sent[-1] < 31 + 60 + 5
