"""Zones with daylight saving time: each row at its own instant, also in the hour that the clocks show twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from aioflows import FlowQuery, FlowSession, Limits
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
@pytest.mark.parametrize("day", ["2024-03-30", "2024-10-26"], ids=["spring", "autumn"])
async def test_every_row_is_read_at_its_own_instant(day: str, order: SortKey | None) -> None:
    emulator = Emulator(instances=900, seed=2, profile="uniform", zone="Europe/Berlin", first_day=day, days=3)
    with emulator:
        transport = EmulatorTransport(emulator, latency=0.01)
        session = FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=transport,
            limits=Limits(page_size=50),
            server_timezone=BERLIN,
        )
        async with session:
            query = FlowQuery(emulator.start, emulator.end, order_by=order)
            got = [
                (one.instance_id, one.trigger_time.astimezone(UTC))
                async for one in session.flow_instances(query)
                if one.trigger_time is not None
            ]
        expected = {
            name: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ms // 1000)
            for ms, name in emulator.matching(emulator.start_ms, emulator.end_ms)
        }
    assert dict(got) == expected
    keys = [(when, name) for name, when in got]
    if order is not None:
        assert keys == sorted(keys, reverse=order.startswith("-"))
