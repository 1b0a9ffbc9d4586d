"""A single instance and a page are never hours off in silence: a search shows the zone that the service names, once a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aioflows import CompletenessError, FlowInstance, FlowQuery, FlowSession, FlowStatus
from aioflows._net.transport import Answer, Request
from aioflows.emulator import Emulator
from tests.support.fakes import EmulatorTransport, envelope

HOUR = 3_600_000
SPRING = 1_711_846_800_000
"""Berlin's clocks go forward. Those of New York did 21 days before."""
PLACES: dict[str, Any] = {"instances": 0, "zone": "Europe/Berlin", "first_day": "2024-01-01", "days": 366}


@asynccontextmanager
async def session_to(
    emulator: Emulator, now_ms: float | None = None, **how: Any
) -> AsyncIterator[FlowSession]:
    transport = EmulatorTransport(emulator, epoch_ms=now_ms or emulator.end_ms, latency=0.01)
    async with FlowSession("https://enos.test", user_id="u", org_id="o", http=transport, **how) as session:
        yield session


async def right_rows(emulator: Emulator) -> list[FlowInstance]:
    async with session_to(emulator, server_timezone="+08:00") as session:
        return await session.scan(FlowQuery(emulator.start, emulator.end)).list()


def searches(emulator: Emulator) -> int:
    return len(emulator.searches)


@pytest.mark.parametrize("claimed", ["GMT+0", "+07:45", "GMT+9", "Asia/Kolkata", "America/New_York"])
async def test_a_wrong_zone_is_an_error_that_names_the_right_offset(claimed: str) -> None:
    """Of each type, and whatever the size of the page, as a scan raises it."""
    with Emulator(400, 3, claimed_zone=claimed) as emulator:
        rows = await right_rows(emulator)
        async with session_to(emulator) as session:
            for row in rows[::80]:
                with pytest.raises(CompletenessError, match=r"UTC\+08:00.*server_timezone"):
                    await session.get(row.instance_id)
            for type in ("manual", "periodic", "temporary"):
                for size in (1, 50):
                    with pytest.raises(CompletenessError, match=r"UTC\+08:00.*server_timezone"):
                        await session.page(FlowQuery(emulator.start, emulator.end, type=type), 0, size)


async def test_a_right_zone_costs_one_search_in_a_session() -> None:
    """Calls at the same time share it."""
    with Emulator(400, 3, schedule_types=[1]) as emulator:
        rows = await right_rows(emulator)
        before = searches(emulator)
        async with session_to(emulator) as session:
            single = await asyncio.gather(*(session.get(row.instance_id) for row in rows[:20]))
            await session.get(rows[30].instance_id)
            assert single == rows[:20]
            assert searches(emulator) == before + 1
            await session.page(FlowQuery(emulator.start, emulator.end, type=1), 0, 50)
            assert searches(emulator) == before + 2


async def test_nothing_more_is_asked_where_the_zone_was_given_or_shown() -> None:
    with Emulator(400, 3, schedule_types=[1]) as emulator:
        rows = await right_rows(emulator)
        query = FlowQuery(emulator.start, emulator.end, type=1)
        async with session_to(emulator, server_timezone="+08:00") as session:
            before = searches(emulator)
            await session.get(rows[0].instance_id)
            await session.page(query, 0, 50)
            assert searches(emulator) == before + 1
        async with session_to(emulator) as session:
            await session.scan(query).list()
            before = searches(emulator)
            await session.get(rows[0].instance_id)
            await session.page(query, 0, 50)
            assert searches(emulator) == before + 1


async def test_a_page_of_a_short_range_shows_the_zone_itself() -> None:
    with Emulator(400, 3, schedule_types=[1]) as emulator:
        (first, *_) = await right_rows(emulator)
        assert first.trigger_time is not None
        at = int(first.trigger_time.timestamp() * 1000)
        before = searches(emulator)
        async with session_to(emulator) as session:
            page = await session.page(FlowQuery(at, at + HOUR // 5, type=1), 0, 50)
            await session.get(page.instances[0].instance_id)
        assert searches(emulator) == before + 1


@pytest.mark.parametrize("claimed", ["GMT+1", "GMT+2"])
async def test_the_offset_of_one_half_of_the_year_is_not_believed_in_the_other(claimed: str) -> None:
    """The service names the offset of the day. One search shows it for some days, or for a half without changes."""
    with Emulator(**PLACES, claimed_zone=claimed) as emulator:
        moments = [SPRING + days * 24 * HOUR for days in (-60, -58, -19, -18, -1, 1, 16, 17, 90, 92)]
        for ms in moments:
            emulator.insert(ms, type=1, instance_id=str(ms))
        async with session_to(emulator) as session:
            for ms in moments:
                right = (claimed == "GMT+2") == (ms >= SPRING)
                if right:
                    before = searches(emulator)
                    one = await session.get(str(ms))
                    assert one.trigger_time is not None
                    assert int(one.trigger_time.timestamp() * 1000) == ms
                    assert searches(emulator) - before <= 2
                else:
                    with pytest.raises(CompletenessError, match="60 minutes off"):
                        await session.get(str(ms))
                    with pytest.raises(CompletenessError, match="60 minutes off"):
                        await session.page(FlowQuery(ms - 9 * HOUR, ms + 9 * HOUR, type=1), 0, 5)
            with pytest.raises(CompletenessError, match="60 minutes off"):
                await session.page(FlowQuery(moments[0], moments[-1] + 1, type=1), 0, 50)


class _NoSearch(EmulatorTransport):
    """A service that lets a user see instances and not search for them."""

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        if ("action", "search") in request.query:
            return envelope(code=62101, msg="no rights")
        return await super().send(request, headers, timeout)


async def test_a_zone_that_no_search_shows_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    with Emulator(400, 3, schedule_types=[1]) as emulator:
        rows = await right_rows(emulator)
        transport = _NoSearch(emulator, latency=0.01)
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=transport) as session:
            assert [await session.get(row.instance_id) for row in rows[:5]] == rows[:5]
    assert sum("server_timezone" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("claimed", [None, "GMT+0"])
async def test_a_wait_warns_of_a_wrong_zone(claimed: str | None, caplog: pytest.LogCaptureFixture) -> None:
    """It is about the status, which is right, so it returns."""
    caplog.set_level(logging.WARNING)
    how: dict[str, Any] = {} if claimed is None else {"claimed_zone": claimed}
    with Emulator(60, 3, **how) as emulator:
        row = next(row for row in await right_rows(emulator) if FlowStatus.is_final(row))
        async with session_to(emulator) as session:
            for _ in range(2):
                assert (await session.wait(row.instance_id)).status == row.status
            warnings = [record for record in caplog.records if "server_timezone" in record.message]
            assert len(warnings) == (0 if claimed is None else 1)
            if claimed is not None:
                with pytest.raises(CompletenessError):
                    await session.get(row.instance_id)
