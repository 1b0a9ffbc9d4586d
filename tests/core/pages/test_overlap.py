"""Pages by number that overlap, so that what two of them share proves that nothing lies between them."""

from __future__ import annotations

from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.overlap import overlapping


def rows(most: int, least: int = 1, pages: int = 100) -> list[tuple[int, int]]:
    """The rows that pages begin with and end before."""
    return [(number * size, (number + 1) * size) for number, size in islice(overlapping(most, least), pages)]


@given(st.integers(12, 300))
def test_each_page_starts_inside_the_one_before_it(most: int) -> None:
    end = 0
    for number, size in islice(overlapping(most), 200):
        assert 1 <= size <= most
        assert number * size < end or end == 0
        assert (number + 1) * size > end
        end = (number + 1) * size


@pytest.mark.parametrize("most", [37, 100, 500])
def test_overlaps_cost_little(most: int) -> None:
    pages = list(islice(overlapping(most), 50))
    assert (pages[-1][0] + 1) * pages[-1][1] > 0.7 * 50 * most


@given(st.integers(2, 60), st.integers(1, 10))
def test_no_page_leaves_a_row_between_it_and_the_one_before_it(most: int, least: int) -> None:
    """Not even where pages are too small to share as many rows as they should."""
    for (_, end), (start, later) in pairwise(rows(most, least)):
        assert start <= end < later


@pytest.mark.parametrize(("most", "least"), [(100, 2), (500, 12), (4_000, 100)])
def test_neighbours_share_as_many_rows_as_are_to_be_shared(most: int, least: int) -> None:
    """So that rows which go meanwhile do not tear the pages apart."""
    assert min(end - start for (_, end), (start, _) in pairwise(rows(most, least, 30))) >= least


def test_pages_of_one_row_follow_one_another_since_they_cannot_overlap() -> None:
    assert list(islice(overlapping(1), 4)) == [(0, 1), (1, 1), (2, 1), (3, 1)]
