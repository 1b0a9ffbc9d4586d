"""Totals of flow instances by status and by flow."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import attrs

from aioflows.models import FlowInstance, FlowStatus

__all__ = ["FAILURES", "FINISHED", "FlowTotal", "FlowTotals", "status_name"]

FINISHED = frozenset(status for status in FlowStatus if status.is_final)
FAILURES = frozenset({FlowStatus.FAIL, FlowStatus.INTERNAL_ERROR, FlowStatus.TIMEOUT})


@attrs.define
class FlowTotal:
    """The totals of one flow.

    Args:
        name: name of the flow in its first instance.
        instances: number of instances. Default: 0.
        finished: number of instances whose status is final. Default: 0.
        failed: number of finished instances whose status is one of `FAILURES`. Default: 0.
        ran: number of instances that have a start and an end. Default: 0.
        time: total duration of the instances that ran. Default: 0.
        longest: longest duration of an instance. Default: 0.
    """

    name: str
    instances: int = 0
    finished: int = 0
    failed: int = 0
    ran: int = 0
    time: timedelta = timedelta()
    longest: timedelta = timedelta()

    @property
    def mean(self) -> timedelta:
        """Average duration of the instances that ran. 0 if no instance ran."""
        return self.time / self.ran if self.ran else timedelta()


class FlowTotals:
    """The totals of flow instances, by status and by flow. Only the number of flows makes them larger."""

    def __init__(self) -> None:
        self.instances = 0
        self.statuses: Counter[FlowStatus | int | None] = Counter()
        self._flows: dict[tuple[int | None, str | None], FlowTotal] = {}

    def add(self, instances: Iterable[FlowInstance]) -> None:
        """Add instances to the totals."""
        for instance in instances:
            status, duration = instance.status, instance.duration
            self.instances += 1
            self.statuses[status] += 1
            # Flows may share a name, and a flow may be renamed. So the name counts only without an id.
            key = (instance.flow_id, instance.flow_name if instance.flow_id is None else None)
            flow = self._flows.get(key)
            if flow is None:
                flow = self._flows[key] = FlowTotal(instance.flow_name or "")
            flow.instances += 1
            flow.finished += status in FINISHED
            flow.failed += status in FAILURES
            if duration is not None:
                flow.ran += 1
                flow.time += duration
                flow.longest = max(flow.longest, duration)

    @property
    def flows(self) -> int:
        """Number of flows."""
        return len(self._flows)

    @property
    def finished(self) -> int:
        """Number of instances whose status is final."""
        return sum(self.statuses[status] for status in FINISHED)

    @property
    def failed(self) -> int:
        """Number of instances whose status is one of `FAILURES`."""
        return sum(self.statuses[status] for status in FAILURES)

    def slowest(self, most: int = 5) -> list[FlowTotal]:
        """Return the flows with the longest average duration, the slowest first."""
        ran = (flow for flow in self._flows.values() if flow.ran)
        return heapq.nlargest(most, ran, key=lambda flow: (flow.mean, flow.ran))

    def most_failing(self, most: int = 5) -> list[FlowTotal]:
        """Return the flows with the most failures, the worst first. Flows without failures are left out."""
        failing = (flow for flow in self._flows.values() if flow.failed)
        return heapq.nlargest(most, failing, key=lambda flow: (flow.failed, flow.failed / flow.finished))


def status_name(status: FlowStatus | int | None) -> str:
    """Return the name of a status. A status that is not in the vendor's table has its code."""
    if isinstance(status, FlowStatus):
        return status.name
    return "no status" if status is None else f"status {status}"
