"""What a report says of itself: when and from which scan it was made, and what that scan is sure of."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

from aioflows.stats import ScanPlan, ScanStats

__all__ = ["Facts"]


@attrs.frozen
class Facts:
    """Where the figures of a report come from.

    Args:
        from_ms: the first *millisecond* since 1970-01-01 UTC that was asked for.
        to_ms: the first one behind it.
        whole: whether all that the query asks for was read.
        stats: the scan's *account*.
        made: *when* the report was made.
    """

    from_ms: int
    to_ms: int
    whole: bool
    stats: ScanStats
    made: datetime = attrs.field(factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, plan: ScanPlan, stats: ScanStats) -> Facts:
        """Take them from a scan that has ended: from what is left of it, and from its account."""
        return cls(plan.from_ms, plan.to_ms, not plan.windows, stats)

    @property
    def verdict(self) -> str:
        """Say what the scan is sure of."""
        if not self.whole:
            return "a part: the scan was told to stop before its end"
        counted = len(self.stats.counted)
        if counted:
            return f"complete; in {counted:,} of {self.stats.windows:,} windows the instances could only be counted"
        return f"complete and proven, in {self.stats.windows:,} windows"
