"""Passes over the pages of an instant, until nothing can have been overlooked in all of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aioflows._core.dense_second.repeated_passes import RepeatedPasses
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from tests.core.dense_second.test_page_walk import SECOND, sheet_of
from tests.support.model import START, ModelPage, ModelService, rows_at


def rounds(
    service: ModelService,
    most: int,
    known: ServiceFacts | None = None,
    *,
    varied: bool = False,
    rows: Mapping[str, tuple[Page, int]] | None = None,
) -> RepeatedPasses:
    facts = known or ServiceFacts(0)
    rounds = RepeatedPasses(SECOND, most, facts, ScanEvidence(facts), varied=varied, rows=rows)
    while not (rounds.done or rounds.failed):
        asks = list(rounds.wanted())
        assert asks, "it waits for an answer that nobody asked for"
        assert len(service.asked) < 20_000, "it does not come to an end"
        for ask in reversed(asks):
            rounds.received(ask, sheet_of(SECOND, ask, service.answer(ask)))
    return rounds


@example(count=84, most=7, base=1, unstable=True, seed=0)
@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(61, 200),
    most=st.integers(7, 60),
    base=st.sampled_from([0, 1]),
    unstable=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_every_row_is_seen_whatever_the_ties_and_wherever_numbers_begin(
    count: int, most: int, base: int, unstable: bool, seed: int
) -> None:
    rows = rows_at(START, count)
    known = ServiceFacts()
    known.first_page = 0  # which page is the second is not known
    service = ModelService(rows, cap=most, base=base, unstable=unstable, seed=seed)
    done = rounds(service, most, known=known)
    assert done.done
    assert set(done.rows) == {name for _, name in rows}


def test_still_ties_need_few_passes() -> None:
    service = ModelService(rows_at(START, 440), cap=100)
    assert rounds(service, 100).passes == 4


def test_a_pass_with_an_empty_page_before_its_last_one_is_repeated_and_overlooks_no_row() -> None:
    """That answer was false. It says nothing about the order of ties, so a single pass more is enough."""
    rows, third = rows_at(START, 440), 0

    def hide(service: ModelService, ask: PageRequest) -> None:
        nonlocal third
        third += ask.page_no == 3
        service.rows = [] if ask.page_no == 3 and third == 2 else rows

    done = rounds(ModelService(list(rows), cap=100, before_answer=hide), 100)
    assert third > 2
    assert (done.done, done.passes, len(done.rows)) == (True, 5, 440)


def in_fixed_orders(orders: int) -> Callable[[int], ModelService]:
    """A service of several replicas: each has its own order of ties, and any of them answers."""

    class Replicas(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            self.asked.append(ask)
            order = list(self.rows)
            random.Random(self.rng.randrange(orders)).shuffle(order)
            size = min(ask.page_size, self.cap)
            page = order[ask.page_no * size : ask.page_no * size + size]
            return ModelPage([name for _, name in page], [self.text(ms) for ms, _ in page])

    return lambda seed: Replicas(rows_at(START, 200), cap=37, seed=seed)


@pytest.mark.parametrize("orders", [2, 3])
@pytest.mark.parametrize("seed", range(30))
def test_ties_that_change_between_a_few_fixed_orders_hide_no_row(orders: int, seed: int) -> None:
    service = in_fixed_orders(orders)(seed)
    assert len(rounds(service, 37).rows) == 200


@pytest.mark.parametrize("unstable", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_rows_that_come_and_go_with_every_answer_hide_no_lasting_row(seed: int, unstable: bool) -> None:
    rng = random.Random(seed)
    lasting = rows_at(START, 150)
    passing = [(START, f"2-{number:05d}") for number in range(60)]
    there = set(passing[::2])

    def change(service: ModelService, _: PageRequest) -> None:
        there.symmetric_difference_update(rng.sample(passing, 2))
        service.rows = sorted([*lasting, *there])

    service = ModelService(list(lasting), cap=30, unstable=unstable, seed=seed, before_answer=change)
    done = rounds(service, 30)
    assert done.done
    assert set(done.rows) >= {name for _, name in lasting}


def test_an_instant_that_grows_past_its_last_page_is_followed() -> None:
    def grow(service: ModelService, ask: PageRequest) -> None:
        service.rows.append((START, f"9-{len(service.asked):06d}"))

    done = rounds(ModelService(rows_at(START, 100), cap=20, before_answer=grow), 20)
    assert done.done
    assert {name for _, name in rows_at(START, 100)} <= set(done.rows)


class BoundedHeap(ModelService):
    """A database that keeps a heap of the first rows of a page: ties of six come in an order of their own for each heap."""

    def answer(self, ask: PageRequest) -> ModelPage:
        self.asked.append(ask)
        size = min(ask.page_size, self.cap)
        first = ask.page_no * size
        order = random.Random(first + size)
        rows = sorted(enumerate(self.rows), key=lambda one: (one[0] // 6, order.random()))
        page = [row for _, row in rows[first : first + size]]
        return ModelPage([name for _, name in page], [self.text(ms) for ms, _ in page])


@pytest.mark.parametrize("count", [391, 397, 409])
def test_ties_that_depend_on_the_page_hide_no_row_from_passes_of_different_pages(count: int) -> None:
    same = rounds(BoundedHeap(rows_at(START, count), cap=20), 20)
    assert same.failed
    assert len(same.rows) < count
    varied = rounds(BoundedHeap(rows_at(START, count), cap=20), 20, varied=True)
    assert varied.done
    assert len(varied.rows) == count


@pytest.mark.parametrize("count", [100, 397, 440])
def test_passes_of_different_pages_end_where_ties_are_still_or_numbers_begin_with_one(count: int) -> None:
    assert len(rounds(ModelService(rows_at(START, count), cap=20), 20, varied=True).rows) == count
    known = ServiceFacts()
    known.first_page = 0
    service = ModelService(rows_at(START, count), cap=20, base=1, unstable=True)
    assert len(rounds(service, 20, known=known, varied=True).rows) == count


def test_rows_that_fill_their_pages_exactly_come_to_an_end() -> None:
    assert len(rounds(ModelService(rows_at(START, 100), cap=20), 20).rows) == 100


def test_an_end_that_may_be_that_of_page_numbers_is_not_believed() -> None:
    done = rounds(ModelService(rows_at(START, 400), cap=50, deepest=150), 50)
    assert not done.clean


def test_a_service_that_ignores_the_page_number_is_noticed() -> None:
    class Numberless(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            self.asked.append(ask)
            return ModelPage(
                [f"1-{at:03d}" for at in range(ask.page_size)], ["2024-01-01 00:00:00"] * ask.page_size
            )

    assert rounds(Numberless([]), 50).failed


class Displaced(ModelService):
    """A service on whose pages of one row some rows stand twice, instead of those that belong there."""

    instead: Mapping[int, int] = {}
    """For the place of a row, the place of the row that stands there instead."""
    hidden: frozenset[int] = frozenset()
    """The places of the rows that are left out of pages after these were cut."""

    def answer(self, ask: PageRequest) -> ModelPage:
        self.asked.append(ask)
        first = (ask.page_no - self.base) * ask.page_size
        places: Sequence[int] = range(first, min(first + ask.page_size, len(self.rows)))
        if ask.page_size == 1:
            places = [self.instead.get(place, place) for place in places]
        page = [self.rows[place] for place in places if place not in self.hidden]
        return ModelPage([name for _, name in page], [self.text(ms) for ms, _ in page])


def test_equal_pages_that_cannot_be_the_first_one_twice_count_twice() -> None:
    """Where numbers begin with 1, pages 1 and 2 are two pages. If they are equal, a row is missing."""
    service = Displaced(rows_at(START, 30), base=1)
    service.instead = {1: 0}
    done = rounds(service, 1, ServiceFacts(1))
    assert not done.done
    assert len(done.rows) < 30


def test_a_row_that_comes_twice_may_hide_another_one_where_pages_lack_rows() -> None:
    """Rows that nobody may see may stand twice as well. So as many rows as the pages showed may not be all."""
    rows = rows_at(START, 30)
    service = Displaced(rows)
    service.instead, service.hidden = {11: 10, 21: 5}, frozenset({5, 6, 7})
    facts = ServiceFacts(0)
    facts.false_empty_seen = True  # so pages of one row may be empty
    seen = {sorted(rows)[11][1]: (ModelPage([], []), 0)}
    done = rounds(service, 1, facts, rows=seen)
    assert not done.done
    assert len(done.rows) < 27
