"""How large windows are: no smaller than a part of a page, no larger than the rows that may be held."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.planning.gaps import Gaps
from aioflows._core.planning.window_size import WindowSize, cut_window

HOUR = 3_600_000


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 10**6), st.floats(0, 1e9))
def test_windows_hold_at_least_a_part_of_a_page_and_fit_the_budget(
    page: int, concurrency: int, budget: int, pending: float
) -> None:
    size = WindowSize.of(page, concurrency, budget, pending)
    assert 0.5 * page <= size.rows <= max(page, budget)


def test_a_window_is_cut_at_a_whole_second_from_a_gap_that_is_larger_by_half() -> None:
    for pages, windows in ((2.5, 1), (2.7, 2)):
        gaps = Gaps([(0, HOUR)])
        gaps[0].density = pages * 100 / HOUR
        cut_window(gaps, gaps[0], WindowSize(100, 2))
        assert (len(gaps), gaps[0].until % 1000) == (windows, 0)
