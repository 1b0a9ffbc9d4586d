"""Times in the forms that Java services write: rows have the instants that the service means, on every way out."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aioflows import AioflowsError, Checkpoint, FlowInstance, FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport
from tests.support.long import long_but

FORMS = ["text", "fraction", "ms", "ms-text", "seconds", "offset", "basic-offset", "utc", "list", "mixed"]
OF_AN_INSTANT = ["ms", "ms-text", "seconds", "offset", "basic-offset", "utc"]
WORLD: dict[str, Any] = {"instances": 40, "seed": 3, "days": 2, "zone": "+08:00", "schedule_types": [1]}
ORDERS = ["trigger_time", "-trigger_time", "start_time", None]


@asynccontextmanager
async def session_to(emulator: Emulator, **how: Any) -> AsyncIterator[FlowSession]:
    transport = EmulatorTransport(emulator)
    async with FlowSession(
        "https://enos.test", user_id="u", org_id="o", http=transport, limits=Limits(page_size=10), **how
    ) as session:
        yield session


def query_of(emulator: Emulator, **filters: Any) -> FlowQuery:
    return FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, **filters)


async def rows_of(order: str | None, **switches: Any) -> list[FlowInstance]:
    with Emulator(**WORLD | switches) as emulator:
        async with session_to(emulator) as session:
            return await session.scan(query_of(emulator, order_by=order)).list()


def times(rows: list[FlowInstance]) -> list[tuple[object, ...]]:
    """Give the times of rows. Some forms have whole seconds only."""
    return [
        (
            row.instance_id,
            row.trigger_time,
            row.start_time,
            row.end_time,
            row.timestamp and row.timestamp.replace(microsecond=0),
        )
        for row in rows
    ]


def whole(rows: list[FlowInstance]) -> list[tuple[object, ...]]:
    return [
        tuple(
            value.replace(microsecond=0)
            if hasattr(value, "replace") and not isinstance(value, str)
            else value
            for value in row
        )
        for row in times(rows)
    ]


@pytest.mark.parametrize("order", long_but("trigger_time", of=ORDERS))
@pytest.mark.parametrize("form", FORMS[1:])
async def test_rows_have_the_times_that_they_have_in_the_documented_form(
    form: str, order: str | None
) -> None:
    found, true = await rows_of(order, times_as=form, numbers_as="text"), await rows_of(order)
    if order is None:
        found, true = (
            sorted(found, key=lambda row: row.instance_id),
            sorted(true, key=lambda row: row.instance_id),
        )
    if order == "start_time":  # a fraction decides between runs that start in one second
        found.sort(
            key=lambda row: (
                row.start_time is None,
                row.start_time and row.start_time.replace(microsecond=0),
                row.instance_id,
            )
        )
        true.sort(key=lambda row: (row.start_time is None, row.start_time, row.instance_id))
    assert whole(found) == whole(true)
    assert [(row.status, row.flow_id, row.extra) for row in found] == [
        (row.status, row.flow_id, {}) for row in true
    ]


@pytest.mark.parametrize("zone", long_but("Europe/Berlin", of=["Europe/Berlin", "America/New_York"]))
@pytest.mark.parametrize("form", OF_AN_INSTANT)
async def test_rows_of_the_hour_that_clocks_show_twice_have_their_instants(form: str, zone: str) -> None:
    turn = {"Europe/Berlin": 1_729_990_800_000, "America/New_York": 1_730_613_600_000}[zone]
    with Emulator(instances=0, zone=zone, first_day="2024-10-24", days=14, times_as=form) as emulator:
        for ms in range(turn - 7_200_000, turn + 7_200_000, 600_000):
            emulator.insert(ms, type=1, instance_id=str(ms))
        async with session_to(emulator, server_timezone=zone) as session:
            query = FlowQuery(turn - 7_200_000, turn + 7_200_000, type=ScheduleType.PERIODIC)
            found = await session.scan(query).list()
            page = await session.page(query, 0, 100)
            one = await session.get(str(turn))
    for rows in (found, list(page.instances), [one]):
        assert [row.trigger_time and row.trigger_time.timestamp() * 1000 for row in rows] == [
            int(row.instance_id) for row in rows
        ]
    assert len(found) == len(page.instances) == 24


@pytest.mark.parametrize("form", OF_AN_INSTANT)
async def test_times_that_say_the_instant_need_no_zone(form: str) -> None:
    true = times(await rows_of("trigger_time", times_as=form))
    unnamed = [Fault(at=1, times=1_000, on="timezone", kind="http-404")]
    for trouble in ({"claimed_zone": "GMT-3"}, {"faults": unnamed}):
        with Emulator(**WORLD | trouble, times_as=form) as emulator:
            async with session_to(emulator) as session:
                assert times(await session.scan(query_of(emulator)).list()) == true


UNNAMED = {"faults": [Fault(at=1, times=1_000, on="timezone", kind="http-404")]}
ZONES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "named": ({}, {}),
    "not named": (UNNAMED, {}),
    "named wrongly": ({"claimed_zone": "GMT-3"}, {}),
    "given": ({}, {"server_timezone": "+08:00"}),
    "given with changes": ({}, {"server_timezone": "Europe/Berlin"}),
}
RESUMED = [("not named", "given"), ("not named", "given with changes"), ("named", "not named"), ("given", "not named"), ("named", "named wrongly")]  # fmt: skip


@pytest.mark.parametrize("order", long_but("trigger_time", "start_time", of=ORDERS))
@pytest.mark.parametrize(("before", "after"), RESUMED)
async def test_a_scan_whose_times_say_the_instant_is_resumed_whatever_zone_is_known_of_the_service(
    before: str, after: str, order: SortKey | None
) -> None:
    true, found, checkpoint = await rows_of(order, times_as="ms"), list[FlowInstance](), None
    for zone, limit in ((before, 15), (after, None)):
        switches, how = ZONES[zone]
        with Emulator(**WORLD | switches, times_as="ms") as emulator:
            async with session_to(emulator, **how) as session:
                scan = session.scan(query_of(emulator, order_by=order), limit=limit, resume=checkpoint)
                async for row in scan:
                    found.append(row)
                checkpoint = Checkpoint.from_json(scan.checkpoint().to_json())
    if order is None:
        found.sort(key=lambda row: row.instance_id)
        true.sort(key=lambda row: row.instance_id)
    assert times(found) == times(true)


async def test_a_wall_clock_time_without_a_zone_ends_the_scan() -> None:
    faults = [Fault(at=1, times=1_000, on="timezone", kind="http-404")]
    with Emulator(**WORLD, times_as="fraction", faults=faults) as emulator:
        async with session_to(emulator) as session:
            with pytest.raises(AioflowsError, match="404"):
                await session.scan(query_of(emulator)).list()


@pytest.mark.parametrize("form", FORMS)
async def test_every_way_out_tells_the_same_times(form: str) -> None:
    with Emulator(**WORLD, times_as=form) as emulator:
        async with session_to(emulator) as session:
            query = query_of(emulator)
            rows = await session.scan(query).list()
            batches = [batch async for batch in session.scan(query).record_batches()]
            page = await session.page(query, 0, 1_000)
            singles = [await session.get(row.instance_id) for row in rows[:3]]
    columns = [batch.to_pydict() for batch in batches]
    for name in (
        "instance_id",
        "trigger_time",
        "start_time",
        "end_time",
        "timestamp",
        "duration",
        "status_name",
    ):
        read = [value for batch in columns for value in batch[name]]
        if name == "duration":
            assert read == [row.duration and row.duration.total_seconds() for row in rows]
        else:
            assert read == [getattr(row, name) for row in rows], name
    assert [json.loads(row.to_json()) for row in rows] == [row.to_dict() for row in rows]
    assert times(sorted(page.instances, key=lambda row: row.instance_id)) == times(
        sorted(rows, key=lambda row: row.instance_id)
    )
    assert whole(singles) == whole(rows[:3])


@pytest.mark.parametrize("name", ["GMT+-5", "GMT-5", "GMT-05:00"])
async def test_a_zone_is_read_as_java_writes_it(name: str) -> None:
    true = await rows_of("trigger_time", zone="-05:00")
    assert times(await rows_of("trigger_time", zone="-05:00", claimed_zone=name)) == times(true)


async def test_the_letter_z_is_a_zone() -> None:
    assert times(await rows_of("trigger_time", zone="UTC", claimed_zone="Z")) == times(
        await rows_of("trigger_time", zone="UTC")
    )
