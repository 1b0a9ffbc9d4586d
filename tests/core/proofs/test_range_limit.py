"""Whether the service answers about all of a long range, as the rows of everybody show."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.proofs.range_limit import cut_to
from tests.support.desk import Desk
from tests.support.model import START, ModelPage, ModelService, Row

DAY = 86_400_000
DAYS = 40


def found(service: ModelService, *, days: float = DAYS, descending: bool = False) -> int | None:
    """Return what a range of so many days is found to be cut to."""
    one = Desk((START, START + int(days * DAY)), descending=descending)
    script = cut_to(one.ask(START, START + int(days * DAY)), one.reader)
    answer: Page | None = None
    try:
        while True:
            answer = service.answer(script.send(answer))
    except StopIteration as end:
        width: int | None = end.value
        return width


class LastDays(ModelService):
    """A service that answers about the last ten days of a longer range."""

    def answer(self, ask: PageRequest) -> ModelPage:
        low, high = ask.from_ms, ask.to_ms
        rows, self.rows = self.rows, [row for row in self.rows if max(low, high - 10 * DAY) <= row[0] < high]
        try:
            return super().answer(ask)
        finally:
            self.rows = rows


DAILY: list[Row] = [(START + day * DAY + 1000, f"1-{day:02}") for day in range(DAYS)]


@pytest.mark.parametrize("descending", [False, True])
def test_rows_that_only_a_narrower_window_brings_show_how_far_the_service_looks(descending: bool) -> None:
    width = found(LastDays(list(DAILY)), descending=descending)
    assert width is not None
    assert 9 * DAY <= width <= 10 * DAY


@pytest.mark.parametrize("descending", [False, True])
def test_rows_at_both_ends_of_a_range_show_in_two_requests_that_it_is_not_cut(descending: bool) -> None:
    service = ModelService(list(DAILY))
    assert found(service, descending=descending) is None
    assert len(service.asked) == 2


def test_the_rows_of_everybody_are_asked_for_one_at_a_time() -> None:
    service = LastDays(list(DAILY))
    found(service)
    assert all(ask.bare for ask in service.asked), "the query's filters hide what would show it"
    assert {ask.page_size for ask in service.asked} == {1}


def test_a_range_without_any_row_before_the_first_one_is_not_taken_to_be_cut() -> None:
    service = ModelService(DAILY[-10:])
    assert found(service) is None
    assert len(service.asked) == 3, "what lies before the first row is asked about alone"


def test_no_service_is_reckoned_with_that_cuts_ranges_to_less_than_a_day() -> None:
    service = ModelService(list(DAILY))
    assert found(service, days=1) is None
    assert service.asked == []
    hidden, last = START + (DAYS - 10) * DAY - 500, START + DAYS * DAY - 1
    assert found(LastDays([(hidden, "1-hidden"), (last, "1-last")])) == DAY


@pytest.mark.parametrize("what", ["a failure", "rows that cannot be read"])
def test_where_the_rows_of_everybody_tell_nothing_nothing_is_concluded(what: str) -> None:
    one = Desk((START, START + DAYS * DAY))
    script = cut_to(one.ask(START, START + DAYS * DAY), one.reader)
    next(script)
    answer = None if what == "a failure" else ModelPage(["a"], ["2001-01-01 00:00:00"])
    with pytest.raises(StopIteration) as end:
        script.send(answer)
    assert end.value.value is None


def test_a_range_in_which_nobody_has_a_row_is_told_from_one_that_is_cut() -> None:
    service = ModelService([])
    assert found(service) == 0
    assert len(service.asked) > 1, "narrower windows inside it are asked about as well"


@pytest.mark.parametrize(("days", "seen"), [(40, 7), (41.3, 7), (4_000, 1)])
def test_a_stretch_is_asked_about_by_windows_that_tile_it_and_are_no_wider_than_was_seen(
    days: float, seen: int
) -> None:
    """Unless they would be too many."""
    until = START + int(days * DAY)
    one = Desk((START, until))
    ask = one.ask(START, START + seen * DAY)
    rows = [(START, "1-a"), (START + seen * DAY - 1, "1-b")]
    one.read(ask, ModelService(rows).answer(ask))
    one.state.read_in_parts(START, until)
    parts = one.unproven
    assert (parts[0][0], parts[-1][1]) == (START, until)
    assert all(before[1] == after[0] for before, after in pairwise(parts))
    assert len(parts) <= 129
    if days < 100:
        assert max(end - first for first, end in parts) <= seen * DAY
    assert all(cut % 1000 == 0 for cut, _ in parts)
