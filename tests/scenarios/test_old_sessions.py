"""A session that has lived for a year, over both changes of the clocks, reads as a new one does."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from aioflows import FlowQuery, FlowSession, Limits
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

DAY = 86_400_000
TIMES = ("trigger_time", "start_time", "end_time", "timestamp")
MOMENTS = {12: True, 89: True, 90: False, 91: False, 180: True, 300: False, 301: False, 365: True}
"""Days after New Year 2024 at which both read, and whether the ten days before have one offset, so that a new session can
read them. Berlin's clocks are changed on the days 90 and 300."""


def session_to(transport: EmulatorTransport) -> FlowSession:
    return FlowSession(
        "https://enos.test", user_id="u", org_id="o", http=transport, limits=Limits(page_size=20)
    )


@pytest.mark.parametrize("shift", long_but(-1, of=[0, -1]))
@pytest.mark.parametrize("order", long_but("trigger_time", of=["trigger_time", "-start_time"]))
async def test_a_session_that_is_a_year_old_reads_as_a_new_one_does(order: SortKey, shift: int) -> None:
    """Its answers, its requests and its dates are the same. The zone is not given: the service names that of the day.

    A session asks once in each part of the year, with at most two searches, whether the named offset holds there.
    """
    seen = 0
    with Emulator(
        4_000, 1, zone="Europe/Berlin", days=367, profile="uniform", start_zone_shift=shift
    ) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=emulator.start_ms, latency=0.01)

        async def read(session: FlowSession, query: FlowQuery) -> tuple[Any, ...]:
            before = len(transport.sent)
            async with session.scan(query) as scan:
                rows = await scan.list()
            page = await session.page(FlowQuery(query.from_ms, query.to_ms, type=1), 0, 5)
            single = [await session.get(row.instance_id) for row in rows[:2]]
            asked = sorted(str((one.request.query, one.request.body)) for one in transport.sent[before:])
            dates = [
                (row.instance_id, *(str(getattr(row, field)) for field in TIMES))
                for row in (*rows, *page.instances, *single)
            ]
            return dates, asked, await session.server_timezone()

        async def learn(session: FlowSession, now: int) -> None:
            """Read ten days, so that the session knows the page size and the clocks of the service."""
            async for _ in session.flow_instances(FlowQuery(now - 10 * DAY, now, order_by=order)):
                pass

        async with session_to(transport) as old:
            for day, steady in MOMENTS.items():
                await asyncio.sleep(day * DAY / 1000 - asyncio.get_running_loop().time())
                now = int(transport.now() * 1000)
                query = FlowQuery(now - 7 * 3_600_000, now, order_by=order)
                async with session_to(transport) as new:
                    for session in (new, old) if day == min(MOMENTS) else (new,):
                        if steady:
                            await learn(session, now)
                    dates, asked, zone = await read(new, query)
                old_dates, old_asked, old_zone = await read(old, query)
                assert (old_dates, old_zone) == (dates, zone), f"day {day}"
                more = Counter(old_asked) - Counter(
                    asked
                )  # they show that the offset holds in this part of the year
                assert not steady or (not Counter(asked) - Counter(old_asked) and more.total() <= 2), (
                    f"day {day}"
                )
                seen += len(dates)
    assert seen > 50
