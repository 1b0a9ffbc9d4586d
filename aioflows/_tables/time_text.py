"""Times as texts: ISO 8601 with one offset throughout, so that texts compare and sort as the instants do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from aioflows._tables.columns import CREATED, Column

__all__ = ["time_text"]


def time_text(column: Column, zone: tzinfo = UTC) -> Callable[[datetime | None], str | None]:
    """Return a function that writes the times of a column in one zone.

    Texts of a zone with daylight saving time have two offsets, so they do not compare as the instants do.

    Args:
        column: the column. Creation times have fractions of seconds, so all of them are written with six digits:
            readers such as pandas expect one form in a column.
        zone: the zone. Default: UTC.
    """
    digits = "microseconds" if column is CREATED else "auto"

    def text(time: datetime | None) -> str | None:
        if time is None:
            return None
        try:
            return time.astimezone(zone).isoformat(timespec=digits)
        except OverflowError:  # a placeholder such as 0001-01-01 00:00:00
            return time.isoformat(timespec=digits)

    return text
