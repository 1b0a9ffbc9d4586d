"""Times by other clocks than the trigger's, and times that clocks show twice: every way to read them gives the instants."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from aioflows import Checkpoint, FlowInstance, FlowQuery, FlowSession, Limits, QueryError
from aioflows.audit import audit
from aioflows.emulator import Emulator
from aioflows.export import export
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport

HOUR = 3_600_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS = ("trigger_time", "start_time", "end_time", "timestamp")
TURN = {
    "Europe/Berlin": 1_729_990_800_000,
    "America/New_York": 1_730_613_600_000,
    "Australia/Lord_Howe": 1_712_415_600_000,
}
"""When clocks are put back in 2024."""

Times = dict[str, tuple[float | None, ...]]


def session_to(emulator: Emulator, *, page_size: int = 500, now_ms: float = 0, **how: Any) -> FlowSession:
    transport = EmulatorTransport(emulator, epoch_ms=now_ms or emulator.end_ms, latency=0.01)
    return FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        http=transport,
        limits=Limits(page_size=page_size),
        **how,
    )


def seconds(row: FlowInstance) -> float:
    assert row.trigger_time is not None
    return row.trigger_time.timestamp()


def wall(row: FlowInstance) -> datetime:
    """Return what the clock shows at the start of a row, as if it were UTC."""
    assert row.start_time is not None
    return row.start_time.replace(tzinfo=UTC, fold=0)


def replaced(query: FlowQuery, **fields: Any) -> FlowQuery:
    given = {"type": query.type, "order_by": query.order_by, **fields}
    return FlowQuery(query.from_ms, query.to_ms, **given)


def times_of(rows: Any) -> Times:
    """Return the times of rows (s), by their ids."""
    return {
        row.instance_id: tuple(
            None if (time := getattr(row, field)) is None else time.timestamp() for field in FIELDS
        )
        for row in rows
    }


async def read(
    way: str, *, count: int = 600, page_size: int = 500, zone: str = "+08:00", **switches: Any
) -> Times:
    """Read all instances of a world in one way, from a service with these switches."""
    with Emulator(count, seed=3, days=5, zone=zone, **switches) as emulator:
        given: dict[str, Any] = {} if zone[0] in "+-" else {"server_timezone": zone}
        async with session_to(emulator, page_size=page_size, **given) as session:
            query = FlowQuery(emulator.start, emulator.end)
            match way:
                case "get":
                    ids = sorted(id for _, id in emulator.matching())[:4]
                    async with session_to(emulator, **given) as fresh:
                        return times_of([await fresh.get(id) for id in ids])
                case "page":
                    page = await session.page(replaced(query, type=1), 0, 20)
                    return times_of(page.instances)
                case "batches":
                    batches = [
                        batch
                        async for batch in session.scan(query).record_batches(
                            columns=["instance_id", *FIELDS]
                        )
                    ]
                    return {
                        row.pop("instance_id"): tuple(
                            None if time is None else time.timestamp() for time in row.values()
                        )
                        for batch in batches
                        for row in batch.to_pylist()
                    }
                case "follow":
                    follow = session.follow(query, since=emulator.start)
                    return times_of([row async for row in follow])
                case _:
                    return times_of(await session.scan(replaced(query, order_by=way)).list())


SHIFTS = [
    *({"start_zone_shift": hours} for hours in (-8, 8, 5.5, -3.5)),
    *({"start_zone_shift": hours, "end_zone_shift": 0, "create_zone_shift": 0} for hours in (-8, 8)),
    *({"end_zone_shift": hours} for hours in (-8, 5.5)),
    *({"create_zone_shift": hours} for hours in (-8, 8)),
]


@pytest.mark.parametrize("shifts", SHIFTS, ids=str)
@pytest.mark.parametrize("way", ["trigger_time", "-start_time", "batches", "get", "page"])
async def test_a_service_with_two_clocks_is_read_as_one_with_one_clock(
    way: str, shifts: dict[str, Any]
) -> None:
    """The vendor's own sample has two. What is ahead or behind is found out from the rows."""
    assert await read(way, **shifts) == await read(way)


@pytest.mark.parametrize("way", ["trigger_time", "-trigger_time"])
@pytest.mark.parametrize("shift", [-8, -3.5, 8])
async def test_small_pages_suffice_to_find_a_clock_out(way: str, shift: float) -> None:
    """The first rows that are handed out are right already."""
    small: dict[str, Any] = {"count": 300, "page_size": 10}
    assert await read(way, start_zone_shift=shift, **small) == await read(way, **small)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "+00:00"])
async def test_clocks_are_found_in_any_zone(zone: str) -> None:
    assert await read("start_time", zone=zone, start_zone_shift=-8) == await read("start_time", zone=zone)


async def test_a_clock_that_was_found_is_in_the_account() -> None:
    with Emulator(300, seed=1, start_zone_shift=-8) as emulator:
        async with session_to(emulator) as session:
            scan = session.scan(FlowQuery(emulator.start, emulator.end))
            assert scan.stats.other_clocks == {}, "before anything is read"
            await scan.list()
            assert scan.stats.other_clocks == {"start_time": "UTC", "end_time": "UTC", "timestamp": "UTC"}


async def test_a_clock_may_be_given() -> None:
    """It is used from the first row on, however few there are."""
    with Emulator(300, seed=1, start_zone_shift=-2.25) as emulator:
        query = FlowQuery(emulator.start, emulator.end)
        async with session_to(emulator, other_timezone="+05:45") as session:
            ids = [row.instance_id async for row in session.flow_instances(query, limit=3)]
            given = times_of([await session.get(id) for id in ids])
            assert session.scan(query).stats.other_clocks == {}, "nothing is read yet"
    with Emulator(300, seed=1) as emulator:
        async with session_to(emulator) as session:
            assert times_of([await session.get(id) for id in ids]) == given


def test_a_clock_that_is_not_a_zone_is_refused_when_the_session_is_made() -> None:
    with pytest.raises(QueryError, match="Asia/Shanghai"):
        FlowSession("https://enos.test", user_id="u", org_id="o", other_timezone="here")


async def test_rows_that_contradict_each_other_decide_nothing_and_are_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some runs really start before their trigger time, since somebody starts them by hand."""
    with Emulator(0, zone="+08:00") as emulator:
        for number in range(40):
            emulator.insert(emulator.start_ms + number * HOUR, type=1)
        async with session_to(emulator) as session:
            query = FlowQuery(emulator.start, emulator.end, type=1)
            caplog.set_level(logging.WARNING, "aioflows")
            body = _Edited(EmulatorTransport(emulator, latency=0.01), start_early)
            async with FlowSession("https://enos.test", user_id="u", org_id="o", http=body) as other:
                before = times_of(await session.scan(query).list())
                for _ in range(2):
                    after = times_of(await other.scan(query).list())
    moved = {id for id in after if after[id] != before[id]}
    assert len(moved) == 5, "only those that the service says have started early"
    assert sum("other_timezone" in record.message for record in caplog.records) == 1


@pytest.mark.parametrize("count", [12, 60])
async def test_a_clock_that_is_changed_when_the_triggers_is_not_is_reported_with_its_fields(
    count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Trigger times are UTC, and all others those of London, where clocks are put forward in the middle."""
    with Emulator(0, zone="UTC") as emulator:
        for number in range(count):
            emulator.insert(emulator.start_ms + number * (96 * HOUR // count), type=1)
        body = _Edited(EmulatorTransport(emulator, latency=0.01), start_by_summer_time)
        caplog.set_level(logging.WARNING, "aioflows")
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=body) as session:
            await session.scan(FlowQuery(emulator.start, emulator.end, type=1)).list()
    (warning,) = [one.getMessage() for one in caplog.records if "other_timezone" in one.message]
    assert "start_time, end_time, timestamp" in warning


@pytest.mark.parametrize("beside", [0, 30])
async def test_a_run_longer_than_clocks_are_apart_is_dated_by_short_ones_or_reported(
    beside: int, caplog: pytest.LogCaptureFixture
) -> None:
    """It fits two clocks: by that of the trigger it ended after 48 minutes, and 8 hours later by that of its start."""
    with Emulator(0, zone="+08:00") as emulator:
        long = emulator.insert(emulator.start_ms + HOUR, type=1)
        for number in range(beside):
            emulator.insert(emulator.start_ms + (number + 2) * HOUR, type=1)
        body = _Edited(EmulatorTransport(emulator, latency=0.01), end_by_utc)
        caplog.set_level(logging.WARNING, "aioflows")
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=body) as session:
            found = await session.get(long)
    assert found.duration == timedelta(hours=8 if beside else 0, minutes=48)
    assert ("end_time has the clock" in caplog.text) is (not beside)


def end_by_utc(row: dict[str, Any], trigger: datetime) -> None:
    """Print the times of a row in UTC, eight hours behind. That of 01:00 ran for long."""
    start = trigger - timedelta(hours=8)
    row |= {"startTime": str(start + timedelta(seconds=7)), "timestamp": f"{start}.0"}
    ran = timedelta(hours=8, minutes=48) if trigger.hour == 1 else timedelta(seconds=50)
    row["endTime"] = str(start + timedelta(seconds=7) + ran)


async def test_an_audit_takes_no_run_for_late_since_a_clock_was_changed() -> None:
    with Emulator(400, seed=3, days=4, zone="UTC") as emulator:
        body = _Edited(
            EmulatorTransport(emulator, latency=0.01),
            lambda row, trigger: start_by_summer_time(row, trigger, 6),
        )
        async with FlowSession("https://enos.test", user_id="u", org_id="o", http=body) as session:
            found = await audit(session, FlowQuery(emulator.start, emulator.end), until=emulator.end)
    assert found.late == []
    assert "1:00:07 late; the clock of start times seems to be changed" in found.late_unjudged


def start_by_summer_time(row: dict[str, Any], trigger: datetime, hours: int = 0) -> None:
    """Print the times of a punctual row by a clock that is some hours ahead, and put forward after two days."""
    ahead = trigger + timedelta(hours=hours + (trigger >= datetime(2024, 1, 3)))  # noqa: DTZ001
    row |= {"startTime": str(ahead + timedelta(seconds=7)), "endTime": str(ahead + timedelta(seconds=90))}
    row["timestamp"] = f"{ahead}.0"


def start_early(row: dict[str, Any], trigger: datetime) -> None:
    """Let five rows start hours before their trigger time, each by another time."""
    hour = int((trigger - datetime(2024, 1, 1)).total_seconds() // 3600)  # noqa: DTZ001
    if row.get("startTime") and hour < 40 and hour % 8 == 1:
        row["startTime"] = str(trigger - timedelta(minutes=37 * hour + 8))
        row["endTime"] = None


def start_on_the_third_day(row: dict[str, Any], trigger: datetime) -> None:
    if trigger < datetime(2024, 1, 3):  # noqa: DTZ001
        row["startTime"] = row["endTime"] = None


class _Edited:
    """A service whose rows are changed by a function, which gets the row and its trigger time."""

    def __init__(
        self, transport: EmulatorTransport, edit: Callable[[dict[str, Any], datetime], None]
    ) -> None:
        self._transport = transport
        self._edit = edit

    async def send(self, request: Any, headers: Any, timeout: float) -> Any:
        answer = await self._transport.send(request, headers, timeout)
        content = json.loads(answer.body)
        data = content["data"] if isinstance(content["data"], dict) else {}
        rows = [data] if "triggerTime" in data else data.get("flowInsts", ())
        for row in rows:
            self._edit(row, datetime.fromisoformat(row["triggerTime"]))
        return attrs.evolve(answer, body=json.dumps(content).encode())

    async def close(self) -> None:
        await self._transport.close()


# Hours that come twice


def truth_of(path: Path) -> Times:
    with closing(sqlite3.connect(path)) as rows:
        found = rows.execute("SELECT id, trigger_ms, start_ms, end_ms, create_ms FROM inst").fetchall()
    return {
        id: (*(None if ms is None else ms // 1000 for ms in times[:3]), times[3] / 1000)
        for id, *times in found
    }


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("way", ["get", "-trigger_time", "-create_time"])
async def test_a_clock_of_utc_is_found_out_in_the_hours_around_a_change(
    way: str, zone: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The request shows in which pass of an hour rows were triggered, so these rows count as evidence."""
    with Emulator(0, zone=zone, first_day="2024-10-20", days=20) as emulator:
        moments = range(TURN[zone] - 3 * HOUR, TURN[zone] + 3 * HOUR, HOUR // 60)
        for ms in moments:
            emulator.insert(ms, type=1, instance_id=str(ms))
        how: dict[str, Any] = {"user_id": "u", "org_id": "o", "server_timezone": zone}
        body = _Edited(EmulatorTransport(emulator, latency=0.01), by_utc)
        rows = []
        if way == "get":
            for ms in moments[::45]:
                async with FlowSession("https://enos.test", http=body, **how) as session:
                    rows.append(await session.get(str(ms)))
        else:
            async with FlowSession("https://enos.test", http=body, **how) as session:
                query = FlowQuery(emulator.start, emulator.end, type=1, order_by=way)  # type: ignore[arg-type]
                rows = await session.scan(query).list()
    assert times_of(rows) == {
        row.instance_id: tuple(int(row.instance_id) / 1000 + after for after in (0, 7, 90, -0.4))
        for row in rows
    }
    assert caplog.text == ""


def by_utc(row: dict[str, Any], _: datetime) -> None:
    """Print all times but the trigger time in UTC. The id is the trigger time (ms)."""
    start = EPOCH.replace(tzinfo=None) + timedelta(milliseconds=int(row["instanceId"]))
    row |= {"startTime": str(start + timedelta(seconds=7)), "endTime": str(start + timedelta(seconds=90))}
    row |= {"timestamp": str(start - timedelta(seconds=0.4)), "freq": "0 * * * * ? *"}


@pytest.mark.parametrize("zone", TURN)
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("order", ["trigger_time", "start_time", "-end_time", "create_time", None])
async def test_times_around_a_change_of_clocks_are_instants(
    zone: str, named: bool, order: SortKey | None, tmp_path: Path
) -> None:
    """Durations are exact, and orders go by instants, in the hour that comes twice too."""
    day = datetime.fromtimestamp(TURN[zone] / 1000 - 86_400, UTC).date().isoformat()
    path = tmp_path / "rows.db"
    with Emulator(
        1500, seed=2, zone=zone, first_day=day, days=3, profile="uniform", path=path, full_zone_name=named
    ) as emulator:
        query = FlowQuery(emulator.start, emulator.end, order_by=order)
        given: dict[str, Any] = {} if named else {"server_timezone": zone}
        async with session_to(emulator, page_size=100, **given) as session:
            rows = await session.scan(query).list()
            inside = [row for row in rows if abs(seconds(row) * 1000 - TURN[zone]) < HOUR]
            single = [await session.get(row.instance_id) for row in inside[:6]]
            pages = [await session.page(replaced(query, type=1), page, 100) for page in range(3, 8)]
    truth = truth_of(path)
    assert times_of(rows) == truth
    assert times_of(single).items() <= truth.items(), "an instance that is asked for by its id"
    assert all(times_of(page.instances).items() <= truth.items() for page in pages), "and a page"
    for row in rows:
        _, start, end, _ = truth[row.instance_id]
        if start is not None and end is not None:
            assert row.duration == timedelta(seconds=end - start)
    if order is not None:
        field = FIELDS.index(order.lstrip("-").replace("create_time", "timestamp"))
        shown = [truth[row.instance_id][field] for row in rows]
        times = [time for time in shown if time is not None]
        assert times == sorted(times, reverse=order.startswith("-"))


async def test_a_scan_by_start_time_resumes_by_instants(tmp_path: Path) -> None:
    """Its checkpoint holds instants where clocks change, so that it may lie in either pass of the hour."""
    zone = "Europe/Berlin"
    with Emulator(
        900, seed=2, zone=zone, first_day="2024-10-26", days=3, profile="uniform", schedule_types=(1,)
    ) as emulator:
        query = FlowQuery(emulator.start, emulator.end, type=1, order_by="start_time")
        async with session_to(emulator, server_timezone=zone) as session:
            whole = [row.instance_id for row in await session.scan(query).list()]
            for stop in random.Random(1).sample(range(250, 650), 12):
                scan = session.scan(query)
                begun = [(await anext(scan)).instance_id for _ in range(stop)]
                text = scan.checkpoint().to_json()
                await scan.aclose()
                rest = await session.scan(query, resume=Checkpoint.from_json(text)).list()
                assert begun + [row.instance_id for row in rest] == whole
    assert json.loads(text)["version"] == 2, "which earlier releases refuse"


async def test_a_checkpoint_of_an_earlier_release_resumes_in_its_own_order() -> None:
    """It holds what clocks show, not instants. What had been handed out is not handed out again."""
    zone = "Europe/Berlin"
    with Emulator(
        900, seed=2, zone=zone, first_day="2024-10-26", days=3, profile="uniform", schedule_types=(1,)
    ) as emulator:
        query = FlowQuery(emulator.start, emulator.end, type=1, order_by="start_time")
        async with session_to(emulator, server_timezone=zone) as session:
            rows = [row for row in await session.scan(query).list() if row.start_time]
            walls = sorted(rows, key=lambda row: (wall(row), row.instance_id))
            made = session.scan(query)
            await anext(made)
            new = made.checkpoint()
            await made.aclose()
            at = 430
            shown: FlowInstance = walls[at]
            micros = (wall(shown) - EPOCH) // timedelta(microseconds=1)
            assert new.zone is not None
            old = attrs.evolve(
                new, position=((micros,), shown.instance_id), zone=attrs.evolve(new.zone, clocks=None)
            )
            assert json.loads(old.to_json())["version"] == 1
            rest = await session.scan(query, resume=Checkpoint.from_json(old.to_json())).list()
    assert [row.instance_id for row in rest if row.start_time] == [row.instance_id for row in walls[at + 1 :]]


async def test_a_scan_in_an_order_of_times_is_not_resumed_by_another_clock() -> None:
    """Its place in the order would be hours off."""
    with Emulator(300, seed=1, start_zone_shift=-2.25) as emulator:
        query = FlowQuery(emulator.start, emulator.end, order_by="start_time")
        async with session_to(emulator) as session:
            scan = session.scan(query)
            await anext(scan)
            checkpoint = Checkpoint.from_json(scan.checkpoint().to_json())
            await scan.aclose()
            rest = await session.scan(query, resume=checkpoint).list()
            assert len(rest) == 299
        async with session_to(emulator, other_timezone="UTC") as session:
            with pytest.raises(QueryError, match="other_timezone"):
                await session.scan(query, resume=checkpoint).list()
        async with session_to(emulator, other_timezone="+05:45") as session:
            assert len(await session.scan(query, resume=checkpoint).list()) == 299


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        # back for Ramadan, and forward again
        pytest.param("Africa/Casablanca", "2024-03-08", "2024-04-16", marks=pytest.mark.long),
        ("Europe/Berlin", "2024-03-29", "2024-04-02"),
        ("Europe/Berlin", "2024-10-25", "2024-10-29"),
        pytest.param("Europe/Berlin", "2024-01-10", "2025-01-05", marks=pytest.mark.long),
    ],
)
async def test_a_follow_lives_through_changes_of_the_clocks(zone: str, first: str, last: str) -> None:
    """The service names the offset of the moment. Nothing is missed, nothing comes twice, and the dates are right."""
    start, end = (int(datetime.fromisoformat(f"{day}T00:00Z").timestamp() * 1000) for day in (first, last))
    days = (end - start) // (24 * HOUR) + 2
    with Emulator(0, zone=zone, first_day=first, days=days) as emulator:
        async with session_to(emulator, now_ms=start) as session:
            made: list[int] = []

            async def live() -> None:
                rng = random.Random(1)
                while True:
                    await asyncio.sleep(rng.choice([900, 2000, 5400]))
                    now = int(start + 1000 * asyncio.get_running_loop().time())
                    made.append(now)
                    emulator.insert(now, type=1, instance_id=str(now), status=1)

            living = asyncio.create_task(live())
            query = FlowQuery(start, end, type=1)
            async with session.follow(
                query, since=start, settle_time=30, min_wait=1400, max_wait=1500
            ) as follow:
                rows = [row async for row in follow]
            living.cancel()
    assert sorted(int(row.instance_id) for row in rows) == [ms for ms in made if ms < end]
    assert [row.instance_id for row in rows if seconds(row) != int(row.instance_id) // 1000] == []


# Texts


@pytest.mark.real_time
@pytest.mark.parametrize("name", ["runs.csv", "runs.jsonl", "runs.sqlite"])
@pytest.mark.parametrize(("zone", "ending"), [(None, "+00:00"), ("+08:00", "+08:00")])
async def test_texts_have_one_offset_throughout(
    name: str, zone: str | None, ending: str, tmp_path: Path
) -> None:
    """So they compare and sort as the instants do, over a change of the clocks too."""
    with Emulator(400, seed=1, days=366, zone="Europe/Berlin", profile="uniform") as emulator:
        query = FlowQuery(emulator.start, emulator.end)
        async with session_to(emulator, server_timezone="Europe/Berlin") as session:
            await export(
                session, query, tmp_path / name, columns=["timestamp", "trigger_time"], zone=zone or UTC
            )
            rows = await session.scan(query).list()
    path = tmp_path / name
    if name.endswith(".sqlite"):
        with closing(sqlite3.connect(path)) as found:
            texts = [text for row in found.execute("SELECT * FROM instances") for text in row]
    elif name.endswith(".csv"):
        texts = path.read_bytes().decode().replace("\r\n", ",").strip(",").split(",")[2:]
    else:
        texts = [text for line in path.read_text().splitlines() for text in json.loads(line).values()]
    instants = [time for row in rows for time in (row.timestamp, row.trigger_time) if time]
    assert [datetime.fromisoformat(text) for text in texts] == [time.astimezone(UTC) for time in instants]
    assert all(text.endswith(ending) for text in texts)
    assert [text for _, text in sorted(zip(instants, texts, strict=True))] == sorted(texts)
    assert len({len(text) for text in texts[::2]}) == 1, "and creation times have one form"


@pytest.mark.real_time
async def test_an_export_is_not_continued_with_another_zone(tmp_path: Path) -> None:
    with Emulator(50, seed=1) as emulator:
        query = FlowQuery(emulator.start, emulator.end)
        async with session_to(emulator) as session:
            await export(session, query, tmp_path / "runs.csv")
            await export(session, query, tmp_path / "runs.csv", resume=True)
            with pytest.raises(QueryError, match="other options"):
                await export(session, query, tmp_path / "runs.csv", zone="+08:00", resume=True)
            with pytest.raises(QueryError, match="not a known time zone"):
                await export(session, query, tmp_path / "more.csv", zone="here")


@pytest.mark.parametrize("seed", range(1, 5))
async def test_a_scan_in_an_order_of_times_by_another_clock_resumes_after_its_place(seed: int) -> None:
    """All types of rows are seen before the first row is placed, so the order has one clock throughout."""
    with Emulator(100, seed, zone="UTC", days=2, start_zone_shift=8) as emulator:
        query = FlowQuery(emulator.start, emulator.end, order_by="start_time")
        async with session_to(emulator) as session:
            whole = [row.instance_id for row in await session.scan(query).list()]
        async with session_to(emulator) as session, session.scan(query) as scan:
            begun = [(await anext(scan)).instance_id for _ in range(64)]
            checkpoint = scan.checkpoint()
        async with session_to(emulator) as session:
            rest = [row.instance_id for row in await session.scan(query, resume=checkpoint).list()]
    assert begun + rest == whole


async def test_a_scan_that_found_a_clock_on_the_way_is_not_resumed_in_an_order_of_its_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Some rows were dated, and so placed, before that. What was handed out is not what comes before the place."""
    with Emulator(0, start_zone_shift=-2.25, create_zone_shift=0) as emulator:
        for number in range(300):
            emulator.insert(emulator.start_ms + number * HOUR // 4, type=1)
        query = FlowQuery(emulator.start, emulator.end, type=1, order_by="create_time")
        body = _Edited(EmulatorTransport(emulator, latency=0.01), start_on_the_third_day)
        async with FlowSession(
            "https://enos.test", user_id="u", org_id="o", http=body, limits=Limits(page_size=50, buffer=100)
        ) as session:
            async with session.scan(query) as scan:
                for _ in range(280):
                    await anext(scan)
                checkpoint = scan.checkpoint()
            assert "was read by another clock" in caplog.text, "so that it is not in silence"
            with pytest.raises(QueryError, match="other_timezone"):
                await session.scan(query, resume=checkpoint).list()
