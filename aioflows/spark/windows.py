"""The windows of a read: what one task reads."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs

__all__ = ["TaskWindow", "iso"]


@attrs.frozen
class TaskWindow:
    """A window of trigger time that one task reads. The windows of a read tile its range.

    Args:
        from_ms: the first millisecond of the window since 1970-01-01 UTC.
        to_ms: the first millisecond after the window.
        is_first: True for the first window of a batch, the only one that Spark reads where few rows are enough.
    """

    from_ms: int
    to_ms: int
    is_first: bool = False

    @property
    def is_empty(self) -> bool:
        """True if nothing lies in the window, so nothing is requested for it."""
        return self.from_ms >= self.to_ms

    def __str__(self) -> str:
        return f"the window from {iso(self.from_ms)} to {iso(self.to_ms)}"


def iso(ms: int) -> str:
    """Return an instant (ms since the epoch) as ISO 8601 in UTC, or the number if no date shows it."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"
