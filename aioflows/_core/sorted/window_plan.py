"""The windows that a keyset walk has left, and the pieces that readers in another order read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

from aioflows._core.scans.partitions import PartitionedScan
from aioflows.checkpoint import Remainder
from aioflows.models import ScheduleType

__all__ = ["ExpectedWindow", "cut_evenly", "expected_rows", "left_windows", "under_way", "whole_range"]

ExpectedWindow: TypeAlias = tuple[ScheduleType, int, int, float]
"""A schedule type, a window of it (ms of scan time), and the rows to expect there."""

_PAGES_OF_A_WINDOW = 4
"""The fewest pages of a piece. A smaller piece is not worth the extra page at its end."""


def under_way(walk: PartitionedScan) -> int:
    """Return the number of requests of a walk that have no answer yet."""
    return sum(partition.scan.under_way for partition in walk.partitions)


def left_windows(walk: PartitionedScan) -> list[ExpectedWindow]:
    """Return the windows that a walk has not read."""
    return [(partition.type, *gap) for partition in walk.partitions for gap in partition.scan.pending()]


def expected_rows(walk: PartitionedScan) -> float:
    """Return the number of rows to expect in the windows that a walk has not read."""
    return sum(rows for *_, rows in left_windows(walk))


def whole_range(walk: PartitionedScan) -> list[Remainder]:
    """Return all windows of a walk, read or not."""
    return [
        Remainder(partition.type, *partition.scan.axis.window(first, until))
        for partition in walk.partitions
        for first, until in partition.scan.spans
    ]


def cut_evenly(windows: Sequence[ExpectedWindow], page: int, buffer: int) -> list[ExpectedWindow]:
    """Cut windows into pieces of about equal expected rows, so that the buffer has room for two pages of each.

    Args:
        windows: the windows to cut.
        page: rows of a full page.
        buffer: the most rows to hold.
    """
    total = sum(rows for *_, rows in windows)
    share = max(total / max(1, buffer // (2 * page)), _PAGES_OF_A_WINDOW * page)
    cut: list[ExpectedWindow] = []
    for type, first, until, rows in windows:
        pieces = max(1, min(round(rows / share), (until - first) // 1000))
        inner = ((first + (until - first) * n // pieces) // 1000 * 1000 for n in range(1, pieces))
        edges = pairwise([first, *inner, until])
        cut += [(type, low, high, rows / pieces) for low, high in edges if low < high]
    return cut
