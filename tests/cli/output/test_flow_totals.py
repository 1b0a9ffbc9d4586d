"""What a heap of instances comes to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aioflows import FlowInstance, FlowStatus
from aioflows.cli.output.flow_totals import OrderCheck, Summary

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)


def instance(
    name: str = "a",
    *,
    flow: int | None = 1,
    flow_name: str | None = None,
    status: int = FlowStatus.SUCCESS,
    seconds: float | None = None,
    at: int = 0,
) -> FlowInstance:
    end = None if seconds is None else NOON + timedelta(seconds=seconds)
    return FlowInstance(
        name,
        flow_id=flow,
        flow_name=flow_name,
        status=status,
        trigger_time=NOON + timedelta(seconds=at),
        start_time=NOON,
        end_time=end,
    )


class TestSummary:
    def test_instances_are_counted_by_status(self) -> None:
        summary = Summary()
        summary.add([instance(), instance(status=FlowStatus.FAIL), instance()])
        summary.add([instance(status=99)])
        assert summary.instances == 4
        assert summary.statuses == {FlowStatus.SUCCESS: 2, FlowStatus.FAIL: 1, 99: 1}

    def test_the_slowest_flow_is_the_one_with_the_longest_mean(self) -> None:
        summary = Summary()
        summary.add([instance(flow=1, flow_name="one", seconds=100), instance(flow=1, seconds=2)])
        summary.add([instance(flow=2, flow_name="two", seconds=60), instance(flow=3, flow_name="three")])
        assert [(flow.name, flow.mean.seconds, flow.longest.seconds) for flow in summary.slowest()] == [
            ("two", 60, 60),
            ("one", 51, 100),
        ]

    def test_an_instance_that_has_not_ended_counts_as_instance_but_not_as_run(self) -> None:
        summary = Summary()
        summary.add([instance(seconds=10), instance()])
        [flow] = summary.slowest()
        assert (flow.instances, flow.ran) == (2, 1)

    def test_failures_are_added_up_by_flow(self) -> None:
        summary = Summary()
        fail, timeout, broken = FlowStatus.FAIL, FlowStatus.TIMEOUT, FlowStatus.INTERNAL_ERROR
        summary.add([instance(flow=1, status=status) for status in (fail, FlowStatus.CANCEL)])
        summary.add([instance(flow=2, status=status) for status in (timeout, broken)])
        summary.add([instance(flow=3)])
        assert [(flow.failed, flow.instances) for flow in summary.most_failing()] == [(2, 2), (1, 2)]

    def test_flows_of_one_name_are_kept_apart_by_their_ids(self) -> None:
        summary = Summary()
        summary.add([instance(flow=1, flow_name="same"), instance(flow=2, flow_name="same")])
        assert summary.flows == 2

    def test_flows_without_id_are_told_by_their_names(self) -> None:
        summary = Summary()
        summary.add([instance(flow=None, flow_name="a"), instance(flow=None, flow_name="b")])
        assert summary.flows == 2

    def test_at_most_as_many_flows_are_named_as_asked_for(self) -> None:
        summary = Summary()
        summary.add([instance(flow=number, seconds=number) for number in range(1, 9)])
        assert [flow.longest.seconds for flow in summary.slowest(3)] == [8, 7, 6]


class TestOrderCheck:
    @pytest.mark.parametrize(
        ("order", "rows"),
        [
            ("trigger_time", [("a", 0), ("b", 0), ("a2", 1)]),
            ("-trigger_time", [("a2", 1), ("b", 0), ("a", 0)]),
            (None, [("b", 0), ("a2", 1), ("a", 0)]),
        ],
    )
    def test_the_order_asked_for_is_fine(self, order: str | None, rows: list[tuple[str, int]]) -> None:
        check = OrderCheck(order)
        check.add([instance(name, at=at) for name, at in rows])
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
        self, order: str | None, rows: list[tuple[str, int]]
    ) -> None:
        check = OrderCheck(order)
        for name, at in rows:
            check.add([instance(name, at=at)])
        assert check.fault

    def test_a_row_without_trigger_time_is_a_fault(self) -> None:
        check = OrderCheck("trigger_time")
        check.add([FlowInstance("a")])
        assert check.fault == "a has no trigger time"
