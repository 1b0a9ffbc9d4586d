"""Whether page numbers reach deeper than the last row of some pages."""

from __future__ import annotations

import pytest

from aioflows._core.dense_second.depth_check import DepthCheck
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from tests.core.dense_second.test_page_walk import SECOND
from tests.support.model import START, ModelService, rows_at

DAY = 86_400_000


class Checked:
    """A check of the second at START in a scan of two days, with what it takes and what it finds."""

    def __init__(self, base: int | None = 0) -> None:
        self.service = ServiceFacts(base)
        self.evidence = ScanEvidence(self.service)
        self.check = DepthCheck(SECOND, self.service, self.evidence, (START - DAY, START + DAY))

    def answered(self, service: ModelService, depth: int) -> bool | None:
        (ask,) = self.check.wanted(depth)
        return self.check.received(service.answer(ask))

    def run(self, service: ModelService, depth: int) -> bool:
        while not self.check.exhausted:
            assert len(service.asked) < 100, "it does not come to an end"
            if self.answered(service, depth):
                return True
        return False


def test_a_row_at_that_depth_in_a_wider_window_shows_that_numbers_reach_deeper() -> None:
    one = Checked()
    assert one.run(ModelService([*rows_at(START, 40), (START + 60_000, "9-later")]), 40)
    assert one.evidence.deepest == 41


@pytest.mark.parametrize("base", [0, None])
def test_windows_without_such_a_row_show_nothing_and_each_is_tried(base: int | None) -> None:
    one = Checked(base)
    service = ModelService(rows_at(START, 40))
    assert not one.run(service, 40)
    assert one.evidence.deepest == 0
    assert len({(ask.from_ms, ask.to_ms, ask.bare) for ask in service.asked}) == 6


def test_a_service_that_answers_high_numbers_with_the_first_or_the_last_page_shows_nothing() -> None:
    for instead in (0, 39):

        class Clamping(ModelService):
            def page(self, window: list[tuple[int, str]], *where: object) -> list[tuple[int, str]]:
                number = self.asked[-1].page_no
                return [window[number if number < 40 else instead]]  # noqa: B023  (called within the loop)

        assert not Checked().run(Clamping(rows_at(START, 80)), 40)


def test_while_page_0_may_be_page_1_both_must_differ() -> None:
    rows = [*rows_at(START, 40), (START + 60_000, "9-later")]
    assert not Checked(None).run(ModelService(rows, base=1), 41)
    assert Checked(None).run(ModelService(rows, base=0), 40)


def test_a_refused_page_is_no_row() -> None:
    one = Checked()
    (ask,) = one.check.wanted(40)
    assert one.check.received(None) is False
    (again,) = one.check.wanted(40)
    assert (again.from_ms, again.to_ms) != (ask.from_ms, ask.to_ms)


def test_an_empty_answer_is_not_trusted_once_the_service_has_returned_a_false_one() -> None:
    one = Checked()
    one.service.false_empty_seen = True
    service = ModelService([*rows_at(START, 40), (START + 60_000, "9-later")])
    (ask,) = one.check.wanted(40)
    assert one.check.received(ModelService([]).answer(ask)) is None
    (again,) = one.check.wanted(40)
    assert (again.from_ms, again.page_no) == (ask.from_ms, ask.page_no)
    assert one.check.received(service.answer(again)) is None
    assert one.run(service, 40)


def test_a_check_shows_the_depth_that_it_began_with_though_a_deeper_one_is_wanted_meanwhile() -> None:
    """Parts of an instant are read at the same time, and any of them may end deeper."""
    one = Checked()
    service = ModelService([*rows_at(START, 40), (START + 60_000, "9-later")])
    assert one.answered(service, 40) is None
    assert one.answered(service, 60) is None
    assert one.answered(service, 60) is True
    assert one.evidence.deepest == 41


def test_a_check_keeps_its_pages_though_the_number_of_the_first_page_is_found_meanwhile() -> None:
    one = Checked(None)
    service = ModelService([*rows_at(START, 40), (START + 60_000, "9-later")])
    asked: list[PageRequest] = []
    for _ in range(3):
        asked += one.check.wanted(40)
        assert one.check.received(service.answer(asked[-1])) is None
    one.service.base = 0
    (ask,) = one.check.wanted(40)
    assert one.check.received(service.answer(ask)) is True
