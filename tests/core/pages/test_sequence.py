"""One window by page numbers: whatever the order of the answers, pages come in the order of their rows."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.sequence import PageSequence, PlacedPage
from aioflows._core.pages.service_facts import ServiceFacts
from tests.support.model import START, ModelPage, ModelService, rows_at

SECOND = PageRequest(START, START + 1000, Direction(descending=False), 20)


def facts(first_page: int) -> ServiceFacts:
    """A session that has found out which page is the first, but not what page numbers count from."""
    known = ServiceFacts()
    known.first_page = first_page
    return known


def asks(pages: PageSequence, most: int = 1_000) -> list[PageRequest]:
    """The requests that may be started now."""
    named: list[PageRequest] = []
    while len(named) < most and (ask := pages.ask()) is not None:
        named.append(ask)
    return named


@given(
    count=st.integers(1, 150),
    base=st.sampled_from([0, 1]),
    page_zero=st.sampled_from(["first", "empty"]),
    slots=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_whatever_the_order_of_the_answers_and_wherever_numbers_begin_pages_hold_the_rows_they_are_placed_at(
    count: int, base: int, page_zero: str, slots: int, seed: int
) -> None:
    """No row is left between two pages either."""
    rng = random.Random(seed)
    service = ModelService(rows_at(START, count), base=base, page_zero=page_zero)
    pages = PageSequence(SECOND, facts(0) if page_zero == "first" or not base else ServiceFacts(1))
    under_way: list[PageRequest] = []
    known: list[str] = []
    names = [name for _, name in service.rows]
    placed: PlacedPage | None = None
    while placed is None or len(placed.page.ids) == placed.size:
        under_way += asks(pages, slots - len(under_way))
        assert under_way, "it waits for an answer that nobody asked for"
        assert len(service.asked) < 500, "it does not come to an end"
        ask = under_way.pop(rng.randrange(len(under_way)))
        pages.received(ask, service.answer(ask))
        while (one := pages.next()) is not None:
            placed = one
            assert placed.offset <= len(known), "rows are left out between two pages"
            assert list(placed.page.ids) == names[placed.offset : placed.offset + placed.size]
            known = names[: max(len(known), placed.offset + len(placed.page.ids))]
            if len(placed.page.ids) < placed.size:
                break
    assert known == names


def test_pages_are_asked_for_one_at_a_time_until_it_is_known_what_their_numbers_count_from() -> None:
    service = ModelService(rows_at(START, 200))
    pages = PageSequence(SECOND, facts(0))
    for _ in range(2):
        (ask,) = asks(pages)
        pages.received(ask, service.answer(ask))
        assert pages.next() is not None
    assert len(asks(pages, 8)) == 8, "the second page has shown it"


def test_a_second_page_that_is_the_first_one_again_is_asked_for_under_the_number_that_it_really_has() -> None:
    service = ModelService(rows_at(START, 200), base=1)
    known = facts(0)
    pages = PageSequence(SECOND, known)
    for _ in range(2):
        (ask,) = asks(pages)
        pages.received(ask, service.answer(ask))
        again = pages.next()
    assert again is None
    assert known.base == 1
    ask = asks(pages, 1)[0]
    assert ask.page_no == 2
    pages.received(ask, service.answer(ask))
    placed = pages.next()
    assert placed is not None
    assert list(placed.page.ids)[:2] == [name for _, name in service.rows][placed.offset : placed.offset + 2]


def test_a_page_under_way_when_another_window_shows_what_numbers_count_from_is_asked_for_anew() -> None:
    """Its number means another page than the one it was asked for."""
    service = ModelService(rows_at(START, 200), base=1)
    known = facts(0)
    pages = PageSequence(SECOND, known)
    (first,) = asks(pages)
    pages.received(first, service.answer(first))
    assert pages.next() is not None
    (second,) = asks(pages)
    known.base = 1
    pages.received(second, service.answer(second))
    assert pages.next() is None, "the first page is taken for the second"
    assert asks(pages, 1)[0].page_no == second.page_no + 1


def test_a_page_that_is_asked_for_once_more_holds_up_those_behind_it() -> None:
    service = ModelService(rows_at(START, 200))
    pages = PageSequence(SECOND, ServiceFacts(0))
    first, second = asks(pages, 2)
    pages.received(first, service.answer(first))
    assert pages.next() is not None
    pages.received(second, service.answer(second))
    pages.once_more()
    assert pages.next() is None
    (again,) = asks(pages, 1)
    assert (again.page_no, again.page_size) == (first.page_no, first.page_size)
    pages.received(again, service.answer(again))
    offsets = [placed.offset for placed in (pages.next(), pages.next()) if placed is not None]
    assert offsets == [0, second.page_no * second.page_size]


def test_rows_that_wait_for_an_earlier_page_and_requests_without_an_answer_are_counted() -> None:
    pages = PageSequence(SECOND, ServiceFacts(0))
    first, second, third = asks(pages, 3)
    assert pages.asked == (third.page_no + 1) * third.page_size
    pages.received(second, ModelPage(["a", "b"], ["2024-01-01 00:00:00"] * 2))
    assert (pages.under_way, pages.held) == (2, 2)
    assert pages.next() is None
    pages.received(first, ModelPage(["c"], ["2024-01-01 00:00:00"]))
    while pages.next() is not None:
        pass
    assert (pages.under_way, pages.held) == (1, 0)
