"""A scan as one list, and its first instance: what a script asks for most."""

from __future__ import annotations

import asyncio

import pytest

from aioflows import Denied, FlowQuery
from aioflows.emulator import Fault
from aioflows.query import SortKey
from tests.test_session import ORDERS, world


@pytest.mark.parametrize("order", ORDERS)
async def test_a_list_is_what_iterating_gives(order: SortKey | None) -> None:
    async with world() as here:
        query = here.query(order)
        got = [one.instance_id for one in await here.session.scan(query).list()]
        expected = here.expected(query)
        assert (got if order else sorted(got)) == (expected if order else sorted(expected))


async def test_a_list_begins_where_iterating_stopped_and_respects_the_limit() -> None:
    async with world(500) as here:
        query = here.query()
        async with here.session.scan(query, limit=200) as scan:
            got = [(await anext(scan)).instance_id for _ in range(7)]
            got += [one.instance_id for one in await scan.list()]
        assert got == here.expected(query)[:200]
        rest = await here.session.scan(query, resume=scan.checkpoint()).list()
        assert got + [one.instance_id for one in rest] == here.expected(query)


async def test_the_first_instance_costs_two_searches_and_leaves_nothing_under_way() -> None:
    async with world(2_000, profile="uniform") as here:
        first = await here.session.scan(here.query("-trigger_time")).first()
        assert first is not None
        assert first.instance_id == here.expected(here.query("-trigger_time"))[0]
        assert here.searches() <= 2 * 3  # a schedule type is a stream of its own
        assert here.transport.in_flight == 0


async def test_nothing_has_no_first_and_an_empty_list() -> None:
    async with world(50) as here:
        query = FlowQuery(here.emulator.end, here.emulator.end_ms + 60_000)
        assert await here.session.scan(query).first() is None
        assert await here.session.scan(query).list() == []


async def test_a_list_that_fails_has_handed_out_nothing() -> None:
    async with world(2_000, profile="uniform", faults=[Fault(at=12, kind="code-62103")]) as here:
        query = here.query()
        scan = here.session.scan(query)
        begun = [(await anext(scan)).instance_id for _ in range(3)]
        with pytest.raises(Denied) as caught:
            await scan.list()
        assert caught.value.checkpoint == scan.checkpoint()
        rest = await here.session.scan(query, resume=caught.value.checkpoint).list()
        assert begun + [one.instance_id for one in rest] == here.expected(query)


@pytest.mark.parametrize("seconds", [0.0, 0.005, 0.02, 0.03, 0.05])
async def test_a_list_that_is_timed_out_has_handed_out_nothing(seconds: float) -> None:
    async with world(2_000, profile="uniform") as here:
        query = here.query()
        scan = here.session.scan(query)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await scan.list()
        assert here.transport.in_flight == 0
        rest = await here.session.scan(query, resume=scan.checkpoint()).list()
        assert [one.instance_id for one in rest] == here.expected(query)


async def test_a_list_does_not_disturb_whoever_iterates_the_scan() -> None:
    async with world(500) as here:
        scan = here.session.scan(here.query())
        iterating = asyncio.create_task(anext(scan))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="another task"):
            await scan.list()
        assert (await iterating).instance_id == here.expected(here.query())[0]
        await scan.aclose()
