"""A service that says that there is nothing in another way than with an empty list, read in every way there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aioflows import AnswerError, FlowQuery, ScheduleType
from aioflows.emulator import Emulator
from aioflows.emulator.service.constraints import NOTHING
from aioflows.export import export
from aioflows.query import SortKey
from benchmarks.worlds import session_to
from tests.support.long import long_but

SOME_ORDERS = long_but("trigger_time", None, of=["trigger_time", "-trigger_time", None])
DAY = 86_400_000


@pytest.fixture(params=NOTHING)
def emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    with Emulator(600, 3, profile="bursty", schedule_types=(1,), nothing_as=request.param) as opened:
        yield opened


def everything(emulator: Emulator, order: SortKey | None = "trigger_time", **rest: Any) -> FlowQuery:
    return FlowQuery(emulator.start, emulator.end, order_by=order, **rest)


def before(emulator: Emulator, order: SortKey | None = "trigger_time") -> FlowQuery:
    """A range in which there is nothing."""
    return FlowQuery(emulator.start_ms - DAY, emulator.start_ms, order_by=order)


@pytest.mark.parametrize("order", SOME_ORDERS)
@pytest.mark.parametrize("type", [ScheduleType.PERIODIC, None])
@pytest.mark.parametrize("size", long_but(100, of=[10, 100]))
async def test_all_rows_are_read(
    emulator: Emulator, order: SortKey | None, type: ScheduleType | None, size: int
) -> None:
    """Empty windows, and types without a row, are answered so, and every row comes once."""
    async with session_to(emulator, page_size=size) as session:
        got = [one.instance_id for one in await session.scan(everything(emulator, order, type=type)).list()]
    due = [id for _, id in emulator.matching()]
    assert (got if order == "trigger_time" else sorted(got)) == (
        due if order == "trigger_time" else sorted(due)
    )


@pytest.mark.parametrize("order", SOME_ORDERS)
async def test_where_nothing_matches_nothing_comes(emulator: Emulator, order: SortKey | None) -> None:
    """By items, pages, list, batches, and as a plain page."""
    query = before(emulator, order)
    async with session_to(emulator) as session:
        assert [one async for one in session.flow_instances(query)] == []
        async with session.scan(query) as scan:
            assert [rows async for rows in scan.pages()] == []
        assert await session.scan(query).list() == []
        assert await session.scan(query).first() is None
        async with session.scan(query) as scan:
            assert sum([batch.num_rows async for batch in scan.record_batches()]) == 0
        page = await session.page(FlowQuery(query.from_ms, query.to_ms, type=1), 0, 10)
    assert list(page.instances) == []


@pytest.mark.real_time
async def test_an_export_of_nothing_is_an_empty_file(emulator: Emulator, tmp_path: Path) -> None:
    """An export where nothing matches ends well, and one of everything has every row."""
    async with session_to(emulator, latency=0.0) as session:
        await export(session, before(emulator), tmp_path / "none.jsonl")
        await export(session, everything(emulator), tmp_path / "all.jsonl")
    assert (tmp_path / "none.jsonl").read_bytes() == b""
    assert len((tmp_path / "all.jsonl").read_bytes().splitlines()) == 600


async def test_a_follow_goes_on_through_it(emulator: Emulator) -> None:
    """A follow over a range that has passed gives its rows and ends, and gives none where there is none."""
    async with session_to(emulator) as session:
        for query in (everything(emulator), before(emulator)):
            got = [one.instance_id async for one in session.follow(query, since=query.from_ms)]
            assert sorted(got) == sorted(id for _, id in emulator.matching(query.from_ms, query.to_ms))


@pytest.mark.parametrize("order", SOME_ORDERS)
async def test_beside_a_count_of_all_pages_it_is_read_too(order: SortKey | None) -> None:
    """Where one instant has many pages, the page after the last has no list and counts the rows of all."""
    world: dict[str, Any] = {"profile": "one-second", "schedule_types": (1,), "page_cap": 20}
    with Emulator(300, 3, nothing_as="no-list", count="total", **world) as emulator:
        async with session_to(emulator) as session:
            got = [one.instance_id for one in await session.scan(everything(emulator, order)).list()]
        assert sorted(got) == sorted(id for _, id in emulator.matching())


async def test_a_count_without_a_list_is_no_empty_page() -> None:
    """A service that says that there are rows, and leaves the list out, is not read as if there were none."""
    with Emulator(0, 3, nothing_as="no-list", count="more") as emulator:
        async with session_to(emulator) as session:
            with pytest.raises(AnswerError, match="reports 1 rows, but has no list"):
                await session.scan(everything(emulator)).list()
