"""What a heap of instances comes to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aioflows import FlowInstance, FlowStatus
from aioflows.report.flow_totals import FlowTotals

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


class TestFlowTotals:
    def test_instances_are_counted_by_status(self) -> None:
        totals = FlowTotals()
        totals.add([instance(), instance(status=FlowStatus.FAIL), instance()])
        totals.add([instance(status=99)])
        assert totals.instances == 4
        assert totals.statuses == {FlowStatus.SUCCESS: 2, FlowStatus.FAIL: 1, 99: 1}

    def test_the_slowest_flow_is_the_one_with_the_longest_mean(self) -> None:
        totals = FlowTotals()
        totals.add([instance(flow=1, flow_name="one", seconds=100), instance(flow=1, seconds=2)])
        totals.add([instance(flow=2, flow_name="two", seconds=60), instance(flow=3, flow_name="three")])
        assert [(flow.name, flow.mean.seconds, flow.longest.seconds) for flow in totals.slowest()] == [
            ("two", 60, 60),
            ("one", 51, 100),
        ]

    def test_an_instance_that_has_not_ended_counts_as_instance_but_not_as_run(self) -> None:
        totals = FlowTotals()
        totals.add([instance(seconds=10), instance()])
        [flow] = totals.slowest()
        assert (flow.instances, flow.ran) == (2, 1)

    def test_failures_are_added_up_by_flow(self) -> None:
        totals = FlowTotals()
        fail, timeout, broken = FlowStatus.FAIL, FlowStatus.TIMEOUT, FlowStatus.INTERNAL_ERROR
        totals.add([instance(flow=1, status=status) for status in (fail, FlowStatus.CANCEL)])
        totals.add([instance(flow=2, status=status) for status in (timeout, broken)])
        totals.add([instance(flow=3)])
        assert [(flow.failed, flow.instances) for flow in totals.most_failing()] == [(2, 2), (1, 2)]

    def test_flows_of_one_name_are_kept_apart_by_their_ids(self) -> None:
        totals = FlowTotals()
        totals.add([instance(flow=1, flow_name="same"), instance(flow=2, flow_name="same")])
        assert totals.flows == 2

    def test_flows_without_id_are_told_by_their_names(self) -> None:
        totals = FlowTotals()
        totals.add([instance(flow=None, flow_name="a"), instance(flow=None, flow_name="b")])
        assert totals.flows == 2

    def test_at_most_as_many_flows_are_named_as_asked_for(self) -> None:
        totals = FlowTotals()
        totals.add([instance(flow=number, seconds=number) for number in range(1, 9)])
        assert [flow.longest.seconds for flow in totals.slowest(3)] == [8, 7, 6]
