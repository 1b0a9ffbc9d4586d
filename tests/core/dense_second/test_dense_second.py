"""One second with more rows than any page: read by milliseconds, or counted, or told not to be readable."""

from __future__ import annotations

import attrs
import pytest

from aioflows._core.dense_second.dense_second import DenseSecond
from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Batch
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows.errors import CompletenessError, ServiceError
from tests.support.model import START, ModelPage, ModelService, Row, in_order, rows_at

SIZE = 20
DAY = 86_400_000
SPREAD: list[Row] = [
    (START + ms, f"{ms % 7}-{ms:04}-{number}") for number in range(3) for ms in range(0, 1000, 40)
]
"""75 rows of one second, three in each of 25 milliseconds."""


def dense(
    service: ModelService,
    *,
    descending: bool = False,
    further: int = 0,
    before: int = 0,
    splits: bool = True,
    until: int = START + 1000,
) -> DenseSecond:
    """Read the second that begins at START, whose pages may run on for so many milliseconds, or else back before it."""
    axis, known = Direction(descending), ServiceFacts(0)
    reader, evidence = PageReader(known), ScanEvidence(known)
    reader.zone = Zone.parse("UTC")
    first, end = axis.window(START, until)
    ask = PageRequest(first, end, axis, SIZE)
    page = service.answer(ask)
    evidence.note(ask, reader.read(ask, page))
    ways = [Instant(first, end, axis, end + further)]
    if before:
        ways.append(Instant(first, end, axis, first - before, backward=True))
    one = DenseSecond(
        ways,
        SIZE,
        known,
        evidence,
        axis.window(START - DAY, START + DAY),
        reader,
        page,
        backward=False,
        splits=splits,
    )
    while not one.done:
        asks = list(one.wanted())
        assert asks, "it waits for an answer that nobody asked for"
        assert len(service.asked) < 5_000, "it does not come to an end"
        for again in asks:
            try:
                answer = service.answer(again)
            except ServiceError as error:
                if not one.refused(again):
                    raise one.too_deep(again, error) from error
            else:
                one.received(again, answer)
    return one


def names(batch: Batch) -> list[str]:
    plain = [page.ids[row] for page, rows in batch.parts for row in rows]
    return plain if batch.order is None else [plain[at] for at in batch.order]


@pytest.mark.parametrize("descending", [False, True])
def test_a_second_whose_milliseconds_fit_a_page_is_read_by_them_which_is_proof(descending: bool) -> None:
    """Its rows come in the order of their ids, whichever millisecond they lie in."""
    one = dense(ModelService(list(SPREAD), cap=SIZE), descending=descending)
    assert names(one.batch()) == in_order(SPREAD, descending=descending)
    assert not one.counted


@pytest.mark.parametrize("descending", [False, True])
def test_a_millisecond_that_no_page_holds_is_counted_and_marked_so(descending: bool) -> None:
    """A row of another second shows that nothing of it is left."""
    rows = [*rows_at(START + 400, 45), (START + 100, "0-a"), (START + 900, "9-b")]
    beyond = (START - 3_000 if descending else START + 3_000, "1-beyond")
    one = dense(ModelService([*rows, beyond], cap=SIZE), descending=descending, further=4_000)
    assert names(one.batch()) == in_order(rows, descending=descending)
    assert one.counted
    assert one.overrun is not None, "the page that reached that row is the first of what follows"


def test_a_part_of_a_second_is_read_without_the_rest_of_it() -> None:
    """As where the range that a query asks for ends within a second."""
    one = dense(ModelService(list(SPREAD), cap=SIZE), until=START + 440)
    assert names(one.batch()) == in_order(row for row in SPREAD if row[0] < START + 440)


def test_a_piece_that_is_falsely_answered_with_nothing_is_asked_for_again() -> None:
    whole = ModelService(list(SPREAD), cap=SIZE)
    dense(whole)
    for at in range(1, len(whole.asked)):

        def lie(service: ModelService, ask: PageRequest, at: int = at) -> None:
            service.rows = [] if len(service.asked) - 1 == at else sorted(SPREAD)

        one = dense(ModelService(sorted(SPREAD), cap=SIZE, before_answer=lie))
        assert names(one.batch()) == in_order(SPREAD), f"answer {at} held nothing"


def test_a_piece_is_left_to_page_numbers_only_if_their_end_is_confirmed() -> None:
    """Page numbers that run on to later rows cover later pieces; those that run back, as the first had no end, do not."""
    late: Row = (START + 900, "9-late")
    rows = [*rows_at(START + 400, 45), late, (START - 3_000, "0-before")]

    def lie(service: ModelService, ask: PageRequest) -> None:
        later = ask.first > START + 400 and ask.first <= late[0] < ask.until and ask.page_size > 1
        service.rows = sorted(set(rows) - {late}) if later and not lied else sorted(rows)
        lied.extend([ask] if later else [])

    lied: list[PageRequest] = []
    one = dense(ModelService(sorted(rows), cap=SIZE, before_answer=lie), before=4_000)
    assert lied
    assert names(one.batch()) == in_order(rows[:-1])


def test_a_service_whose_windows_have_whole_seconds_is_read_by_page_numbers() -> None:
    """A row that is in two pieces of a second shows that it does not tell its milliseconds apart."""

    class WholeSeconds(ModelService):
        def answer(self, ask: PageRequest) -> ModelPage:
            first, until = ask.first // 1000 * 1000, -(-ask.until // 1000) * 1000
            return super().answer(attrs.evolve(ask, first=first, until=until))

    one = dense(WholeSeconds([*SPREAD, (START + 3_000, "1-beyond")], cap=SIZE), further=4_000)
    assert names(one.batch()) == in_order(SPREAD)
    assert one.counted


@pytest.mark.parametrize("elsewhere", [60, 0])
def test_the_end_of_page_numbers_is_the_end_of_the_rows_only_if_a_wider_window_shows_rows_as_deep(
    elsewhere: int,
) -> None:
    rows = rows_at(START, 45)
    others = [(START + 60_000 + number * 1000, f"2-{number:04}") for number in range(elsewhere)]
    service = ModelService([*rows, *others], cap=SIZE)
    if elsewhere:
        assert names(dense(service, splits=False).batch()) == in_order(rows)
        return
    with pytest.raises(
        CompletenessError, match=rf"{START}–{START + 1000} ms holds more rows .* 45 were seen"
    ):
        dense(service, splits=False)


def test_rows_beyond_the_depth_of_page_numbers_are_read_by_their_ids_or_told_to_be_out_of_reach() -> None:
    rows = [(START, f"{number:05}-20240101000000") for number in range(120)]
    one = dense(ModelService(list(rows), cap=SIZE, deepest=30))
    assert names(one.batch()) == in_order(rows)
    with pytest.raises(CompletenessError, match=r"holds more rows than the service gives .* narrower query"):
        dense(ModelService(list(rows), cap=SIZE, deepest=30), splits=False)


def test_answers_that_show_none_of_the_rows_that_were_seen_before_contradict_each_other() -> None:
    def replace(service: ModelService, _: PageRequest) -> None:
        if len(service.asked) == 2:
            service.rows = [(START + 500, f"other-{number}") for number in range(4)]

    with pytest.raises(CompletenessError, match=f"{START}–{START + 1000} ms.*contradict"):
        dense(ModelService(list(SPREAD), cap=SIZE, before_answer=replace))


def test_a_page_that_is_refused_for_its_number_is_told_with_the_number_and_the_refusal() -> None:
    class Refusing(ModelService):
        def page(self, window: list[Row], descending: bool, start: int, stop: int) -> list[Row]:
            if start >= 25:
                raise ServiceError(1004, "too deep")
            return super().page(window, descending, start, stop)

    rows = [(START, f"T{number:06}") for number in range(60)]
    with pytest.raises(CompletenessError, match=r"refuses page \d+ .*too deep"):
        dense(Refusing(rows, cap=SIZE))
