"""Totals of flow instances by status and by flow."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta, timezone

import attrs

from aioflows.models import FlowInstance, FlowStatus

__all__ = ["FAILURES", "FINISHED", "FlowTotal", "FlowTotals", "durations_ms", "status_name"]

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
        ms: total duration of the instances that ran (milliseconds). Default: 0.
        longest_ms: longest duration of an instance (milliseconds). Default: 0.
    """

    name: str
    instances: int = 0
    finished: int = 0
    failed: int = 0
    ran: int = 0
    ms: int = 0
    longest_ms: int = 0

    @property
    def mean(self) -> timedelta:
        """Average duration of the instances that ran. 0 if no instance ran."""
        return timedelta(milliseconds=self.ms / self.ran) if self.ran else timedelta()

    @property
    def longest(self) -> timedelta:
        """Longest duration of an instance. 0 if no instance ran."""
        return timedelta(milliseconds=self.longest_ms)


class FlowTotals:
    """The totals of flow instances, by status and by flow. Only the number of flows makes them larger."""

    def __init__(self) -> None:
        self.instances = 0
        self.statuses: Counter[FlowStatus | int | None] = Counter()
        self._flows: dict[tuple[int | None, str | None], FlowTotal] = {}

    def add(self, instances: Iterable[FlowInstance], durations: Iterable[int | None] | None = None) -> None:
        """Add instances to the totals.

        Args:
            instances: instances to add.
            durations: their `durations_ms`, if they are known. Default: None.
        """
        rows = list(instances)
        statuses = [instance.status for instance in rows]
        self.instances += len(rows)
        self.statuses.update(statuses)
        flows = self._flows
        for instance, status, ms in zip(rows, statuses, durations or durations_ms(rows), strict=True):
            flow_id = instance.flow_id
            # Flows may share a name, and a flow may be renamed. So the name counts only without an id.
            key = flow_id, instance.flow_name if flow_id is None else None
            flow = flows.get(key)
            if flow is None:
                flow = flows[key] = FlowTotal(instance.flow_name or "")
            flow.instances += 1
            if status in FINISHED:
                flow.finished += 1
                if status in FAILURES:
                    flow.failed += 1
            if ms is not None:
                flow.ran += 1
                flow.ms += ms
                flow.longest_ms = max(flow.longest_ms, ms)

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


def durations_ms(instances: Iterable[FlowInstance]) -> list[int | None]:
    """Return the duration of each instance (milliseconds). None means that its start or its end is missing."""
    found: list[int | None] = []
    for instance in instances:
        start, end = instance.start_time, instance.end_time
        if start is None or end is None:
            found.append(None)
            continue
        # Python subtracts wall clocks within one zone (PEP 495), so a zone with changes needs the slower property.
        fixed = type(end.tzinfo) is timezone or end.tzinfo is not start.tzinfo
        ran = end - start if fixed else instance.duration or timedelta()
        found.append(ran.days * 86_400_000 + ran.seconds * 1000 + ran.microseconds // 1000)
    return found


def status_name(status: FlowStatus | int | None) -> str:
    """Return the name of a status. A status that is not in the vendor's table has its code."""
    if isinstance(status, FlowStatus):
        return status.name
    return "no status" if status is None else f"status {status}"
