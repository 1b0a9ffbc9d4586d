"""``aioflows wait``: what it prints, and the exit code of each outcome."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from aioflows.cli.exit_codes import Exit
from aioflows.emulator import EmulatorProcess
from tests.support.commands import Ended, run_here


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=300, seed=1, days=10) as made:
        yield made


@pytest.fixture(scope="module")
def by_status(emulator: EmulatorProcess) -> dict[str, str]:
    """Return the id of an instance with each status."""
    ended = run_here(
        *("scan", "--from", "2024-01-01T00:00+08:00", "--to", "2025-01-01T00:00+08:00", "-o", "-"),
        *("--format", "jsonl", "--columns", "instance_id,status_name", "--quiet"),
        env=service(emulator),
    )
    return {row["status_name"]: row["instance_id"] for row in map(json.loads, ended.out.splitlines())}


def service(emulator: EmulatorProcess) -> dict[str, str]:
    return {"AIOFLOWS_URL": emulator.url, "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o"}


def wait(emulator: EmulatorProcess, *arguments: str) -> Ended:
    return run_here("wait", *arguments, env=service(emulator))


@pytest.mark.parametrize(
    ("status", "code"), [("SUCCESS", Exit.COMPLETE), ("FAIL", Exit.FAILED), ("CANCEL", Exit.CANCELLED)]
)
def test_each_outcome_has_its_exit_code(
    emulator: EmulatorProcess, by_status: dict[str, str], status: str, code: Exit
) -> None:
    if status not in by_status:
        pytest.skip(f"no instance is {status}")
    ended = wait(emulator, by_status[status])
    assert (ended.code, ended.out, ended.err) == (code, f"{by_status[status]} {status}\n", "")


def test_the_worst_outcome_counts_and_every_instance_is_told(
    emulator: EmulatorProcess, by_status: dict[str, str]
) -> None:
    names = [by_status["SUCCESS"], by_status["FAIL"], "nothing"]
    ended = wait(emulator, *names, "--json", "--grace", "0")
    assert ended.code == Exit.NOT_FOUND
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [row["instance_id"] for row in rows] == names[:2]
    error = json.loads(ended.err)
    assert (error["kind"], error["exit"]) == ("error", 11)
    assert "unknown instance 'nothing'" in error["message"]


def test_an_instance_that_is_not_finished_in_time_is_named_with_its_status(
    emulator: EmulatorProcess, by_status: dict[str, str]
) -> None:
    name = by_status["RUNNING"]
    ended = wait(emulator, name, "--within", "0.2")
    assert (ended.code, ended.out) == (Exit.TIMED_OUT, "")
    assert f"{name} (RUNNING)" in ended.err


def test_statuses_may_be_given_and_are_then_the_outcome(
    emulator: EmulatorProcess, by_status: dict[str, str]
) -> None:
    ended = wait(emulator, by_status["RUNNING"], "--until", "RUNNING,FAIL", "--quiet")
    assert (ended.code, ended.out, ended.err) == (Exit.COMPLETE, "", "")


def test_a_command_without_an_id_is_wrong_usage(emulator: EmulatorProcess) -> None:
    assert wait(emulator).code == Exit.USAGE
