"""The end of a range: what is kept of the pages that were seen."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from aioflows._core.bounds.range_check import Answer
from aioflows._core.bounds.range_end import RangeEnd
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.wire.zone import Zone

NOON = 1_717_243_200_000


@attrs.frozen
class Rows:
    ids: list[str]
    times: list[str]


def shown(ms: int) -> str:
    return str(datetime.fromtimestamp(ms // 1000, tz=UTC))[:19]


@pytest.mark.parametrize("descending", [False, True])
def test_no_page_is_kept_that_has_no_row_at_the_start_of_its_window(descending: bool) -> None:
    """Windows begin a millisecond early, inside a second. A scan of a million rows does not hold a million ids."""
    delivered: list[Answer] = []
    check = RangeEnd([NOON + 10_000_000], lambda _, answer: delivered.append(answer))
    check.zone = Zone.parse("UTC")
    axis = Direction(descending=descending)
    ids = [f"{n}-kept" for n in range(50)]
    before = [sys.getrefcount(name) for name in ids]
    for window in range(10):
        start = NOON + window * 1_000_000
        times = [start + 5_000 + n * 1_000 for n in range(50)]
        rows: Any = Rows(list(ids), list(map(shown, times)))
        if descending:
            rows = Rows(rows.ids[::-1], rows.times[::-1])
        ask = PageRequest(*axis.window(start - 1, start + 1_000_000), axis, 100)
        check.received(check.sent(ask), rows)
        del rows
    assert len(delivered) == 10
    delivered.clear()
    assert [sys.getrefcount(name) for name in ids] == before
