"""A window that was answered with nothing: how often it is looked at, and what is believed in the end."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.proofs.empty_answers import EmptyAnswers
from aioflows._core.proofs.empty_recheck import EmptyRecheck
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.scans.keyset import KeysetScan
from aioflows.errors import CompletenessError
from tests.support.desk import Desk
from tests.support.model import START, ModelPage, ModelService, Row, in_order, read

HOUR = 3_600_000
DAY = 24 * HOUR
WINDOW = (START, START + HOUR)
OTHER = (START + DAY, START + DAY + HOUR)
NOTHING = ModelService([])


class Empty:
    """A scan of two windows that lie apart, of which the first is answered with nothing.

    Args:
        rows: the rows that other answers of the scan have had.
        facts: what the session knows of the service.
    """

    def __init__(self, *, rows: int = 5, facts: ServiceFacts | None = None) -> None:
        self.desk = Desk(WINDOW, OTHER, facts=facts)
        self.recheck = EmptyRecheck(self.desk.state)
        missing_rows = MissingRows(self.desk.state, lambda ask, page: None)
        self.judge = EmptyAnswers(self.desk.state, missing_rows, self.recheck)
        if rows:
            self.desk.evidence.note_size(10, rows, "another")
        self.answers = 0

    @property
    def believed(self) -> bool:
        """Whether the window is taken to be empty."""
        return self.desk.unproven == [OTHER]

    def take(self, ask: PageRequest, page: ModelPage | None = None) -> None:
        """Take an answer, with nothing in it if it is not given."""
        assert page is None or not page.ids
        self.answers += 1
        self.judge.answered(ask, self.desk.frontier.finish(ask))

    def ask(self, first: int = START, until: int = START + HOUR, *, page_no: int = 0) -> PageRequest:
        return self.desk.ask(first, until, page_no=page_no)

    def looks(self, most: int = 200) -> int:
        """Answer with nothing until that is believed, and return how many answers it took."""
        while not self.believed:
            assert self.answers < most, "it is never believed"
            self.take(self.ask())
            self.desk.serve(NOTHING, self.take)
        return self.answers


def test_nothing_is_believed_after_three_looks_of_which_two_are_at_once_from_both_ends_with_a_small_page() -> (
    None
):
    one = Empty()
    one.take(one.ask())
    assert not one.believed
    asked = one.desk.serve(NOTHING, one.take)
    assert [(ask.from_ms, ask.to_ms, ask.page_size) for ask in asked] == [(*WINDOW, 1), (*WINDOW, 1)]
    assert {ask.backward for ask in asked} == {False, True}
    assert (one.believed, one.answers) == (True, 3)


def test_nothing_is_decided_while_a_row_beside_the_window_may_soon_be_known() -> None:
    one = Empty()
    one.desk.ask(*OTHER)
    for _ in range(5):
        one.take(one.ask())
    assert not one.believed
    assert one.desk.follow_ups.next() is None
    assert one.looks(), "but it is not waited for for ever"


def test_a_service_that_has_said_nothing_of_something_is_looked_at_far_more_often() -> None:
    liar = Empty()
    liar.desk.facts.false_empty_seen = True
    assert liar.looks() >= 5 * Empty().looks()


def test_an_answer_by_a_number_that_is_no_longer_the_first_page_s_says_nothing() -> None:
    one = Empty()
    for _ in range(100):
        one.take(one.ask(page_no=1))
    assert not one.believed
    assert one.looks() == 103


class Beside(Empty):
    """The same, where a row is known two minutes before the window."""

    row = START - 120_000

    def looks_with_the_row(self, service: ModelService) -> PageRequest:
        """Leave out that row until it is asked for alone; give the service's answer to that."""
        self.desk.gaps[0].start.known = self.row // 1000
        for _ in range(100):
            self.take(self.ask(self.row))
            if asked := self.desk.serve(service, self.take):
                return asked[-1]
        raise AssertionError("the row is never asked for alone")


def test_a_row_beside_the_window_that_is_left_out_is_asked_for_alone_before_it_is_taken_to_have_gone() -> (
    None
):
    one = Beside()
    one.desk.facts.pin(one.desk.reader.zone)
    ask = one.looks_with_the_row(NOTHING)
    assert (ask.from_ms, ask.to_ms) == (one.row, one.row + 1000)
    assert one.believed
    assert one.answers > 3, "the answers are more likely wrong than the row is gone"


def test_a_window_that_was_answered_without_a_row_that_is_there_is_asked_about_by_halves() -> None:
    one = Beside()
    one.looks_with_the_row(ModelService([(one.row, "1-there")]))
    assert one.desk.unproven == [(START, START + HOUR // 2), (START + HOUR // 2, START + HOUR), OTHER]


def test_a_row_that_is_not_in_its_own_second_is_misread_unless_the_zone_was_shown_to_be_right() -> None:
    one = Beside()
    one.looks_with_the_row(NOTHING)
    assert not one.believed
    assert isinstance(one.desk.error, CompletenessError)
    assert "zone" in str(one.desk.error)


def test_where_no_row_has_come_at_all_the_page_by_the_other_number_is_asked_for_before_that_is_believed() -> (
    None
):
    """A service that was changed to count from there answers the known one with nothing."""
    for rows in ([], [(START + 60_000, "1-first")]):
        facts = ServiceFacts()
        facts.first_page = facts.base = 1
        one = Empty(rows=0, facts=facts)
        service = ModelService(rows)
        one.take(one.ask(page_no=1))
        asked = one.desk.serve(service, one.take)
        assert (0, 1) in [(ask.page_no, ask.page_size) for ask in asked]
        assert one.believed == (not rows)
        assert facts.first_page == (None if rows else 1)


@pytest.mark.parametrize("rows", [0, 3])
def test_what_a_liar_had_been_believed_before_is_looked_at_once_more_before_the_scan_ends(rows: int) -> None:
    """Rows that come each time have come since; nothing each time is nothing."""
    one = Empty()
    one.looks()
    assert not one.recheck.unsettled()
    one.desk.facts.false_empty_seen = True
    assert one.recheck.unsettled()
    one.desk.serve(ModelService([(START + 1000, f"1-{number}") for number in range(rows)]))
    assert not one.recheck.unsettled()
    assert one.desk.error is None


def test_rows_and_then_nothing_again_where_nothing_was_believed_cannot_be_relied_on() -> None:
    one = Empty()
    one.looks()
    one.desk.facts.false_empty_seen = True
    assert one.recheck.unsettled()

    def every_other(service: ModelService, _: PageRequest) -> None:
        service.rows = [(START + 1000, "1-a")] if len(service.asked) % 2 else []

    one.desk.serve(ModelService([], before_answer=every_other))
    with pytest.raises(CompletenessError, match=f"{START}–{START + HOUR} ms .* cannot be relied on"):
        raise one.desk.error or AssertionError("it is believed")


HOURLY: list[Row] = [(START + HOUR * number, f"1-{number:05}") for number in range(2)]


def test_rows_that_only_another_first_page_brings_are_found_at_the_start_of_a_day() -> None:
    """All of a day that seems empty is asked about by the other number."""
    known = ServiceFacts()
    for base in (0, 1):
        scan = KeysetScan([(START, START + DAY)], service=known, page_size=100, concurrency=4)
        assert read(scan, ModelService(list(HOURLY), base=base, page_zero="empty")) == in_order(HOURLY)
