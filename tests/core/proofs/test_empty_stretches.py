"""The stretch before the first row of a page: proven by what was seen, asked about first, or asked about at last."""

from __future__ import annotations

import attrs
import pytest

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.keyset_state import KeysetOptions
from aioflows._core.proofs.empty_stretches import EmptyStretches
from aioflows.errors import CompletenessError
from tests.support.desk import Desk
from tests.support.model import START, ModelPage, ModelService, Row

HOUR = 3_600_000
DAY = 24 * HOUR
DAYS = 100
SIZE = 10


def hourly(first: float, count: int = SIZE) -> list[Row]:
    """Rows of every hour from so many hours after the start."""
    return [(START + int((first + hour) * HOUR), f"1-{hour:04}") for hour in range(count)]


class Stretch:
    """What precedes the first row of a page over a hundred days.

    Args:
        service: what answers.
        backward: whether the page is read from the end of the range.
        facts: what the session knows of the service.
        filtered: whether the query leaves rows out.
        confirm: whether ends that no row has shown are asked about once more.
    """

    def __init__(
        self,
        service: ModelService,
        *,
        backward: bool = False,
        facts: ServiceFacts | None = None,
        filtered: bool = False,
        confirm: bool = True,
        size: int = SIZE,
    ) -> None:
        options = KeysetOptions(page_size=size, filtered=filtered, confirm=confirm)
        self.desk = Desk((START, START + DAYS * DAY), facts=facts, options=options)
        self.service = service
        self.stretches = EmptyStretches(self.desk.state)
        self.ask = self.desk.ask(START, START + DAYS * DAY, size=size, backward=backward)
        self.reading = self.desk.read(self.ask, service.answer(self.ask))
        self.desk.frontier.finish(self.ask)
        self.unproven = self.stretches.unproven(self.ask, self.reading)

    def settle(self) -> list[PageRequest]:
        """Have everything asked about before the scan ends; return the requests that this took."""
        asked: list[PageRequest] = []
        for _ in range(100):
            self.stretches.settle(8)
            asked += self.desk.serve(self.service)
            if not self.stretches.unsettled:
                return asked
        raise AssertionError("it is never settled")


def test_a_window_no_wider_than_the_service_was_seen_to_look_leaves_no_doubt() -> None:
    one = Stretch(ModelService(hourly(0)))
    assert (one.unproven, one.settle()) == (None, [])
    # Ten days of nothing before a row, after an answer has shown rows a hundred days before the end of its window.
    later = one.desk.ask(START, START + 90 * DAY)
    page = ModelService(hourly(24 * 10)).answer(later)
    assert one.stretches.unproven(later, one.desk.read(later, page)) is None


@pytest.mark.parametrize("backward", [False, True])
def test_a_stretch_that_is_wide_against_what_lies_between_the_rows_is_not_taken_for_empty(
    backward: bool,
) -> None:
    """It ends where the second of the row behind it begins, and stays unproven."""
    rows = hourly(24 * 50)
    one = Stretch(ModelService(rows), backward=backward)
    assert one.unproven == ((rows[-1][0] + 1000, START + DAYS * DAY) if backward else (START, rows[0][0]))
    assert one.settle() == [], "it is asked about as a gap"


@pytest.mark.parametrize("backward", [False, True])
def test_a_narrower_stretch_is_taken_for_empty_and_asked_about_before_the_scan_ends(backward: bool) -> None:
    """Together with the row behind it."""
    rows = hourly(24 * DAYS - 11 if backward else 1)
    one = Stretch(ModelService(rows), backward=backward)
    assert one.unproven is None
    assert one.stretches.unsettled
    (ask,) = one.settle()
    row = rows[-1][0] if backward else rows[0][0]
    assert (ask.from_ms, ask.to_ms) == ((row, START + DAYS * DAY) if backward else (START, row + 1000))
    assert one.desk.error is None


class Clipped(ModelService):
    """A service that leaves the first half an hour out of wide windows."""

    def answer(self, ask: PageRequest) -> ModelPage:
        first = START + HOUR // 2 if ask.until - ask.first > DAY else ask.first
        return super().answer(attrs.evolve(ask, first=max(first, ask.first)))


def test_rows_of_such_a_stretch_that_were_there_all_the_time_are_an_error_that_says_what_mends_it() -> None:
    one = Stretch(Clipped([(START + 60_000, "0-hidden"), *hourly(1)]))
    one.settle()
    assert isinstance(one.desk.error, CompletenessError)
    with pytest.raises(CompletenessError, match=rf"{START}–.*'0-hidden'.*shorter ranges"):
        raise one.desk.error


def test_a_row_of_such_a_stretch_that_has_come_meanwhile_is_no_error() -> None:
    def come(service: ModelService, _: PageRequest) -> None:
        if len(service.asked) == 2:
            service.rows = [(START + 60_000, "0-new"), *hourly(1)]

    one = Stretch(ModelService(hourly(1), before_answer=come))
    asked = one.settle()
    assert len(asked) == 2, "the window that had not shown it is asked for once more"
    assert one.desk.error is None


def test_where_the_row_behind_a_stretch_has_gone_as_well_nothing_is_concluded() -> None:
    def go(service: ModelService, _: PageRequest) -> None:
        if len(service.asked) == 2:
            service.rows = []

    one = Stretch(ModelService(hourly(1), before_answer=go))
    one.settle()
    assert one.desk.error is None


def test_a_small_question_to_a_service_that_the_session_knows_costs_no_second_look() -> None:
    """If the service was seen to look as far; otherwise it does."""
    rows = hourly(24 * 80, 3)
    known, unknown = ServiceFacts(0), ServiceFacts(0)
    known.looked_back = DAYS * DAY
    one = Stretch(ModelService(rows), facts=known)
    assert (one.unproven, one.settle()) == (None, [])
    assert Stretch(ModelService(rows), facts=unknown).unproven == (START, rows[0][0])


def test_a_scan_that_is_not_to_confirm_its_ends_asks_about_no_stretch() -> None:
    one = Stretch(ModelService(hourly(24 * 50)), confirm=False)
    assert (one.unproven, one.settle()) == (None, [])


class Last(ModelService):
    """A service that answers about the last 60 days of a longer range, and whose filters leave a few rows."""

    def answer(self, ask: PageRequest) -> ModelPage:
        rows = self.rows
        low = max(ask.from_ms, ask.to_ms - 60 * DAY)
        self.rows = [row for row in rows if row[0] >= low and (ask.bare or row[1].startswith("1"))]
        try:
            return super().answer(ask)
        finally:
            self.rows = rows


@pytest.mark.parametrize("cuts", [True, False])
def test_where_filters_leave_few_rows_those_of_everybody_show_whether_the_range_was_too_long(
    cuts: bool,
) -> None:
    everybody = [(START + day * DAY, f"2-{day}") for day in range(0 if cuts else 41, DAYS)]
    one = Stretch(Last([*hourly(24 * 41, 2), *everybody]), filtered=True)
    asked = one.settle()
    assert any(ask.bare for ask in asked)
    if not cuts:
        assert one.desk.error is None
        return
    assert isinstance(one.desk.error, CompletenessError)
    assert "shorter ranges" in str(one.desk.error)
