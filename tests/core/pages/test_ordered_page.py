"""One page: its order, its window, its ties."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.ordered_page import PIECE, OrderedPage
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.wire.zone import wall_seconds
from aioflows.errors import CompletenessError
from tests.support.model import START, ModelPage

DAY = 86_400_000
SECOND = START // 1000


def reading(
    *rows: tuple[str, str],
    descending: bool = False,
    backward: bool = False,
    first: int = START,
    until: int = START + DAY,
) -> OrderedPage:
    axis = Direction(descending)
    ask = PageRequest(*axis.window(first, until), axis, page_size=10, backward=backward)
    page = ModelPage([name for name, _ in rows], [f"2024-01-01 {time}" for _, time in rows])
    return OrderedPage(ask, page, wall_seconds)


def names(page: OrderedPage, start: int = 0, stop: int | None = None) -> list[str]:
    return [page.page.ids[row] for row in page.rows(start, len(page) if stop is None else stop)]


@pytest.mark.parametrize("descending", [False, True])
def test_mirroring_a_window_twice_gives_it_back(descending: bool) -> None:
    axis = Direction(descending)
    assert axis.window(*axis.window(1000, 5000)) == (1000, 5000)
    assert axis.second(axis.second(17)) == 17


def test_a_mirrored_second_covers_the_same_milliseconds() -> None:
    axis = Direction(descending=True)
    first = axis.second(SECOND) * 1000
    assert axis.window(first, first + 1000) == (SECOND * 1000, SECOND * 1000 + 1000)


def test_rows_of_one_second_come_in_the_order_of_their_ids() -> None:
    page = reading(("c", "00:00:01"), ("b", "00:00:02"), ("a", "00:00:02"), ("d", "00:00:03"))
    assert names(page) == ["c", "a", "b", "d"]


def test_descending_is_the_exact_reverse() -> None:
    page = reading(
        ("d", "00:00:03"), ("a", "00:00:02"), ("b", "00:00:02"), ("c", "00:00:01"), descending=True
    )
    assert names(page) == ["d", "b", "a", "c"]


def test_a_backward_page_is_turned_round() -> None:
    page = reading(("d", "00:00:03"), ("a", "00:00:02"), ("b", "00:00:02"), ("c", "00:00:01"), backward=True)
    assert names(page) == ["c", "a", "b", "d"]
    assert (page.first, page.last) == (SECOND + 1, SECOND + 3)


def test_a_row_that_is_there_twice_is_given_once() -> None:
    page = reading(("a", "00:00:01"), ("b", "00:00:01"), ("a", "00:00:01"))
    assert names(page) == ["a", "b"]


def test_the_rows_of_a_second_are_found() -> None:
    page = reading(("a", "00:00:01"), ("b", "00:00:03"), ("c", "00:00:03"), ("d", "00:00:07"))
    assert [page.index(SECOND + second) for second in range(9)] == [0, 0, 1, 1, 3, 3, 3, 3, 4]
    assert list(page.at(SECOND + 3)) == ["b", "c"]
    assert page.before(SECOND + 3) == SECOND + 1
    assert page.before(SECOND + 1) is None


@pytest.mark.parametrize("descending", [False, True])
def test_a_page_out_of_order_is_an_error_that_names_the_row(descending: bool) -> None:
    rows = [("a", "00:00:01"), ("b", "00:00:03"), ("c", "00:00:02")]
    with pytest.raises(CompletenessError, match="broke the order"):
        reading(*rows, descending=descending)


def test_a_row_outside_the_window_is_an_error_that_says_how_it_would_fit() -> None:
    with pytest.raises(CompletenessError, match=r"480 minutes earlier.*server_timezone"):
        reading(("a", "08:10:00"), ("b", "08:50:00"), until=START + DAY // 24)


def test_whole_hours_are_advised_before_parts_of_hours() -> None:
    """Hardly any zone differs by a quarter of an hour, though the smallest shift often does."""
    with pytest.raises(CompletenessError, match=r" were 60 minutes earlier"):
        reading(("a", "01:40:00"), ("b", "01:43:00"), until=START + DAY // 24)
    with pytest.raises(CompletenessError, match=r" were 30 or 60 minutes earlier"):  # Lord Howe changes by 30
        reading(("a", "01:10:00"), ("b", "01:20:00"), until=START + DAY // 24)
    with pytest.raises(CompletenessError, match=r" 30 minutes earlier"):
        reading(("a", "00:40:00"), ("b", "01:20:00"), until=START + DAY // 24)


def test_no_advice_is_given_where_no_zone_would_fit() -> None:
    with pytest.raises(CompletenessError) as caught:
        reading(("a", "00:10:00"), ("b", "08:50:00"), until=START + DAY // 24)
    assert "server_timezone" not in str(caught.value)


def test_a_window_that_begins_inside_a_second_takes_the_rows_of_that_second() -> None:
    page = reading(("a", "00:00:01"), first=START + 1500)
    assert page.first == SECOND + 1


@given(
    seconds=st.lists(st.tuples(st.integers(1, 900), st.integers(1, 3)), min_size=1, max_size=8),
    descending=st.booleans(),
    backward=st.booleans(),
)
def test_pieces_begin_where_a_second_does_and_are_larger_than_usual_only_where_one_is(
    seconds: list[tuple[int, int]], descending: bool, backward: bool
) -> None:
    rows, moment = [], 0
    for count, step in seconds:
        moment += step
        rows += [(f"{moment}-{number}", f"00:00:{moment:02}") for number in range(count)]
    if descending != backward:
        rows.reverse()
    page = reading(*rows, descending=descending, backward=backward)
    edges = [0, *page.cuts(0, len(page)), len(page)]
    for first, until in pairwise(edges):
        assert first < until
        assert not first or page.second(first - 1) != page.second(first)
        assert until - first <= PIECE or page.second(first) == page.second(until - 1)


def test_a_page_of_usual_size_is_one_piece() -> None:
    page = reading(*((f"{number:04}", f"00:{number // 60:02}:{number % 60:02}") for number in range(PIECE)))
    assert page.cuts(0, PIECE) == []
