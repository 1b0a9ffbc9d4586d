"""Where one pass over the pages of an instant ends."""

from __future__ import annotations

from aioflows._core.dense_second.instant import InstantPage
from aioflows._core.dense_second.page_pass import PagePass, uneven
from aioflows._core.pages.page import NOTHING


def shown(*names: str, beyond: bool = False) -> InstantPage:
    return InstantPage(NOTHING, names, beyond=beyond)


def passed(one: PagePass, *pages: InstantPage) -> PagePass:
    for page in pages:
        assert one.wants_another
        one.asked += 1
        one.add(one.asked - 1, page)
    return one


def test_a_pass_ends_at_a_row_of_another_second_or_at_a_page_that_is_not_full() -> None:
    beyond = passed(PagePass(2), shown("a", "b"), shown("c", "d", beyond=True))
    assert (beyond.done, beyond.reached, beyond.count) == (True, True, 4)
    short = passed(PagePass(2), shown("a", "b"), shown("c"))
    assert (short.done, short.reached, short.count) == (True, False, 3)


def test_a_page_that_is_not_full_is_not_the_last_where_pages_are_cut_short() -> None:
    one = passed(PagePass(2, cut_short=True), shown("a", "b"), shown("c"))
    assert not one.done


def test_an_empty_page_ends_a_pass_but_shows_no_end_of_the_rows() -> None:
    one = passed(PagePass(2), shown("a", "b"), shown())
    assert (one.done, one.without_end, one.end) == (True, True, None)


def test_equal_pages_are_the_end_only_if_a_page_far_behind_them_is_equal_too() -> None:
    """A service may answer numbers behind its last page with the last page, and ties may repeat a page."""
    pages = [shown("a", "b"), *[shown("c", "d")] * 3]
    one = passed(PagePass(2), *pages)
    assert not one.done
    assert one.next_far is not None
    one.far_number = one.next_far
    one.add(one.far_number, shown("c", "d"))
    assert (one.done, one.end, one.rows) == (True, 1, 4)
    other = passed(PagePass(2), *pages)
    other.far_number = other.next_far
    other.add(other.far_number or 0, shown("e", "f"))
    assert not other.done


def test_a_first_page_that_comes_twice_is_noticed_whatever_the_order_of_its_rows() -> None:
    assert passed(PagePass(2), shown("a", "b"), shown("b", "a")).begins_twice
    assert not passed(PagePass(2), shown("a", "b"), shown("a", "c")).begins_twice


def test_a_page_size_that_does_not_divide_the_rows_leaves_a_last_page_that_is_not_full() -> None:
    for rows in range(1, 200):
        size = uneven(rows, 20)
        assert size == 20 or (rows % size and (rows <= 20 or (rows - 20) % size))
