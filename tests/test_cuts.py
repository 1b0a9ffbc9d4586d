"""A query cut into queries of about as many instances each, as its users see it."""

from __future__ import annotations

from statistics import median
from typing import Any

import attrs
import pytest

from aioflows import FlowQuery, QueryError
from aioflows.query import SortKey
from tests.support.long import long_but
from tests.test_session import World, world

PROFILES = ["uniform", "cron", "bursty", "midnight", "sparse-then-dense"]


def sizes(here: World, windows: list[FlowQuery]) -> list[int]:
    return [len(here.expected(window)) for window in windows]


def assert_tiles(query: FlowQuery, windows: list[FlowQuery]) -> None:
    """Fail unless windows lie one after the other, from the start of a query to its end, and are alike else."""
    in_time = windows[::-1] if query.order_by == "-trigger_time" else windows
    assert [in_time[0].from_ms, *(one.to_ms for one in in_time)] == [
        *(one.from_ms for one in in_time),
        query.to_ms,
    ]
    times: dict[str, Any] = {"from_trigger_time": query.from_ms, "to_trigger_time": query.to_ms}
    assert {attrs.evolve(one, **times) for one in windows} == {attrs.evolve(query, **times)}


@pytest.mark.parametrize("profile", long_but("uniform", of=PROFILES))
async def test_parts_tile_the_range_and_are_even(profile: str) -> None:
    async with world(20_000, profile=profile) as here:
        query = here.query()
        windows = await here.session.cuts(query, 5)
        assert here.searches() <= 60
        assert_tiles(query, windows)
        assert max(sizes(here, windows)) <= 1.25 * median(sizes(here, windows)), sizes(here, windows)


@pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
async def test_parts_read_one_after_the_other_are_the_whole(order: SortKey | None) -> None:
    async with world(2_000) as here:
        query = here.query(order)
        got = []
        for window in await here.session.cuts(query, 4):
            got += [one.instance_id async for one in here.session.scan(window)]
        expected = here.expected(query)
        assert (sorted(got), sorted(expected)) == (sorted(expected), sorted(got))
        assert order is None or got == expected


@pytest.mark.parametrize(
    "switches",
    [{"first_page": 1, "page_zero": "error"}, {"zone": "+05:30"}, {"page_cap": 37}, {"ties": "unstable"}],
    ids=str,
)
async def test_the_service_s_oddities_make_no_part_uneven(switches: dict[str, Any]) -> None:
    async with world(5_000, profile="uniform", **switches) as here:
        query = here.query()
        windows = await here.session.cuts(query, 4)
        assert_tiles(query, windows)
        assert max(sizes(here, windows)) <= 1.15 * median(sizes(here, windows))


async def test_filters_and_odd_bounds_are_kept() -> None:
    async with world(3_000) as here:
        query = FlowQuery(here.emulator.start_ms + 1_234, here.emulator.end_ms - 567, type=1, status="FAIL")
        assert_tiles(query, await here.session.cuts(query, 3))


async def test_one_part_or_an_empty_range_sends_nothing() -> None:
    async with world(100) as here:
        query = here.query()
        assert await here.session.cuts(query, 1) == [
            attrs.evolve(query, from_trigger_time=query.from_ms, to_trigger_time=query.to_ms)
        ]
        nothing = FlowQuery(query.from_ms, query.from_ms)
        assert_tiles(nothing, await here.session.cuts(nothing, 8))
        assert here.searches() == 0


async def test_what_has_no_sense_is_refused_before_anything_is_sent() -> None:
    async with world(100) as here:
        for n in (0, -1, 2.5, True):
            with pytest.raises(QueryError, match="n must be"):
                await here.session.cuts(here.query(), n)  # type: ignore[arg-type]  # what it refuses
        with pytest.raises(QueryError, match="takes a FlowQuery"):
            await here.session.cuts("2024", 3)  # type: ignore[arg-type]  # what it refuses
        assert not here.emulator.requests
