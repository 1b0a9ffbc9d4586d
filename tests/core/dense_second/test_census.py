"""How many rows an instant holds, by the places at which passes have ended."""

from __future__ import annotations

import pytest

from aioflows._core.dense_second.census import Census


def census(
    *passes: tuple[int, int], base_known: bool = False, reached: bool = True, doubled: bool = False
) -> Census:
    """A census of passes, each by the rows of its pages and those that it counted."""
    found = Census(base_known=base_known)
    for size, rows in passes:
        found.note(size, rows, reached=reached, doubled=doubled, single=False)
    return found


def test_pages_of_two_sizes_tell_that_the_first_page_was_counted_twice() -> None:
    found = census((10, 45), (10, 45), (9, 44))
    assert (found.doubled, found.least(mixed=True), found.agreed) == (True, 35, 35)


def test_pages_of_two_sizes_tell_that_no_page_was_counted_twice() -> None:
    found = census((10, 45), (10, 45), (9, 45))
    assert (found.doubled, found.least(mixed=True), found.agreed) == (False, 45, 45)


def test_pages_of_one_size_do_not_tell_whether_the_first_one_was_counted_twice() -> None:
    found = census((10, 45), (10, 45), (10, 45))
    assert (found.doubled, found.least(mixed=True), found.least(mixed=False)) == (None, 35, 45)
    assert found.depends_on_base(35)
    assert not found.depends_on_base(45)


def test_a_second_page_with_the_rows_of_the_first_is_counted_once() -> None:
    assert census((10, 45), doubled=True).least(mixed=False) == 35


def test_counts_are_taken_as_they_are_where_it_is_known_which_number_is_the_first() -> None:
    found = census((10, 45), (9, 45), (8, 45), base_known=True)
    assert (found.doubled, found.least(mixed=True), found.agreed) == (False, 45, 45)


def test_rows_that_come_and_go_settle_nothing_and_the_fewest_are_asked_for() -> None:
    found = census((10, 45), (9, 47), (8, 46), base_known=True)
    assert (found.least(mixed=True), found.agreed) == (45, None)


@pytest.mark.parametrize("single", [True, False])
def test_one_page_is_never_counted_twice(single: bool) -> None:
    found = Census(base_known=False)
    found.note(10, 14, reached=True, doubled=False, single=single)
    assert found.least(mixed=True) == (14 if single else 4)


def test_passes_of_one_page_do_not_tell_which_number_is_the_first() -> None:
    """No page follows that could be the first one again."""
    found = Census(base_known=False)
    for size in (20, 19, 18):
        found.note(size, 14, reached=True, doubled=False, single=True)
    assert (found.doubled, found.agreed) == (None, None)
