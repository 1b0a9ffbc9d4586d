"""The origin of a report: its time, its scan, and the completeness of the scan."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from aioflows.stats import ScanPlan, ScanStats

__all__ = ["Facts"]


@attrs.frozen
class Facts:
    """The origin of a report.

    Args:
        from_ms: start of the query's range (milliseconds since 1970-01-01 UTC).
        to_ms: end of the query's range, exclusive (milliseconds since 1970-01-01 UTC).
        whole: True if the whole range was read.
        stats: statistics of the scan.
        made: time when the report was made. Default: now.
    """

    from_ms: int
    to_ms: int
    whole: bool
    stats: ScanStats
    made: datetime = attrs.field(factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, plan: ScanPlan, stats: ScanStats) -> Facts:
        """Return the facts of a scan that has ended, from its plan and its statistics."""
        return cls(plan.from_ms, plan.to_ms, not plan.windows, stats)

    @property
    def verdict(self) -> str:
        """Completeness of the scan, as text."""
        if not self.whole:
            return "partial: the scan stopped at its limit"
        counted = len(self.stats.counted)
        if counted:
            return f"complete; {counted:,} of {self.stats.windows:,} windows are confirmed by counting only"
        return f"complete and proven, in {self.stats.windows:,} windows"
