"""A page that may be all there is, and has no row in another second that could show it."""

from __future__ import annotations

import pytest

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.proofs.short_page import ShortPageCheck
from aioflows._core.scans.keyset import KeysetScan
from aioflows.errors import Denied, ServiceError
from tests.support.desk import Desk
from tests.support.model import START, ModelPage, ModelService, Row, in_order, read, rows_at

HOUR = 3_600_000
DAY = 24 * HOUR


class Judged:
    """The first page of an hour, and what was found out about it.

    Args:
        service: what answers.
        seen: the rows that another page of the scan has had.
        size: the rows that are asked for.
        facts: what the session knows of the service.
    """

    def __init__(
        self, service: ModelService, *, seen: int = 0, size: int = 20, facts: ServiceFacts | None = None
    ) -> None:
        self.desk = Desk((START, START + HOUR), facts=facts)
        self.service = service
        if seen:
            self.desk.evidence.note_size(size, seen, "another", weight=1_000 * seen)
        self.whole: list[bool] = []
        self.pages = ShortPageCheck(
            self.desk.state, lambda ask, page, reading, whole: self.whole.append(whole)
        )
        self.ask = self.desk.ask(START, START + HOUR, size=size, page_no=self.desk.facts.first_page or 0)
        self.page = service.answer(self.ask)
        self.reading = self.desk.read(self.ask, self.page)
        self.desk.frontier.finish(self.ask)

    def look(self) -> list[PageRequest]:
        """Look for what may follow, and return the requests that this took."""
        assert self.pages.may_be_all(self.ask, self.reading, self.desk.gap)
        self.pages.look_further(self.ask, self.page, self.reading)
        assert self.desk.gap.on_hold, "it is asked for again meanwhile"
        asked = self.desk.serve(self.service)
        assert not self.desk.gap.on_hold
        return asked


@pytest.mark.parametrize("sorts", [False, True])
def test_a_single_row_is_all_there_is_if_the_other_end_of_its_window_brings_it_too(sorts: bool) -> None:
    """Where the service was seen to sort, the window begins at the row, and shows the zone as well."""
    facts = ServiceFacts()
    facts.sorts |= {False} if sorts else set()
    one = Judged(ModelService([(START + 5_000, "1-a")]), seen=2, facts=facts)
    (ask,) = one.look()
    first = START + 5_000 if sorts else one.ask.first
    assert (ask.first, ask.until, ask.backward) == (first, one.ask.until, True)
    assert one.whole == [True]


def test_a_single_row_as_wide_as_all_rows_of_any_page_is_looked_for_by_its_number() -> None:
    """It may fill an answer by its bytes, and both ends may bring the same row of several."""
    service = ModelService([(START + 5_000, "1-a")])
    one = Judged(service, seen=2)
    one.page.body = bytes(2_000)
    (ask,) = one.look()[:1]
    assert (ask.backward, ask.page_no) == (False, 1)


def test_a_single_row_is_not_all_there_is_if_the_other_end_of_the_window_brings_another() -> None:
    one = Judged(ModelService([(START + 5_000, "1-a"), (START + 9_000, "1-b")], cap=1), seen=2)
    one.look()
    assert one.whole == [False]


def counting_from(base: int, page_zero: str) -> ServiceFacts:
    """A session that has found out which page is the first, and what numbers count from only if page 0 is none."""
    facts = ServiceFacts()
    facts.first_page = 1 if base and page_zero == "empty" else 0
    facts.base = 1 if facts.first_page else None
    return facts


NUMBERS = [(0, "first"), (1, "first"), (1, "empty")]
"""What page numbers count from, and what page 0 is answered with."""


@pytest.mark.parametrize("count", [2, 3, 9, 10, 15])
@pytest.mark.parametrize(("base", "page_zero"), NUMBERS)
def test_several_rows_are_all_there_is_if_nothing_follows_the_last_of_them_by_its_number(
    count: int, base: int, page_zero: str
) -> None:
    """Whatever numbers count from, and whether page 0 is another name for page 1 or not."""
    service = ModelService(rows_at(START + 5_000, count), base=base, page_zero=page_zero)
    one = Judged(service, facts=counting_from(base, page_zero))
    one.look()
    assert one.whole == [True]


@pytest.mark.parametrize("cap", [2, 3, 9, 10])
@pytest.mark.parametrize("more", [1, 5, 20])
@pytest.mark.parametrize(("base", "page_zero"), NUMBERS)
def test_several_rows_are_not_all_there_is_if_more_follow_by_their_number(
    cap: int, more: int, base: int, page_zero: str
) -> None:
    service = ModelService(rows_at(START + 5_000, cap + more), cap=cap, base=base, page_zero=page_zero)
    one = Judged(service, facts=counting_from(base, page_zero))
    one.look()
    assert one.whole == [False]


@pytest.mark.parametrize("later", [START + 5_001, START + 5_999, START + 20_000])
def test_where_page_numbers_end_before_the_rows_do_what_lies_behind_the_first_millisecond_shows_it(
    later: int,
) -> None:
    """Of as many rows as a service may cap its pages at."""
    rows = [*rows_at(START + 5_000, 10), (later, "2-a")]
    one = Judged(ModelService(rows, cap=10, deepest=10))
    one.look()
    assert one.whole == [False]


def test_a_number_beyond_the_last_page_may_be_refused() -> None:
    class Refusing(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            if ask.page_no:
                raise ServiceError(1004, "parameter is not legal")
            return super().answer(ask)

    one = Judged(Refusing(rows_at(START + 5_000, 2)))
    one.look()
    assert one.whole == [True]
    assert one.desk.error is None


def test_an_error_that_says_nothing_of_page_numbers_ends_the_scan_there_and_proves_nothing() -> None:
    class Denying(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            if self.asked:
                raise Denied(62103, "no privilege")
            return super().answer(ask)

    one = Judged(Denying(rows_at(START + 5_000, 4)))
    one.look()
    assert one.whole == []
    assert isinstance(one.desk.error, Denied)


def test_a_page_is_not_looked_at_further_where_something_else_witnesses_its_end() -> None:
    """A row of another second, one that is known before it, a page that is full: the last is not the end at all."""
    two = Judged(ModelService([*rows_at(START + 5_000, 3), (START + 6_000, "2-a")]))
    full = Judged(ModelService(rows_at(START + 5_000, 30)))
    known = Judged(ModelService(rows_at(START + 5_000, 3)))
    known.desk.gap.start.known = START // 1000 - 1
    for one in (two, full, known):
        assert not one.pages.may_be_all(one.ask, one.reading, one.desk.gap)


@pytest.mark.parametrize(("descending", "ordered"), [(False, True), (True, True), (False, False)])
def test_one_row_from_both_ends_is_not_all_there_is_where_no_page_had_two(
    *, descending: bool, ordered: bool
) -> None:
    """Where pages hold one row, and ties stand in one order whichever way is sorted, both ends show the same one."""

    class OneByOne(ModelService):
        def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
            sign = -1 if descending else 1
            return sorted(window, key=lambda row: (sign * (row[0] // 1000), row[1]))[start : start + 1]

    one, three = (START + 2 * DAY, START + 5_000) if descending else (START + 5_000, START + 2 * DAY)
    rows = [(one, "1-000001"), *((three, f"5-{number:06}") for number in range(3))]
    scan = KeysetScan(
        [(START, START + DAY), (START + 2 * DAY, START + 3 * DAY)],
        service=ServiceFacts(),
        descending=descending,
        ordered=ordered,
        page_size=100,
    )
    names = read(scan, OneByOne(rows, cap=1))
    expected = in_order(rows, descending=descending)
    assert names == expected if ordered else sorted(names) == sorted(expected)
