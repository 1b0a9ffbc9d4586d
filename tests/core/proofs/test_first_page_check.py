"""Whether a scan's pages are first pages, where only other scans have found that out."""

from __future__ import annotations

import pytest

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import NOTHING, Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.proofs.first_page_check import FirstPageCheck
from aioflows.errors import AioflowsError, Denied, ServiceError, TimedOut
from tests.support.model import START, ModelPage

ASK = PageRequest(START, START + 3_600_000, Direction(descending=False), 10, page_no=1)


def page(*names: str) -> ModelPage:
    return ModelPage(names, ["2024-01-01 00:00:00"] * len(names))


def check() -> tuple[FirstPageCheck, ServiceFacts, ScanEvidence]:
    """A scan whose session knows from another one that page 1 is the first."""
    known = ServiceFacts()
    known.first_page = known.base = 1
    evidence = ScanEvidence(known)
    return FirstPageCheck(known, evidence), known, evidence


def test_page_0_of_what_page_1_has_brought_rows_of_is_asked_for_once() -> None:
    one, _, _ = check()
    one.note(ASK, page())
    assert one.look() is None, "nothing is in doubt before a row has come"
    one.note(ASK, page("a", "b"))
    assert one.unsure
    ask = one.look()
    assert ask is not None
    assert (ask.first, ask.until, ask.page_size, ask.page_no) == (ASK.first, ASK.until, ASK.page_size, 0)
    assert one.look() is None


def test_page_0_is_not_asked_for_where_something_else_has_shown_that_pages_are_first_pages() -> None:
    one, _, evidence = check()
    one.note(ASK, page("a", "b"))
    evidence.numbered = True
    assert (one.unsure, one.look()) == (False, None)


@pytest.mark.parametrize("known", [ServiceFacts(1), ServiceFacts(0), ServiceFacts()])
def test_nothing_is_in_doubt_where_the_number_was_given_or_is_0_or_is_found_out_by_this_scan(
    known: ServiceFacts,
) -> None:
    one = FirstPageCheck(known, ScanEvidence(known))
    one.note(ASK, page("a", "b"))
    assert (one.unsure, one.look()) == (False, None)


@pytest.mark.parametrize(
    "answer",
    [NOTHING, ServiceError(1004, "parameter is not legal"), page("b", "c")],
    ids=["nothing", "refused", "the same rows"],
)
def test_page_1_is_the_first_where_page_0_brings_no_row_that_page_1_had_not(
    answer: Page | AioflowsError,
) -> None:
    """Rows may have come meanwhile, so that one row in common is enough."""
    one, known, _ = check()
    one.note(ASK, page("a", "b"))
    one.look()
    one.looked(answer)
    assert (one.unsure, one.outdated, known.first_page) == (False, False, 1)


def test_where_page_0_brings_other_rows_what_was_read_is_outdated_and_the_number_is_found_out_anew() -> None:
    one, known, _ = check()
    one.note(ASK, page("k", "l"))
    one.look()
    one.looked(page("a", "b"))
    assert (known.first_page, known.base) == (None, None)
    assert one.outdated


@pytest.mark.parametrize("error", [Denied(62103, "no privilege"), TimedOut("late")])
def test_an_error_that_says_nothing_of_page_numbers_is_raised_and_decides_nothing(
    error: AioflowsError,
) -> None:
    one, known, _ = check()
    one.note(ASK, page("a", "b"))
    one.look()
    with pytest.raises(type(error)):
        one.looked(error)
    assert one.unsure
    assert known.first_page == 1


def test_what_another_scan_finds_out_meanwhile_makes_the_rows_of_this_one_outdated() -> None:
    one, known, evidence = check()
    known.first_page = 0
    assert one.outdated
    evidence.numbered = True
    assert not one.outdated, "its pages were seen to be first pages"
