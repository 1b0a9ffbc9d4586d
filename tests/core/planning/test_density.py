"""What an answer tells about the density of what was not read yet."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.planning.density import ProvenStretch, learn
from aioflows._core.planning.gaps import Gap, Gaps

PAGE = 100
HOUR = 3_600_000
YEAR = 365 * 24 * HOUR


def read_on(gaps: Gaps, width: int, rows: int = PAGE) -> Gap:
    """Read a full page from the start of the first gap, and give what is left of it."""
    gap = gaps[0]
    ask = PageRequest(gap.first, gap.until, Direction(descending=False), PAGE)
    gaps.take(gap, gap.first, gap.first + width, rows)
    learn(gaps, ask, ProvenStretch(rows, width, whole=False), PAGE)
    return gaps[0]


def read_whole(gaps: Gaps, gap: Gap, rows: int) -> None:
    """Read all of a gap."""
    ask = PageRequest(gap.first, gap.until, Direction(descending=False), PAGE)
    proof = ProvenStretch(rows, gap.until - gap.first, whole=True)
    gaps.take(gap, gap.first, gap.until, rows)
    learn(gaps, ask, proof, PAGE)


def test_a_density_is_rows_over_time_and_not_the_mean_of_densities() -> None:
    gaps = Gaps([(0, YEAR)])
    read_on(gaps, 9 * HOUR)
    assert read_on(gaps, 3 * HOUR).density * HOUR == pytest.approx(200 / 12)


def test_one_dense_page_says_little_of_the_year_behind_it() -> None:
    gaps = Gaps([(0, YEAR)])
    before = read_on(gaps, 24 * HOUR).density
    assert read_on(gaps, HOUR // 60).density < 4 * before


def test_dense_pages_in_a_row_are_believed() -> None:
    gaps = Gaps([(0, YEAR)])
    read_on(gaps, 24 * HOUR)
    for _ in range(8):
        gap = read_on(gaps, HOUR // 10)
    assert gap.density > 0.25 * 100 / (HOUR // 10)


def test_a_sparse_page_is_believed_at_once_whatever_was_read_before() -> None:
    gaps = Gaps([(0, YEAR)])
    for _ in range(20):
        read_on(gaps, HOUR // 60)
    assert read_on(gaps, 100 * HOUR).density < 10 * 100 / (100 * HOUR)


def test_what_a_gap_was_read_at_last_is_known_at_the_end_where_it_was_read() -> None:
    gaps = Gaps([(0, YEAR)])
    gap = read_on(gaps, HOUR)
    assert gap.start.density == 100 / HOUR
    later = gaps.split(gap, YEAR // 2)
    assert (gap.start.density, later.start.density, later.end.density) == (100 / HOUR, 0, 0)


def test_a_window_that_held_hardly_anything_says_so_of_what_lies_behind() -> None:
    gaps = Gaps([(0, YEAR)])
    window = read_on(gaps, HOUR)
    rest = gaps.split(window, 25 * HOUR)
    read_whole(gaps, window, 3)
    assert rest.density * 24 * HOUR == pytest.approx(3)


def test_a_window_that_held_more_than_expected_says_nothing() -> None:
    gaps = Gaps([(0, YEAR)])
    window = read_on(gaps, HOUR)
    rest = gaps.split(window, 2 * HOUR)
    before = rest.density
    read_whole(gaps, window, 200)
    assert rest.density == before


def test_an_answer_does_not_speak_past_a_gap_that_was_read_itself() -> None:
    gaps = Gaps([(0, YEAR)])
    nearer = gaps.split(read_on(gaps, 24 * HOUR), 100 * HOUR)
    rest = gaps.split(nearer, 200 * HOUR)
    nearer.start.ask = PageRequest(nearer.first, nearer.until, Direction(descending=False), PAGE)
    before = rest.density
    nearer.end.density = 0.001
    read_on(gaps, HOUR)
    assert rest.density == before
    nearer.end.density = 0.0
    read_on(gaps, HOUR)
    assert rest.density > before


def test_nothing_at_all_leaves_a_density_to_reckon_with() -> None:
    gaps = Gaps([(0, HOUR), (HOUR, YEAR)])
    gaps[0].density = gaps[1].density = 1.0
    read_whole(gaps, gaps[0], 0)
    assert 0 < gaps[0].density < 1 / HOUR
