"""A scan as one HTML page that opens without a network: what ran when, how it ended, and how long it took."""

from aioflows.report.api import report, report_target
from aioflows.report.facts import Facts
from aioflows.report.tally import FAILURES, Bounds, Run, Tally, quantile

__all__ = ["FAILURES", "Bounds", "Facts", "Run", "Tally", "quantile", "report", "report_target"]
