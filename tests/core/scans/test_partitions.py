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
from aioflows._core.scans.signals import DONE
from aioflows._core.wire.zone import Zone
from aioflows.models import ScheduleType
from tests.support.model import START, ModelPage


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
