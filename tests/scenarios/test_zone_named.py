"""The zone that a service names is that of the moment: a session lives longer than summer time does, and a checkpoint too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from aioflows import (
    AioflowsError,
    Checkpoint,
    CompletenessError,
    FlowInstance,
    FlowQuery,
    FlowSession,
    FollowCheckpoint,
    Limits,
    QueryError,
)
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

HOUR, MINUTE = 3_600_000, 60_000
TURN = 1_729_990_800_000  # Berlin puts its clocks back
BERLIN: dict[str, Any] = {"instances": 0, "zone": "Europe/Berlin", "first_day": "2024-10-24", "days": 7}


@asynccontextmanager
async def session_to(emulator: Emulator, now_ms: float, **how: Any) -> AsyncIterator[FlowSession]:
    transport = EmulatorTransport(emulator, epoch_ms=now_ms, latency=0.01)
    async with FlowSession(
        "https://enos.test", user_id="u", org_id="o", http=transport, limits=Limits(page_size=50), **how
    ) as session:
        yield session


def fill(emulator: Emulator, step: int = 10 * MINUTE) -> None:
    """Inserts rows whose ids tell their true trigger times."""
    for ms in range(TURN - 60 * HOUR, TURN + 60 * HOUR, step):
        emulator.insert(ms, type=1, instance_id=str(ms))


def off(rows: list[FlowInstance]) -> list[str]:
    return [row.instance_id for row in rows if at(row) != int(row.instance_id)]


def at(row: FlowInstance) -> int:
    assert row.trigger_time is not None
    return int(row.trigger_time.timestamp() * 1000)


class TestAfterClocksChange:
    async def test_a_session_reads_right_without_a_restart(self) -> None:
        """Scans, pages and single instances are dated by what the service names then, even if it named something else before."""
        with Emulator(**BERLIN) as emulator:
            fill(emulator)
            async with session_to(emulator, TURN - 24 * HOUR) as session:
                before = await session.scan(FlowQuery(TURN - 47 * HOUR, TURN - 24 * HOUR, type=1)).list()
                await asyncio.sleep(48 * 3600)
                later = FlowQuery(TURN + HOUR, TURN + 24 * HOUR, type=1)
                after = await session.scan(later).list()
                page = await session.page(later, 0, 20)
                one = await session.get(str(TURN + 2 * HOUR))
                assert await session.server_timezone() == timezone(timedelta(hours=1))
        assert (len(before), len(after), len(page.instances)) == (23 * 6, 23 * 6, 20)
        assert off([*before, *after, *page.instances, one]) == []

    async def test_a_page_with_rows_outside_its_range_is_an_error(self) -> None:
        """The answer may contradict the zone that the service names, also after rows have shown that zone."""
        with Emulator(**BERLIN) as emulator:
            fill(emulator)
            day = FlowQuery(TURN - 47 * HOUR, TURN - 24 * HOUR, type=1)
            named = _Named("GMT+2", EmulatorTransport(emulator, latency=0.01))
            async with FlowSession("https://enos.test", user_id="u", org_id="o", http=named) as session:
                assert off(list((await session.page(day, 0, 20)).instances)) == []
                named.zone = "GMT+10"
                with pytest.raises(CompletenessError, match="server_timezone"):
                    await session.page(day, 0, 20)

    async def test_that_the_zone_was_right_before_proves_nothing(self) -> None:
        """A zone that the service names wrongly is found out, though the one that it named before was pinned."""
        with Emulator(**BERLIN, zone_turn=(TURN - 12 * HOUR, 5)) as emulator:
            fill(emulator)
            named = _Named("GMT+2", EmulatorTransport(emulator, latency=0.01))
            async with FlowSession("https://enos.test", user_id="u", org_id="o", http=named) as session:
                day = FlowQuery(TURN - 47 * HOUR, TURN - 24 * HOUR, type=1)
                assert off(await session.scan(day).list()) == []
                named.zone = "GMT+3"
                with pytest.raises(CompletenessError):
                    await session.scan(FlowQuery(TURN - 11 * HOUR, TURN - 4 * HOUR, type=1)).list()

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", "-start_time", None])
    @pytest.mark.parametrize("season", [TURN - 48 * HOUR, TURN + 48 * HOUR], ids=["summer", "winter"])
    async def test_a_year_of_few_rows_is_never_an_hour_off(self, season: int, order: SortKey | None) -> None:
        """In every order and of several types, though all rows fit a page: the error comes before the first row."""
        with Emulator(**BERLIN) as emulator:
            for day in range(0, 360, 20):
                ms = TURN - (300 - day) * 24 * HOUR
                emulator.insert(ms, type=1 + day % 3 % 2, instance_id=str(ms))
            query = FlowQuery(TURN - 320 * 24 * HOUR, TURN + 80 * 24 * HOUR, order_by=order)
            async with session_to(emulator, season) as session:
                for _ in range(2):
                    scan = session.scan(query)
                    with pytest.raises(CompletenessError, match="server_timezone"):
                        await anext(scan)
            async with session_to(emulator, season, server_timezone="Europe/Berlin") as session:
                assert off(await session.scan(query).list()) == []

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    @pytest.mark.parametrize("crowded", long_but([0, -1], of=[[0], [-1], [0, -1]]))
    async def test_a_dense_second_at_the_edge_of_a_range_with_a_change_is_read(
        self, order: SortKey | None, crowded: list[int]
    ) -> None:
        """How deep page numbers reach is looked for in a window that holds the change, and in others where that fails."""
        with Emulator(**BERLIN, page_cap=10) as emulator:
            first, until = TURN - 5 * HOUR, TURN + 7 * HOUR
            times = [(first, until - 1)[edge] for edge in crowded for _ in range(105)]
            times += [TURN - HOUR + n * MINUTE for n in range(0, 180, 7)]
            for number, ms in enumerate(times):
                emulator.insert(ms, type=1, instance_id=f"{1000 + number}-x")
            named = _Named("Europe/Berlin", EmulatorTransport(emulator, latency=0.01))
            async with FlowSession("https://enos.test", user_id="u", org_id="o", http=named) as session:
                for _ in range(2):
                    rows = await session.scan(FlowQuery(first, until, type=1, order_by=order)).list()
                    assert len({row.instance_id for row in rows}) == len(times)

    async def test_a_scan_under_way_reads_in_the_zone_that_it_began_with(self) -> None:
        """What another scan is named meanwhile changes nothing for the one that has begun."""
        with Emulator(**BERLIN) as emulator:
            fill(emulator)
            query = FlowQuery(TURN - 50 * HOUR, TURN - HOUR, type=1)
            async with session_to(emulator, TURN - MINUTE) as session, session.scan(query) as scan:
                rows = [await anext(scan) for _ in range(10)]
                await asyncio.sleep(3600)
                other = await session.scan(FlowQuery(TURN + HOUR, TURN + 9 * HOUR, type=1)).list()
                rows += [row async for row in scan]
                assert scan.stats.time_zone == "UTC+02:00"
        assert off(rows + other) == []
        assert len(rows) == 49 * 6

    @pytest.mark.parametrize("changes", long_but(True, of=[False, True]))
    async def test_a_follow_goes_on_over_the_change(self, changes: bool) -> None:
        """Each instance comes once and at its own time, and no poll fails."""
        with Emulator(**BERLIN) as emulator:
            async with session_to(emulator, TURN - 10 * MINUTE) as session:
                made: list[int] = []

                async def live() -> None:
                    for _ in range(120):
                        await asyncio.sleep(10)
                        now = int(TURN - 10 * MINUTE + 1000 * asyncio.get_running_loop().time())
                        made.append(now)
                        emulator.insert(now, type=1, instance_id=str(now), status=1)

                living = asyncio.create_task(live())
                query = FlowQuery(TURN - 10 * MINUTE, TURN + 12 * MINUTE, type=1)
                async with session.follow(
                    query, since=query.from_ms, settle_time=30, changes=changes
                ) as follow:
                    rows = [row async for row in follow]
                await living
        assert sorted(int(row.instance_id) for row in rows) == [ms for ms in made if ms < query.to_ms]
        assert all(abs(at(row) - int(row.instance_id)) < 1000 for row in rows)


class TestHowOftenItIsAsked:
    async def test_a_scan_asks_once_and_those_at_the_same_time_share_the_answer(self) -> None:
        """It is one small request beside the first search of each scan."""
        with Emulator(instances=900, schedule_types=[1]) as emulator:
            async with session_to(emulator, TURN) as session:
                query = FlowQuery(emulator.start, emulator.end)
                await asyncio.gather(*(session.scan(query).list() for _ in range(5)))
                assert emulator.requests["timezone"] == 1
                await session.scan(query).list()
                assert emulator.requests["timezone"] == 2

    async def test_a_follow_asks_once_a_minute_at_most(self) -> None:
        """Its polls come by themselves, so they go by what was named lately."""
        with Emulator(**BERLIN) as emulator:
            async with session_to(emulator, TURN + HOUR) as session:
                query = FlowQuery(TURN, TURN + 30 * HOUR, type=1)
                async with session.follow(query, min_wait=2, max_wait=5) as follow:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(600):
                            await anext(follow)
                    assert follow.stats.polls > 100
        assert emulator.requests["timezone"] <= 11


class TestCheckpoints:
    async def left(self, emulator: Emulator, **how: Any) -> Checkpoint:
        query = FlowQuery(emulator.start, emulator.end)
        async with session_to(emulator, TURN, **how) as session, session.scan(query) as scan:
            for _ in range(200):
                await anext(scan)
            return Checkpoint.from_json(scan.checkpoint().to_json())

    @pytest.mark.parametrize("given", [True, False])
    async def test_another_zone_is_refused_before_a_row_is_handed_out(self, given: bool) -> None:
        """Rows that were read in it may have wrong times, and others would be passed over."""
        with Emulator(instances=2_000, seed=1) as emulator:
            left = await self.left(emulator, server_timezone="+08:00")
        claimed: dict[str, Any] = {} if given else {"claimed_zone": "+09:00"}
        with Emulator(instances=2_000, seed=1, **claimed) as emulator:
            async with session_to(emulator, TURN, server_timezone="+09:00" if given else None) as session:
                rows: list[FlowInstance] = []
                with pytest.raises(QueryError, match=r"zone.*Begin again") as caught:
                    rows = await session.scan(FlowQuery(emulator.start, emulator.end), resume=left).list()
                assert not rows
                assert given or caught.value.checkpoint == left

    @pytest.mark.parametrize("zone", ["Asia/Shanghai", "UTC+8", None])
    async def test_a_zone_that_means_the_same_goes_on(self, zone: str | None) -> None:
        """What it is called does not matter, nor whether the service names it."""
        with Emulator(instances=2_000, seed=1) as emulator:
            left = await self.left(emulator, server_timezone="+08:00")
            async with session_to(emulator, TURN, server_timezone=zone) as session:
                rest = await session.scan(FlowQuery(emulator.start, emulator.end), resume=left).list()
        assert len(rest) == 1_800

    async def test_one_of_an_earlier_release_notes_no_zone_and_goes_on(self) -> None:
        """Its format is that of today without the zone, and is written where no zone is known."""
        with Emulator(instances=2_000, seed=1) as emulator:
            left = await self.left(emulator)
            old = Checkpoint(left.fingerprint, left.remaining)
            assert "zone" not in json.loads(old.to_json())
            async with session_to(emulator, TURN, server_timezone="+08:00") as session:
                query = FlowQuery(emulator.start, emulator.end)
                rest = await session.scan(query, resume=Checkpoint.from_json(old.to_json())).list()
        assert len(rest) == 1_800

    async def test_whoever_sets_the_zone_that_an_error_names_loses_nothing(self) -> None:
        """The error says to begin the scan again, and its checkpoint is refused under the zone that it asks for."""
        with Emulator(instances=5_000, seed=4, claimed_zone="+00:00") as emulator:
            query = FlowQuery(emulator.start, emulator.end)
            async with session_to(emulator, TURN) as session:
                with pytest.raises(CompletenessError, match="begin the scan again") as caught:
                    await session.scan(query).list()
            scan_left = await self.failed(emulator, query)
            async with session_to(emulator, TURN, server_timezone="+08:00") as session:
                with pytest.raises(QueryError):
                    session.scan(query, resume=scan_left)
                assert len(await session.scan(query).list()) == 5_000
        assert caught.value.checkpoint is not None

    async def failed(self, emulator: Emulator, query: FlowQuery) -> Checkpoint:
        async with session_to(emulator, TURN) as session:
            with pytest.raises(AioflowsError) as caught:
                async for _ in session.scan(query):
                    pass
        assert caught.value.checkpoint is not None
        return Checkpoint.from_json(caught.value.checkpoint.to_json())

    async def followed(
        self, emulator: Emulator, now_ms: int, query: FlowQuery, **how: Any
    ) -> FollowCheckpoint:
        async with (
            session_to(emulator, now_ms, **how) as session,
            session.follow(query, since=query.from_ms, settle_time=600) as follow,
        ):
            await anext(follow)
            return FollowCheckpoint.from_json(follow.checkpoint().to_json())

    async def test_a_follow_is_bound_to_its_zone_as_well(self) -> None:
        """Another zone is refused where it is given, and at the first poll where the service names it."""
        with Emulator(**BERLIN) as emulator:
            fill(emulator, MINUTE)
            now = TURN - 24 * HOUR
            query = FlowQuery(now - HOUR, TURN + 60 * HOUR)
            left = await self.followed(emulator, now, query)
            for zone in ("Europe/Berlin", "GMT+2"):
                async with session_to(emulator, now, server_timezone=zone) as session:
                    session.follow(query, resume=left)
            async with session_to(emulator, now, server_timezone="GMT+1") as session:
                with pytest.raises(QueryError, match="zone"):
                    session.follow(query, resume=left)
            async with session_to(emulator, TURN + 24 * HOUR) as session:  # it names another one now
                with pytest.raises(QueryError, match="zone"):
                    await anext(session.follow(query, resume=left))
            async with (
                session_to(emulator, TURN + HOUR, server_timezone="Europe/Berlin") as session,
                session.follow(query, resume=left) as follow,
            ):
                row = await anext(follow)
        assert row.trigger_time is not None
        assert row.trigger_time > datetime(2024, 10, 25, tzinfo=UTC)


class _Named:
    """A transport to a service that names a zone as it is told."""

    def __init__(self, zone: str, transport: EmulatorTransport) -> None:
        self.zone = zone
        self._transport = transport

    async def send(self, request: Any, headers: Any, timeout: float) -> Any:
        answer = await self._transport.send(request, headers, timeout)
        if ("action", "getTimeZone") in request.query:
            body = b'{"code":0,"msg":"OK","data":{"timezone":"%b"}}' % self.zone.encode()
            return type(answer)(answer.status, answer.headers, body)
        return answer

    async def close(self) -> None:
        await self._transport.close()
