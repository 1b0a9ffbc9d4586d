"""Several scans as one: what they ask, and in which turn."""

from __future__ import annotations

from itertools import pairwise

import pytest

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.machine import Requester
from aioflows._core.scans.partition import Partition
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows.checkpoint import Remainder
from aioflows.models import ScheduleType
from tests.support.model import START, ModelPage, ModelService, Row


@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_two_looks_at_nothing_have_no_request_about_another_type_between(slots: int, ordered: bool) -> None:
    service = ServiceFacts(0)
    scans = [
        KeysetScan(
            [(START, START + 3_600_000)],
            service=service,
            descending=False,
            ordered=ordered,
            page_size=10,
            concurrency=slots,
            buffer=1_000,
            alone=False,
        )
        for _ in ScheduleType
    ]
    partitions = PartitionedScan(list(map(Partition, ScheduleType, scans)), ordered=ordered, descending=False)
    partitions.set_zone(Zone.parse("UTC"))
    sent: list[tuple[Requester, PageRequest]] = []
    answered = 0
    while partitions.next_rows() is not DONE:
        sent += partitions.wanted(slots - (len(sent) - answered))
        asker, ask = sent[answered]
        answered += 1
        asker.received(ask, ModelPage([], []))
    last_looks = [(before, after) for before, after in pairwise(sent) if after[1].backward]
    assert len(last_looks) == len(ScheduleType)
    assert all(before[0] is after[0] for before, after in last_looks)


def test_no_row_goes_out_before_each_type_has_answered_once() -> None:
    """A service that ignores the type shows by the answers to the others that a row is not of its type."""
    rows = [(START + second * 1000, f"{second}") for second in range(5)]
    service = ModelService(rows)
    scans = [
        KeysetScan(
            [(START, START + 60_000)],
            service=ServiceFacts(0),
            descending=False,
            ordered=False,
            page_size=10,
            concurrency=2,
            alone=False,
        )
        for _ in ScheduleType
    ]
    partitions = PartitionedScan(list(map(Partition, ScheduleType, scans)), ordered=False, descending=False)
    partitions.set_zone(Zone.parse("UTC"))
    heard: set[ScheduleType] = set()
    waiting: list[tuple[Requester, PageRequest]] = []
    while len(heard) < len(ScheduleType):
        assert partitions.next_rows() is NEED_PAGES, f"only {heard} answered, and rows go out"
        waiting += partitions.wanted(3)
        # All answers of one type come before the first of another.
        asker, ask = min(waiting, key=lambda one: (one[0].type not in heard, one[0].type))
        waiting.remove((asker, ask))
        asker.received(ask, service.answer(ask) if asker.type is ScheduleType.MANUAL else ModelPage([], []))
        heard.add(asker.type)


def left_in(row: Row, windows: list[Remainder], *, descending: bool) -> bool:
    for one in windows:
        if one.from_ms <= row[0] < one.to_ms:
            place = (row[0] // 1000, row[1])
            return one.after is None or (place < one.after if descending else place > one.after)
    return False


@pytest.mark.parametrize("order", [None, "ascending", "descending"])
def test_after_each_small_batch_exactly_the_other_rows_are_left(order: str | None) -> None:
    """Before the next batch, while it is read, and after some of it was taken."""
    rows = [(START + second * 1000, f"{second}-{number}") for second in range(40) for number in range(5)]
    descending, service = order == "descending", ModelService(rows)
    scan = KeysetScan(
        [(START, START + 60_000)],
        service=ServiceFacts(0),
        descending=descending,
        ordered=order is not None,
        page_size=30,
        concurrency=2,
    )
    partitions = PartitionedScan(
        [Partition(ScheduleType.MANUAL, scan)], ordered=order is not None, descending=descending
    )
    partitions.set_zone(Zone.parse("UTC"))
    partitions.hand_out_at_most(7)
    open_rows, last, batches = {name: (ms, name) for ms, name in rows}, None, 0

    def check(*, begun: bool, all_handed: bool) -> None:
        left = partitions.remaining(last, begun, all_handed)
        expected = {row for row in rows if left_in(row, left, descending=descending)}
        assert set(open_rows.values()) == expected

    while (got := partitions.next_rows()) is not DONE:
        for asker, ask in partitions.wanted(2):
            asker.received(ask, service.answer(ask))
        if got is NEED_PAGES:
            continue
        assert len(got) <= 7
        check(begun=False, all_handed=False)
        for row in got:
            last = row
            del open_rows[row.instance_id]
            check(begun=True, all_handed=row is got[-1])
        check(begun=False, all_handed=True)
        batches += 1
    assert not open_rows
    assert batches >= len(rows) / 7
