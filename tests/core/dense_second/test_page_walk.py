"""Reading by page numbers, where nothing else is left."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_walk import Ending, PageWalk
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from tests.support.model import START, ModelPage, ModelService, rows_at

AXIS = Direction(descending=False)
SECOND = Instant(START, START + 1000, AXIS, START + 1000)


def sheet_of(instant: Instant, ask: PageRequest, page: ModelPage) -> InstantPage:
    reader = PageReader(ServiceFacts())
    reader.zone = Zone.parse("UTC")
    return InstantPage.of(instant, ask, page, reader)


def walk(
    service: ModelService,
    most: int,
    *,
    instant: Instant = SECOND,
    known: ServiceFacts | None = None,
    evidence: ScanEvidence | None = None,
    most_asks: int = 5_000,
) -> PageWalk:
    walk = PageWalk(instant, most, known or ServiceFacts(), evidence or ScanEvidence(ServiceFacts()))
    while walk.ending is None:
        asks = list(walk.wanted())
        assert asks, "it waits for an answer that nobody asked for"
        assert len(service.asked) < most_asks, "it does not come to an end"
        for ask in reversed(asks):
            walk.received(ask, sheet_of(instant, ask, service.answer(ask)))
    return walk


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(1, 300),
    most=st.integers(16, 60),
    base=st.sampled_from([0, 1]),
    descending=st.booleans(),
    backward=st.booleans(),
)
def test_still_ties_are_read_whole_up_to_a_row_of_another_second(
    count: int, most: int, base: int, descending: bool, backward: bool
) -> None:
    rows = rows_at(START, count)
    around = [(START - 5_000, "1-before"), (START + 5_000, "1-after")]
    axis = Direction(descending)
    first, until = axis.window(START, START + 1000)
    reach = first - 9_000 if backward else until + 9_000
    instant = Instant(first, until, axis, reach, backward=backward)
    done = walk(ModelService([*rows, *around], cap=most, base=base), most, instant=instant)
    assert (done.ending, done.clean) == (Ending.REACHED, True)
    assert set(done.rows) == {name for _, name in rows}


def test_a_short_page_is_no_end_where_the_service_was_never_seen_to_go_deeper() -> None:
    service = ModelService(rows_at(START, 440), cap=100)
    evidence = ScanEvidence(ServiceFacts())
    assert not walk(service, 100, evidence=evidence).clean
    assert evidence.deepest == 385


def test_a_short_page_is_the_end_where_the_service_goes_deeper() -> None:
    evidence = ScanEvidence(ServiceFacts())
    evidence.deepest = 441
    done = walk(ModelService(rows_at(START, 440), cap=100), 100, evidence=evidence)
    assert (done.clean, done.depth) == (True, 440)


def test_page_numbers_that_end_before_a_row_that_follows_are_noticed() -> None:
    rows = [*rows_at(START, 400), (START + 5_000, "1-after")]
    instant = Instant(START, START + 1000, AXIS, START + 6_000)
    done = walk(ModelService(rows, cap=50, deepest=150), 50, instant=instant)
    assert not done.clean


def test_still_ties_need_one_pass() -> None:
    service = ModelService(rows_at(START, 440), cap=100)
    walk(service, 100)
    assert len(service.asked) == 7  # five pages, and the row and the page that would follow the last of them


def test_pages_that_an_instant_like_the_last_one_surely_takes_are_asked_for_at_once() -> None:
    known = ServiceFacts(0)
    known.instant = 900
    assert len(list(PageWalk(SECOND, 100, known, ScanEvidence(known)).wanted())) == 5


def test_a_second_page_that_repeats_the_first_shows_that_numbers_start_at_1() -> None:
    known = ServiceFacts()
    walk(ModelService(rows_at(START, 440), cap=100, base=1), 100, known=known)
    assert known.base == 1


@settings(max_examples=200, deadline=None)
@given(
    count=st.integers(2, 60), cap=st.integers(2, 60), most=st.integers(16, 60), base=st.sampled_from([0, 1])
)
def test_a_first_page_that_was_cut_short_is_no_end_wherever_numbers_start(
    count: int, cap: int, most: int, base: int
) -> None:
    """A page of fewer rows than are known to fit is believed only if the row behind it is missing, from 0 and from 1."""
    evidence = ScanEvidence(ServiceFacts())
    evidence.deepest = 1_000
    done = walk(Capped(rows_at(START, count), cap=min(cap, most), base=base), most, evidence=evidence)
    assert not done.clean or len(done.rows) == count


class Capped(ModelService):
    """A service that leaves rows at the end of a page out, so that they are on the next page neither."""

    def answer(self, ask: PageRequest) -> ModelPage:
        page = ModelService(self.rows, base=self.base).answer(ask)
        self.asked.append(ask)
        return ModelPage(page.ids[: self.cap], page.times[: self.cap])


def test_a_row_that_goes_before_the_join_unsettles_the_walk() -> None:
    def drop_one(service: ModelService, _: PageRequest) -> None:
        if len(service.asked) == 3:
            service.rows = service.rows[1:]

    done = walk(ModelService(rows_at(START, 300), cap=50, before_answer=drop_one), 50)
    assert done.ending is Ending.UNJOINED


@pytest.mark.parametrize("seed", range(20))
def test_ties_in_another_order_in_every_answer_never_look_settled(seed: int) -> None:
    done = walk(ModelService(rows_at(START, 300), cap=50, unstable=True, seed=seed), 50)
    assert done.ending is Ending.UNJOINED


def test_pages_so_small_that_they_may_fit_by_chance_settle_nothing() -> None:
    done = walk(ModelService(rows_at(START, 30), cap=5), 5)
    assert done.ending is Ending.UNJOINED


def test_a_page_that_holds_nothing_where_a_row_was_seen_is_no_end() -> None:
    class Shallow(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            page = super().answer(ask)
            return page if ask.page_no * ask.page_size < 150 else ModelPage([], [])

    assert walk(Shallow(rows_at(START, 400), cap=50), 50).ending is Ending.EMPTY_PAGE


def test_a_service_that_ignores_the_page_number_is_noticed() -> None:
    class Numberless(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            self.asked.append(ask)
            return ModelPage(
                [f"1-{at:03d}" for at in range(ask.page_size)], ["2024-01-01 00:00:00"] * ask.page_size
            )

    assert walk(Numberless([]), 50).ending is Ending.UNJOINED
