"""A row at the edge of a window that did not come again: gone, left out by a wrong answer, or misread."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.gaps import Anchor
from aioflows._core.proofs.missing_rows import MissingRows
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, CompletenessError, Denied, TimedOut
from tests.support.desk import Desk
from tests.support.model import START, ModelPage, ModelService, Row

HOUR = 3_600_000
EDGE = START + 30_000
ROWS: list[Row] = [(START + second * 1000, f"1-{second:04}") for second in (0, 10, 30, 900, 1_800)]


class Missed:
    """A scan that has read up to the row at 30 s, and then an answer that begins behind it."""

    def __init__(self, *, descending: bool = False, zone: Zone | None = None) -> None:
        self.desk = Desk((START, START + HOUR), descending=descending, zone=zone)
        self.held: list[tuple[PageRequest, Page]] = []
        """The answers that turned out to hold."""
        self.missing = MissingRows(self.desk.state, lambda ask, page: self.held.append((ask, page)))
        brought = self.desk.ask(START, START + HOUR, size=3)
        second = self.desk.axis.second(EDGE // 1000)
        self.gap = self.desk.gaps.split(self.desk.gap, second * 1000)
        self.gap.start.anchor = Anchor(second, frozenset({"1-0030"}), brought, 3)
        self.ask = self.desk.ask(*self.desk.axis.window(self.gap.first, self.gap.until), size=3)
        self.page = ModelPage(["1-0900"], ["2024-01-01 00:15:00"])

    def look(self, service: ModelService) -> list[PageRequest]:
        """Look for the row, and return the requests that this took."""
        assert self.gap.start.anchor is not None
        self.missing.search_for(self.gap.start.anchor, self.gap, self.ask, self.page)
        assert self.gap.on_hold, "it is asked for again before anything is found out"
        return self.desk.serve(service)


@pytest.mark.parametrize("descending", [False, True])
def test_a_row_that_is_no_longer_where_it_was_is_gone_and_the_answer_without_it_holds(
    descending: bool,
) -> None:
    one = Missed(descending=descending)
    asked = one.look(ModelService([row for row in ROWS if row[0] != EDGE]))
    assert one.held == [(one.ask, one.page)]
    assert (one.gap.on_hold, one.desk.error) == (False, None)
    assert [(ask.from_ms, ask.to_ms) for ask in asked] == [(START, START + HOUR)], "it was brought by that"


@pytest.mark.parametrize("descending", [False, True])
def test_an_answer_without_a_row_that_is_in_both_places_was_wrong_and_is_asked_for_again(
    descending: bool,
) -> None:
    one = Missed(descending=descending)
    asked = one.look(ModelService(list(ROWS)))
    assert one.held == []
    assert (one.gap.on_hold, one.desk.error) == (False, None)
    assert (asked[-1].from_ms, asked[-1].to_ms) == (EDGE, EDGE + 1000), "its very second"
    assert one.gap in one.desk.gaps


class Elsewhere(ModelService):
    """A service that shows a row where a wide window is asked for, and never in its second."""

    def answer(self, ask: PageRequest) -> ModelPage:
        page = super().answer(ask)
        return page if ask.until - ask.first > 1000 else ModelPage([], [])


@pytest.mark.parametrize(
    ("zone", "remedy"),
    [
        (Zone.parse("UTC"), r"server_timezone"),
        (Zone(Zone.parse("UTC").tzinfo, given=True), r"zone that this session was given"),
    ],
    ids=["named by the service", "given by the user"],
)
def test_a_row_that_is_where_it_was_and_never_where_it_should_be_is_misread(zone: Zone, remedy: str) -> None:
    """The error names its time and what mends it."""
    one = Missed(zone=zone)
    one.look(Elsewhere(list(ROWS)))
    assert one.held == []
    assert isinstance(one.desk.error, CompletenessError)
    with pytest.raises(CompletenessError, match=rf"{EDGE} ms.*{remedy}"):
        raise one.desk.error


@pytest.mark.parametrize("error", [Denied(62103, "no privilege"), TimedOut("late")])
@pytest.mark.parametrize("at", [0, 1])
def test_where_it_cannot_be_looked_for_the_scan_ends_with_that_error_at_its_gap(
    error: AioflowsError, at: int
) -> None:
    class Failing(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            if len(self.asked) == at:
                raise error
            return super().answer(ask)

    one = Missed()
    one.look(Failing(list(ROWS)))
    assert one.held == []
    assert one.gap.error is error


def test_a_service_that_leaves_out_what_it_has_shown_again_and_again_is_not_believed_at_all() -> None:
    one = Missed()
    for _ in range(50):
        one.look(ModelService(list(ROWS)))
        if one.desk.error is not None:
            break
    assert isinstance(one.desk.error, CompletenessError)
    assert f"{one.ask.from_ms}–{one.ask.to_ms} ms left out, again and again" in str(one.desk.error)
    assert one.held == []


@pytest.mark.parametrize("back", [True, False])
def test_a_row_that_goes_between_the_two_looks_is_looked_for_again_before_a_time_is_said_to_be_misread(
    back: bool,
) -> None:
    def go(service: ModelService, _: PageRequest) -> None:
        there = len(service.asked) < 2 or (back and len(service.asked) > 2)
        service.rows = [row for row in ROWS if there or row[0] != EDGE]

    one = Missed()
    one.look(ModelService(list(ROWS), before_answer=go))
    assert (one.gap.on_hold, one.desk.error) == (False, None)
    assert one.held == ([] if back else [(one.ask, one.page)])
