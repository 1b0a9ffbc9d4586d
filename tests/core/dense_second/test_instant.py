"""What is to be read by page numbers, and what one page shows of it."""

from __future__ import annotations

import pytest

from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows.errors import CompletenessError
from tests.support.model import START, ModelPage, ModelService

ASCENDING = Direction(descending=False)


def second(*, descending: bool = False, backward: bool = False, further: int = 5_000) -> Instant:
    """The second at START + 10 s, whose pages may run on for so many milliseconds of scan time."""
    axis = Direction(descending)
    first, until = axis.window(START + 10_000, START + 11_000)
    reach = first - further if backward else until + further
    return Instant(first, until, axis, reach, backward=backward)


def shown(instant: Instant, ask: PageRequest, page: ModelPage) -> InstantPage:
    reader = PageReader(ServiceFacts())
    reader.zone = Zone.parse("UTC")
    return InstantPage.of(instant, ask, page, reader)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("backward", [False, True])
def test_a_page_shows_the_rows_of_the_instant_and_whether_another_second_follows_them(
    descending: bool, backward: bool
) -> None:
    """Whichever way the scan runs, and whichever way pages run on."""
    instant = second(descending=descending, backward=backward)
    service = ModelService(
        [(START + ms, f"1-{ms}") for ms in (7_000, 10_000, 10_999, 14_000)],
    )
    ask = instant.ask(0, 10)
    sheet = shown(instant, ask, service.answer(ask))
    assert sorted(sheet.ids) == ["1-10000", "1-10999"]
    assert sheet.beyond
    ask = instant.ask(0, 2)
    sheet = shown(instant, ask, service.answer(ask))
    assert sorted(sheet.ids) == ["1-10000", "1-10999"]
    assert not sheet.beyond, "no row of another second is on the page"


@pytest.mark.parametrize(
    ("descending", "backward", "window"),
    [
        (False, False, (START + 10_000, START + 16_000)),
        (False, True, (START + 5_000, START + 11_000)),
        (True, False, (START + 5_000, START + 11_000)),
        (True, True, (START + 10_000, START + 16_000)),
    ],
)
def test_pages_are_sorted_from_the_instant_to_where_they_run_on(
    descending: bool, backward: bool, window: tuple[int, int]
) -> None:
    instant = second(descending=descending, backward=backward)
    ask = instant.ask(3, 40)
    assert (ask.from_ms, ask.to_ms) == window
    assert ask.descending == (window[0] < START + 10_000), "the instant is not what the pages begin with"
    assert (ask.page_no, ask.page_size) == (3, 40)
    assert instant.width == 6_000


def test_one_millisecond_is_an_instant_whose_pages_hold_nothing_of_the_rest_of_its_second() -> None:
    instant = Instant(START + 10_000, START + 10_001, ASCENDING, START + 10_001)
    ask = instant.ask(0, 10)
    service = ModelService([(START + 10_000, "1-0"), (START + 10_001, "1-1")])
    sheet = shown(instant, ask, service.answer(ask))
    assert (list(sheet.ids), sheet.beyond) == (["1-0"], False)


def test_a_page_without_rows_shows_neither_rows_nor_that_the_instant_has_ended() -> None:
    sheet = shown(second(), second().ask(5, 10), ModelPage([], []))
    assert (list(sheet.ids), sheet.beyond) == ([], False)


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01 00:00:10", "2024-01-01 00:00:16"],
        ["2024-01-01 00:00:09", "2024-01-01 00:00:10"],
        ["2024-01-01 00:00:11", "2024-01-01 00:00:10"],
    ],
    ids=["behind the window", "before the window", "out of order"],
)
def test_a_page_that_is_out_of_order_or_reaches_outside_its_window_is_an_error(times: list[str]) -> None:
    with pytest.raises(CompletenessError):
        shown(second(), second().ask(0, 10), ModelPage(["a", "b"], times))


def test_the_part_of_an_instant_that_contains_a_text_does_not_run_on() -> None:
    """No row of another second need contain that text."""
    part = second(backward=True).tied.narrowed("7-")
    ask = part.ask(0, 10)
    assert (ask.from_ms, ask.to_ms, ask.expression) == (START + 10_000, START + 11_000, "7-")
    assert not ask.descending


def test_the_further_sorters_come_behind_the_trigger_time_and_in_its_direction() -> None:
    fields = [field for field, _ in second(descending=True).tied.ask(0, 10).sorters]
    assert fields[0] == "trigger_time"
    assert len(fields) > 1
    assert {descending for _, descending in second(descending=True).tied.ask(0, 10).sorters} == {True}


@pytest.mark.parametrize("descending", [False, True])
def test_messages_name_the_window_in_real_time(descending: bool) -> None:
    assert second(descending=descending).name == f"{START + 10_000}–{START + 11_000} ms"
