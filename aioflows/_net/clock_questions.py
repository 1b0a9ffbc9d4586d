"""The question that a session sends if the first rows look odd and are too few to show by which clocks they are.

It asks for rows of the same days, once in a session. Usually nothing is sent: rows of a service with one clock do
not look odd, and many rows show a clock themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise

import attrs

from aioflows._core.clocks.field_clocks import NotingClocks
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.search_page import SearchPage
from aioflows._core.wire.zone import Zone
from aioflows._net.operations import Operations
from aioflows._net.retrying import CallTally
from aioflows._net.single_flight import SingleFlight
from aioflows._net.zones import Zones
from aioflows.errors import AioflowsError
from aioflows.models import NAIVE_EPOCH, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["ClockQuestions"]

_AROUND = 3 * 86_400_000
_MILLISECOND = timedelta(milliseconds=1)
_SAMPLE, _TRIES = 200, 2


class ClockQuestions:
    """What a session asks about the clocks of times.

    Args:
        operations: the operations of the service.
        service: the facts that the session knows about the service.
        zones: the zone of the service.
        page_size: rows per request.
    """

    def __init__(self, operations: Operations, service: ServiceFacts, zones: Zones, page_size: int) -> None:
        self._operations = operations
        self._zones = zones
        self._service = service
        self._page_size = page_size
        self._question: SingleFlight[None] | None = None
        self._answered = False

    async def search(
        self,
        query: FlowQuery,
        tally: CallTally,
        zone: Callable[[], Awaitable[Zone]],
        type: ScheduleType,
        ask: PageRequest,
    ) -> SearchPage:
        """Return one page of a scan. Its rows are seen before any row is dated, so that one clock dates all of them.

        Args:
            query: the query of the scan.
            tally: the costs of the scan.
            zone: returns the zone of the scan.
            type: the schedule type of the request.
            ask: the request.
        """
        page = await self._operations.search(query, tally, type, ask)
        if self._zones.inexperienced:
            with suppress(AioflowsError):  # the engine reports that there is no zone
                found = await zone()
                turns = found.transitions(ask.from_ms, ask.to_ms)
                offset = None if turns else found.offset_at(ask.from_ms // 1000)
                read = partial(page.instances, offset=offset)
                await self.learn(read, page.walls, found, type, tally)
        return page

    async def learn(
        self,
        read: Callable[[Zone], object],
        walls: Sequence[datetime],
        zone: Zone,
        type: ScheduleType | None,
        tally: CallTally | None = None,
    ) -> None:
        """Let the clocks learn from rows before they are dated, and ask for more rows if it is needed.

        Args:
            read: reads the rows in a zone.
            walls: their trigger times, as clocks show them.
            zone: the zone of the trigger times.
            type: the schedule type. None means unknown.
            tally: the costs of the scan. Default: None.
        """
        if not walls or zone.clocks is None or not zone.clocks.inexperienced:
            return
        noting = zone.clocks.noting()
        with suppress(AioflowsError):  # rows that cannot be read are an error where they are handed out
            read(attrs.evolve(zone, clocks=noting))
        if self._answered or not noting.unsure:
            return
        if self._question is None or self._question.over:
            self._question = SingleFlight(self._ask(noting, zone, walls[0], type, tally), "aioflows clocks")
        await self._question.wait()

    async def _ask(
        self,
        noting: NotingClocks,
        zone: Zone,
        wall: datetime,
        type: ScheduleType | None,
        tally: CallTally | None,
    ) -> None:
        now = (zone.instants(wall)[0] - NAIVE_EPOCH) // _MILLISECOND
        types = sorted(ScheduleType, key=lambda other: other is not type)
        for first, until in _sides(zone, now):
            for one in types:
                if await self._asked(noting, zone, FlowQuery(first, until, type=one), one, tally):
                    self._answered = True
                    return
        self._answered = True

    async def _asked(
        self, noting: NotingClocks, zone: Zone, query: FlowQuery, type: ScheduleType, tally: CallTally | None
    ) -> bool:
        """Ask for rows. Return True if the clocks are known by them."""
        size = self._service.usual(max(self._page_size, _SAMPLE))
        with suppress(AioflowsError):  # then the few rows have to suffice
            page = await self._operations.page(
                query, type, self._service.first_page or 0, size, tries=_TRIES, tally=tally
            )
            page.instances(attrs.evolve(zone, clocks=noting), offset=zone.offset_at(query.from_ms // 1000))
            return bool(page.ids) and not noting.unsure
        return False


def _sides(zone: Zone, now: int) -> list[tuple[int, int]]:
    """Return the days around an instant (ms since the epoch), cut where clocks change, its own part first.

    Within a part, the times of an hour that comes twice stand for one instant.
    """
    bounds = [max(now - _AROUND, 0), now + _AROUND]
    bounds[1:1] = zone.transitions(*bounds)
    return sorted(pairwise(bounds), key=lambda side: not side[0] <= now < side[1])
