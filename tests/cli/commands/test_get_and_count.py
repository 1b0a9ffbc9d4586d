"""``aioflows get`` and ``aioflows count``: what they print, and how they end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC

import pytest

from aioflows import FlowInstance, ScanStats
from aioflows.cli.commands.count import Counted, group_of
from aioflows.cli.exit_codes import Exit
from aioflows.emulator import EmulatorProcess
from tests.support.commands import Ended, run_here
from tests.support.instances import answered


@pytest.fixture(scope="module")
def emulator() -> Iterator[EmulatorProcess]:
    with EmulatorProcess(instances=300, seed=1, days=10, count="total") as made:
        yield made


def command(emulator: EmulatorProcess, *arguments: str) -> Ended:
    where = {"AIOFLOWS_URL": emulator.url, "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o"}
    return run_here(*arguments, env=where)


def test_instances_are_shown_in_the_order_asked_for_and_an_unknown_one_is_named(
    emulator: EmulatorProcess,
) -> None:
    """And dates without a zone are those of the service."""
    read = command(emulator, "scan", "--from", "2024-01-01", "--to", "2024-01-02", "--nested")
    rows = {row["instance_id"]: row for row in map(json.loads, read.out.splitlines())}
    assert min(row["trigger_time"] for row in rows.values()) < "2024-01-01T00:00:00+00:00"
    names = sorted(rows, reverse=True)[:3]
    ended = command(emulator, "get", *names, "nothing", names[0])
    assert ended.code == Exit.NOT_FOUND
    got = [json.loads(line) for line in ended.out.splitlines()]
    assert [one["instance_id"] for one in got] == names
    assert all(one.items() <= rows[one["instance_id"]].items() for one in got)
    assert ended.err.startswith("error: unknown instance 'nothing'")


def test_an_instance_that_is_known_is_no_error(emulator: EmulatorProcess) -> None:
    read = command(emulator, "scan", "--from", "2024-01-01", "--limit", "1", "--zone", "GMT+8", "--nested")
    row = json.loads(read.out)
    ended = command(emulator, "get", row["instance_id"], "--zone", "GMT+8", "--json")
    assert (ended.code, ended.err) == (Exit.COMPLETE, "")
    assert json.loads(ended.out).items() <= row.items()


def test_the_number_of_instances_is_one_line(emulator: EmulatorProcess) -> None:
    ended = command(emulator, "count", "--from", "2024-01-01")
    assert (ended.code, ended.out, ended.err) == (Exit.COMPLETE, "300\n", "")


def test_they_are_counted_apart_and_told_as_json(emulator: EmulatorProcess) -> None:
    lines = command(emulator, "count", "--from", "2024-01-01", "--by", "status").out.splitlines()
    numbers = [int(line.split()[0]) for line in lines]
    assert sum(numbers[:-1]) == numbers[-1] == 300
    assert lines[-1].endswith("  all")
    record = json.loads(command(emulator, "count", "--from", "2024-01-01", "--by", "day", "--json").out)
    assert (record["kind"], record["count"], record["service_total"]) == ("count", 300, 300)
    assert list(record["groups"]) == [f"2024-01-{day:02}" for day in range(1, 11)]


class TestGroups:
    @pytest.mark.parametrize(
        ("by", "group"),
        [("status", "FAIL"), ("flow", "name"), ("owner", "–"), ("day", "2024-01-01")],
    )
    def test_each_is_named(self, by: str, group: str) -> None:
        assert group_of(one(), by, None) == group

    def test_a_day_is_that_of_the_zone_asked_for(self) -> None:
        assert group_of(one(), "day", UTC) == "2023-12-31"


def one() -> FlowInstance:
    return answered(triggerTime="2024-01-01 00:00:00", status=-1, flowName="name", owner="")


@pytest.mark.parametrize(
    ("named", "words"), [(None, ""), (2, ""), (3, "the service itself names 3 instances")]
)
def test_a_service_that_names_another_number_is_told(named: int | None, words: str) -> None:
    counted = Counted(Counter(FAIL=2), ScanStats(), named)
    assert words in counted.note
    assert bool(counted.note) is bool(words)
