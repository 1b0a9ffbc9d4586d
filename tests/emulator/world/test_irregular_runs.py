"""Missed, doubled and late runs that are planted on request, and firings as those of Quartz."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aioflows.emulator import Emulator, PlantedRun
from aioflows.emulator.world.clock import Clock, zone_named
from aioflows.emulator.world.crons import draw_cron, firings
from aioflows.errors import QueryError
from aioflows.schedule import Schedule
from tests.support.asking import rows
from tests.support.long import long_but

DAY = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def by_kind(emulator: Emulator) -> dict[str, list[PlantedRun]]:
    found: dict[str, list[PlantedRun]] = {"missed": [], "doubled": [], "late": []}
    for run in emulator.planted:
        found[run.kind].append(run)
    return found


def instances_of(emulator: Emulator) -> Counter[tuple[int, int]]:
    """Count the periodic rows of each flow id and trigger time (ms)."""
    kept = emulator._require_open().store
    return Counter(
        (flow_id, trigger_ms)
        for flow_id, trigger_ms in kept.execute(
            "SELECT json_extract(all_of_it, '$[1]'), trigger_ms FROM inst JOIN flow USING (flow) WHERE type = 1"
        )
    )


class TestPlanted:
    def test_so_many_runs_are_planted_and_the_number_of_rows_stays(self) -> None:
        with Emulator(3_000, missed=30, doubled=20, late=10) as emulator:
            assert {kind: len(found) for kind, found in by_kind(emulator).items()} == {
                "missed": 30,
                "doubled": 20,
                "late": 10,
            }
            assert emulator.instances == len(emulator.matching()) == 3_000

    def test_a_missed_run_has_no_row_and_its_flow_has_rows_before_and_after(self) -> None:
        with Emulator(3_000, missed=30, doubled=20) as emulator:
            found = instances_of(emulator)
            times = defaultdict(list)
            for flow, at in found:
                times[flow].append(at)
            for run in by_kind(emulator)["missed"]:
                assert (run.flow_id, run.trigger_ms) not in found
                assert min(times[run.flow_id]) < run.trigger_ms < max(times[run.flow_id])

    def test_the_runs_with_two_rows_are_those_that_were_planted(self) -> None:
        with Emulator(3_000, missed=30, doubled=20) as emulator:
            twice = {at for at, count in instances_of(emulator).items() if count == 2}
            assert twice == {(run.flow_id, run.trigger_ms) for run in by_kind(emulator)["doubled"]}
            assert set(instances_of(emulator).values()) == {1, 2}

    def test_the_runs_that_start_late_are_those_that_were_planted(self) -> None:
        with Emulator(3_000, late=10) as emulator:
            late = {}
            for row in rows(emulator, page_size=3_000):
                if row["startTime"] is None:
                    continue
                waited = datetime.fromisoformat(row["startTime"]) - datetime.fromisoformat(row["triggerTime"])
                if waited > timedelta(minutes=2):
                    late[row["flowId"], row["triggerTime"]] = waited
            clock = Clock(zone_named("+08:00"))
            planted = {
                (run.flow_id, clock.local(run.trigger_ms)): run.delay_ms for run in by_kind(emulator)["late"]
            }
            assert late == {key: timedelta(seconds=ms // 1000) for key, ms in planted.items()}
            assert min(late.values()) >= timedelta(hours=2)

    def test_a_world_with_none_is_the_same_as_before(self) -> None:
        with Emulator(500) as plain, Emulator(500, late=5) as other:
            assert plain.planted == []
            assert plain.matching() == other.matching()

    def test_a_file_keeps_what_was_planted(self, tmp_path: Path) -> None:
        with Emulator(500, missed=5, path=tmp_path / "world.db") as emulator:
            before = emulator.planted
        with Emulator(500, missed=5, path=tmp_path / "world.db") as emulator:
            assert emulator.planted == before
            assert len(before) == 5

    def test_more_than_can_be_planted_is_refused(self) -> None:
        with pytest.raises(QueryError, match="late=200 runs cannot be planted, because only"):
            Emulator(100, late=200).open()
        with pytest.raises(QueryError, match="doubled=90 runs cannot be planted"):
            Emulator(100, doubled=90).open()

    @pytest.mark.parametrize("switches", [{"profile": "uniform"}, {"schedule_types": [0, 2]}])
    def test_only_runs_on_a_schedule_can_be_planted(self, switches: dict[str, Any]) -> None:
        with pytest.raises(QueryError, match="profile='cron'"):
            Emulator(100, late=1, **switches)


@pytest.mark.parametrize(
    "zone",
    long_but(
        "Australia/Lord_Howe",
        of=["+08:00", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"],
    ),
)
def test_crons_fire_as_quartz_does_over_both_changes_of_the_clocks(zone: str) -> None:
    clock, rng = Clock(zone_named(zone)), random.Random(zone)
    start = 1_514_764_800_000 + rng.randrange(DAY)  # 2018-01-01 UTC
    for cycle, days in (("mi", 400), ("H", 400), ("D", 1_200), ("W", 1_200), ("M", 1_200)):
        for _ in range(4):
            cron = draw_cron(cycle, 10**9, 366 * DAY, rng)
            runs = Schedule(cron.text, zone).between(
                EPOCH + timedelta(milliseconds=start), EPOCH + timedelta(milliseconds=start, days=days)
            )
            found = firings(cron, start, start + days * DAY, clock)
            assert list(found) == [round(one.timestamp()) * 1000 for one in runs], cron.text
