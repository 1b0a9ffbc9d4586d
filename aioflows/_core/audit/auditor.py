"""Compares instances with the schedules of their flows, in one pass over the instances.

1. A flow is judged between its first and its last instance. Before and after, it may not have existed.
2. A flow is judged while it has one schedule. The time between the last instance of a schedule and the first
   instance of the next belongs to neither.
3. An instance beside its schedule may stand for the run before or behind it. So neither of the two is
   missing.
4. If a quarter of a flow's runs are beside its schedule, the schedule was not understood, and nothing is
   missing. So gaps are held until the last instance of a flow is known.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs

from aioflows._core.audit.findings import (
    DoubledRun,
    FlowText,
    LateRun,
    MissingRuns,
    Reason,
    ScheduleChange,
    StoppedFlow,
    UnjudgedFlow,
)
from aioflows._core.audit.fire_counter import FireCounter, FireCounters
from aioflows._core.schedule.fires import fire_after
from aioflows._core.schedule.wall_clock import DAY, WallClock
from aioflows._core.wire.zone import Zone
from aioflows.errors import QueryError
from aioflows.models import FlowInstance, FlowStatus

__all__ = ["Auditor", "Findings"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_STARTED = (FlowStatus.INIT, FlowStatus.WAIT, FlowStatus.READY)
_MOST_BESIDE = 0.25
_EARLY = timedelta(minutes=-1)


@attrs.define(kw_only=True)
class Findings:
    """All findings of an audit.

    Args:
        instances: the number of instances that were read.
        undated: the number of instances without a trigger time.
        flows: the number of flows.
        judged: the number of flows that were judged.
        on_schedule: the number of runs at a time of their schedule, in judged flows.
        beside_schedule: the number of runs beside their schedule, in judged flows.
        started: the number of instances with a start.
        early: the number of instances that started more than a minute before their trigger time.
        missing: the missing runs.
        doubled: the runs with more than one instance.
        late: the runs that started late.
        waiting: the runs that should have started, and wait still.
        changes: the changes of schedules.
        stopped: the flows that have no instance at the end.
        unjudged: the flows that were not judged.
    """

    instances: int = 0
    undated: int = 0
    flows: int = 0
    judged: int = 0
    on_schedule: int = 0
    beside_schedule: int = 0
    started: int = 0
    early: int = 0
    missing: MissingRuns = attrs.field(factory=lambda: MissingRuns(None, (), array("q")))
    doubled: list[DoubledRun] = attrs.field(factory=list)
    late: list[LateRun] = attrs.field(factory=list)
    waiting: list[LateRun] = attrs.field(factory=list)
    changes: list[ScheduleChange] = attrs.field(factory=list)
    stopped: list[StoppedFlow] = attrs.field(factory=list)
    unjudged: list[UnjudgedFlow] = attrs.field(factory=list)


class _Stretch:
    """A flow while it has one schedule.

    Args:
        text: the flow and its schedule.
        counter: counts the runs of the schedule. None means that there is none.
        reason: why the flow cannot be judged, if it cannot.
        detail: more about the reason.
        start: the number of runs before the first one that counts, and the second before them. None means
            that runs before the first instance do not count.
    """

    __slots__ = (
        "counter", "detail", "gaps", "instance_id", "instances", "matched", "place", "reason", "runs", "second",
        "seen", "text", "twice",
    )  # fmt: skip

    def __init__(
        self,
        text: FlowText,
        counter: FireCounter | None,
        reason: Reason | None,
        detail: str,
        start: tuple[int, int] | None,
    ) -> None:
        self.text = text
        self.counter = counter
        self.reason = reason
        self.detail = detail
        self.place, self.second = start or (None, 0)  # the number and the instant of the last run that is explained
        self.seen = -1  # the trigger second of the last instance
        self.instance_id = ""  # the id of the last instance
        self.instances = self.runs = self.matched = 0
        self.twice: list[str] = []
        self.gaps: array[int] | None = None

    def add_gap(self, upto: int) -> None:
        """Note that the runs between the last one that is explained and another are missing."""
        assert self.place is not None
        if self.gaps is None:
            self.gaps = array("q")
        self.gaps.extend((self.second, upto - self.place - 1))

    def run_beside(self, number: int, second: int, clock: WallClock) -> None:
        """Note a run beside the schedule.

        Args:
            number: the number of runs before it.
            second: its trigger second.
            clock: the clock of the zone.
        """
        if self.place is not None:
            if number > self.place:  # the next run of the schedule is not explained yet
                if number - 1 > self.place + 1:
                    self.add_gap(number - 1)
            else:
                return
        assert self.counter is not None
        wall = fire_after(self.counter.fields, clock, second)
        self.place, self.second = number, second if wall is None else clock.instant(wall)


class Auditor:
    """Audits the instances of periodic flows, in the order of their trigger times.

    Args:
        late: the longest time from a trigger time to a start that is not late.
        start: the first instant of the range (s since the epoch), if runs before a flow's first instance are
            missing too. None means that they are not.
    """

    def __init__(self, late: timedelta, start: int | None = None) -> None:
        self._limit = late
        self._start = start
        self._flows: dict[int, _Stretch] = {}
        self._findings = Findings()
        self._texts: list[FlowText] = []
        self._gaps = array("q")
        self._second = -1
        self._anonymous = 0
        self._waits: list[tuple[FlowText, str, datetime]] = []
        self._counters: FireCounters | None = None
        self._clock: WallClock | None = None
        self._epoch = _EPOCH
        self._fixed = False
        self._today = (0, 0, 0)  # day, and its first instant and its end, if it has one offset

    def add(self, rows: Iterable[FlowInstance]) -> None:
        """Audit further instances.

        Raises:
            QueryError: an instance precedes the one before it.
        """
        flows, findings, limit = self._flows, self._findings, self._limit
        day, low, high = self._today
        for row in rows:
            findings.instances += 1
            time, flow_id = row.trigger_time, row.flow_id
            if time is None or flow_id is None:
                self._skip(row)
                continue
            if self._clock is None:
                self._begin(time)
            since = time - self._epoch
            second = since.days * DAY + since.seconds
            if second < self._second:
                raise QueryError(
                    f"instance {row.instance_id!r} precedes the one before it; audit a scan whose order_by is "
                    "'trigger_time'"
                )
            self._second = second
            if not low <= second < high:
                day, low, high = self._today = self._day_of(second)
            flow = flows.get(flow_id)
            if flow is None or (flow.text.freq != row.freq and flow.seen != second):
                flow = self._next_stretch(flow, row, second)
            self._place(flow, row, day, second - low, second)
            start = row.start_time
            if start is None:
                if row.status in _NOT_STARTED:
                    self._waits.append((flow.text, row.instance_id, time))
                continue
            findings.started += 1
            delay = start - time
            if not self._fixed:  # within one zone Python subtracts wall clocks (PEP 495)
                delay -= (start.utcoffset() or timedelta()) - (time.utcoffset() or timedelta())
            if delay > limit:
                findings.late.append(_late(flow.text, row.instance_id, time, start, delay))
            elif delay < _EARLY:
                findings.early += 1

    def _place(self, flow: _Stretch, row: FlowInstance, day: int, within: int, second: int) -> None:
        """Compare an instance with the schedule of its flow."""
        flow.instances += 1
        if flow.seen == second:
            if not flow.twice:
                flow.twice.append(flow.instance_id)
            flow.twice.append(row.instance_id)
            return
        if flow.twice:
            self._end_of_double(flow)
        flow.seen, flow.instance_id = second, row.instance_id
        flow.runs += 1
        counter = flow.counter
        if counter is None:
            return
        place = counter.place(day, within, second)
        if place >= 0:
            flow.matched += 1
            if flow.place is not None and place > flow.place + 1:
                flow.add_gap(place)
            flow.place, flow.second = place, second
        elif not counter.error:
            assert self._clock is not None
            flow.run_beside(~place, second, self._clock)

    def finish(self, until: int | None, *, whole_range: bool = False) -> Findings:
        """Return all findings.

        Args:
            until: the end of the range, or the present if that is earlier (s since the epoch). None means that
                the end was not read.
            whole_range: True if the runs after a flow's last instance are missing. Default: False.
        """
        findings, clock = self._findings, self._clock
        for flow in self._flows.values():
            if until is not None and until > self._second:
                self._end_of_range(flow, until, whole_range=whole_range)
            self._close(flow)
        if self._anonymous:
            findings.unjudged.append(
                UnjudgedFlow(
                    flow_id=None,
                    flow_name=None,
                    freq=None,
                    reason=Reason.NO_FLOW,
                    instances=self._anonymous,
                )
            )
        findings.flows = len(self._flows)
        findings.judged = len(self._flows.keys() - {one.flow_id for one in findings.unjudged})
        findings.missing = MissingRuns(clock, self._texts, self._gaps)
        if until is not None and clock is not None:
            present = _EPOCH + timedelta(seconds=until)
            waits = ((text, id, time, present - time.astimezone(UTC)) for text, id, time in self._waits)
            findings.waiting = [
                _late(text, id, time, None, waited) for text, id, time, waited in waits if waited > self._limit
            ]
        return findings

    def _skip(self, row: FlowInstance) -> None:
        if row.trigger_time is None:
            self._findings.undated += 1
        else:
            self._anonymous += 1

    def _begin(self, time: datetime) -> None:
        """Learn the zone from the first instance."""
        assert time.tzinfo is not None
        zone = Zone.parse(time.tzinfo)
        self._clock, self._fixed = WallClock(zone), zone.fixed
        if zone.fixed:  # a difference within one zone is faster
            self._epoch = _EPOCH.astimezone(zone.tzinfo)
        first = self._start if self._start is not None else (time - _EPOCH) // timedelta(seconds=1)
        self._counters = FireCounters(self._clock, self._clock.wall(first) // DAY)

    def _day_of(self, second: int) -> tuple[int, int, int]:
        assert self._clock is not None
        day = self._clock.wall(second) // DAY
        offsets = self._clock.offsets(day)
        if not offsets.steady:
            return day, second, second + 1
        low = day * DAY - offsets.first
        return day, low, low + DAY

    def _next_stretch(self, before: _Stretch | None, row: FlowInstance, second: int) -> _Stretch:
        """Begin the stretch of a new flow, or of a flow whose schedule has changed."""
        assert row.flow_id is not None
        assert self._clock is not None
        text = FlowText(row.flow_id, row.flow_name, row.freq)
        counter, reason, detail = self._counter(row.freq)
        start = None
        if before is not None:
            self._close(before)
            self._findings.changes.append(
                ScheduleChange(
                    flow_id=text.flow_id,
                    flow_name=text.flow_name,
                    before=before.text.freq,
                    after=text.freq,
                    last_before=self._clock.time(before.seen),
                    first_after=self._clock.time(second),
                )
            )
        elif self._start is not None and counter is not None:
            start = (counter.origin - 1, self._start - 1)
        flow = self._flows[row.flow_id] = _Stretch(text, counter, reason, detail, start)
        return flow

    def _counter(self, freq: str | None) -> tuple[FireCounter | None, Reason | None, str]:
        if not freq:
            return None, Reason.NO_SCHEDULE, ""
        assert self._counters is not None
        counter = self._counters.counter(freq)
        if isinstance(counter, str):
            return None, Reason.NOT_QUARTZ, counter
        if self._start is not None and counter.origin < 0:
            place = self._place_at(counter, self._start)
            counter.origin = place if place >= 0 else ~place
        return counter, None, ""

    def _place_at(self, counter: FireCounter, second: int) -> int:
        day, low, _ = self._day_of(second)
        return counter.place(day, second - low, second)

    def _end_of_double(self, flow: _Stretch) -> None:
        assert self._clock is not None
        text = flow.text
        self._findings.doubled.append(
            DoubledRun(
                flow_id=text.flow_id,
                flow_name=text.flow_name,
                freq=text.freq,
                trigger_time=self._clock.time(flow.seen),
                instance_ids=tuple(flow.twice),
            )
        )
        flow.twice = []

    def _end_of_range(self, flow: _Stretch, until: int, *, whole_range: bool) -> None:
        counter = flow.counter
        if counter is None or flow.place is None or flow.runs < 2:
            return
        place = self._place_at(counter, until)
        before = place if place >= 0 else ~place
        if before <= flow.place + 1 or _is_beside(flow):
            return
        if whole_range:
            flow.add_gap(before)
            return
        assert self._clock is not None
        assert flow.text.freq is not None
        self._findings.stopped.append(
            StoppedFlow(
                flow_id=flow.text.flow_id,
                flow_name=flow.text.flow_name,
                freq=flow.text.freq,
                last=self._clock.time(flow.seen),
                expected=before - flow.place - 1,
            )
        )

    def _close(self, flow: _Stretch) -> None:
        """Decide whether a stretch is judged, and keep what is missing in it."""
        if flow.twice:
            self._end_of_double(flow)
        findings, text = self._findings, flow.text
        reason, detail = flow.reason, flow.detail
        if flow.counter is not None and flow.counter.error:
            reason, detail = Reason.NOT_QUARTZ, flow.counter.error
        elif reason is None and flow.runs < 2:
            reason = Reason.FEW_RUNS
        elif reason is None and _is_beside(flow):
            reason, detail = Reason.OFF_SCHEDULE, f"{flow.runs - flow.matched:,} of {flow.runs:,}"
        if reason is not None:
            findings.unjudged.append(
                UnjudgedFlow(
                    flow_id=text.flow_id,
                    flow_name=text.flow_name,
                    freq=text.freq,
                    reason=reason,
                    instances=flow.instances,
                    detail=detail,
                )
            )
            return
        findings.on_schedule += flow.matched
        findings.beside_schedule += flow.runs - flow.matched
        if flow.gaps is not None:
            for after, count in zip(flow.gaps[::2], flow.gaps[1::2], strict=True):
                self._gaps.extend((len(self._texts), after, count))
            self._texts.append(text)


def _is_beside(flow: _Stretch) -> bool:
    return flow.runs - flow.matched > _MOST_BESIDE * flow.runs


def _late(
    text: FlowText, instance_id: str, trigger_time: datetime, start_time: datetime | None, delay: timedelta
) -> LateRun:
    return LateRun(
        flow_id=text.flow_id,
        flow_name=text.flow_name,
        freq=text.freq,
        instance_id=instance_id,
        trigger_time=trigger_time,
        start_time=start_time,
        delay=delay,
    )
