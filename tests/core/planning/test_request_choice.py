"""Which requests are worth starting: how windows are cut, and what idle slots are given."""

from __future__ import annotations

import math

import pytest

from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.planning.gaps import Gap, Gaps
from aioflows._core.planning.request_choice import Move, moves

PAGE = 100
SLOTS = 16
HOUR = 3_600_000


def gaps_of(pages: float, hours: int = 1000) -> Gaps:
    """One gap that is to hold so many pages."""
    gaps = Gaps([(0, hours * HOUR)])
    gaps[0].density = pages * PAGE / (hours * HOUR)
    return gaps


def ask_for(gap: Gap) -> PageRequest:
    return PageRequest(gap.first, gap.until, Direction(descending=False), PAGE)


def start(gaps: Gaps, slots: int = SLOTS, budget: float = math.inf) -> list[Move]:
    """Start what is worth starting, as a scan does."""
    started = []
    for move in moves(gaps, PAGE, slots, budget):
        ask = ask_for(move.gap)
        if move.backward:
            move.gap.end.ask = ask
        else:
            move.gap.start.ask = ask
        started.append(move)
        if len(started) == slots:
            break
    return started


def test_where_order_does_not_matter_there_are_as_many_windows_as_pairs_of_slots() -> None:
    gaps = gaps_of(600)
    assert len(start(gaps)) == SLOTS
    assert len(gaps) == SLOTS // 2
    assert max(gap.expected for gap in gaps) < 1.1 * min(gap.expected for gap in gaps)


def test_a_window_under_way_is_not_cut_for_a_slot_that_has_work_in_another() -> None:
    gaps = gaps_of(600)
    start(gaps)
    gaps[0].density *= 3
    last = gaps[len(gaps) - 1]
    last.start.ask = None
    (move,) = start(gaps, slots=1)
    assert (move.gap, len(gaps)) == (last, SLOTS // 2)


@pytest.mark.parametrize(("buffer", "pages"), [(60, 6), (90, 10), (200, 16), (2_000, 16)])
def test_windows_of_an_ordered_scan_share_the_buffer_among_the_slots_as_far_as_they_need_it(
    buffer: int, pages: int
) -> None:
    """An even number of pages, since two requests share each window."""
    gaps = gaps_of(6000)
    start(gaps, budget=buffer * PAGE)
    assert pages - 1 < gaps[0].expected / PAGE <= pages


def test_no_window_is_cut_smaller_than_a_page_for_each_of_its_ends() -> None:
    gaps = gaps_of(12)
    start(gaps)
    assert min(gap.expected for gap in gaps) > 1.5 * PAGE


def test_slots_left_over_take_the_second_end_of_a_gap_before_they_cut_one() -> None:
    gaps = gaps_of(1.2)
    gaps[0].start.density = 1000 * gaps[0].density
    first, second, *_ = start(gaps, slots=3)
    assert (first.gap, first.backward, second.gap, second.backward) == (gaps[0], False, gaps[0], True)


def test_the_gap_that_holds_up_an_ordered_scan_is_read_from_both_ends_on_a_guess() -> None:
    for budget, backward in ((10_000, [False, True]), (math.inf, [False, False])):
        gaps = gaps_of(1.2)
        gaps.split(gaps[0], 500 * HOUR)
        gaps[0].start.density = 1000 * gaps[0].density
        assert [move.backward for move in start(gaps, slots=2, budget=budget)] == backward


def test_slots_left_over_cut_a_gap_towards_the_end_that_is_dense() -> None:
    gaps = gaps_of(1.2)
    gaps[0].end.density = 1000 * gaps[0].density
    start(gaps, slots=8)
    assert gaps[len(gaps) - 1].until - gaps[len(gaps) - 1].first < gaps[0].until - gaps[0].first


def test_slots_are_left_idle_rather_than_given_less_than_a_few_pages() -> None:
    gaps = gaps_of(3)
    assert len(start(gaps)) == 4


def test_second_looks_are_put_off_but_never_more_of_them_than_there_are_slots() -> None:
    gaps = Gaps([(hour * 2 * HOUR, (hour * 2 + 1) * HOUR) for hour in range(100)])
    for gap in list(gaps)[1:60]:
        gap.empty_answers, gap.start.known = 1, 0
    later = [gap for gap in gaps if not gap.empty_answers]
    for gap in later:
        gap.density = PAGE / HOUR
    few = Gaps([(hour * 2 * HOUR, (hour * 2 + 1) * HOUR) for hour in range(10)])
    few[1].empty_answers, few[1].start.known = 1, 0
    assert few[1] not in [move.gap for move in start(few, slots=5)]
    assert gaps[1] in [move.gap for move in start(gaps, slots=5)]


def test_an_empty_window_is_handed_to_the_next_one_that_was_not_asked() -> None:
    gaps = gaps_of(10)
    window = gaps.split(gaps[0], HOUR)
    gaps.split(window, 2 * HOUR)
    window.empty_answers = 1
    start(gaps, slots=3)
    assert window.empty_answers == 0
    assert window.until > 2 * HOUR


def test_two_empty_windows_that_are_joined_were_looked_at_once_already() -> None:
    gaps = gaps_of(10)
    window = gaps.split(gaps[0], HOUR)
    later = gaps.split(window, 2 * HOUR)
    window.empty_answers, later.empty_answers = 2, 1
    gaps.join(window, later)
    assert window.empty_answers == 1
