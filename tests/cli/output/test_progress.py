"""Where a scan stands, for a person and for a machine."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import attrs
import pytest

from aioflows import (
    Checkpoint,
    CountedWindow,
    FlowQuery,
    FlowSession,
    Limits,
    Paused,
    Proof,
    ScanStats,
    Throttled,
)
from aioflows.cli.output.meters import json_meter
from aioflows.cli.output.progress import Progress, ProgressSnapshot
from aioflows.cli.output.scan_summary import ScanSummary
from aioflows.emulator import Emulator
from tests.support.fakes import EmulatorTransport, loop_time


async def watched(
    progress: Progress,
    emulator: Emulator,
    *,
    limit: int | None = None,
    resume: Checkpoint | None = None,
    stop: int = 0,
) -> tuple[list[ProgressSnapshot], Checkpoint]:
    """Read a deployment, all of it or until some rows were taken; give what was shown, and where it stopped."""
    transport = EmulatorTransport(emulator, latency=0.3)
    limits = Limits(page_size=50, concurrency=4)
    shown = []
    async with (
        FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=transport,
            limits=limits,
            observer=progress.on_event,
        ) as session,
        session.scan(FlowQuery(emulator.start, emulator.end), limit=limit, resume=resume) as scan,
    ):
        async for _ in scan.pages():
            if (snapshot := progress.show(scan)) is not None:
                shown.append(snapshot)
            if stop and scan.stats.rows_yielded >= stop:
                break
        return shown, scan.checkpoint()


async def test_shares_rise_and_requests_are_counted_while_they_are_under_way() -> None:
    with Emulator(5_000, profile="uniform") as emulator:
        shown, _ = await watched(Progress(clock=loop_time), emulator)
    shares = [one.share for one in shown]
    assert len(shown) > 10
    assert shares == sorted(shares)
    assert 1 <= max(one.in_flight for one in shown) <= 4
    assert any(one.left is not None for one in shown)


async def test_it_is_looked_at_four_times_a_second_at_most() -> None:
    with Emulator(5_000, profile="uniform") as emulator:
        began = loop_time()
        shown, _ = await watched(Progress(clock=loop_time), emulator)
        assert len(shown) <= 4 * (loop_time() - began) + 1


async def test_what_takes_long_to_look_at_is_looked_at_seldom() -> None:
    """Here every look takes 20 ms, so that one a second is the most, which is a fiftieth."""
    ticks = [0.0]

    def clock() -> float:
        ticks[0] += 0.01
        return ticks[0] + loop_time()

    with Emulator(5_000, profile="uniform") as emulator:
        shown, _ = await watched(Progress(clock=clock), emulator)
        assert len(shown) <= 2 * clock() + 1


async def test_a_scan_that_goes_on_begins_at_its_share_and_counts_its_own_rows() -> None:
    with Emulator(6_000, profile="uniform") as emulator:
        before, checkpoint = await watched(Progress(clock=loop_time), emulator, stop=3_000)
        shown, _ = await watched(Progress(clock=loop_time), emulator, resume=checkpoint)
    assert 0.4 < before[-1].share < 0.6
    assert 0.4 < shown[0].share < 0.65
    assert shown[0].stats.rows_yielded < 1_000
    assert shown[-1].share <= 1


async def test_a_limit_is_a_share_of_its_own() -> None:
    with Emulator(5_000, profile="uniform") as emulator:
        shown, _ = await watched(Progress(limit=1_000, clock=loop_time), emulator, limit=1_000)
    assert shown[-1].share > 0.5


async def test_a_wait_counts_down_and_is_over() -> None:
    progress = Progress(clock=loop_time)
    progress.on_event(Paused(seconds=12.0, error=Throttled(429, "busy", 12.0)))
    assert progress.waiting == "throttled: waiting 12 s"
    await asyncio.sleep(5)
    progress.on_event(Paused(seconds=1.0, error=Throttled(429, "busy", 1.0)))
    assert progress.waiting == "throttled: waiting 7 s"
    await asyncio.sleep(8)
    assert not progress.waiting


def test_a_line_says_what_is_left_only_where_that_is_known() -> None:
    stats = ScanStats(requests=12, rows_yielded=5_000, elapsed=2.0, rate=7.6)
    known = ProgressSnapshot(0.5, stats, 3, 75.0)
    words = "5,000 rows · 12 requests · 2,500 rows/s · 3 in flight · throttled to 8 requests/s"
    assert known.line() == f"{words} · about 1m 15s left"
    assert attrs.evolve(known, left=None).line() == words


async def test_a_machine_gets_an_object_a_second_and_one_for_each_pause() -> None:
    said: list[str] = []
    progress = Progress(clock=loop_time)
    meter = json_meter(said.append, progress, loop_time)
    with Emulator(4_000, profile="uniform") as emulator:
        transport = EmulatorTransport(emulator, latency=0.3)
        async with (
            FlowSession(
                "https://enos.test",
                user_id="u",
                org_id="o",
                http=transport,
                limits=Limits(page_size=50, concurrency=4),
                observer=meter.on_event,
            ) as session,
            session.scan(FlowQuery(emulator.start, emulator.end)) as scan,
        ):
            began = loop_time()
            async for _ in scan.pages():
                meter.show(scan)
            took = loop_time() - began
    meter.on_event(Paused(seconds=2.0, error=Throttled(429, "busy", 2.0)))
    objects = [json.loads(line) for line in said]
    assert [one["kind"] for one in objects] == ["progress"] * (len(said) - 1) + ["waiting"]
    assert took / 2 <= len(said) - 1 <= took
    assert objects[-1] == {"kind": "waiting", "seconds": 2.0, "reason": "throttled: waiting 2 s"}
    assert objects[0].keys() == {
        *("kind", "share", "rows", "rows_per_second", "requests", "in_flight", "requests_per_second"),
        *("retries", "throttled", "elapsed", "left", "waiting"),
    }


QUERY = FlowQuery(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC))
STATS = ScanStats(
    requests=44,
    retries=3,
    throttled=2,
    rows_received=20_100,
    rows_yielded=20_000,
    duplicates=100,
    windows=41,
    elapsed=4.0,
    waited=2.5,
    proofs={Proof.FIRST_PAGE: 40, Proof.COUNTED: 1},
    counted=(CountedWindow(0, 1, 700),),
)


def test_the_closing_line_tells_what_it_cost_and_how_it_is_proven() -> None:
    assert ScanSummary(QUERY, STATS, rows=25_000, before=5_000).line() == (
        "complete · 5,000 of 25,000 instances were written by earlier runs · 20,000 rows · 44 requests, 1.10 × full pages of 500 · "
        "4.0 s, 5,000 rows/s · 3 retries, 2 throttled, waited 2.5 s · 41 windows proven, 1 of them by counting · "
        "from 2024-01-01T00:00:00+00:00 to 2024-02-01T00:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("rows", "limit", "outcome"),
    [(0, None, "nothing matches"), (7, 7, "as many as asked for"), (6, 7, "complete"), (7, None, "complete")],
)
def test_it_begins_with_how_it_ended(rows: int, limit: int | None, outcome: str) -> None:
    assert ScanSummary(QUERY, ScanStats(), rows=rows, limit=limit).line().startswith(f"{outcome} · ")


def test_the_least_is_by_the_pages_that_the_service_gives() -> None:
    assert ScanSummary(QUERY, attrs.evolve(STATS, page_cap=100), rows=20_000).least == 200


def test_the_account_for_a_machine_is_one_line_of_plain_ascii() -> None:
    line = ScanSummary(QUERY, STATS, rows=20_000, output="/nowhere/风.csv").json()
    account = json.loads(line)
    assert line.isascii()
    assert "\n" not in line
    assert account["output"] == "/nowhere/风.csv"
    assert account["proofs"] == {"first page": 40, "counted": 1}
    assert account["counted"] == [{"from_ms": 0, "to_ms": 1, "rows": 700}]
