"""A scan as one HTML page that opens without a network: what ran when, how it ended, and how long it took."""

from aioflows.report.door import report
from aioflows.report.facts import Facts
from aioflows.report.tally import FAILURES, Bounds, Run, Tally

__all__ = ["FAILURES", "Bounds", "Facts", "Run", "Tally", "report"]
