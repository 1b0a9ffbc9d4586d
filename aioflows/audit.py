"""The runs that never came: an audit compares the instances of a range with the schedules of their flows.

A schedule that was read wrongly would make false findings. So an audit tells what it cannot judge, and why:

- runs before a flow's first instance and after its last one, because the flow may not have existed then;
- the time around a change of its schedule, and around an instance beside its schedule;
- a flow whose `freq` is not a Quartz expression, or does not fit its instances;
- a flow with fewer than two runs, and runs that were started by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from aioflows._core.audit.auditor import Auditor
from aioflows._core.audit.findings import (
    DoubledRun,
    Findings,
    LateRun,
    MissingRun,
    MissingRuns,
    Reason,
    ScheduleChange,
    StoppedFlow,
    UnjudgedFlow,
)
from aioflows._display.html import facts
from aioflows._time_zones import time_at
from aioflows.errors import QueryError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery, epoch_ms
from aioflows.scan import FlowScan
from aioflows.session import FlowSession
from aioflows.stats import ScanStats

__all__ = [
    "AuditReport",
    "DoubledRun",
    "LateRun",
    "MissingRun",
    "MissingRuns",
    "Reason",
    "ScheduleChange",
    "StoppedFlow",
    "UnjudgedFlow",
    "audit",
]

_HOUR = timedelta(hours=1)
_QUARTER = timedelta(minutes=15)
_MINUTES = timedelta(minutes=5)
_MANY = 20
_AHEAD = 8_000  # rows
_LONGEST_GRACE = timedelta(days=30)


@attrs.frozen(kw_only=True)
class AuditReport:
    """The result of an audit.

    Args:
        from_time: the start of the range, in the zone of the service.
        to_time: the end of the range, exclusive.
        until: the moment before which runs are expected. None means that the scan did not read to its end, so
            nothing is known about the end of the range.
        instances: the number of periodic instances that were read.
        flows: the number of their flows.
        judged: the number of flows that were judged all the time.
        on_schedule: the number of runs at a time of their schedule.
        beside_schedule: the number of runs beside their schedule. The scheduled runs next to them are not
            judged.
        missing: the scheduled runs that have no instance, in the order of flows. They are computed when they
            are iterated. ``len(report.missing)`` is their number.
        doubled: the runs with more than one instance.
        late: the runs that started late.
        waiting: the runs that should have started long ago, and wait still.
        changes: the changes of schedules.
        stopped: the flows that have no instance at the end of the range, though runs were scheduled.
        unjudged: the flows that were not judged, each with the reason.
        late_unjudged: why late runs cannot be told. "" means that they were told.
        manual: the number of manual instances, which have no schedule. None means that they were not read.
        temporary: the number of temporary instances, which have no schedule. None means that they were not
            read.
        undated: the number of instances without a trigger time.
        stats: the statistics of the scan.
    """

    from_time: datetime
    to_time: datetime
    until: datetime | None
    instances: int
    flows: int
    judged: int
    on_schedule: int
    beside_schedule: int
    missing: MissingRuns
    doubled: Sequence[DoubledRun]
    late: Sequence[LateRun]
    waiting: Sequence[LateRun]
    changes: Sequence[ScheduleChange]
    stopped: Sequence[StoppedFlow]
    unjudged: Sequence[UnjudgedFlow]
    late_unjudged: str
    manual: int | None
    temporary: int | None
    undated: int
    stats: ScanStats

    def counts(self) -> dict[str, int | None]:
        """Return the number of instances, flows, and findings of each kind."""
        return {
            "instances": self.instances,
            "flows": self.flows,
            "judged": self.judged,
            "on_schedule": self.on_schedule,
            "beside_schedule": self.beside_schedule,
            "missing": len(self.missing),
            "doubled": len(self.doubled),
            "late": len(self.late),
            "waiting": len(self.waiting),
            "changes": len(self.changes),
            "stopped": len(self.stopped),
            "unjudged": len(self.unjudged),
            "manual": self.manual,
            "temporary": self.temporary,
            "undated": self.undated,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the report as values of JSON: the counts, and a list for each kind of finding.

        The list of missing runs has one entry for each run, so it may be long.
        """
        lists = {name: [_plain(one) for one in found] for name, found in self._lists()}
        return {
            "from_time": self.from_time.isoformat(),
            "to_time": self.to_time.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "late_unjudged": self.late_unjudged,
            "counts": self.counts(),
            **lists,
        }

    def _lists(self) -> Iterator[tuple[str, Any]]:
        for name in ("missing", "doubled", "late", "waiting", "changes", "stopped", "unjudged"):
            yield name, getattr(self, name)

    def __repr__(self) -> str:
        found = ", ".join(f"{len(found):,} {name}" for name, found in self._lists())
        return f"<AuditReport of {self.instances:,} instances: {found}>"

    def _repr_html_(self) -> str:
        return facts(
            f"Audit from {self.from_time.isoformat()} to {self.to_time.isoformat()}", self.counts().items()
        )


async def audit(
    source: FlowSession | FlowScan,
    query: FlowQuery | None = None,
    *,
    late: timedelta = _HOUR,
    whole_range: bool = False,
    until: datetime | None = None,
    watch: Callable[[FlowScan], object] | None = None,
) -> AuditReport:
    """Read a range once, and return which scheduled runs have no instance, came twice or came late.

    Only periodic instances are audited. If the type of the query is None, manual and temporary ones are counted
    too. The memory does not grow with the number of instances, but with that of flows and findings.

    Args:
        source: an open session, or a new scan by trigger time, of periodic instances or of all types. The scan
            is closed at the end.
        query: the range, perhaps with an owner or an expression. Default: None, for a scan, which has one.
        late: the longest time from the trigger time to the start that is not late. Default: 1 hour.
        whole_range: True if all flows existed all the time: then runs before a flow's first instance and after
            its last one are missing too. Default: False.
        until: the moment before which runs are expected. Default: None, *late* before the present by the clock
            of this machine, but at most 30 days.
        watch: called with the scan after each list of instances. Default: None.

    Raises:
        QueryError: an audit is not possible with these arguments. Nothing was sent.
        AioflowsError: the scan failed.
    """
    scan = _scan_of(source, query)
    auditing = ScanAudit(scan, late=late, whole_range=whole_range, until=until)
    if whole_range and not isinstance(source, FlowSession):
        _check_begins(scan)
    try:
        async for rows in scan.pages():
            auditing.add(rows)
            if watch is not None:
                watch(scan)
    finally:
        await scan.aclose()
    return auditing.report()


class ScanAudit:
    """The audit of a scan that another part of this package iterates.

    Args:
        scan: a new scan by trigger time, of periodic instances or of all types.
        late: the longest time from the trigger time to the start that is not late. Default: 1 hour.
        whole_range: True if all flows existed all the time. Default: False.
        until: the moment before which runs are expected. Default: None, as for `audit`.

    Raises:
        QueryError: the scan cannot be audited, or an argument has an invalid value.
    """

    def __init__(
        self,
        scan: object,
        *,
        late: timedelta = _HOUR,
        whole_range: bool = False,
        until: datetime | None = None,
    ) -> None:
        _check(late, until)
        self._scan = _checked_scan(scan)
        self._late, self._whole_range, self._until = late, whole_range, until
        query = self._scan.query
        self._auditor = Auditor(late, query.from_ms // 1000 if whole_range else None, query.expression)
        self._others: dict[str, ScheduleType] = {}  # instances of the next page that are not periodic
        self._counts: Counter[ScheduleType] = Counter()
        if query.type is None:
            self._scan.reader.note_types(self._note)

    def _note(self, rows: Sequence[FlowInstance], type: ScheduleType) -> None:
        if type is not ScheduleType.PERIODIC:
            self._others |= dict.fromkeys([row.instance_id for row in rows], type)

    def add(self, rows: Sequence[FlowInstance]) -> None:
        """Audit the next page of the scan."""
        if others := self._others:
            self._counts.update(others[row.instance_id] for row in rows if row.instance_id in others)
            rows = [row for row in rows if row.instance_id not in others]
            self._others = {}
        self._auditor.add(rows)

    def _count(self, type: ScheduleType) -> int | None:
        return self._counts[type] if self._scan.query.type is None else None

    def report(self) -> AuditReport:
        """Return the report, once the scan has ended."""
        scan, query, until, now = self._scan, self._scan.query, self._until, datetime.now(UTC)
        due = epoch_ms(now - min(self._late, _LONGEST_GRACE) if until is None else until)
        end = None if scan.checkpoint().remaining else min(query.to_ms, due) // 1000
        findings = self._auditor.finish(end, present=until or now, whole_range=self._whole_range)
        zone = findings.zone or UTC
        problem = _late_problem(findings, other_clock="start_time" in scan.stats.other_clocks)
        return AuditReport(
            from_time=time_at(query.from_ms, zone),
            to_time=time_at(query.to_ms, zone),
            until=None if end is None else time_at(end * 1000, zone),
            instances=findings.instances,
            flows=findings.flows,
            judged=findings.judged,
            on_schedule=findings.on_schedule,
            beside_schedule=findings.beside_schedule,
            missing=findings.missing,
            doubled=findings.doubled,
            late=[] if problem else findings.late,
            waiting=findings.waiting,
            changes=findings.changes,
            stopped=findings.stopped,
            unjudged=findings.unjudged,
            late_unjudged=problem,
            manual=self._count(ScheduleType.MANUAL),
            temporary=self._count(ScheduleType.TEMPORARY),
            undated=findings.undated,
            stats=scan.stats,
        )


def unjudged_notes(report: AuditReport) -> list[str]:
    """Return what an audit did not judge and why: a text for each reason, and for what has no schedule."""
    reasons = Counter(one.reason for one in report.unjudged)
    notes = [f"{count:,} flows: {reason.value}" for reason, count in reasons.most_common()]
    notes += [
        f"{count:,} {kind} instances, which have no schedule"
        for kind, count in (("manual", report.manual), ("temporary", report.temporary))
        if count
    ]
    if report.beside_schedule:
        notes.append(f"runs next to {report.beside_schedule:,} instances beside their schedule")
    if report.late_unjudged:
        notes.append(f"late runs: {report.late_unjudged}")
    return notes


def _scan_of(source: object, query: FlowQuery | None) -> FlowScan:
    if isinstance(source, FlowScan):
        if query is not None and query != source.query:
            raise QueryError("the query is not that of the scan; leave it out, since a scan has its query")
        return source
    if not isinstance(source, FlowSession):
        raise QueryError(f"audit() takes a FlowSession or a FlowScan, not {source!r:.200}")
    if not isinstance(query, FlowQuery):
        raise QueryError(f"audit(session, query) takes a FlowQuery, not {query!r:.200}")
    _check_query(query)
    # An audit has its own memory beside the scan's, and is not slower if less is read ahead.
    return source.scan(query, limits=attrs.evolve(source.limits, buffer=min(source.limits.buffer, _AHEAD)))


def _checked_scan(scan: object) -> FlowScan:
    if not isinstance(scan, FlowScan):
        raise QueryError(f"only a FlowScan can be audited, not {scan!r:.200}")
    _check_query(scan.query)
    if scan.stats.rows_yielded:
        raise QueryError("the scan was iterated before, and an audit needs all instances; make a new scan")
    return scan


def _check_query(query: FlowQuery) -> None:
    if query.type not in (None, ScheduleType.PERIODIC):
        raise QueryError("manual and temporary instances have no schedule; audit type=ScheduleType.PERIODIC")
    if query.status:
        raise QueryError("an audit needs the instances of every status; leave status= out")
    if query.order_by != "trigger_time":
        raise QueryError(f"an audit reads by 'trigger_time', not by {query.order_by!r}; leave order_by= out")


def _check(late: timedelta, until: datetime | None) -> None:
    if not isinstance(late, timedelta) or late < timedelta():
        raise QueryError(f"late must be a timedelta that is not negative, not {late!r}")
    if until is not None:
        epoch_ms(until, "until")


def _check_begins(scan: FlowScan) -> None:
    windows = scan.checkpoint().remaining
    if any(one.after for one in windows) or sum(one.to_ms - one.from_ms for one in windows) < _length(scan):
        raise QueryError("the scan was resumed, so it does not read the whole range; leave whole_range= out")


def _length(scan: FlowScan) -> int:
    return scan.query.to_ms - scan.query.from_ms


def _late_problem(findings: Findings, *, other_clock: bool) -> str:
    """Return why start times do not tell which runs are late, or "".

    Args:
        findings: what was found.
        other_clock: True if start times were printed by another clock than trigger times.
    """
    started = findings.instances - findings.unstarted
    if started < _MANY:
        return ""
    if findings.early > started / 2:
        return "most runs start before their trigger time; start times seem to be in another zone"
    if len(findings.late) == started:
        least = min(one.delay for one in findings.late)
        if least % _QUARTER < timedelta(minutes=2):
            return f"every run starts at least {least} late; start times seem to be in another zone"
    delays = sorted(one.delay for one in findings.late)
    if (
        other_clock
        and len(delays) >= _MANY
        and delays[-len(delays) // 10] - delays[0] < _MINUTES
        and delays[0] % (2 * _QUARTER) < _MINUTES
    ):
        return (
            f"{len(delays):,} runs start about {delays[0]} late; the clock of start times seems to be changed "
            "on another day than that of trigger times"
        )
    return ""


def _plain(finding: Any) -> dict[str, Any]:
    return {name: _json(value) for name, value in attrs.asdict(finding).items()}


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return list(value) if isinstance(value, tuple) else value
