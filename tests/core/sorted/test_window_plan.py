"""How the rest of a range is cut for readers in another order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.sorted.window_plan import ExpectedWindow, cut_evenly
from aioflows.models import ScheduleType
from tests.support.model import START

HOUR = 3_600_000


def window(hours: int, rows: float) -> ExpectedWindow:
    return ScheduleType.PERIODIC, START, START + hours * HOUR, rows


@given(st.integers(1, 500), st.floats(0, 1e6), st.integers(1, 500), st.integers(1, 50_000))
def test_pieces_tile_their_window_at_whole_seconds_and_share_its_rows(
    hours: int, rows: float, page: int, buffer: int
) -> None:
    cut = cut_evenly([window(hours, rows)], page, buffer)
    edges = [START, *(until for _, _, until, _ in cut)]
    assert [first for _, first, _, _ in cut] == edges[:-1]
    assert edges[-1] == START + hours * HOUR
    assert all(edge % 1000 == 0 for edge in edges)
    assert abs(sum(share for *_, share in cut) - rows) <= rows * 1e-6


def test_a_few_pages_are_not_worth_a_cut_and_many_are_cut_as_the_buffer_allows() -> None:
    assert len(cut_evenly([window(24, 399)], 100, 10_000)) == 1
    assert len(cut_evenly([window(24, 40_000)], 100, 10_000)) == 50
    assert len(cut_evenly([window(24, 40_000)], 100, 1_000)) == 5
