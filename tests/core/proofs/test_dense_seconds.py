"""A second that does not fit a page: how far its pages may run on."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page_request import Direction
from aioflows._core.planning.gaps import Gap
from aioflows._core.proofs.dense_seconds import instants_of
from tests.support.desk import Desk
from tests.support.model import START

ASCENDING = Direction(descending=False)
MINUTE = 60_000


def desk() -> Desk:
    return Desk((START, START + MINUTE))


def second(one: Desk, at: int) -> Gap:
    """Cut the second *at* out of the only gap."""
    gap = one.gaps.split(one.gap, at)
    one.gaps.split(gap, at + 1000)
    return gap


def test_pages_of_a_second_run_on_over_what_is_unread_beside_it_as_far_as_a_window_may_span() -> None:
    one = desk()
    ways = instants_of(one.gaps, second(one, START + 5_000), ASCENDING, 3_000)
    assert [(way.backward, way.reach, way.known) for way in ways] == [
        (False, START + 8_000, False),
        (True, START + 3_000, False),
    ]


def test_pages_of_a_second_run_on_to_the_row_that_is_known_beside_it() -> None:
    """The whole second of that row is asked for, since answers have whole seconds."""
    one = Desk((START + 5_000, START + 6_000))
    gap = one.gap
    gap.end.known, gap.start.known = START // 1000 + 9, START // 1000 + 2
    ways = instants_of(one.gaps, gap, ASCENDING, MINUTE)
    assert [(way.backward, way.reach, way.known) for way in ways] == [
        (False, START + 10_000, True),
        (True, START + 2_000, True),
    ]


@pytest.mark.parametrize("fence", [START + 6_000, START + 8_000, START + 9_000])
def test_pages_of_a_second_do_not_run_on_across_a_change_of_the_service_s_offset(fence: int) -> None:
    """Not even to a row that is known behind it: they stay in what is to be read."""
    one = Desk((START + 5_000, START + 6_000))
    one.gap.end.known = START // 1000 + 9
    one.gaps.fences.add(fence)
    (way,) = instants_of(one.gaps, one.gap, ASCENDING, MINUTE)
    assert (way.first, way.until, way.reach) == (START + 5_000, START + 6_000, START + 6_000)


def test_pages_of_a_part_of_a_second_do_not_run_on_into_the_rest_of_it() -> None:
    """The other rows of its second would look like its own."""
    one = desk()
    part = one.gaps.split(one.gap, START + 5_200)
    one.gaps.split(part, START + 5_700)
    (way,) = instants_of(one.gaps, part, ASCENDING, MINUTE)
    assert (way.first, way.until, way.reach) == (START + 5_200, START + 5_700, START + 5_700)
