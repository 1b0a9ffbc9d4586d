"""What an audit finds: missing, doubled and late runs, changed schedules, and flows that cannot be judged."""

from __future__ import annotations

import enum
from array import array
from collections.abc import Iterator, Sequence, Sized
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice

import attrs

from aioflows._core.schedule.expression import parse_expression
from aioflows._core.schedule.fires import fire_times
from aioflows._core.schedule.wall_clock import WallClock

__all__ = [
    "DoubledRun",
    "Findings",
    "FlowText",
    "LateRun",
    "MissingRun",
    "MissingRuns",
    "Reason",
    "ScheduleChange",
    "StoppedFlow",
    "UnjudgedFlow",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = 253_402_214_400


@attrs.frozen(kw_only=True)
class MissingRun:
    """A scheduled run that has no instance.

    Args:
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        freq: the schedule of the flow.
        trigger_time: the moment of the run, in the zone of the service.
    """

    flow_id: int
    flow_name: str | None
    freq: str
    trigger_time: datetime


@attrs.frozen(kw_only=True)
class DoubledRun:
    """A run with more than one instance.

    Args:
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        freq: the schedule of the flow.
        trigger_time: the moment of the run, in the zone of the service.
        instance_ids: the ids of its instances.
    """

    flow_id: int
    flow_name: str | None
    freq: str | None
    trigger_time: datetime
    instance_ids: tuple[str, ...]


@attrs.frozen(kw_only=True)
class LateRun:
    """A run that started late, or has not started yet.

    Args:
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        freq: the schedule of the flow.
        instance_id: the id of the instance.
        trigger_time: the moment for which it was scheduled.
        start_time: the moment at which it started. None means that it still waits.
        delay: the time from the trigger time to the start, or to the audit if the run still waits.
    """

    flow_id: int
    flow_name: str | None
    freq: str | None
    instance_id: str
    trigger_time: datetime
    start_time: datetime | None
    delay: timedelta


@attrs.frozen(kw_only=True)
class ScheduleChange:
    """A change of a flow's schedule. The time between its two instances is not judged.

    Args:
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        before: the old schedule.
        after: the new schedule.
        last_before: the trigger time of the last instance with the old schedule.
        first_after: the trigger time of the first instance with the new schedule.
    """

    flow_id: int
    flow_name: str | None
    before: str | None
    after: str | None
    last_before: datetime
    first_after: datetime


@attrs.frozen(kw_only=True)
class StoppedFlow:
    """A flow that has no instance at the end of the range, though runs were scheduled.

    The flow may have been switched off, or its runs may be missing. Instances do not show which.

    Args:
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        freq: the schedule of the flow.
        last: the trigger time of its last instance.
        expected: the number of scheduled runs since then.
    """

    flow_id: int
    flow_name: str | None
    freq: str
    last: datetime
    expected: int


class Reason(enum.StrEnum):
    """Why a flow is not judged."""

    NO_FLOW = "no flow id"
    NO_SCHEDULE = "no freq"
    NOT_QUARTZ = "freq is not a Quartz expression"
    FEW_RUNS = "fewer than two runs"
    SELECTED = "the expression is not in its name, so not all its instances may be selected"
    OFF_SCHEDULE = "many runs are not at times of freq"


@attrs.frozen(kw_only=True)
class UnjudgedFlow:
    """A flow, while it had one schedule, whose missing runs cannot be computed.

    Args:
        flow_id: the id of the flow. None means all instances without a flow id.
        flow_name: the name of the flow.
        freq: the schedule of the flow.
        reason: why it is not judged.
        instances: the number of its instances.
        detail: more about the reason. Default: "".
    """

    flow_id: int | None
    flow_name: str | None
    freq: str | None
    reason: Reason
    instances: int
    detail: str = ""


@attrs.frozen
class FlowText:
    """A flow and its schedule, stored once for all its findings."""

    flow_id: int
    flow_name: str | None
    freq: str | None


class MissingRuns(Sized):
    """The missing runs, in the order of flows and times, computed on iteration.

    A gap in the runs of a flow takes 24 bytes, whatever the number of runs that are missing there.
    """

    def __init__(self, clock: WallClock | None, flows: Sequence[FlowText], gaps: array[int]) -> None:
        self._clock = clock
        self._flows = flows
        self._gaps = gaps

    def __len__(self) -> int:
        return sum(self._gaps[2::3])

    def __iter__(self) -> Iterator[MissingRun]:
        for number, after, count in self._rows():
            flow = self._flows[number]
            assert self._clock is not None
            assert flow.freq is not None
            runs = fire_times(parse_expression(flow.freq), self._clock, after + 1, _END_OF_TIME)
            for run in islice(runs, count):
                yield MissingRun(
                    flow_id=flow.flow_id, flow_name=flow.flow_name, freq=flow.freq, trigger_time=run
                )

    def by_flow(self) -> Iterator[tuple[int, str | None, int, datetime]]:
        """Yield the id and the name of each flow that misses runs, their number, and the first of them."""
        counts: dict[int, int] = {}
        for number, _, count in self._rows():
            counts[number] = counts.get(number, 0) + count
        firsts = {number: after for number, after, _ in reversed(list(self._rows()))}
        for number, count in counts.items():
            flow = self._flows[number]
            assert self._clock is not None
            assert flow.freq is not None
            runs = fire_times(parse_expression(flow.freq), self._clock, firsts[number] + 1, _END_OF_TIME)
            yield flow.flow_id, flow.flow_name, count, next(runs)

    def __repr__(self) -> str:
        return f"<{len(self):,} missing runs>"

    def _rows(self) -> Iterator[tuple[int, int, int]]:
        gaps = self._gaps
        return zip(gaps[::3], gaps[1::3], gaps[2::3], strict=True)


@attrs.define(kw_only=True)
class Findings:
    """All findings of an audit.

    Args:
        zone: the zone of trigger times. None means that no instance had a trigger time.
        instances: the number of instances that were read.
        undated: the number of instances without a trigger time.
        flows: the number of flows.
        judged: the number of flows that were judged.
        on_schedule: the number of runs at a time of their schedule, in judged flows.
        beside_schedule: the number of runs beside their schedule, in judged flows.
        unstarted: the number of instances without a start.
        early: the number of instances that started more than a minute before their trigger time.
        missing: the missing runs.
        doubled: the runs with more than one instance.
        late: the runs that started late.
        waiting: the runs that should have started and still wait.
        changes: the changes of schedules.
        stopped: the flows that have no instance at the end of the range, although runs were scheduled.
        unjudged: the flows that were not judged.
    """

    zone: tzinfo | None = None
    instances: int = 0
    undated: int = 0
    flows: int = 0
    judged: int = 0
    on_schedule: int = 0
    beside_schedule: int = 0
    unstarted: int = 0
    early: int = 0
    missing: MissingRuns = attrs.field(factory=lambda: MissingRuns(None, (), array("q")))
    doubled: list[DoubledRun] = attrs.field(factory=list)
    late: list[LateRun] = attrs.field(factory=list)
    waiting: list[LateRun] = attrs.field(factory=list)
    changes: list[ScheduleChange] = attrs.field(factory=list)
    stopped: list[StoppedFlow] = attrs.field(factory=list)
    unjudged: list[UnjudgedFlow] = attrs.field(factory=list)
