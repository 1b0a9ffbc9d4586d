"""The auditor: a comparison of instances with the schedules of their flows, in one pass.

1. A flow is judged between its first and its last instance. Before and after them, the flow may not exist.
2. A flow is judged while it has one schedule. The time between the last instance of a schedule and the first
   instance of the next schedule belongs to neither.
3. An instance whose trigger time is not in its schedule may replace the run before or after that time. So
   neither run is missing.
4. If more than a quarter of a flow's runs are beside its schedule, the schedule was not understood, and no run
   counts as missing. So gaps are held until the last instance of the flow is known.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from aioflows._core.audit.findings import (
    DoubledRun,
    Findings,
    FlowText,
    LateRun,
    MissingRuns,
    Reason,
    ScheduleChange,
    StoppedFlow,
    UnjudgedFlow,
)
from aioflows._core.audit.fire_counter import FireCounter, FireCounters
from aioflows._core.audit.flow_period import FlowPeriod
from aioflows._core.schedule.wall_clock import DAY, WallClock
from aioflows._core.wire.zone import Zone
from aioflows.errors import QueryError
from aioflows.models import FlowStatus

__all__ = ["AuditableRun", "Auditor"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_STARTED = (FlowStatus.INIT, FlowStatus.WAIT, FlowStatus.READY)
_EARLY = timedelta(minutes=-1)


class AuditableRun(Protocol):
    """What an audit reads of a `FlowInstance`."""

    @property
    def instance_id(self) -> str: ...
    @property
    def flow_id(self) -> int | None: ...
    @property
    def flow_name(self) -> str | None: ...
    @property
    def freq(self) -> str | None: ...
    @property
    def status(self) -> FlowStatus | int | None: ...
    @property
    def trigger_time(self) -> datetime | None: ...
    @property
    def start_time(self) -> datetime | None: ...


class Auditor:
    """Audits the instances of periodic flows, in the order of their trigger times.

    Args:
        late: the longest time from a trigger time to a start that is not late.
        start: the first instant of the range (s since the epoch). Runs between this instant and a flow's first
            instance are missing too. Default: None, which means that such runs are not missing.
        expression: the text by which the service selected instances, in ids and names of flows. A flow whose
            name lacks the text may have further instances, and is not judged. Default: "", which means all.
    """

    def __init__(self, late: timedelta, start: int | None = None, expression: str = "") -> None:
        self._limit = late
        self._start = start
        self._expression = expression
        self._flows: dict[int, FlowPeriod] = {}
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
        self._today = (
            0,
            0,
            0,
        )  # the day, its first instant and its end; one second of a day with two offsets

    def add(self, rows: Sequence[AuditableRun]) -> None:
        """Audit further instances.

        Raises:
            QueryError: an instance has an earlier trigger time than the instance before.
        """
        flows, findings, limit, early = self._flows, self._findings, self._limit, _EARLY
        day, low, high = self._today
        last = self._second
        findings.instances += len(rows)
        for row in rows:  # one loop without calls, because a call for each row costs a fifth of the time
            time, flow_id = row.trigger_time, row.flow_id
            if time is None or flow_id is None:
                self._skip(row)
                continue
            if self._clock is None:
                self._begin(time)
            since = time - self._epoch
            second = since.days * DAY + since.seconds
            if second < last:
                raise _out_of_order(row)
            last = second
            if not low <= second < high:
                day, low, high = self._today = self._day_of(second)
            flow = flows.get(flow_id)
            if flow is None or (flow.freq != row.freq and flow.seen != second):
                flow = self._next_period(flow, row, second)
            if flow.seen == second:
                flow.twice = [*(flow.twice or [flow.instance_id]), row.instance_id]
            else:
                if flow.twice:
                    self._end_of_double(flow)
                flow.seen, flow.instance_id = second, row.instance_id
                flow.runs += 1
                counter = flow.counter
                if counter is not None:
                    place = (
                        counter.placed
                        if counter.second == second
                        else counter.place(day, second - low, second)
                    )
                    if place - 1 == flow.place:
                        flow.place, flow.second = place, second
                    else:
                        self._jump(flow, counter, place, second)
            start = row.start_time
            if start is None:
                self._not_started(flow, row, time)
                continue
            delay = start - time
            if not self._fixed:  # Python subtracts wall clocks within one zone (PEP 495)
                delay -= (start.utcoffset() or timedelta()) - (time.utcoffset() or timedelta())
            if delay > limit:
                findings.late.append(_late(flow.text, row.instance_id, time, start, delay))
            elif delay < early:
                findings.early += 1
        self._second = last

    def _jump(self, flow: FlowPeriod, counter: FireCounter, place: int, second: int) -> None:
        """Note a run that is not the next scheduled run of its flow."""
        if place >= 0:
            if flow.place is not None and place > flow.place + 1:
                flow.add_gap(place - flow.place - 1)
            flow.place, flow.second = place, second
        elif not counter.error:
            assert self._clock is not None
            flow.run_beside(~place, second, self._clock)

    def _not_started(self, flow: FlowPeriod, row: AuditableRun, time: datetime) -> None:
        self._findings.unstarted += 1
        if row.status in _NOT_STARTED:
            self._waits.append((flow.text, row.instance_id, time))

    def finish(
        self, until: int | None, *, present: datetime | None = None, whole_range: bool = False
    ) -> Findings:
        """Return all findings.

        Args:
            until: the instant before which runs are expected (s since the epoch). None means that the range was
                not read to its end, so no run after a flow's last instance is expected.
            present: the time at which the instances were read. Default: None, which means that waiting runs
                are not listed.
            whole_range: True if the runs after a flow's last instance are missing. Default: False, which means
                that such a flow counts as stopped.
        """
        findings, clock = self._findings, self._clock
        if until is not None and clock is not None:
            self._end_of_range(until, whole_range=whole_range)
        for flow in self._flows.values():
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
        if present is not None:
            now = present.astimezone(UTC)
            waits = ((text, id, time, now - time.astimezone(UTC)) for text, id, time in self._waits)
            findings.waiting = [
                _late(text, id, time, None, waited)
                for text, id, time, waited in waits
                if waited > self._limit
            ]
        return findings

    def _skip(self, row: AuditableRun) -> None:
        if row.trigger_time is None:
            self._findings.undated += 1
        else:
            self._anonymous += 1

    def _begin(self, time: datetime) -> None:
        """Set the clock and the counters to the zone of the first instance."""
        assert time.tzinfo is not None
        zone = Zone.parse(time.tzinfo)
        self._clock, self._fixed = WallClock(zone), zone.fixed
        self._findings.zone = zone.tzinfo
        if zone.fixed:  # Python subtracts times of one zone faster than times of two
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

    def _next_period(self, before: FlowPeriod | None, row: AuditableRun, second: int) -> FlowPeriod:
        """Begin the period of a new flow, or of a flow whose schedule has changed."""
        assert row.flow_id is not None
        assert self._clock is not None
        text = FlowText(row.flow_id, row.flow_name, row.freq)
        counter, reason, detail = self._counter(row.freq)
        if self._expression not in (row.flow_name or ""):
            counter, reason, detail = None, Reason.SELECTED, ""
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
        flow = self._flows[row.flow_id] = FlowPeriod(text, counter, reason, detail, start)
        return flow

    def _counter(self, freq: str | None) -> tuple[FireCounter | None, Reason | None, str]:
        if not freq:
            return None, Reason.NO_SCHEDULE, ""
        assert self._counters is not None
        counter = self._counters.counter(freq)
        if isinstance(counter, str):
            return None, Reason.NOT_QUARTZ, counter
        if self._start is not None and counter.origin < 0:
            counter.origin = self._runs_before(counter, self._start)
        return counter, None, ""

    def _runs_before(self, counter: FireCounter, second: int) -> int:
        """Return the number of runs that a counter counts before an instant."""
        day, low, _ = self._day_of(second)
        place = counter.place(day, second - low, second)
        return place if place >= 0 else ~place

    def _end_of_double(self, flow: FlowPeriod) -> None:
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
        flow.again += len(flow.twice) - 1
        flow.twice = []

    def _end_of_range(self, until: int, *, whole_range: bool) -> None:
        """Note the runs scheduled since the last instance of each flow: as missing, or as of a stopped flow."""
        assert self._clock is not None
        flows = [flow for flow in self._flows.values() if flow.is_judged and flow.second < until]
        flows.sort(key=lambda flow: flow.second)  # a counter accepts only instants that do not decrease
        if not flows:
            return
        counters = FireCounters(self._clock, self._clock.wall(flows[0].second) // DAY)
        before = [self._number(counters, flow, flow.second) for flow in flows]
        for flow, number in zip(flows, before, strict=True):
            expected = self._number(counters, flow, until) - number - 1
            if expected < 1:
                continue
            if whole_range:
                flow.add_gap(expected)
                continue
            text = flow.text
            assert text.freq is not None
            self._findings.stopped.append(
                StoppedFlow(
                    flow_id=text.flow_id,
                    flow_name=text.flow_name,
                    freq=text.freq,
                    last=self._clock.time(flow.seen),
                    expected=expected,
                )
            )

    def _number(self, counters: FireCounters, flow: FlowPeriod, second: int) -> int:
        """Return the number of runs of a flow before an instant."""
        assert flow.text.freq is not None
        counter = counters.counter(flow.text.freq)
        assert isinstance(counter, FireCounter)
        return self._runs_before(counter, second)

    def _close(self, flow: FlowPeriod) -> None:
        """End a period: keep its missing runs, or the reason why it is not judged."""
        if flow.twice:
            self._end_of_double(flow)
        findings, text = self._findings, flow.text
        reason, detail = flow.reason, flow.detail
        if flow.counter is not None and flow.counter.error:
            reason, detail = Reason.NOT_QUARTZ, flow.counter.error
        elif reason is None and flow.runs < 2:
            reason = Reason.FEW_RUNS
        elif reason is None and flow.is_beside:
            reason, detail = Reason.OFF_SCHEDULE, f"{flow.beside:,} of {flow.runs:,}"
        if reason is not None:
            findings.unjudged.append(
                UnjudgedFlow(
                    flow_id=text.flow_id,
                    flow_name=text.flow_name,
                    freq=text.freq,
                    reason=reason,
                    instances=flow.runs + flow.again,
                    detail=detail,
                )
            )
            return
        findings.on_schedule += flow.runs - flow.beside
        findings.beside_schedule += flow.beside
        if flow.gaps is not None:
            for after, count in zip(flow.gaps[::2], flow.gaps[1::2], strict=True):
                self._gaps.extend((len(self._texts), after, count))
            self._texts.append(text)


def _out_of_order(row: AuditableRun) -> QueryError:
    return QueryError(
        f"instance {row.instance_id!r} is out of order: its trigger time precedes that of the instance before; "
        "audit a scan whose order_by is 'trigger_time'"
    )


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
