"""Totals of flow instances by status and by flow, and a check of their order."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import attrs

from aioflows import FlowInstance, FlowStatus
from aioflows.report import FAILURES

__all__ = ["FlowTotal", "OrderCheck", "Summary"]


@attrs.define
class FlowTotal:
    """The totals of one flow.

    Args:
        name: name of the flow in its first instance.
        instances: number of instances. Default: 0.
        failed: number of instances that ended in one of `FAILURES`. Default: 0.
        ran: number of instances that have a start and an end. Default: 0.
        time: total duration of these instances. Default: 0.
        longest: duration of the longest of these instances. Default: 0.
    """

    name: str
    instances: int = 0
    failed: int = 0
    ran: int = 0
    time: timedelta = timedelta()
    longest: timedelta = timedelta()

    @property
    def mean(self) -> timedelta:
        """Average duration of an instance."""
        return self.time / self.ran if self.ran else timedelta()


class Summary:
    """The totals of flow instances, by status and by flow. Its size grows with the number of flows only."""

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
            # By id, since flows may share a name and a flow may be renamed. By name only if there is no id.
            key = (instance.flow_id, instance.flow_name if instance.flow_id is None else None)
            flow = self._flows.get(key)
            if flow is None:
                flow = self._flows[key] = FlowTotal(instance.flow_name or "")
            flow.instances += 1
            flow.failed += status in FAILURES
            if duration is not None:
                flow.ran += 1
                flow.time += duration
                flow.longest = max(flow.longest, duration)

    @property
    def flows(self) -> int:
        """Number of flows."""
        return len(self._flows)

    def slowest(self, most: int = 5) -> list[FlowTotal]:
        """Return the flows with the longest average duration, the slowest first."""
        ran = (flow for flow in self._flows.values() if flow.ran)
        return heapq.nlargest(most, ran, key=lambda flow: (flow.mean, flow.ran))

    def most_failing(self, most: int = 5) -> list[FlowTotal]:
        """Return the flows with the most failures, the worst first, without flows that have no failures."""
        failing = (flow for flow in self._flows.values() if flow.failed)
        return heapq.nlargest(most, failing, key=lambda flow: (flow.failed, flow.failed / flow.instances))


class OrderCheck:
    """A check that instances come in strict order of (trigger second, id), without help from the scan.

    Each instance is compared with the one before. Strict order also excludes repeated instances. Without an
    order, the check remembers every id, to find repeated instances.

    Args:
        order: "trigger_time", "-trigger_time", or None for no order.
    """

    def __init__(self, order: str | None) -> None:
        self._order = order
        self._last: tuple[int, str] | None = None
        self._seen: set[str] = set()
        self.fault = ""

    def add(self, instances: Iterable[FlowInstance]) -> None:
        """Check instances, and store the first fault in ``fault``."""
        for instance in instances:
            if instance.trigger_time is None:
                self._note(f"{instance.instance_id} has no trigger time")
            elif self._order is None:
                if instance.instance_id in self._seen:
                    self._note(f"{instance.instance_id} came twice")
                self._seen.add(instance.instance_id)
            else:
                place = (int(instance.trigger_time.timestamp()), instance.instance_id)
                if self._last is not None and not self._follows(self._last, place):
                    self._note(f"{place[1]} came after {self._last[1]}")
                self._last = place

    def _follows(self, last: tuple[int, str], place: tuple[int, str]) -> bool:
        return place < last if self._order == "-trigger_time" else place > last

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault
