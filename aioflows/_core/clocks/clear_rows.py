"""The rows of a page that show how far clocks are apart: those triggered in one offset, away from changes of clocks.

Where clocks are changed, a distance between two times is off by the change. So rows are taken whose times, as
their clocks show them, all lie in one offset. If a clock differs by many hours, this may leave out all rows of
a page. Then those rows are taken that were not triggered close to a change.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from aioflows._core.clocks.evidence import Distances
from aioflows._core.clocks.page_times import PageTimes
from aioflows._core.wire.zone import Zone
from aioflows.models import NAIVE_EPOCH

__all__ = ["ClearRows", "clear_rows"]

_ENOUGH = 8
_DAY = timedelta(days=1)
_BEFORE, _AFTER = timedelta(hours=3), timedelta(hours=1)
_MILLISECOND = timedelta(milliseconds=1)


@attrs.frozen
class ClearRows:
    """Rows of one offset.

    Args:
        page: their page.
        offset: the offset of the trigger's clock when they were triggered (s).
        rows: their numbers, at least one.
    """

    page: PageTimes
    offset: int
    rows: Sequence[int]

    @property
    def instant(self) -> datetime:
        """The instant at which the first of them was triggered."""
        return self.page.instants[self.rows[0]]

    @property
    def example(self) -> str:
        """The id of one of them."""
        return self.page.rows[self.rows[0]].instance_id

    def distances(self, later: Sequence[Any], earlier: Sequence[Any]) -> Distances:
        """Return the distances between two times of the rows, of those that have both."""
        page = self.page
        rows = [row for row in self.rows if later[row] is not None and earlier[row] is not None]
        return Distances(
            [(later[row] - earlier[row]).total_seconds() for row in rows],
            [(page.walls[row] - NAIVE_EPOCH).total_seconds() for row in rows],
            [page.rows[row].flow_id for row in rows],
            [page.rows[row].freq for row in rows],
            self.offset,
        )


def clear_rows(page: PageTimes) -> list[ClearRows]:
    """Return the rows that show how far clocks are apart, by the offset of their trigger times, most rows first."""
    page.place()
    by_offset: dict[int, list[int]] = {}
    for row, offset in enumerate(page.offsets):
        by_offset.setdefault(offset, []).append(row)
    found = [ClearRows(page, offset, _clear(page, offset, rows)) for offset, rows in by_offset.items()]
    return sorted(found, key=lambda one: -len(one.rows))


def _clear(page: PageTimes, offset: int, rows: list[int]) -> list[int]:
    if page.steady:
        return rows
    columns = (page.walls, *page.fields)
    clear = [
        row
        for row in rows
        if all((time := column[row]) is None or _only(page.zone, time) == offset for column in columns)
    ]
    if len(clear) >= min(_ENOUGH, (len(rows) + 1) // 2):
        return clear
    first, last = page.instants[rows[0]], page.instants[rows[-1]]
    first, last = min(first, last) - _DAY, max(first, last) + _DAY
    turns = [NAIVE_EPOCH + _MILLISECOND * turn for turn in page.zone.transitions(_ms(first), _ms(last))]
    apart = [
        row for row in rows if not any(turn - _BEFORE <= page.instants[row] < turn + _AFTER for turn in turns)
    ]
    return apart or rows


def _ms(instant: datetime) -> int:
    return (instant - NAIVE_EPOCH) // _MILLISECOND


def _only(zone: Zone, wall: datetime) -> int | None:
    """Return the offset in force when clocks show a time (s). None means that there are two."""
    instants = zone.instants(wall)
    return int((wall - instants[0]).total_seconds()) if len(instants) == 1 else None
