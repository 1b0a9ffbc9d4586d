"""Limits, rules for retries and deadlines of one scan or one call, in virtual time and without sockets."""

from __future__ import annotations

import asyncio
import math
import pickle
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

import aioflows.sync
from aioflows import (
    AioflowsError,
    DeadlineExceeded,
    FlowQuery,
    FlowSession,
    Limits,
    QueryError,
    RetryPolicy,
    ServerFault,
    TimedOut,
)
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport, loop_time


class Counting(EmulatorTransport):
    """Notes when searches are sent, and the most that were under way at a time."""

    def __init__(self, emulator: Emulator, latency: float) -> None:
        super().__init__(emulator, latency=latency)
        self.moments: list[float] = []
        self.under_way = self.peak = 0

    async def send(self, request: Any, headers: Any, timeout: float) -> Any:
        if request.operation != "search":
            return await super().send(request, headers, timeout)
        self.moments.append(loop_time())
        self.under_way += 1
        self.peak = max(self.peak, self.under_way)
        try:
            return await super().send(request, headers, timeout)
        finally:
            self.under_way -= 1


class Desk:
    """A session beside its service."""

    def __init__(self, session: FlowSession, emulator: Emulator, transport: Counting) -> None:
        self.session, self.emulator, self.transport = session, emulator, transport
        self.query = FlowQuery(emulator.start, emulator.end, type=1)
        self.expected = [name for _, name in emulator.matching(self.query.from_ms, self.query.to_ms, type=1)]


@asynccontextmanager
async def desk(
    instances: int = 2_000, *, latency: float = 0.05, limits: Limits | None = None, **switches: Any
) -> AsyncIterator[Desk]:
    emulator = Emulator(instances=instances, seed=3, **switches)
    emulator.open()
    transport = Counting(emulator, latency)
    limits = limits or Limits(page_size=50, concurrency=8)
    try:
        async with FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport, limits=limits
        ) as session:
            yield Desk(session, emulator, transport)
    finally:
        emulator.close()


class TestLimits:
    async def test_the_page_size_of_a_scan_is_its_own(self) -> None:
        async with desk() as here:
            rows = await here.session.scan(here.query, limits=Limits(page_size=20)).list()
            assert [row.instance_id for row in rows] == here.expected
            assert {search.page_size for search in here.emulator.searches if search.page_size} == {20}

    async def test_the_concurrency_of_a_scan_bounds_its_requests(self) -> None:
        async with desk() as here:
            await here.session.scan(here.query, limits=Limits(page_size=50, concurrency=2)).list()
            assert here.transport.peak == 2

    async def test_a_scan_cannot_raise_the_concurrency_of_its_session(self) -> None:
        async with desk(limits=Limits(page_size=50, concurrency=3)) as here:
            await here.session.scan(here.query, limits=Limits(page_size=50, concurrency=64)).list()
            assert here.transport.peak == 3

    async def test_the_rate_of_a_scan_holds_for_it_and_not_for_its_session(self) -> None:
        async with desk() as here:
            slow = asyncio.create_task(
                here.session.scan(here.query, limits=Limits(page_size=200, rate=2)).list()
            )
            await asyncio.sleep(1)
            before = len(here.transport.moments)
            began = loop_time()
            await here.session.scan(here.query).list()
            assert loop_time() - began < 2
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
            assert before <= 3
        async with desk(limits=Limits(page_size=50, rate=20)) as here:
            await here.session.scan(here.query, limits=Limits(page_size=50, rate=5)).list()
            moments = here.transport.moments
            assert all(later - sooner > 0.199 for sooner, later in pairwise(moments))

    async def test_the_short_door_takes_them(self) -> None:
        async with desk() as here:
            found = here.session.flow_instances(here.query, limits=Limits(page_size=20), deadline=600)
            assert [row.instance_id async for row in found] == here.expected
            assert {search.page_size for search in here.emulator.searches} == {20}

    @pytest.mark.parametrize("limits", [{"page_size": 5}, 5, "small", RetryPolicy()])
    async def test_what_are_no_limits_is_refused(self, limits: Any) -> None:
        async with desk() as here:
            with pytest.raises(QueryError, match="limits must be Limits"):
                here.session.scan(here.query, limits=limits)


class TestRetry:
    async def test_the_rules_of_a_scan_hold_for_it_alone(self) -> None:
        async with desk(faults=[Fault(1, "http-503", times=60)]) as here:
            scan = here.session.scan(here.query, retry=RetryPolicy(max_tries=1))
            with pytest.raises(ServerFault):
                await scan.list()
            assert scan.stats.requests > 1
            assert scan.stats.retries == 0
            rows = await here.session.scan(here.query).list()
            assert [row.instance_id for row in rows] == here.expected

    async def test_a_page_and_a_single_instance_have_rules_of_their_own(self) -> None:
        async with desk(faults=[Fault(1, "code-62109", times=9)]) as here:
            policy = RetryPolicy(max_tries=3, base=0.0)
            with pytest.raises(ServerFault):
                await here.session.page(here.query, 0, 10, retry=policy)
            assert len(here.transport.moments) == 3
            assert (await here.session.get(here.expected[0], retry=policy)).instance_id == here.expected[0]

    async def test_a_budget_of_its_own_leaves_that_of_the_session_whole(self) -> None:
        async with desk(faults=[Fault(1, "code-62109")]) as here:
            with pytest.raises(ServerFault):
                await here.session.page(here.query, 0, 10, retry=RetryPolicy(budget=0))
            assert len(here.transport.moments) == 1
            assert (await here.session.page(here.query, 0, 10)).instances

    async def test_what_is_no_policy_is_refused(self) -> None:
        async with desk() as here:
            wrong: Any = 3
            with pytest.raises(QueryError, match="retry must be RetryPolicy"):
                here.session.scan(here.query, retry=wrong)
            with pytest.raises(QueryError, match="retry must be RetryPolicy"):
                await here.session.get("x", retry=wrong)


class TestDeadline:
    @pytest.mark.parametrize("deadline", [1.1, timedelta(milliseconds=1100)])
    async def test_a_scan_ends_with_an_error_at_its_deadline(self, deadline: float | timedelta) -> None:
        """What was handed out and what the checkpoint leaves make up everything."""
        async with desk(latency=0.2) as here:
            names: list[str] = []
            with pytest.raises(TimeoutError) as late:
                async for row in here.session.scan(here.query, deadline=deadline):
                    names.append(row.instance_id)
            assert loop_time() == pytest.approx(1.1)
            assert isinstance(late.value, DeadlineExceeded)
            assert isinstance(late.value, TimedOut)
            assert "deadline of 1.1 s" in str(late.value)
            assert late.value.checkpoint is not None
            assert here.transport.under_way == 0
            rest = await here.session.scan(here.query, resume=late.value.checkpoint).list()
            assert names + [row.instance_id for row in rest] == here.expected
            assert names

    async def test_the_time_of_the_consumer_counts_and_rows_already_read_are_handed_out(self) -> None:
        async with desk() as here, here.session.scan(here.query, deadline=5) as scan:
            first = await anext(scan)
            await asyncio.sleep(60)
            names = [first.instance_id]
            with pytest.raises(DeadlineExceeded):
                async for row in scan:
                    names.append(row.instance_id)
            assert names == here.expected[: len(names)]
            with pytest.raises(DeadlineExceeded):  # and again
                await anext(scan)

    async def test_a_list_that_is_late_hands_out_nothing(self) -> None:
        async with desk() as here:
            with pytest.raises(DeadlineExceeded) as late:
                await here.session.scan(here.query, deadline=0.3).list()
            rest = await here.session.scan(here.query, resume=late.value.checkpoint).list()
            assert [row.instance_id for row in rest] == here.expected

    async def test_a_scan_that_ends_in_time_is_whole(self) -> None:
        async with desk() as here:
            rows = await here.session.scan(here.query, deadline=60).list()
            assert [row.instance_id for row in rows] == here.expected

    async def test_a_time_out_of_the_caller_stays_the_callers(self) -> None:
        async with desk() as here, here.session.scan(here.query, deadline=60) as scan:
            with pytest.raises(TimeoutError) as late:
                async with asyncio.timeout(0.01):
                    await anext(scan)
            assert not isinstance(late.value, AioflowsError)
            assert [row.instance_id async for row in scan] == here.expected

    async def test_a_page_and_a_single_instance_have_deadlines(self) -> None:
        async with desk(latency=2.0) as here:
            with pytest.raises(DeadlineExceeded, match="deadline of 1 s"):
                await here.session.page(here.query, 0, 10, deadline=1)
            with pytest.raises(DeadlineExceeded):
                await here.session.get(here.expected[0], deadline=1)
            assert loop_time() == pytest.approx(2)
            assert (await here.session.get(here.expected[0], deadline=9)).instance_id == here.expected[0]

    @pytest.mark.parametrize("deadline", [0, -1, math.nan, math.inf, True, "5", timedelta(0)])
    async def test_nonsense_is_refused_where_it_is_given(self, deadline: Any) -> None:
        async with desk() as here:
            with pytest.raises(QueryError, match="deadline must be"):
                here.session.scan(here.query, deadline=deadline)

    def test_the_error_is_pickled_whole(self) -> None:
        error = pickle.loads(pickle.dumps(DeadlineExceeded("late")))
        assert type(error) is DeadlineExceeded
        assert str(error) == "late"


def test_the_sync_door_has_the_same() -> None:
    emulator = Emulator(instances=300, seed=3)
    emulator.open()
    try:
        transport = EmulatorTransport(emulator, latency=0.001)
        with aioflows.sync.FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport
        ) as session:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            everything = session.scan(
                query, limits=Limits(page_size=7), retry=RetryPolicy(), deadline=60
            ).list()
            assert min(search.page_size or 0 for search in emulator.searches) == 7
            assert everything == list(session.flow_instances(query, deadline=60))
            assert session.get(everything[0].instance_id, deadline=60) == everything[0]
            assert session.page(query, 0, 5, deadline=60, retry=RetryPolicy()).instances
            with pytest.raises(TimeoutError):
                session.scan(query, deadline=1e-9).list()
    finally:
        emulator.close()


class TestMemory:
    @pytest.mark.parametrize("buffer", [600, 1_000, 3_000])
    @pytest.mark.parametrize("order", ["trigger_time", None])
    async def test_a_buffer_is_what_is_held_and_what_may_come(
        self, buffer: int, order: SortKey | None
    ) -> None:
        """To a quarter more, also if the usual pages of all requests would exceed it."""
        async with desk(20_000, limits=Limits(page_size=500, buffer=buffer)) as here:
            query = FlowQuery(here.query.from_ms, here.query.to_ms, type=1, order_by=order)
            async with here.session.scan(query) as scan:
                pages, taken = scan.pages(), 0
                for _ in range(30):
                    taken += len(await anext(pages))
                    await asyncio.sleep(1)  # all that was requested arrives
                    sent = sum(search.rows for search in here.emulator.searches)
                    assert sent - taken - scan.stats.duplicates <= 1.25 * buffer

    @pytest.mark.parametrize("seed", range(2))
    async def test_scans_end_whatever_the_budget_and_the_order_of_their_consumers(self, seed: int) -> None:
        """Some consumers rest for ever after a few rows, and hold no other scan up."""
        rng = random.Random(seed)
        limits = Limits(page_size=50, concurrency=8, memory=1_000_000)
        async with desk(3_000, limits=limits) as here:
            scans = [here.session.scan(here.query) for _ in range(12)]
            for scan in scans[:8]:
                await anext(scan)  # and no more
            choices: list[SortKey | None] = ["trigger_time", "-trigger_time", None, "start_time"]
            orders = [rng.choice(choices) for _ in range(4)]
            queries = [
                FlowQuery(here.query.from_ms, here.query.to_ms, type=1, order_by=one) for one in orders
            ]
            async with asyncio.timeout(10_000):
                found = await asyncio.gather(*(here.session.scan(query).list() for query in queries))
            for rows in found:
                assert sorted(row.instance_id for row in rows) == sorted(here.expected)
            for scan in scans:
                await scan.aclose()
            assert here.session._parts.memory.held == 0

    async def test_stopped_consumers_hold_no_more_than_the_budget(self) -> None:
        async with desk(20_000, limits=Limits(page_size=50, concurrency=8, memory=1_500_000)) as here:
            scans = [here.session.scan(here.query) for _ in range(5)]
            taken = 0
            for _ in range(6):
                for scan in scans:
                    taken += len(await anext(scan.pages()))
            await asyncio.sleep(60)
            sent = sum(search.rows for search in here.emulator.searches)
            assert (sent - taken) * 700 < 1_500_000
            for scan in scans:
                await scan.aclose()

    async def test_stalled_scans_keep_the_budget_that_has_room_for_each(self) -> None:
        """Without compression, one page of each would exceed it."""
        async with desk(1_000, latency=0.0, limits=Limits(page_size=500, memory=5_000_000)) as here:
            scans = [here.session.scan(here.query) for _ in range(12)]
            for scan in scans:
                await anext(scan.pages())
            await asyncio.sleep(60)
            budget = here.session._parts.memory
            assert budget.rows / len(scans) >= 500
            assert 1_000_000 < budget.held < 5_000_000
            for scan in scans:
                await scan.aclose()
            assert budget.held == 0

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    async def test_a_scan_with_little_memory_goes_on_after_any_row(self, order: SortKey | None) -> None:
        rng = random.Random(1)
        async with desk(600, latency=0.0, limits=Limits(page_size=200, memory=1_000_000)) as here:
            query = FlowQuery(here.query.from_ms, here.query.to_ms, type=1, order_by=order)
            found: list[str] = []
            checkpoint, taken, most = None, 1, 1
            while taken == most:
                async with here.session.scan(query, resume=checkpoint) as scan:
                    most, taken = rng.randrange(20, 200), 0
                    while taken < most and (row := await anext(scan, None)) is not None:
                        found.append(row.instance_id)
                        taken += 1
                    checkpoint = scan.checkpoint()
            expected = here.expected[::-1] if order == "-trigger_time" else here.expected
            assert (found if order else sorted(found)) == (expected if order else sorted(expected))

    async def test_an_abandoned_scan_gives_its_memory_back(self) -> None:
        async with desk(limits=Limits(page_size=50, memory=1_000_000)) as here:
            scan = here.session.scan(here.query)
            await anext(scan)
            budget = here.session._parts.memory
            assert budget.held
            scan.reader._abandon()
            assert not budget.held

    @pytest.mark.parametrize("memory", [0, -1, 10, 1.5e9, True, "1GB", math.nan])
    def test_nonsense_is_refused(self, memory: Any) -> None:
        with pytest.raises(QueryError, match="memory must be a whole number from 1,000,000"):
            Limits(memory=memory)
