"""The origin of a report: its time, its scan, and the completeness of the scan."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from aioflows._display.text import printable
from aioflows.query import FlowQuery
from aioflows.report.flow_totals import status_name
from aioflows.scan import FlowScan
from aioflows.stats import ScanStats

__all__ = ["Facts"]

_LONGEST_TEXT = 200  # characters; a longer owner or expression is cut


@attrs.frozen
class Facts:
    """The origin of a report.

    Args:
        from_ms: start of the query's range (milliseconds since 1970-01-01 UTC).
        to_ms: end of the query's range, exclusive (milliseconds since 1970-01-01 UTC).
        whole: True if the whole range was read.
        stats: statistics of the scan.
        selection: the instances that were asked for, as text. Default: "flow instances".
        service: URL of the gateway. Default: "".
        made: time when the report was made. Default: now.
    """

    from_ms: int
    to_ms: int
    whole: bool
    stats: ScanStats
    selection: str = "flow instances"
    service: str = ""
    made: datetime = attrs.field(factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, scan: FlowScan) -> Facts:
        """Return the facts of a scan that has ended."""
        plan = scan.plan()
        return cls(
            plan.from_ms,
            plan.to_ms,
            not plan.windows,
            scan.stats,
            _selection(scan.query),
            scan.reader.gateway,
        )

    @property
    def verdict(self) -> str:
        """Completeness of the scan, as text."""
        if not self.whole:
            return "partial: the scan stopped at its limit"
        counted = len(self.stats.counted)
        if counted:
            return f"complete; {counted:,} of {self.stats.windows:,} windows are confirmed by counting only"
        return f"complete and proven, in {self.stats.windows:,} windows"


def _selection(query: FlowQuery) -> str:
    """Return the instances that a query asks for, as text. The range is left out."""
    words = ["flow instances"] if query.type is None else [query.type.name.lower(), "flow instances"]
    if query.status:
        words += ["with status", " or ".join(map(status_name, query.status))]
    if query.owner:
        words += ["of owner", printable(query.owner, _LONGEST_TEXT)]
    if query.expression:
        words += ["that match", printable(query.expression, _LONGEST_TEXT)]
    return " ".join(words)
