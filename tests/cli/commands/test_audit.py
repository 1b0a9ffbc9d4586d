"""``aioflows audit``, run as people run it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pyarrow.parquet
import pytest
from rich.cells import cell_len

from aioflows.emulator import EmulatorProcess, PlantedRun
from tests.support.commands import Ended, run

RANGE = ("--from", "2024-01-01T00:00+08:00", "--to", "2024-03-01T00:00+08:00")


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=4_000, seed=1, days=60, missed=30, doubled=9, late=7) as made:
        yield made


@pytest.fixture(scope="module")
def whole() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=500, seed=1, days=60) as made:
        yield made


def audit(emulator: EmulatorProcess, *more: str, **env: str) -> Ended:
    given = {"AIOFLOWS_URL": emulator.url, "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o", **env}
    return run("audit", *RANGE, *more, env=given)


def planted(emulator: EmulatorProcess, kind: str) -> set[tuple[int, int]]:
    runs: list[PlantedRun] = emulator.planted
    return {(one.flow_id, one.trigger_ms) for one in runs if one.kind == kind}


def place(flow_id: str | int, time: str | datetime) -> tuple[int, int]:
    moment = datetime.fromisoformat(time) if isinstance(time, str) else time
    return int(flow_id), round(moment.timestamp()) * 1000


def test_missing_runs_have_an_exit_code_and_the_terminal_says_what_was_found(
    emulator: EmulatorProcess,
) -> None:
    ended = audit(emulator, COLUMNS="80")
    assert ended.code == 7, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("3,800 instances of ")
    assert lines[0].endswith(" · 30 missing · 9 doubled · 7 late")
    for word in ("missing", "doubled", "late", "stopped", "not judged"):
        assert any(line.startswith(word) for line in lines), word
    assert "120 manual instances" in ended.out
    assert len(lines) <= 45
    assert max(map(cell_len, lines)) <= 80
    assert "\x1b" not in ended.out


def test_nothing_missing_is_code_0_and_quiet_prints_nothing(whole: EmulatorProcess) -> None:
    ended = audit(whole, "--quiet")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_json_has_a_line_for_each_finding_and_the_counts_last(emulator: EmulatorProcess) -> None:
    ended = audit(emulator, "--json")
    assert (ended.code, ended.err) == (7, "")
    found = [json.loads(line) for line in ended.out.splitlines()]
    for kind in ("doubled", "late"):
        runs = {place(one["flow_id"], one["trigger_time"]) for one in found if one["kind"] == kind}
        planted_runs = planted(emulator, kind)
        assert runs == planted_runs
    missing = {place(one["flow_id"], one["trigger_time"]) for one in found if one["kind"] == "missing"}
    assert missing == planted(emulator, "missed")
    assert found[-1]["kind"] == "audit"
    assert (found[-1]["missing"], found[-1]["doubled"], found[-1]["late"]) == (30, 9, 7)


def test_missing_runs_are_written_to_a_file(emulator: EmulatorProcess, tmp_path: Path) -> None:
    path = tmp_path / "missing.csv"
    ended = audit(emulator, "-o", str(path), "--quiet")
    assert (ended.code, ended.out, ended.err) == (7, "", "")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["flow_id", "flow_name", "freq", "trigger_time"]
    assert {place(row["flow_id"], row["trigger_time"]) for row in rows} == planted(emulator, "missed")
    again = audit(emulator, "-o", str(path))
    assert again.code == 2
    assert "--overwrite" in again.err

    columns = tmp_path / "missing.parquet"
    assert audit(emulator, "-o", str(columns)).code == 7
    table = pyarrow.parquet.read_table(columns).to_pylist()
    assert {place(row["flow_id"], row["trigger_time"]) for row in table} == planted(emulator, "missed")


def test_a_larger_limit_finds_fewer_late_runs(emulator: EmulatorProcess) -> None:
    assert audit(emulator, "--late", "721").out.splitlines()[0].endswith(" 0 late")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--overwrite",), "-o missing.csv"),
        (("-o", "-", "--json"), "standard output"),
        (("--late", "-1"), "--late"),
        (("--late", "nan"), "--late"),
        (("-o", "missing.txt"), "missing.txt"),
    ],
)
def test_wrong_usage_is_refused(whole: EmulatorProcess, more: tuple[str, ...], message: str) -> None:
    ended = audit(whole, *more)
    assert ended.code == 2
    assert message in ended.err
