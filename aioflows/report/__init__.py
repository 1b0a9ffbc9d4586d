"""Reports on a scan: outcomes and durations by day, hour and flow, as an HTML page that works offline."""

from aioflows.report.api import report, report_target
from aioflows.report.facts import Facts
from aioflows.report.flow_totals import FAILURES, FINISHED
from aioflows.report.scheduled_runs import RunAudit, ScheduledRuns
from aioflows.report.tally import Bounds, Run, Tally, delay_quantile, quantile
from aioflows.report.time_axis import gaps, time_axis

__all__ = [
    "FAILURES",
    "FINISHED",
    "Bounds",
    "Facts",
    "Run",
    "RunAudit",
    "ScheduledRuns",
    "Tally",
    "delay_quantile",
    "gaps",
    "quantile",
    "report",
    "report_target",
    "time_axis",
]
