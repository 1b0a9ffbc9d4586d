"""An emulated platform that lives on: what runs, when, and how tests know it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from aioflows import FlowInstance, FlowQuery, FlowSession, FlowStatus, QueryError
from aioflows.audit import audit
from aioflows.emulator import Emulator
from tests.support.fakes import EmulatorTransport, loop_time

EPOCH_MS = 1_735_695_000_000
"""2025-01-01T09:30+08:00."""


_FOLLOWED_MS = 60_000


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ms = EPOCH_MS

    def __call__(self) -> float:
        return self.ms


def living(now: Clock | None = None, **switches: Any) -> Emulator:
    return Emulator(300, now=now or (lambda: EPOCH_MS + loop_time() * 1000), live=True, **switches)


def session(emulator: Emulator) -> FlowSession:
    transport = EmulatorTransport(emulator, epoch_ms=EPOCH_MS)
    return FlowSession("https://enos.test", user_id="u", org_id="o", http=transport)


def content(emulator: Emulator) -> list[tuple[object, ...]]:
    return list(emulator.open()._require_open().store.execute("SELECT * FROM inst ORDER BY id"))


def test_a_clock_that_jumps_gives_the_same_rows_as_one_that_is_read_every_second() -> None:
    jumping, ticking = Clock(), Clock()
    with living(jumping) as one, living(ticking) as other:
        for _ in range(1_800):
            ticking.ms += 1_000
            other.instances  # noqa: B018  (a look)
        jumping.ms = ticking.ms
        assert content(one) == content(other)


def test_another_seed_lives_otherwise() -> None:
    clock = Clock()
    with living(clock, seed=1) as one, living(clock, seed=2) as other:
        assert content(one) != content(other)


async def test_new_runs_are_followed_within_seconds_from_their_wait_to_their_end() -> None:
    seen: defaultdict[str, list[int]] = defaultdict(list)
    with living() as emulator:
        query = FlowQuery(EPOCH_MS, EPOCH_MS + _FOLLOWED_MS)
        async with (
            session(emulator) as opened,
            opened.follow(query, since=EPOCH_MS, changes=True, settle_time=1, watch_time=60) as follow,
        ):
            first = None
            async for instance in follow:
                first = first or loop_time()
                seen[instance.instance_id].append(int(instance.status or 0))
        truth = {name for _, name in emulator.matching(EPOCH_MS, EPOCH_MS + _FOLLOWED_MS)}
    assert first is not None
    assert first < 20
    assert set(seen) == truth
    assert any(FlowStatus.RUNNING in states and FlowStatus(states[-1]).is_final for states in seen.values())


async def test_a_scan_of_the_past_and_the_present_is_what_the_emulator_knows() -> None:
    with living() as emulator:
        truth = [name for _, name in emulator.matching()]
        async with session(emulator) as opened:
            query = FlowQuery(emulator.start_ms, emulator.end_ms)
            rows = [row async for row in opened.flow_instances(query)]
    assert [row.instance_id for row in rows] == truth
    assert len(rows) > 300
    assert rows[-1].trigger_time is not None
    assert rows[-1].trigger_time > datetime.fromtimestamp(EPOCH_MS / 1000, UTC) - timedelta(minutes=1)
    assert all(_is_whole(row) for row in rows)


def _is_whole(row: FlowInstance) -> bool:
    """Whether the times of a row fit its status."""
    if row.status in (FlowStatus.SUCCESS, FlowStatus.FAIL):
        return row.start_time is not None and row.end_time is not None
    return row.status is not FlowStatus.RUNNING or (row.start_time is not None and row.end_time is None)


async def test_flows_run_by_their_schedules() -> None:
    with living() as emulator:
        await asyncio.sleep(7_200)
        async with session(emulator) as opened:
            query = FlowQuery(EPOCH_MS, EPOCH_MS + 7_200_000)
            report = await audit(opened, query)
    assert not report.missing
    assert not report.doubled
    assert report.flows > 5


def test_rows_that_live_are_not_kept_in_a_file(tmp_path: object) -> None:
    with pytest.raises(QueryError, match="omit path"):
        living(Clock(), path=f"{tmp_path}/rows.sqlite")
