"""The first rows of a session show its clocks before any row is dated, and a few rows that show none are reported."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aioflows import FlowInstance, FlowQuery, FlowSession, Limits
from aioflows.emulator import Emulator
from aioflows.query import SortKey
from tests.support.fakes import EmulatorTransport, answer
from tests.support.long import long_but

TIMES = ("trigger_time", "start_time", "end_time", "timestamp")
NEARLY_AN_HOUR = 3_500
"""Seconds. A clock that is off by less cannot be told from runs that wait and instances that are created early."""


def session_to(transport: EmulatorTransport, page_size: int = 500, **how: Any) -> FlowSession:
    return FlowSession(
        "https://enos.test",
        user_id="u",
        org_id="o",
        http=transport,
        limits=Limits(page_size=page_size),
        **how,
    )


def seconds(row: FlowInstance) -> tuple[int | None, ...]:
    return tuple(None if (time := getattr(row, field)) is None else int(time.timestamp()) for field in TIMES)


def wrong(rows: list[FlowInstance], path: Path, least: int = 1) -> list[str]:
    """Return the ids of rows with a time that differs from the truth by some seconds."""
    with closing(sqlite3.connect(path)) as table:
        found = table.execute("SELECT id, trigger_ms, start_ms, end_ms, create_ms FROM inst")
        truth = {id: [None if ms is None else ms // 1000 for ms in times] for id, *times in found}
    return [
        row.instance_id
        for row in rows
        if any(
            shown != right and (shown is None or right is None or abs(shown - right) >= least)
            for shown, right in zip(seconds(row), truth[row.instance_id], strict=True)
        )
    ]


@pytest.mark.parametrize("seed", [7, 20, 52, 83, 86])
@pytest.mark.parametrize("order", long_but("trigger_time", of=[None, "trigger_time", "-start_time"]))
async def test_types_with_few_rows_are_dated_by_the_clock_that_others_show(
    seed: int, order: SortKey | None, tmp_path: Path
) -> None:
    """A page of two rows shows little. The pages of the other types come before any row is handed out."""
    path = tmp_path / "rows.db"
    with Emulator(60, seed, days=3, first_day="2024-05-01", start_zone_shift=-8, path=path) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms, latency=0.01)
        async with session_to(transport) as session:
            query = FlowQuery(emulator.start, emulator.end, order_by=order)
            assert wrong(await session.scan(query).list(), path) == []


@pytest.mark.parametrize("page_size", [1, 3])
@pytest.mark.parametrize("shift", [-8, 5.5, 13])
async def test_tiny_pages_are_judged_together(page_size: int, shift: float, tmp_path: Path) -> None:
    """One row alone could be a run that waited. So rows of the same days are asked for once."""
    path = tmp_path / "rows.db"
    with Emulator(40, 5, days=3, start_zone_shift=shift, path=path) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms, latency=0.01)
        async with session_to(transport, page_size) as session:
            query = FlowQuery(emulator.start, emulator.end)
            assert wrong(await session.scan(query).list(), path) == []


class _Strict(EmulatorTransport):
    """A service that answers no search for more than five rows."""

    async def send(self, request: Any, headers: Any, timeout: float) -> Any:
        if request.operation == "search" and json.loads(request.body)["pagination"]["pageSize"] > 5:
            return answer(b"", 500)
        return await super().send(request, headers, timeout)


async def test_a_question_that_fails_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Then the few rows have to suffice, and what they do not show is reported."""
    with Emulator(1, 5, start_zone_shift=5) as emulator:
        transport = _Strict(emulator, epoch_ms=emulator.end_ms, latency=0.01)
        async with session_to(transport, 5) as session:
            rows = await session.scan(FlowQuery(emulator.start, emulator.end)).list()
    assert len(rows) == 1
    assert "other_timezone" in caplog.text


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("count", [3, 30, 700])
async def test_a_service_with_one_clock_is_asked_nothing_more(seed: int, count: int) -> None:
    """A session that was given the clock asks nothing about it."""
    sent = []
    for given in ({}, {"other_timezone": "+08:00"}):
        with Emulator(count, seed, days=3) as emulator:
            transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms, latency=0.01)
            async with session_to(transport, 50, **given) as session:
                await session.scan(FlowQuery(emulator.start, emulator.end)).list()
            sent.append([one.request.body for one in transport.sent])
    assert sent[0] == sent[1]


@pytest.mark.parametrize("zone", long_but("America/New_York", of=["America/New_York", "Europe/Berlin"]))
@pytest.mark.parametrize("shift", [-12, 5])
@pytest.mark.parametrize("order", long_but("-end_time", of=["trigger_time", "-end_time"]))
async def test_pages_around_a_change_of_clocks_are_dated_by_another_clock(
    zone: str, shift: int, order: SortKey, tmp_path: Path
) -> None:
    """By the clock that is 12 hours behind, no time of a page may lie on the side of the change that its trigger lies on.

    The clock that is 5 hours ahead of -05:00 shows UTC after the change, and does not before it.
    """
    path = tmp_path / "rows.db"
    first = "2024-11-02" if zone == "America/New_York" else "2024-10-26"
    with Emulator(
        600, 114, zone=zone, first_day=first, days=2, start_zone_shift=shift, path=path
    ) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms, latency=0.01)
        async with session_to(transport, 50, server_timezone=zone) as session:
            rows = await session.scan(FlowQuery(emulator.start, emulator.end, order_by=order)).list()
    assert wrong(rows, path, NEARLY_AN_HOUR * 2) == []
    assert len(wrong(rows, path)) <= 3, "creations within the hour that comes twice may be an hour off"


@pytest.mark.parametrize("seed", long_but(*range(3), of=range(120)))
async def test_no_row_is_hours_off_in_silence(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However few rows there are, by whatever clock: they are right, or the log says that they may not be."""
    rng = random.Random(seed)
    caplog.set_level(logging.WARNING, "aioflows")
    fields = rng.choice([("start",), ("start", "end"), ("start", "end", "create"), ("create",)])
    shift = rng.choice([hours / 4 for hours in range(-44, 53) if abs(hours) >= 8])
    zone = rng.choice(["+08:00", "UTC", "-03:30", "+05:45"])
    switches: dict[str, Any] = {f"{field}_zone_shift": shift for field in fields}
    path = tmp_path / "rows.db"
    with Emulator(rng.choice([2, 5, 15, 60]), seed, zone=zone, days=3, path=path, **switches) as emulator:
        transport = EmulatorTransport(emulator, epoch_ms=emulator.end_ms, latency=0.01)
        async with session_to(transport, rng.choice([1, 3, 20, 500])) as session:
            orders: list[SortKey | None] = [None, "trigger_time", "-start_time", "end_time", "-create_time"]
            order = rng.choice(orders)
            query = FlowQuery(emulator.start, emulator.end, order_by=order)
            if rng.random() < 0.25:
                ids = sorted(id for _, id in emulator.matching())
                rows = [await session.get(id) for id in ids[:5]]
            else:
                rows = await session.scan(query).list()
    assert not wrong(rows, path, NEARLY_AN_HOUR) or "other_timezone" in caplog.text
