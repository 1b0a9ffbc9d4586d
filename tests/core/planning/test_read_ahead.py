"""How far a scan reads ahead: hardly at first, since the consumer may stop, and as far as memory allows then."""

from __future__ import annotations

import attrs
import pytest

from aioflows._core.planning.read_ahead import BATCHES_BEFORE_ALL, ReadAhead, RowReserve
from tests.support.model import ModelPage


def slots_of(ahead: ReadAhead, *, stuck: bool = False) -> int:
    return ahead.slots(16, 0, stuck=stuck, zone_checked=False)


def take(ahead: ReadAhead) -> None:
    ahead.handed_out()
    ahead.asked_for_more()


@pytest.mark.parametrize("ordered", [False, True])
def test_one_request_is_under_way_until_the_consumer_asks_for_a_second_batch(ordered: bool) -> None:
    """Or two, if the first page proved nothing."""
    ahead = ReadAhead(1_000, 16, ordered=ordered)
    ahead.asked_for_more()
    assert (slots_of(ahead), slots_of(ahead, stuck=True)) == (1, 2)


def test_an_ordered_scan_uses_all_slots_once_the_consumer_has_taken_two_batches() -> None:
    ahead = ReadAhead(1_000, 16, ordered=True)
    seen = []
    for _ in range(BATCHES_BEFORE_ALL):
        take(ahead)
        seen.append((slots_of(ahead), ahead.unlimited))
    assert seen == [(4, False), (16, True)]


def test_an_unordered_scan_uses_all_slots_once_the_consumer_has_taken_a_batch() -> None:
    ahead = ReadAhead(1_000, 16, ordered=False)
    take(ahead)
    assert slots_of(ahead) == 16


def test_rows_that_are_large_take_less_of_the_buffer_but_never_less_than_a_few_rounds_of_requests() -> None:
    ahead = ReadAhead(100_000, 4, ordered=True)
    assert ahead.room(100) == 100_000
    ahead.received(ModelPage(["a", "b"], ["", ""], body=bytes(30_000)))
    assert ahead.room(100) == 1_000, "15 MB in rows of 15 kB"
    assert ahead.room(1_000) == 10_000, "two and a half rounds of four requests"


def reserve(taken: int, *, must: bool = False, first: bool = True) -> RowReserve:
    return RowReserve(room=2_000, most=2_500, page=100, taken=taken, must=must, first=first)


def test_a_request_is_started_if_all_its_rows_fit() -> None:
    assert reserve(2_400).fits(0)
    assert not reserve(2_401).fits(0)
    assert not reserve(2_400).fits(400), "a larger page"


def test_one_request_is_started_if_nothing_else_brings_rows_and_no_second() -> None:
    only = reserve(5_000, must=True)
    assert only.fits(4_000)
    only.start(4_000)
    assert not only.fits(0)


def test_the_last_two_pages_are_for_requests_near_the_first_gap() -> None:
    assert reserve(2_200).share == 1
    assert reserve(2_300).share == 0.5
    assert reserve(2_400).share == 0
    assert reserve(2_200, first=False).fits(0)
    assert not reserve(2_201, first=False).fits(0), "another partition is farther behind"


def test_a_page_is_kept_free_for_the_first_gap_however_small_the_buffer() -> None:
    small = RowReserve(room=200, most=250, page=100, taken=50, must=False, first=True)
    assert small.share == 1
    assert attrs.evolve(small, taken=150).share == 0
