"""Any instance out of order, and any that comes twice, is a fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aioflows import FlowInstance
from aioflows.cli.output.order_check import OrderCheck


def instance(name: str, at: int) -> FlowInstance:
    return FlowInstance(name, trigger_time=datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=at))


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        ("trigger_time", [("a", 0), ("b", 0), ("a2", 1)]),
        ("-trigger_time", [("a2", 1), ("b", 0), ("a", 0)]),
        (None, [("b", 0), ("a2", 1), ("a", 0)]),
    ],
)
def test_the_order_asked_for_is_fine(order: str | None, rows: list[tuple[str, int]]) -> None:
    check = OrderCheck(order)
    check.add([instance(name, at) for name, at in rows])
    assert not check.fault


@pytest.mark.parametrize(
    ("order", "rows"),
    [
        ("trigger_time", [("a", 1), ("b", 0)]),
        ("trigger_time", [("b", 0), ("a", 0)]),
        ("trigger_time", [("a", 0), ("a", 0)]),
        ("-trigger_time", [("a", 0), ("b", 0)]),
        ("-trigger_time", [("b", 0), ("b", 0)]),
        (None, [("a", 0), ("b", 0), ("a", 0)]),
    ],
)
def test_any_other_order_and_any_repetition_is_a_fault(
    order: str | None, rows: list[tuple[str, int]]
) -> None:
    check = OrderCheck(order)
    for name, at in rows:
        check.add([instance(name, at)])
    assert check.fault


def test_a_row_without_trigger_time_is_a_fault() -> None:
    check = OrderCheck("trigger_time")
    check.add([FlowInstance("a")])
    assert check.fault == "a has no trigger time"
