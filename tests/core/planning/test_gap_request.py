"""How a gap is asked for: by which window, for how many rows, and how often before it is said that the service fails."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import NARROW, ServiceFacts
from aioflows._core.planning.gap_request import ask_for
from aioflows._core.planning.gaps import Anchor, Gaps

AXIS = Direction(descending=False)
HOUR = 3_600_000
USUAL = 100


def service(reach: int = 1000 * HOUR) -> ServiceFacts:
    facts = ServiceFacts(0)
    facts.saw(USUAL, USUAL, reach)
    return facts


def asked(
    gaps: Gaps, facts: ServiceFacts | None = None, *, backward: bool = False, pinned: bool = True
) -> PageRequest:
    return ask_for(
        gaps[0],
        backward=backward,
        gaps=gaps,
        service=facts or service(),
        axis=AXIS,
        usual=USUAL,
        pinned=pinned,
    )


def window(ask: PageRequest) -> tuple[int, int]:
    return ask.first, ask.until


def beside_a_row(*, apart: int = 0) -> Gaps:
    """One gap, an hour long, and a row that is known so many seconds behind its end."""
    gaps = Gaps([(0, HOUR)])
    gaps[0].end.known = HOUR // 1000 + apart
    return gaps


@pytest.mark.parametrize("apart", [0, 1, 60])
def test_a_window_reaches_over_the_row_that_is_known_behind_it_and_all_of_its_second(apart: int) -> None:
    """That row has to come along, and so proves the answer up to the end of the gap."""
    assert window(asked(beside_a_row(apart=apart))) == (0, HOUR + apart * 1000 + 1000)


def test_a_window_reaches_no_farther_than_the_service_is_known_to_be_able_to_answer_at_once() -> None:
    gaps = beside_a_row(apart=HOUR // 1000)
    assert asked(gaps, service(HOUR)).until == HOUR
    assert asked(gaps, service(2 * HOUR + 1000)).until == 2 * HOUR + 1000


def test_a_window_reaches_over_the_gaps_behind_it_that_no_request_has_touched() -> None:
    """Where windows were cut too small, one page shows the rows of several of them."""
    gaps = Gaps([(0, HOUR)])
    for cut in (HOUR // 2, HOUR // 4):
        gaps.split(gaps[0], cut)
    assert window(asked(gaps)) == (0, HOUR)
    gaps[2].empty_answers = 1
    assert window(asked(gaps)) == (0, HOUR // 2)


@pytest.mark.parametrize("fence", [HOUR, HOUR + 30_000, HOUR + 60_000])
def test_a_window_does_not_reach_over_a_row_behind_a_change_of_offset(fence: int) -> None:
    gaps = beside_a_row(apart=60)
    gaps.fences.add(fence)
    assert asked(gaps).until == HOUR


def test_a_window_that_may_be_empty_is_asked_for_with_the_rows_on_both_its_sides() -> None:
    gaps = beside_a_row(apart=5)
    gaps[0].first, gaps[0].start.known, gaps[0].maybe_last = 20_000, 12, 3
    assert window(asked(gaps)) == (12_000, HOUR + 6_000)


def test_before_the_zone_was_shown_to_be_right_a_row_at_the_start_of_a_gap_is_asked_for_in_its_own_second() -> (
    None
):
    gaps = Gaps([(5_200, HOUR)])
    gaps[0].start.anchor = Anchor(5, frozenset({"a"}), PageRequest(0, HOUR, AXIS, USUAL), 1)
    assert window(asked(gaps, pinned=False)) == (5_200, 6_000)
    assert asked(gaps, pinned=True).until == HOUR


def test_an_empty_window_beside_which_no_row_is_known_is_looked_at_again_with_a_page_of_one_row() -> None:
    """A service may answer a page that is too large for it with nothing."""
    gaps = Gaps([(0, HOUR)])
    assert asked(gaps).page_size == USUAL
    gaps[0].empty_answers = 1
    assert asked(gaps).page_size == 1


def test_a_window_that_can_be_made_narrower_is_not_tried_as_often_as_the_policy_allows() -> None:
    """Neither the first of all, nor one wider than any that was answered, nor one that reaches beyond its gap."""
    gaps = Gaps([(0, HOUR)])
    assert asked(gaps, ServiceFacts()).tries == 1
    assert asked(gaps, service(HOUR // 2)).tries == 2
    assert asked(gaps, service(HOUR)).tries is None
    assert asked(beside_a_row()).tries == 2


def test_one_millisecond_is_asked_for_by_a_window_of_one_millisecond_from_either_end() -> None:
    for backward in (False, True):
        gaps = Gaps([(5_999, 6_000)])
        ask = asked(gaps, service(NARROW), backward=backward)
        assert (window(ask), ask.backward) == ((5_999, 6_000), backward)
