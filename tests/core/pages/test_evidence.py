"""What one scan was shown, and what of that proves that something is complete."""

from __future__ import annotations

import pytest

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import NARROW, ServiceFacts
from aioflows._core.wire.zone import wall_seconds
from tests.support.model import START, ModelService

HOUR = 3_600_000
WIDTH = 10 * HOUR


def shown(
    evidence: ScanEvidence, *hours: float, descending: bool = False, backward: bool = False, size: int = 10
) -> None:
    """Show a scan the page of rows that were triggered so many hours into its window of ten."""
    service = ModelService([(START + int(hour * HOUR), f"1-{hour}") for hour in hours])
    axis = Direction(descending)
    ask = PageRequest(*axis.window(START, START + WIDTH), axis, size, backward=backward)
    evidence.note(ask, OrderedPage(ask, service.answer(ask), wall_seconds))


def test_pages_of_other_scans_prove_nothing_of_this_one() -> None:
    known = ServiceFacts(0)
    other = ScanEvidence(known)
    shown(other, *range(10))
    shown(other, *range(10))
    known.saw(10, 10, WIDTH)
    evidence = ScanEvidence(known)
    assert not evidence.ends_short(10, 3)
    assert not evidence.sees(WIDTH, backward=False)
    assert not evidence.reaches(3)
    assert (evidence.most(10), evidence.rows, evidence.answered(1)) == (0, 0, False)


def test_a_short_page_may_be_the_last_after_a_full_one_or_two_others_with_as_many_rows() -> None:
    """One page of seven may have been cut by its bytes, and the next one elsewhere; two say that seven is the cap."""
    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(10, 7, "a")
    assert not evidence.ends_short(10, 3)
    evidence.note_size(10, 7, "a")
    assert not evidence.ends_short(10, 3), "the same page has come twice"
    evidence.note_size(10, 7, "b")
    assert evidence.ends_short(10, 3)
    assert not evidence.ends_short(10, 7)

    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(10, 10, "a")
    assert evidence.ends_short(10, 9)
    assert not evidence.ends_short(5, 4), "no page as small was full"


def test_a_short_page_with_as_many_bytes_as_the_largest_may_have_been_cut_by_them() -> None:
    """Rows of a crowd may hold more bytes than all others, so that fewer of them fill an answer."""
    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(100, 100, "a", 50_000)
    evidence.note_size(400, 40, "b", 90_000)
    assert not evidence.ends_short(400, 40, 90_000)
    assert not evidence.ends_short(400, 25, 85_000), "one more row may have filled it"
    assert evidence.ends_short(400, 20, 45_000)
    assert evidence.ends_short(100, 90, 50_000)


def test_a_short_page_may_only_be_the_last_if_one_as_large_had_more_rows() -> None:
    """A size that is too large may be answered with pages of a smaller default size."""
    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(100, 100, "a")
    assert evidence.ends_short(100, 20)
    assert not evidence.ends_short(400, 20)
    evidence.note_size(400, 20, "b")
    assert not evidence.ends_short(400, 20)
    assert evidence.ends_short(400, 19)


def test_no_short_page_is_the_last_once_one_was_seen_to_be_cut_short() -> None:
    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(10, 10, "a")
    evidence.cut_short = True
    assert not evidence.ends_short(10, 3)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("backward", [False, True])
def test_a_service_looks_as_far_as_the_farthest_row_that_it_has_shown_and_no_farther(
    descending: bool, backward: bool
) -> None:
    """From the end of a window it is seen by the first row how far back it looks, and by the last one how far ahead."""
    evidence = ScanEvidence(ServiceFacts(0))
    shown(evidence, 2, 7, descending=descending, backward=backward)
    # In a descending scan the start of the window is that of 10 o'clock.
    before, after = (3 * HOUR - 1000, 2 * HOUR) if descending else (2 * HOUR, 3 * HOUR - 1000)
    assert evidence.sees(WIDTH - before, backward=False)
    assert not evidence.sees(WIDTH - before + 1, backward=False)
    assert evidence.sees(WIDTH - after, backward=True)
    assert not evidence.sees(WIDTH - after + 1, backward=True)
    assert evidence.seen == WIDTH - max(before, after)


def test_a_window_in_which_no_zone_could_be_wrong_is_never_taken_to_be_cut() -> None:
    evidence = ScanEvidence(ServiceFacts(0))
    assert evidence.sees(NARROW, backward=False)
    assert not evidence.sees(NARROW + 1, backward=False)


def test_page_numbers_reach_as_deep_as_one_has_brought_a_row_and_a_few_rows_of_one_page_are_no_limit() -> (
    None
):
    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(500, 500, "a")
    assert evidence.reaches(9)
    assert not evidence.reaches(10), "a page says nothing of how deep pages begin"
    evidence.deepest = 441
    assert evidence.reaches(440)
    assert not evidence.reaches(441)


def test_a_page_size_was_answered_if_a_page_as_large_has_brought_rows() -> None:
    evidence = ScanEvidence(ServiceFacts(0))
    evidence.note_size(100, 3, "a")
    assert evidence.answered(100)
    assert evidence.answered(20)
    assert not evidence.answered(101)


def test_only_page_1_that_other_scans_have_found_to_be_the_first_may_be_a_second_page() -> None:
    told, found, at_zero, unknown = ServiceFacts(1), ServiceFacts(), ServiceFacts(), ServiceFacts()
    found.first_page, at_zero.first_page = 1, 0
    numbered = [ScanEvidence(known).numbered for known in (told, found, at_zero, unknown)]
    assert numbered == [True, False, True, True]
