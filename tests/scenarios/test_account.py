"""The plan before a scan, and the account after it."""

from __future__ import annotations

from typing import Any

import pytest

from aioflows import CountedWindow, FlowQuery, FlowScan, FlowSession, Limits, Proof, ScheduleType
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport


async def scanned(emulator: Emulator, query: FlowQuery, page_size: int = 50) -> FlowScan:
    """Read a query whole and give the scan."""
    transport = EmulatorTransport(emulator, latency=0.01)
    limits = Limits(page_size=page_size, concurrency=4)
    async with (
        FlowSession("https://enos.test", user_id="u", org_id="o", http=transport, limits=limits) as session,
        session.scan(query) as scan,
    ):
        async for _ in scan.pages():
            pass
    return scan


async def test_before_a_scan_nothing_is_known_but_the_windows_of_each_type() -> None:
    with Emulator(1_000) as emulator:
        transport = EmulatorTransport(emulator)
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=transport) as session:
            scan = session.scan(FlowQuery(emulator.start, emulator.end, order_by=("start_time", "-end_time")))
            plan = scan.plan()
            assert not transport.sent
            await scan.aclose()
    assert (plan.from_ms, plan.to_ms) == (emulator.start_ms, emulator.end_ms)
    assert [(one.type, one.from_ms, one.to_ms) for one in plan.windows] == [
        (type, emulator.start_ms, emulator.end_ms) for type in ScheduleType
    ]
    assert (plan.order_by, plan.fewest_requests) == (("start_time", "-end_time"), 3)


async def test_the_first_page_tells_how_many_requests_are_to_be_expected() -> None:
    with Emulator(6_000, profile="uniform", schedule_types=(1,)) as emulator:
        transport = EmulatorTransport(emulator, latency=0.01)
        limits = Limits(page_size=50)
        async with FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport, limits=limits
        ) as session:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
            async with session.scan(query) as scan:
                await anext(scan)
                plan = scan.plan()
    assert 60 < plan.fewest_requests < 240
    assert plan.windows[0].after is not None


async def test_what_is_left_of_a_scan_that_is_over_costs_nothing() -> None:
    with Emulator(300) as emulator:
        scan = await scanned(emulator, FlowQuery(emulator.start, emulator.end))
    assert (scan.plan().windows, scan.plan().fewest_requests) == ((), 0)


@pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
async def test_every_window_was_proven_in_some_way(order: SortKey | None) -> None:
    with Emulator(2_000, profile="uniform", schedule_types=(1,), page_cap=40) as emulator:
        query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by=order)
        stats = (await scanned(emulator, query)).stats
    assert sum(stats.proofs.values()) == stats.windows > 30
    assert stats.proofs[Proof.FIRST_PAGE] > stats.proofs.get(Proof.COUNTED, 0)
    assert stats.counted == ()
    assert (stats.page_cap, stats.first_page, stats.time_zone) == (40, 0, "UTC+08:00")
    assert stats.rows_yielded == 2_000
    assert stats.rows_received == stats.rows_yielded + stats.duplicates


@pytest.mark.parametrize("switches", [{}, {"ties": "unstable"}, {"first_page": 1}], ids=str)
async def test_what_could_only_be_counted_is_marked(switches: dict[str, Any]) -> None:
    with Emulator(200, profile="uniform", schedule_types=(1,), page_cap=40, **switches) as emulator:
        instant = emulator.start_ms + 86_400_000
        for _ in range(130):
            emulator.insert(instant)
        query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by="-trigger_time")
        stats = (await scanned(emulator, query)).stats
    assert stats.counted == (CountedWindow(instant, instant + 1000, 130),)
    assert stats.proofs[Proof.COUNTED] == 1


async def test_a_second_that_milliseconds_tell_apart_is_proven_and_not_counted() -> None:
    with Emulator(200, profile="uniform", schedule_types=(1,), page_cap=40) as emulator:
        for number in range(130):
            emulator.insert(emulator.start_ms + 86_400_000 + number * 7)
        query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
        stats = (await scanned(emulator, query)).stats
    assert stats.counted == ()
    assert stats.proofs[Proof.MILLISECONDS] == 1


async def test_waits_between_attempts_are_added_up() -> None:
    with Emulator(600, fault_share=0.3, fault_kinds=("http-503",), schedule_types=(1,)) as emulator:
        query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC)
        stats = (await scanned(emulator, query)).stats
    assert stats.retries > 0
    assert stats.waited > 0


async def test_windows_that_the_service_sorted_are_told_apart_from_those_that_were_proven() -> None:
    with Emulator(3_000, profile="uniform", schedule_types=(1,)) as emulator:
        transport = EmulatorTransport(emulator, latency=0.01)
        limits = Limits(page_size=50, buffer=300)
        async with FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=transport, limits=limits
        ) as session:
            query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by="start_time")
            for proven in (False, True):
                async with session.scan(query, proven=proven) as scan:
                    async for _ in scan.pages():
                        pass
                assert bool(scan.stats.proofs.get(Proof.SORTED)) is not proven
