"""The scheduled runs of a report, counted by an audit of the same instances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

import attrs

from aioflows._display.text import printable
from aioflows.audit import AuditReport, ScanAudit, unjudged_notes
from aioflows.errors import QueryError
from aioflows.models import FlowInstance

__all__ = ["RunAudit", "ScheduledRuns"]

_LISTED = 50
_LONGEST_NAME = 100  # characters; a longer name is cut


@attrs.frozen(kw_only=True)
class ScheduledRuns:
    """The scheduled runs in a report. Times are texts in the zone of the service.

    Args:
        left_out: why scheduled runs are not counted. Default: "", which means that they are counted.
        expected: number of runs at a time of their schedule, and of missing runs. Default: 0.
        missing: number of scheduled runs without an instance. Default: 0.
        doubled: number of runs with more than one instance. Default: 0.
        late: number of runs that started late. Default: 0.
        stopped: number of flows without an instance at the end of the range. Default: 0.
        first_missing: for the first missing runs, the name and the id of the flow, and the time. Default:
            empty.
        first_late: for the first late runs, the name and the id of the flow, the id of the instance, the time, and
            the delay (seconds). Default: empty.
        first_stopped: for the flows that stopped last, the name, the id, the time of the last instance, and the
            number of runs scheduled since then. Default: empty.
        unjudged: the instances and flows that were not judged, and the reasons, in one line. Default: "".
    """

    left_out: str = ""
    expected: int = 0
    missing: int = 0
    doubled: int = 0
    late: int = 0
    stopped: int = 0
    first_missing: Sequence[tuple[str, int, str]] = ()
    first_late: Sequence[tuple[str, int, str, str, int]] = ()
    first_stopped: Sequence[tuple[str, int, str, int]] = ()
    unjudged: str = ""

    @classmethod
    def of(cls, report: AuditReport) -> ScheduledRuns:
        """Return the scheduled runs of an audit, as a report shows them."""
        missing = len(report.missing)
        stopped = sorted(report.stopped, key=lambda one: one.last, reverse=True)
        return cls(
            expected=report.on_schedule + missing,
            missing=missing,
            doubled=len(report.doubled),
            late=len(report.late),
            stopped=len(stopped),
            first_missing=[
                (_name(one.flow_name), one.flow_id, _time(one.trigger_time))
                for one in islice(report.missing, _LISTED)
            ],
            first_late=[
                (
                    _name(one.flow_name),
                    one.flow_id,
                    printable(one.instance_id, _LONGEST_NAME),
                    _time(one.trigger_time),
                    int(one.delay.total_seconds()),
                )
                for one in islice(report.late, _LISTED)
            ],
            first_stopped=[
                (_name(one.flow_name), one.flow_id, _time(one.last), one.expected)
                for one in stopped[:_LISTED]
            ],
            unjudged="; ".join(unjudged_notes(report)),
        )


class RunAudit:
    """The audit of a scan that a report reads, if the scan can be audited.

    Args:
        scan: scan that was not iterated yet.
    """

    def __init__(self, scan: object) -> None:
        self._audit: ScanAudit | None = None
        self._left_out = ""
        try:
            self._audit = ScanAudit(scan)
        except QueryError as error:
            self._left_out = str(error)

    def add(self, rows: Sequence[FlowInstance]) -> None:
        """Audit the next instances of the scan."""
        if self._audit is None:
            return
        try:
            self._audit.add(rows)
        except QueryError as error:  # the report shows its other figures without an audit
            self._audit, self._left_out = None, str(error)

    def finish(self) -> ScheduledRuns:
        """Return the scheduled runs, once the scan has ended."""
        if self._audit is None:
            return ScheduledRuns(left_out=self._left_out)
        return ScheduledRuns.of(self._audit.report())


def _name(name: str | None) -> str:
    return printable(name or "–", _LONGEST_NAME)


def _time(time: datetime) -> str:
    return time.isoformat(sep=" ", timespec="seconds")
