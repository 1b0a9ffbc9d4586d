"""Reading by page numbers, where nothing else is left."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.counting import Counting, overlapping
from aioflows._core.pages import Ask, Axis
from aioflows._core.service import Service
from tests.model import START, ModelPage, ModelService, rows_at


def count(service: ModelService, most: int, known: Service | None = None, most_asks: int = 5_000) -> Counting:
    counting = Counting(START, START + 1, Axis(descending=False), most, most, known or Service())
    while not (counting.done or counting.failed):
        asks = list(counting.wanted())
        assert asks, "it waits for an answer that nobody asked for"
        assert len(service.asked) < most_asks, "it does not come to an end"
        for ask in reversed(asks):
            counting.received(ask, service.answer(ask))
    return counting


@given(st.integers(12, 300))
def test_each_page_starts_inside_the_one_before_it(most: int) -> None:
    end = 0
    for number, size in islice(overlapping(most), 200):
        assert 1 <= size <= most
        assert number * size < end or end == 0
        assert (number + 1) * size > end
        end = (number + 1) * size


@pytest.mark.parametrize("most", [37, 100, 500])
def test_overlaps_cost_little(most: int) -> None:
    pages = list(islice(overlapping(most), 50))
    assert (pages[-1][0] + 1) * pages[-1][1] > 0.7 * 50 * most


@settings(max_examples=200, deadline=None)
@given(
    count_of=st.integers(1, 300),
    most=st.integers(4, 60),
    base=st.sampled_from([0, 1]),
    unstable=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_row_is_counted_once_whatever_the_ties_and_the_first_page_number(
    count_of: int, most: int, base: int, unstable: bool, seed: int
) -> None:
    rows = rows_at(START, count_of)
    counting = count(ModelService(rows, cap=most, base=base, unstable=unstable, seed=seed), most)
    assert set(counting.rows) == {name for _, name in rows}


def test_still_ties_need_one_pass() -> None:
    service = ModelService(rows_at(START, 440), cap=100)
    count(service, 100)
    assert len(service.asked) == 5


def test_a_second_page_that_repeats_the_first_shows_that_numbers_start_at_1() -> None:
    known = Service()
    count(ModelService(rows_at(START, 440), cap=100, base=1), 100, known)
    assert known.base == 1


def test_a_row_that_goes_while_it_is_counted_takes_no_other_with_it() -> None:
    rows = rows_at(START, 300)

    def drop_one(service: ModelService, _: Ask) -> None:
        if len(service.asked) == 3:
            service.rows = service.rows[1:]

    counting = count(ModelService(list(rows), cap=50, before_answer=drop_one), 50)
    assert set(counting.rows) >= {name for _, name in sorted(rows)[1:]}


def test_page_numbers_that_do_not_reach_the_end_are_noticed() -> None:
    class Shallow(ModelService):
        def answer(self, ask: Ask) -> ModelPage:
            page = super().answer(ask)
            return page if ask.page_no * ask.page_size < 150 else ModelPage([], [])

    assert count(Shallow(rows_at(START, 400), cap=50), 50).failed


def test_a_service_that_ignores_the_page_number_is_noticed() -> None:
    class Numberless(ModelService):
        def answer(self, ask: Ask) -> ModelPage:
            self.asked.append(ask)
            return ModelPage(
                [f"1-{at:03d}" for at in range(ask.page_size)], ["2024-01-01 00:00:00"] * ask.page_size
            )

    assert count(Numberless([]), 50).failed


def test_of_an_instant_no_more_is_foretold_than_those_before_it_held() -> None:
    known = Service()
    for rows in (500, 120, 500, 500):
        known.counted(rows)
        assert known.instant <= rows
    assert 120 < known.instant < 500


def test_after_a_small_instant_no_page_is_asked_for_beyond_its_end() -> None:
    known = Service()
    for rows, asks in ((440, 5), (150, 2), (440, 5)):
        service = ModelService(rows_at(START, rows), cap=100)
        count(service, 100, known)
        assert len(service.asked) <= asks + 3 * (rows == 150)
