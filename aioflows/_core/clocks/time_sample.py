"""The rows that a session saw first, with their times as the service printed them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs

from aioflows._core.clocks.page_times import PageTimes
from aioflows._core.wire.zone import Zone

__all__ = ["TimeSample"]

_MOST = 200


@attrs.define
class _SampleRow:
    instance_id: str
    flow_id: Any
    freq: Any
    start_time: Any
    end_time: Any
    timestamp: Any


class TimeSample:
    """Rows of several pages, since those of one page may be too few to show a clock. It keeps the first 200."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[_SampleRow, datetime, int]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def full(self) -> bool:
        """True if no row is added any more."""
        return len(self._rows) >= _MOST

    def add(self, page: PageTimes) -> None:
        """Add the rows of a page whose times were not written yet."""
        if self.full:
            return
        page.place()
        for row, wall, offset in zip(page.rows, page.walls, page.offsets, strict=True):
            one = _SampleRow(
                row.instance_id, row.flow_id, row.freq, row.start_time, row.end_time, row.timestamp
            )
            self._rows[row.instance_id] = one, wall, offset
            if self.full:
                return

    def with_page(self, page: PageTimes) -> PageTimes:
        """Return the rows of the sample and of a page as one page."""
        page.place()
        names = {row.instance_id for row in page.rows}
        others = [found for name, found in self._rows.items() if name not in names]
        return PageTimes(
            [*(row for row, _, _ in others), *page.rows],
            [*(wall for _, wall, _ in others), *page.walls],
            page.zone,
            [*(offset for _, _, offset in others), *page.offsets],
        )

    def page(self, zone: Zone) -> PageTimes:
        """Return the rows as one page."""
        rows = self._rows.values()
        return PageTimes(
            [row for row, _, _ in rows],
            [wall for _, wall, _ in rows],
            zone,
            [offset for _, _, offset in rows],
        )
