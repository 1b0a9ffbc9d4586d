"""What a first page proves: what lies before the second that it ends in, and never more, however few rows it has."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.keyset_state import KeysetOptions
from aioflows._core.scans.keyset_answers import KeysetAnswers
from aioflows.errors import CompletenessError
from tests.support.desk import Desk
from tests.support.model import START, ModelPage, ModelService, Row, in_order

HOUR = 3_600_000
DAY = 24 * HOUR


def rows_of(*seconds: float) -> list[Row]:
    return [(START + int(second * 1000), f"1-{second}") for second in seconds]


EVERY_TEN = rows_of(*range(0, 3_600, 10), 3_599)
"""A row every ten seconds of an hour, the last of them in its last second."""


class Proving:
    """A scan of one window, whose answers are given one by one."""

    def __init__(self, first: int = START, until: int = START + HOUR, *, descending: bool = False) -> None:
        self.first, self.until = first, until
        self.desk = Desk((first, until), descending=descending, options=KeysetOptions(page_size=10))
        self.prover = KeysetAnswers(self.desk.state).prover

    def take(
        self,
        rows: list[Row],
        first: int | None = None,
        until: int | None = None,
        *,
        size: int = 10,
        backward: bool = False,
    ) -> ModelPage:
        """Take the page of some rows; return it."""
        ask = self.desk.ask(
            self.first if first is None else first,
            self.until if until is None else until,
            size=size,
            backward=backward,
        )
        page = ModelService(rows).answer(ask)
        self.prover.answered(ask, page)
        return page


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("count", [2, 4, 10])
def test_a_page_proves_its_window_up_to_the_second_of_its_last_row_however_few_rows_it_has(
    count: int, backward: bool, descending: bool
) -> None:
    """A service may cap its pages by anything, so that a page that is not full proves no more than a full one."""
    late = backward != descending
    rows = EVERY_TEN[-count:] if late else EVERY_TEN[:count]
    one = Proving(descending=descending)
    page = one.take(rows, backward=backward)
    assert len(page.ids) == count
    edge = rows[0][0] // 1000 * 1000 + 1000 if late else rows[-1][0]
    assert one.desk.unproven == [(START, edge) if late else (edge, START + HOUR)]
    proven = rows[1:] if late else rows[:-1]
    assert one.desk.handed_out() == ([] if backward else in_order(proven, descending=descending))


@pytest.mark.parametrize("backward", [False, True])
def test_a_page_that_ends_in_the_second_that_its_window_begins_in_proves_nothing(backward: bool) -> None:
    """As where a query begins, or ends, within a second that fills a page."""
    one = Proving(START + 200, START + 800)
    one.take([(START + 500, f"1-{number}") for number in range(20)], backward=backward)
    assert one.desk.unproven == [(START + 200, START + 800)]
    assert one.desk.handed_out() == []
    assert one.desk.error is None


def test_one_millisecond_with_more_rows_than_a_page_is_not_proven_by_a_page() -> None:
    one = Proving(START + 500, START + 501)
    one.take([(START + 500, f"1-{number:02}") for number in range(20)])
    assert (one.desk.unproven, one.desk.error) == ([(START + 500, START + 501)], None)


def test_a_page_of_one_second_proves_nothing_of_what_lies_before_it_by_an_order_that_was_never_seen() -> None:
    """A service that ignores the sorter would answer the same."""
    crowd = [(START + 30_000, f"1-{number:02}") for number in range(10)]
    one = Proving()
    one.take(crowd)
    assert [window[0] for window in one.desk.unproven] == [START, START + 30_000]
    seen = Proving()
    seen.desk.facts.sorts.add(False)
    seen.take(crowd)
    assert seen.desk.unproven == [(START + 30_000, START + HOUR)]


def test_a_page_without_the_row_that_ended_the_one_before_it_proves_nothing_before_that_is_explained() -> (
    None
):
    one = Proving()
    one.take(EVERY_TEN[:4])
    one.take(EVERY_TEN[4:8], START + 30_000)
    assert one.desk.unproven == [(START + 30_000, START + HOUR)]
    assert one.prover.inconsistent
    ask = one.desk.follow_ups.next()
    assert ask is not None
    assert (ask.from_ms, ask.to_ms) == (START, START + HOUR), "it is looked for where it was"


def test_a_row_that_comes_again_with_the_next_page_is_handed_out_once() -> None:
    one = Proving()
    one.take(EVERY_TEN[:4])
    one.take(EVERY_TEN[3:8], START + 30_000)
    assert one.desk.handed_out() == in_order(EVERY_TEN[:7])
    assert one.desk.unproven == [(START + 70_000, START + HOUR)]


def test_where_two_pages_meet_from_both_ends_of_a_window_nothing_is_handed_out_twice_or_left_out() -> None:
    one = Proving()
    forward = one.desk.ask(START, START + HOUR)
    backward = one.desk.ask(START, START + HOUR, backward=True)
    rows = rows_of(0, 600, 1_200, 1_800, 2_400, 3_599)
    for ask in (forward, backward):
        one.prover.answered(ask, ModelService(rows).answer(ask))
    assert one.desk.handed_out() == in_order(rows)
    assert one.desk.unproven == []
    assert one.desk.frontier.duplicates == len(rows)


def test_a_stretch_before_the_first_row_that_is_wide_against_the_rest_of_the_page_stays_unproven() -> None:
    """A service that answers about the last days of a range only would leave out what lies there."""
    rows = rows_of(*range(90 * 86_400, 90 * 86_400 + 36_000, 3_600))
    one = Proving(START, START + 100 * DAY)
    one.take(rows)
    assert one.desk.unproven == [(START, rows[0][0]), (rows[-1][0], START + 100 * DAY)]
    assert one.desk.handed_out() == []


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01 00:00:10", "2024-01-01 00:00:05"],
        ["2024-01-01 00:00:10", "2024-01-01 01:00:00"],
    ],
    ids=["out of order", "outside the window"],
)
def test_a_page_that_cannot_be_relied_on_proves_nothing_and_ends_the_scan_there(times: list[str]) -> None:
    one = Proving()
    ask: PageRequest = one.desk.ask(START, START + HOUR)
    one.prover.answered(ask, ModelPage(["a", "b"], times))
    assert one.desk.unproven == [(START, START + HOUR)]
    assert isinstance(one.desk.error, CompletenessError)
