"""The account of a demo."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from rich.cells import cell_len

from aioflows import FlowInstance, FlowStatus, ScanStats
from aioflows.cli.output.console import console_on
from aioflows.cli.output.demo_account import DemoOutcome, print_outcome
from aioflows.cli.output.order_check import OrderCheck
from aioflows.report.flow_totals import FlowTotals

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def outcome(
    names: list[str],
    *,
    expected: int | None = None,
    flow_name: str = "flow",
    order: str | None = "trigger_time",
) -> DemoOutcome:
    rows = [
        FlowInstance(
            name,
            flow_id=1,
            flow_name=flow_name,
            status=FlowStatus.FAIL if name == "f" else FlowStatus.SUCCESS,
            trigger_time=NOON,
            start_time=NOON,
            end_time=NOON + timedelta(seconds=90),
        )
        for name in names
    ]
    totals, check = FlowTotals(), OrderCheck(order)
    totals.add(rows)
    check.add(rows)
    stats = ScanStats(requests=3, rows_yielded=len(rows), elapsed=2.0)
    return DemoOutcome(len(names) if expected is None else expected, totals, check, order, stats, 2)


def text(outcome: DemoOutcome) -> str:
    file = io.StringIO()
    print_outcome(outcome, console_on(file))
    return file.getvalue()


def test_all_of_them_in_order_is_exact() -> None:
    assert outcome(["a", "b", "f"]).exact


def test_one_that_is_missing_is_not_exact() -> None:
    assert not outcome(["a", "b"], expected=3).exact
    assert "2 of 3 instances were read" in text(outcome(["a", "b"], expected=3))


def test_the_wrong_order_is_not_exact() -> None:
    assert not outcome(["b", "a"]).exact
    assert "a came after b" in text(outcome(["b", "a"]))


def test_one_that_came_twice_is_not_exact_where_no_order_was_asked_for() -> None:
    assert not outcome(["b", "a", "b"], order=None).exact


def test_the_requests_are_set_against_the_least_that_could_do() -> None:
    assert "3; full pages of 2 would take 2 (1.50 ×)" in text(outcome(["a", "b", "c"]))


def test_it_tells_statuses_and_flows() -> None:
    told = [
        " ".join(line.split()) for line in text(outcome(["a", "b", "f"], flow_name="wind farm")).splitlines()
    ]
    assert any(line.startswith("SUCCESS 2 66.7% █") for line in told)
    assert "wind farm 1m 30s 1m 30s 3" in told
    assert "wind farm 1 33% 3" in told


def test_nothing_at_all_is_told_as_well() -> None:
    assert "0 of 0 instances" in text(outcome([]))


def test_a_name_cannot_drive_the_terminal() -> None:
    told = text(outcome(["f"], flow_name="\x1b]52;c;x\x07[red]\u202e"))
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_lines_fit_a_terminal_of_eighty_columns() -> None:
    told = text(outcome(["a", "f"], flow_name="名" * 200))
    assert all(cell_len(line) <= 80 for line in told.splitlines())
