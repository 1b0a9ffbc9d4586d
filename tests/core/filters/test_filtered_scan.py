"""A filtered scan: when its rows may go out."""

from __future__ import annotations

from aioflows import FlowQuery, Limits, ScheduleType
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.signals import NEED_PAGES
from aioflows._core.strategy import make_machine
from aioflows._core.wire.zone import Zone
from tests.support.model import START, ModelPage, ModelService


def test_no_manual_instance_goes_out_before_another_type_was_requested() -> None:
    """A service that ignores ``type=0`` answers with the same instances for another type."""
    service = ModelService([(START + second * 1000, f"{second}") for second in range(50)])
    query = FlowQuery(START, START + 60_000, type=ScheduleType.MANUAL, order_by=None)
    machine = make_machine(
        query, ServiceFacts(0), Limits(page_size=10), limit=None, resume=None, proven=False
    )
    machine.set_zone(Zone.parse("UTC"))
    ((asker, ask),) = machine.wanted(1)
    asker.received(ask, service.answer(ask))
    assert machine.next_rows() is NEED_PAGES
    asker, ask = machine.wanted(1)[0]
    assert asker.type is not ScheduleType.MANUAL
    asker.received(ask, ModelPage([], []))
    while machine.next_rows() is NEED_PAGES:
        asker, ask = machine.wanted(1)[0]
        asker.received(ask, service.answer(ask) if asker.type is ScheduleType.MANUAL else ModelPage([], []))
