"""What a session has learnt about the service: it chooses what to ask for, and forgets what turned out to be wrong."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.service_facts import LARGEST_PAGE, NARROW, ServiceFacts, larger
from aioflows._core.wire.zone import Zone

DAY = 86_400_000


@given(wanted=st.integers(1, 4_000), largest=st.integers(1, 4_000))
def test_the_largest_page_size_that_is_answered_is_found_in_few_tries_to_within_a_quarter(
    wanted: int, largest: int
) -> None:
    known = ServiceFacts(0)
    sizes = []
    for _ in range(20):
        size = known.usual(wanted)
        sizes.append(size)
        if size <= largest:
            known.accept_size(size, size)
        else:
            assert known.refuse_size(size), f"of {sizes}, nothing smaller is left to try"
    assert min(sizes) >= 1
    assert max(sizes) <= wanted
    best = min(wanted, largest)
    assert best / 1.25 - 1 <= sizes[-1] <= best
    assert sizes[-1] == sizes[-8], f"it does not come to rest: {sizes}"


def test_a_page_of_one_row_that_is_refused_leaves_no_smaller_one_to_try() -> None:
    assert not ServiceFacts(0).refuse_size(1)


def test_a_size_that_is_answered_after_all_was_refused_for_another_reason() -> None:
    known = ServiceFacts(0)
    known.refuse_size(500)
    assert known.usual(500) < 500
    known.accept_size(500, 500)
    assert not known.refuses_sizes
    assert known.usual(500) == 500


def test_a_page_that_has_fewer_rows_than_smaller_ones_may_be_too_large_only_while_larger_ones_are_refused() -> (
    None
):
    """Some services answer a page that is too large with their last one."""
    known = ServiceFacts(0)
    known.accept_size(20, 20)
    assert not known.disappoints(100, 3)
    known.refuse_size(500)
    known.accept_size(20, 20)
    assert known.disappoints(100, 3)
    assert known.usual(500) < 100, "the size that disappoints is asked for again"
    assert not known.disappoints(20, 3), "so many rows were answered before"


def test_how_wide_a_window_may_be_is_learnt_from_answers_with_rows_alone() -> None:
    known = ServiceFacts(0)
    known.saw(100, 0, 30 * DAY)
    assert known.reach == NARROW
    known.saw(100, 1, 20 * DAY)
    assert known.reach == 20 * DAY
    known.cuts_to(7 * DAY)
    known.saw(100, 1, 30 * DAY)
    assert known.reach == 7 * DAY, "a row of a wide window does not show that all of it was answered about"


def test_a_zone_that_was_shown_to_be_right_says_nothing_of_another_one() -> None:
    known = ServiceFacts(0)
    known.pin(Zone.parse("UTC"))
    assert known.zone_pinned
    assert known.pinned(Zone.parse("UTC"))
    assert not known.pinned(Zone.parse("GMT+8"))


def test_a_page_may_be_the_last_if_a_page_of_its_size_has_had_more_rows_or_none_was_cut_at_as_many() -> None:
    known = ServiceFacts(0)
    assert known.may_be_last(100, 40)
    assert not known.may_be_last(100, 100)
    known.capped(100, 40)
    assert not known.may_be_last(100, 40)
    assert known.may_be_last(100, 41)
    known.saw(100, 60, DAY)
    assert known.may_be_last(100, 40)


def test_larger_pages_grow_by_steps_up_to_the_largest_that_is_ever_asked_for() -> None:
    sizes = [10]
    while sizes[-1] < LARGEST_PAGE:
        sizes.append(larger(sizes[-1]))
    assert sizes == [10, 40, 160, 640, 2_560, 4_000]
    assert larger(LARGEST_PAGE) == LARGEST_PAGE


def test_of_an_instant_no_more_is_foretold_than_those_before_it_held() -> None:
    known = ServiceFacts()
    for rows in (500, 120, 500, 500):
        known.counted(rows)
        assert known.instant <= rows
    assert 120 < known.instant < 500
