"""The days of a report, also those without instances."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from aioflows._time_zones import time_at
from aioflows.report.facts import Facts
from aioflows.report.tally import Tally

__all__ = ["gaps", "time_axis"]

_MOST_ROWS = 4_000  # eleven years of days


def time_axis(tally: Tally, facts: Facts) -> Sequence[int]:
    """Return the rows of the time axis: those of the range that was read, also those without instances.

    Days that have not begun are left out. If the range has far more days than its instances, the axis is from
    the first instance to the last one. The same holds for a scan that stopped at its limit.
    """
    found = tally.rows
    axis = found
    if facts.whole:
        until = min(facts.to_ms - 1, int(facts.made.timestamp() * 1000))
        axis = found | {_row(tally, facts.from_ms), _row(tally, max(facts.from_ms, until))}
    for rows in (axis, found):
        if rows and max(rows) - min(rows) < _MOST_ROWS:
            return range(min(rows), max(rows) + 1)
    return sorted(found)


def gaps(tally: Tally, axis: Sequence[int]) -> list[tuple[int, int]]:
    """Return the runs of rows without instances, each by its first and its last row."""
    found = tally.rows
    runs: list[tuple[int, int]] = []
    for row in axis:
        if row in found:
            continue
        if runs and runs[-1][1] == row - 1:
            runs[-1] = runs[-1][0], row
        else:
            runs.append((row, row))
    return runs


def _row(tally: Tally, ms: int) -> int:
    return time_at(ms, tally.zone or UTC).toordinal() // tally.span
