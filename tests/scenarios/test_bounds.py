"""Services that understand the ends of a range in another way than documented: read exactly, or an error that says which way."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from aioflows import Checkpoint, CompletenessError, FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport

HOUR = 3_600_000
TURN = 1_729_990_800_000  # Berlin puts its clocks back
ORDERS = ["trigger_time", "-trigger_time", None, "start_time"]
Rows = list[tuple[int, str]]


@asynccontextmanager
async def session_to(
    emulator: Emulator, page_size: int, zone: str | None = None
) -> AsyncIterator[FlowSession]:
    transport = EmulatorTransport(emulator, latency=0.01)
    async with FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        http=transport,
        limits=Limits(page_size=page_size),
        server_timezone=None if zone is None else ZoneInfo(zone),
    ) as session:
        yield session


def hourly(emulator: Emulator, hours: int, each: int, offsets: tuple[int, ...] = (0,)) -> Rows:
    """Inserts rows at every full hour, the last one included, of all three types."""
    rows = []
    for hour in range(hours + 1):
        for number in range(each):
            ms = emulator.start_ms + hour * HOUR + offsets[(hour + number) % len(offsets)]
            name = emulator.insert(ms, type=number % 3, instance_id=f"{number}-{hour}")
            rows.append((ms, name))
    return rows


class TestTheEndIncluded:
    @pytest.mark.parametrize("type", [ScheduleType.PERIODIC, None], ids=str)
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("page_size", [10, 100, 500])
    async def test_each_row_of_the_half_open_range_comes_once(
        self, page_size: int, order: SortKey | None, type: ScheduleType | None
    ) -> None:
        """Rows at the very end of a window are left to the window behind it, or to nobody at the end of the range."""
        with Emulator(instances=0, days=3, bounds="closed") as emulator:
            rows = hourly(emulator, 30, 60, (0, 0, 1, 999, 500))
            async with session_to(emulator, page_size) as session:
                query = FlowQuery(emulator.start_ms, emulator.start_ms + 30 * HOUR, order_by=order, type=type)
                got = [row.instance_id for row in await session.scan(query).list()]
        true = [
            name
            for ms, name in rows
            if ms < query.to_ms and (type is None or int(name.split("-")[0]) % 3 == type)
        ]
        assert sorted(got) == sorted(true)

    @pytest.mark.parametrize("until", [500, 1, 999, 0])
    @pytest.mark.parametrize("order", ORDERS)
    async def test_an_end_inside_a_second_is_the_end(self, order: SortKey | None, until: int) -> None:
        """The row that stands there is known by its id, since its text is that of rows before it."""
        with Emulator(instances=0, days=3, bounds="closed") as emulator:
            rows = hourly(emulator, 30, 12, (0, 500, 1, 999))
            async with session_to(emulator, 100) as session:
                query = FlowQuery(emulator.start_ms, emulator.start_ms + 20 * HOUR + until, order_by=order)
                got = [row.instance_id for row in await session.scan(query).list()]
        assert sorted(got) == sorted(name for ms, name in rows if ms < query.to_ms)

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    async def test_a_crowded_second_is_read_in_pieces(self, order: SortKey | None) -> None:
        """Two pieces of a second that touch share the row between them, which does not say that the filter is ignored."""
        with Emulator(instances=0, days=1, bounds="closed", page_cap=20) as emulator:
            true = [emulator.insert(emulator.start_ms + 7_000 + 3 * n, type=1) for n in range(300)]
            async with session_to(emulator, 20) as session:
                query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
                got = [row.instance_id for row in await session.scan(query).list()]
        assert sorted(got) == sorted(true)

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time"])
    async def test_a_page_of_nothing_but_such_rows_is_an_empty_answer(self, order: SortKey) -> None:
        """A range whose only rows lie at its end holds none."""
        with Emulator(instances=0, days=3, bounds="closed") as emulator:
            for number in range(7):
                emulator.insert(emulator.start_ms + HOUR, type=number % 3)
            async with session_to(emulator, 100) as session:
                query = FlowQuery(emulator.start_ms, emulator.start_ms + HOUR, order_by=order)
                assert await session.scan(query).list() == []

    async def test_it_costs_a_few_searches_for_each_schedule_type(self) -> None:
        """What was found out about one window holds for all others of the scan."""
        searches = {}
        for bounds in ("ms", "closed"):
            with Emulator(instances=6_000, seed=3, days=30, schedule_types=[1], bounds=bounds) as emulator:
                async with session_to(emulator, 50) as session:
                    got = await session.scan(FlowQuery(emulator.start, emulator.end, type=1)).list()
                assert len(got) == 6_000
                searches[bounds] = emulator.requests["search"]
        assert searches["closed"] <= searches["ms"] + 8

    async def test_whole_seconds_that_are_compared_are_an_error_that_says_so(self) -> None:
        """Which rows such a service leaves out cannot be told, and the zone has nothing to do with it."""
        with Emulator(instances=0, days=3, bounds="closed-seconds") as emulator:
            hourly(emulator, 30, 20)
            async with session_to(emulator, 100) as session:
                query = FlowQuery(emulator.start_ms, emulator.start_ms + 30 * HOUR)
                with pytest.raises(CompletenessError, match="includes the end of the range") as caught:
                    await session.scan(query).list()
        assert "zone" not in str(caught.value)

    async def test_a_wrong_offset_that_was_given_is_said_to_be_wrong(self) -> None:
        """Rows that a wrong offset puts to the end of a window are not taken for rows of the next one."""
        with Emulator(instances=0, days=3, zone="+00:00") as emulator:
            hourly(emulator, 30, 20)
            async with session_to(emulator, 500, "Europe/Lisbon") as right:
                whole = FlowQuery(emulator.start_ms, emulator.start_ms + 20 * HOUR)
                assert len(await right.scan(whole).list()) == 400
            async with session_to(emulator, 500, "Africa/Algiers") as wrong:  # an hour east
                with pytest.raises(CompletenessError, match="offset that this session was given"):
                    await wrong.scan(whole).list()

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time"])
    @pytest.mark.parametrize("rounding", ["up", "nearest"])
    async def test_times_that_are_rounded_up_are_an_error_that_says_so(
        self, rounding: str, order: SortKey
    ) -> None:
        """A row that is shown at the end of its window, and not in the second behind it, is not dropped."""
        with Emulator(instances=0, days=3, round_times=rounding) as emulator:
            hourly(emulator, 30, 10, (999,))
            async with session_to(emulator, 100) as session:
                query = FlowQuery(emulator.start_ms, emulator.start_ms + 20 * HOUR + 1000, order_by=order)
                with pytest.raises(CompletenessError, match="rounds its times"):
                    await session.scan(query).list()


class TestTheStartExcluded:
    """Rows that stand at the very start and end of the range, and where windows meet."""

    @staticmethod
    def edged(emulator: Emulator, query: FlowQuery, steps: tuple[int, ...] = (0, 1, 500, 999)) -> Rows:
        """Insert rows around both edges, and every 37 seconds between them, of all three types."""
        moments = [edge + step for edge in (query.from_ms, query.to_ms) for step in (-1, 0, 1, -1000, 1000)]
        moments += range(query.from_ms + 20_000, query.to_ms, 37_000)
        rows = []
        for number, ms in enumerate(moments):
            for type in range(3):
                at = ms // 1000 * 1000 + steps[number % len(steps)] if number >= 10 else ms
                rows.append((at, emulator.insert(at, type=type, instance_id=f"{type}-{number}")))
        return rows

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    @pytest.mark.parametrize("page_size", [10, 100, 500])
    @pytest.mark.parametrize("type", [ScheduleType.PERIODIC, None], ids=str)
    @pytest.mark.parametrize("inset", [0, 17_000])
    @pytest.mark.parametrize("bounds", ["ms", "open", "closed", "seconds"])
    async def test_each_row_of_the_half_open_range_comes_once(
        self, bounds: str, inset: int, type: ScheduleType | None, page_size: int, order: SortKey | None
    ) -> None:
        """Windows are asked for from a little earlier to a little later, and what that brings too much is dropped."""
        with Emulator(instances=0, days=3, bounds=bounds) as emulator:
            first = emulator.start_ms + HOUR + inset
            query = FlowQuery(first, first + 2 * HOUR + inset, order_by=order, type=type)
            rows = self.edged(emulator, query)
            async with session_to(emulator, page_size) as session:
                got = [row.instance_id for row in await session.scan(query).list()]
        true = [
            name for ms, name in rows if query.from_ms <= ms < query.to_ms and type in (None, int(name[0]))
        ]
        assert sorted(got) == sorted(true)

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    @pytest.mark.parametrize("matches", [1, 3, 60])
    @pytest.mark.parametrize("bounds", ["minutes-down", "minutes-nearest", "minutes-up"])
    async def test_whole_minutes_are_read_or_told(
        self, bounds: str, matches: int, order: SortKey | None
    ) -> None:
        """A range that begins and ends inside minutes is read where one page holds it; windows that meet are an error."""
        with Emulator(instances=0, days=3, bounds=bounds) as emulator:
            first, until = emulator.start_ms + HOUR + 17_000, emulator.start_ms + 2 * HOUR + 43_000
            for number in range(matches):
                emulator.insert((first, until - 1_000, first + 60_000 * number)[number % 3], type=1)
            true = matches
            query = FlowQuery(first, until, order_by=order, type=1)
            async with session_to(emulator, 10) as session:
                try:
                    got = len(await session.scan(query).list())
                except CompletenessError as error:
                    assert "round" in str(error)  # noqa: PT017
                    got = true
        assert got == true

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time", None])
    async def test_a_crowded_second_whose_pieces_leave_out_their_start_is_read_whole(
        self, order: SortKey | None
    ) -> None:
        """The first row of the second shows that the start is left out."""
        with Emulator(instances=0, days=1, bounds="open", page_cap=20) as emulator:
            true = [emulator.insert(emulator.start_ms + 7_000 + 3 * n, type=1) for n in range(300)]
            async with session_to(emulator, 20) as session:
                query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
                got = [row.instance_id for row in await session.scan(query).list()]
        assert sorted(got) == sorted(true)

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time"])
    @pytest.mark.parametrize("bounds", ["ms", "open"])
    @pytest.mark.parametrize("steps", [(-1,), (0,), (1,), (-1, 0), (-1, 1), (-250, 0, 250), (-250,), ()])
    async def test_a_range_that_begins_inside_a_second_begins_at_that_millisecond(
        self, steps: tuple[int, ...], bounds: str, order: SortKey
    ) -> None:
        """Texts do not show on which side of the start a row of that second lies, but two windows beside it do."""
        with Emulator(instances=0, days=1, bounds=bounds) as emulator:
            edge = emulator.start_ms + HOUR + 300
            true = [name for step in steps if (name := emulator.insert(edge + step, type=1)) and step >= 0]
            true.append(emulator.insert(edge + HOUR, type=1))
            async with session_to(emulator, 20) as session:
                query = FlowQuery(edge, edge + 2 * HOUR, type=1, order_by=order)
                got = [row.instance_id for row in await session.scan(query).list()]
        assert sorted(got) == sorted(true)

    @pytest.mark.parametrize("bounds", ["minutes-down", "minutes-up"])
    @pytest.mark.parametrize("at_end", [True, False])
    async def test_a_bound_inside_a_second_that_is_rounded_to_minutes_is_told(
        self, *, at_end: bool, bounds: str
    ) -> None:
        """A row that stands neither before the bound nor behind it was lost by rounding."""
        with Emulator(instances=0, days=1, bounds=bounds) as emulator:
            first, until = emulator.start_ms + HOUR + 17_300, emulator.start_ms + 2 * HOUR + 43_300
            name = emulator.insert(until - 1 if at_end else first + 1, type=1)
            async with session_to(emulator, 20) as session:
                try:
                    got = [
                        row.instance_id for row in await session.scan(FlowQuery(first, until, type=1)).list()
                    ]
                except CompletenessError as error:
                    assert "rounds the range" in str(error)  # noqa: PT017
                    got = [name]
        assert got == [name]

    @pytest.mark.parametrize("refusal", [None, "widest_window"])
    async def test_the_margin_costs_a_service_as_documented_few_searches(self, refusal: str | None) -> None:
        """Only rows just beside a window make it be requested again, until the service has shown its start."""
        searches = []
        for beside in (False, True):
            switches: dict[str, Any] = {} if refusal is None else {refusal: 86_400}
            with Emulator(instances=0, days=3, **switches) as emulator:
                first = emulator.start_ms + HOUR
                emulator.insert(first + 5_000, type=1)
                if beside:
                    emulator.insert(first - 1, type=1)
                async with session_to(emulator, 20) as session:
                    got = await session.scan(FlowQuery(first, first + 24 * HOUR, type=1)).list()
                assert len(got) == 1
                searches.append(emulator.requests["search"])
        assert searches[1] <= searches[0] + 2


class TestTheHourThatComesTwice:
    """Berlin, 27 October 2024: clocks show 02:00 to 03:00 twice."""

    @staticmethod
    def fill(emulator: Emulator, step: int) -> dict[str, int]:
        return {
            emulator.insert(ms, type=1, instance_id=f"r{number:05}"): ms
            for number, ms in enumerate(range(TURN - 5_400_000, TURN + 5_400_000, step))
        }

    @staticmethod
    def emulator(bounds: str) -> Emulator:
        return Emulator(instances=0, zone="Europe/Berlin", first_day="2024-10-26", days=3, bounds=bounds)

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("page_size", [10, 50, 500])
    async def test_a_service_that_compares_wall_clocks_is_read_with_each_id_once(
        self, page_size: int, order: SortKey | None
    ) -> None:
        """Both passes are answered alike, so the hour is read once, and the account says that its dates are not known."""
        with self.emulator("wall") as emulator:
            true = self.fill(emulator, 7_000)
            async with session_to(emulator, page_size, "Europe/Berlin") as session:
                scan = session.scan(FlowQuery(TURN - 5_400_000, TURN + 5_400_000, type=1, order_by=order))
                got = await scan.list()
        assert Counter(row.instance_id for row in got) == Counter(list(true))
        assert scan.stats.undated == ((TURN - HOUR, TURN + HOUR),)
        off = {
            true[row.instance_id]
            for row in got
            if row.trigger_time is not None and row.trigger_time.timestamp() * 1000 != true[row.instance_id]
        }
        assert all(TURN - HOUR <= ms < TURN + HOUR for ms in off)

    @pytest.mark.parametrize("order", ["trigger_time", "-trigger_time"])
    async def test_a_scan_of_such_a_service_goes_on_within_that_hour(self, order: SortKey) -> None:
        """What was handed out before is not handed out again, though the other pass shows it."""
        with self.emulator("wall") as emulator:
            true = self.fill(emulator, 7_000)
            query = FlowQuery(TURN - 5_400_000, TURN + 5_400_000, type=1, order_by=order)
            for handed in (100, 300, 700, 1_100):
                async with session_to(emulator, 50, "Europe/Berlin") as session:
                    got = [row.instance_id for row in await session.scan(query, limit=0).list()]
                    async with session.scan(query) as scan:
                        async for row in scan:
                            got.append(row.instance_id)
                            if len(got) == handed:
                                break
                        left = Checkpoint.from_json(scan.checkpoint().to_json())
                    got += [row.instance_id for row in await session.scan(query, resume=left).list()]
                assert Counter(got) == Counter(list(true))

    @pytest.mark.parametrize(
        ("first", "until"), [(-2_400_000, 1_200_000), (-3_000_000, 0), (600_000, 3_000_000)]
    )
    async def test_a_range_that_ends_inside_it_is_an_error_that_says_so(self, first: int, until: int) -> None:
        """Nothing tells which rows belong to such a range, and the service may even answer with none."""
        with self.emulator("wall") as emulator:
            self.fill(emulator, 7_000)
            async with session_to(emulator, 50, "Europe/Berlin") as session:
                with pytest.raises(CompletenessError, match="compares the range by wall clocks"):
                    await session.scan(FlowQuery(TURN + first, TURN + until, type=1)).list()

    @pytest.mark.parametrize("order", ORDERS)
    async def test_a_service_that_tells_the_passes_apart_is_read_as_ever(self, order: SortKey | None) -> None:
        """Two rows are looked for in the other pass, once for a scan; then each row is at its own instant."""
        with self.emulator("ms") as emulator:
            true = self.fill(emulator, 7_000)
            async with session_to(emulator, 100, "Europe/Berlin") as session:
                query = FlowQuery(TURN - 4_800_000, TURN + 2_400_000, type=1, order_by=order)
                scan = session.scan(query)
                got = {
                    row.instance_id: int(row.trigger_time.timestamp() * 1000)
                    for row in await scan.list()
                    if row.trigger_time is not None
                }
        assert got == {name: ms for name, ms in true.items() if query.from_ms <= ms < query.to_ms}
        assert scan.stats.undated == ()

    async def test_a_first_question_over_the_change_is_asked_again_in_two_parts(self) -> None:
        """It was asked beside the question for the zone, so it was not known yet that clocks change in it."""
        with self.emulator("ms") as emulator:
            true = self.fill(emulator, 900_000)
            transport = EmulatorTransport(emulator, latency=0.01)
            async with FlowSession(
                "https://enos.test", user_id="u", org_id="o", http=_Naming(transport, "Europe/Berlin")
            ) as session:
                for _ in range(2):
                    got = await session.scan(FlowQuery(emulator.start, emulator.end)).list()
                    times = [row.trigger_time.timestamp() * 1000 for row in got if row.trigger_time]
                    assert times == sorted(true.values())


class _Naming:
    """A transport to a service that names its zone in full."""

    def __init__(self, transport: EmulatorTransport, zone: str) -> None:
        self._transport = transport
        self._body = b'{"code":0,"msg":"OK","data":{"timezone":"%b"}}' % zone.encode()

    async def send(self, request: Any, headers: Any, timeout: float) -> Any:
        answer = await self._transport.send(request, headers, timeout)
        if ("action", "getTimeZone") in request.query:
            return type(answer)(answer.status, answer.headers, self._body)
        return answer

    async def close(self) -> None:
        await self._transport.close()
