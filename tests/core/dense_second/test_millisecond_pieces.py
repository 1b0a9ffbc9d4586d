"""A second that is cut between its milliseconds until each piece fits on a page."""

from __future__ import annotations

import attrs
import pytest

from aioflows._core.dense_second.instant import Instant
from aioflows._core.dense_second.millisecond_pieces import MillisecondPieces
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from tests.support.model import START, ModelPage, ModelService, Row, rows_at

SIZE = 20
SPREAD: list[Row] = [(START + ms, f"1-{ms:03}") for ms in range(0, 1000, 20)]


class Reading:
    """A reading of the second at START, as far as milliseconds lead."""

    def __init__(self, service: ModelService, *, descending: bool = False) -> None:
        axis, self.service = Direction(descending), ServiceFacts(0)
        first, until = axis.window(START, START + 1000)
        reader, evidence = PageReader(self.service), ScanEvidence(self.service)
        reader.zone = Zone.parse("UTC")
        evidence.note_size(SIZE, SIZE, weight=30 * SIZE)
        self.rows: dict[str, tuple[Page, int]] = {}
        known = [name for _, name in service.rows[:SIZE]]
        instant = Instant(first, until, axis, until)
        self.pieces = MillisecondPieces(instant, SIZE, self.service, evidence, reader, known, self.rows)
        self.finished = True
        while self.finished and not self.pieces.done:
            assert len(service.asked) < 5_000, "it does not come to an end"
            (ask,) = self.pieces.wanted()
            self.finished = self.pieces.received(ask, service.answer(ask))


@pytest.mark.parametrize("descending", [False, True])
def test_every_row_is_read_where_each_millisecond_fits_on_a_page(descending: bool) -> None:
    one = Reading(ModelService(list(SPREAD), cap=SIZE), descending=descending)
    assert one.finished
    assert set(one.rows) == {name for _, name in SPREAD}


@pytest.mark.parametrize("descending", [False, True])
def test_the_first_cut_is_behind_the_first_millisecond_where_schedulers_fire(descending: bool) -> None:
    service = ModelService(rows_at(START, 15) + rows_at(START + 500, 15), cap=SIZE)
    Reading(service, descending=descending)
    assert (START + 1, START + 1000) in {(ask.from_ms, ask.to_ms) for ask in service.asked}


def test_a_millisecond_with_more_rows_than_a_page_is_left_to_page_numbers() -> None:
    one = Reading(ModelService(rows_at(START + 400, 45), cap=SIZE))
    assert (one.finished, one.pieces.dense_ms) == (False, START + 400)
    assert not one.service.milliseconds_help, "later seconds are not cut"


def test_pieces_in_an_instant_that_was_counted_are_dropped() -> None:
    one = Reading(ModelService([*rows_at(START + 400, 45), (START + 100, "1-early")], cap=SIZE))
    axis = Direction(descending=False)
    one.pieces.drop(Instant(START + 400, START + 1000, axis, START + 1000))
    assert not one.pieces.done, "earlier pieces are left"
    one.pieces.drop(Instant(START, START + 400, axis, START + 400))
    assert one.pieces.done


def test_an_empty_piece_is_believed_after_two_more_empty_answers() -> None:
    service = ModelService(rows_at(START + 900, 3), cap=SIZE)
    assert Reading(service).finished
    assert [ask.to_ms for ask in service.asked].count(START + 1) == 3


class _Rounding(ModelService):
    """A service that rounds the bounds of a window to whole seconds."""

    def answer(self, ask: PageRequest) -> ModelPage:
        return super().answer(attrs.evolve(ask, first=START, until=START + 1000))


class _Closed(ModelService):
    """A service that includes the end of a window."""

    def answer(self, ask: PageRequest) -> ModelPage:
        return super().answer(attrs.evolve(ask, until=ask.until + 1))


@pytest.mark.parametrize(("kind", "rows"), [(_Rounding, SPREAD[:15]), (_Closed, SPREAD)])
def test_a_row_in_two_pieces_shows_that_milliseconds_are_not_told_apart(
    kind: type[ModelService], rows: list[Row]
) -> None:
    one = Reading(kind(list(rows), cap=SIZE))
    assert (one.finished, one.pieces.dense_ms) == (False, None)
    assert not one.rows, "rows of pieces count for nothing"


def test_a_row_of_the_second_in_none_of_its_pieces_shows_that_as_well() -> None:
    def hide(service: ModelService, _: PageRequest) -> None:
        service.rows = SPREAD[1:]

    one = Reading(ModelService(list(SPREAD), cap=SIZE, before_answer=hide))
    assert (one.finished, one.pieces.dense_ms, one.rows) == (False, None, {})
