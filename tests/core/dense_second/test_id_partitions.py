"""Reading one instant by what its ids contain."""

from __future__ import annotations

import pytest

from aioflows._core.dense_second.id_partitions import IdPartitions
from aioflows._core.dense_second.id_shape import IdShape
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import NOTHING, Page
from aioflows._core.pages.service_facts import ServiceFacts
from tests.core.dense_second.test_page_walk import SECOND, sheet_of
from tests.support.model import START, ModelService, Row

STAMP = "20240101000000"


def flows(count: int) -> list[Row]:
    return [(START, f"{number * 7 + 3}-{STAMP}") for number in range(count)]


def split(
    service: ModelService, *, seen: int, known: ServiceFacts | None = None, count: int | None = None
) -> IdPartitions:
    rows: dict[str, tuple[Page, int]] = {name: (NOTHING, 0) for _, name in service.rows[:seen]}
    shape = IdShape.of(rows)
    assert shape is not None
    known = known or ServiceFacts(0)
    known.saw(service.cap, service.cap, 0)
    evidence = ScanEvidence(known)
    evidence.note_size(service.cap, service.cap, weight=30 * service.cap)
    evidence.deepest = min(service.deepest, 10_000)
    split = IdPartitions(SECOND, service.cap, known, evidence, rows, shape, count)
    while not (split.done or split.failed):
        asks = list(split.wanted())
        if not asks and split.depth is not None:
            split.deepened(reached=False)  # as where no row lies that deep in any window
            continue
        assert asks, "it waits for an answer that nobody asked for"
        assert len(service.asked) < 5_000, "it does not come to an end"
        for ask in reversed(asks):
            split.received(ask, sheet_of(SECOND, ask, service.answer(ask)))
    return split


@pytest.mark.parametrize("unstable", [False, True])
def test_rows_that_page_numbers_do_not_reach_are_read_part_by_part(unstable: bool) -> None:
    service = ModelService(flows(600), cap=40, deepest=100, unstable=unstable)
    done = split(service, seen=100)
    assert set(done.rows) == {name for _, name in flows(600)}


def test_a_part_that_is_falsely_empty_is_looked_at_again() -> None:
    lied = False

    def lie(service: ModelService, _: object) -> None:
        nonlocal lied
        service.rows = [] if not lied and len(service.asked) == 4 else flows(200)
        lied = lied or not service.rows

    done = split(ModelService(flows(200), cap=40, before_answer=lie), seen=100)
    assert lied
    assert len(done.rows) == 200


@pytest.mark.parametrize("every", [2, 3, 4, 5])
def test_a_part_is_not_believed_empty_that_every_nth_answer_denies(every: int) -> None:
    for seen in (36, 100):

        def lie(service: ModelService, _: object) -> None:
            service.rows = [] if len(service.asked) % every == 0 else flows(200)

        done = split(ModelService(flows(200), cap=40, before_answer=lie), seen=seen)
        assert done.failed or len(done.rows) == 200


def test_a_service_that_does_not_heed_the_text_is_noticed_at_once() -> None:
    service = ModelService(flows(400), cap=40, heeds_expression=False)
    known = ServiceFacts(0)
    done = split(service, seen=100, known=known)
    assert (done.failed, known.texts_help) == (True, False)
    assert len(service.asked) <= 10


def test_parts_that_page_numbers_do_not_reach_either_are_not_taken_for_whole() -> None:
    assert split(ModelService(flows(600), cap=40, deepest=45), seen=45).failed


@pytest.mark.parametrize(
    ("deepest", "count", "believed"), [(25, None, False), (25, 300, False), (30, 300, True)]
)
def test_passes_over_parts_that_end_where_page_numbers_may_end_are_believed_only_if_the_whole_was_counted(
    deepest: int, count: int | None, believed: bool
) -> None:
    """Each of ten parts has 30 rows, in pages so small that passes read them. No page began deeper than a part ends."""
    service = ModelService(flows(300), cap=10, deepest=deepest)
    done = split(service, seen=deepest, count=count)
    assert (done.failed, len(done.rows) == 300) == (not believed, believed)
