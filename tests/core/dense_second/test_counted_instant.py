"""One instant that is read by page numbers and by texts in its ids."""

from __future__ import annotations

import pytest

from aioflows._core.dense_second.counted_instant import CountedInstant
from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows.errors import CompletenessError, ServiceError
from tests.core.dense_second.test_page_walk import AXIS
from tests.support.model import START, ModelPage, ModelService, rows_at

SIZE, DAY = 20, 86_400_000
ROWS = rows_at(START + 400, 45)
LATER, EARLIER = (START + 3_000, "9-later"), (START - 3_000, "0-earlier")
FORWARD = Instant(START, START + 1000, AXIS, START + 5_000)
BACKWARD = Instant(START, START + 1000, AXIS, START - 4_000, backward=True)


class Counting:
    """A reading that was run to its end."""

    def __init__(
        self, service: ModelService, *ways: Instant, dense_ms: int | None = None, splits: bool = False
    ) -> None:
        self.service = ServiceFacts(0)
        reader, evidence = PageReader(self.service), ScanEvidence(self.service)
        reader.zone = Zone.parse("UTC")
        evidence.note_size(SIZE, SIZE, weight=30 * SIZE)
        self.rows: dict[str, tuple[Page, int]] = {}
        span = START - DAY, START + DAY
        self.one = CountedInstant(ways, SIZE, self.service, evidence, span, reader, self.rows, splits=splits)
        assert self.one.done
        self.one.begin(dense_ms)
        while not self.one.done:
            asks = list(self.one.wanted())
            assert asks, "it waits for an answer that nobody asked for"
            assert len(service.asked) < 5_000, "it does not come to an end"
            for ask in asks:
                try:
                    answer = service.answer(ask)
                except ServiceError as error:
                    if not self.one.refused(ask):
                        raise self.one.too_deep(ask, error) from error
                else:
                    self.one.received(ask, answer)


NAMES = {name for _, name in ROWS}


def test_a_row_of_another_second_ends_the_reading_and_its_page_is_kept() -> None:
    one = Counting(ModelService([*ROWS, LATER], cap=SIZE), FORWARD, BACKWARD)
    assert set(one.rows) == NAMES
    assert one.one.overrun is not None
    assert one.one.overrun[0] == FORWARD


def test_where_pages_run_on_to_no_row_the_other_way_is_tried() -> None:
    one = Counting(ModelService([*ROWS, EARLIER], cap=SIZE), FORWARD, BACKWARD)
    assert set(one.rows) == NAMES
    assert one.one.instant == BACKWARD


@pytest.mark.parametrize(
    ("way", "window"), [(FORWARD, (START + 400, START + 1000)), (BACKWARD, (START, START + 401))]
)
def test_a_dense_millisecond_is_read_with_what_its_pages_run_on_to(
    way: Instant, window: tuple[int, int]
) -> None:
    one = Counting(ModelService([*ROWS, LATER, EARLIER], cap=SIZE), way, dense_ms=START + 400)
    assert set(one.rows) == NAMES
    assert (one.one.instant.first, one.one.instant.until) == window


def test_sorters_that_are_refused_are_given_up_for_the_session() -> None:
    class OneSorter(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            if ask.ties:
                raise ServiceError(1004, "one sorter")
            return super().answer(ask)

    one = Counting(OneSorter([*ROWS, LATER], cap=SIZE, unstable=True), FORWARD)
    assert set(one.rows) == NAMES
    assert not one.service.sorters_help


def test_an_end_that_no_deeper_row_confirms_is_told_with_what_to_do() -> None:
    with pytest.raises(CompletenessError, match=r"45 were seen, but .* no deeper row .* narrower query"):
        Counting(ModelService(list(ROWS), cap=SIZE), FORWARD)
