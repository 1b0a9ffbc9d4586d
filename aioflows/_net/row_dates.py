"""The dates of rows that were not read by a scan: those of one page, and single instances.

1. In the hour that clocks show twice, a trigger time stands for two instants. A scan knows which by the window
   that it asked for. Here the range of the query tells, or the order of the page. If neither does, the first
   pass of that hour is read, and a row that is not in it belongs to the second.
2. A few rows show little about the clocks of their start, end and creation. If they look odd and the session
   has seen few others, the rows of the same day are asked for once, so that the clocks are found as by a scan.

Both are rare. Usually nothing is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows._net.operations import Operations
from aioflows.errors import AioflowsError
from aioflows.models import NAIVE_EPOCH, FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["RowDates"]

T = TypeVar("T")

_DAY = 86_400_000
_MILLISECOND = timedelta(milliseconds=1)
_ENOUGH, _SAMPLE = 8, 200  # rows


class RowDates:
    """The dates of rows of one session.

    Args:
        operations: the operations of the service.
        service: the facts that the session knows about the service.
        page_size: rows per request.
        instances: reads the instances of a query.
    """

    def __init__(
        self,
        operations: Operations,
        service: ServiceFacts,
        page_size: int,
        instances: Callable[[FlowQuery], AsyncIterator[FlowInstance]],
    ) -> None:
        self._operations = operations
        self._service = service
        self._page_size = page_size
        self._instances = instances

    async def read(
        self,
        read: Callable[[Zone, Sequence[int] | None], T],
        walls: Sequence[datetime],
        ids: Sequence[str],
        zone: Zone,
        query: FlowQuery | None = None,
    ) -> T:
        """Return rows, dated as by a scan.

        Args:
            read: reads the rows in a zone, with the offset of each trigger time (s), if it must be given.
            walls: the trigger times of the rows, as clocks show them, in the order of the service.
            ids: the ids of the rows.
            zone: the zone of the trigger times.
            query: the query of the page. Default: None, the row may be of any type.
        """
        if not walls:
            return read(zone, None)
        offsets = None
        if zone.repeats(min(walls), max(walls)):
            offsets = await self._offsets(walls, ids, zone, query)
        if zone.clocks is not None and zone.clocks.inexperienced:
            trial = zone.clocks.trial()
            read(attrs.evolve(zone, clocks=trial), offsets)
            if trial.unsure:
                await self._learn(zone, walls[0], None if query is None else query.type)
        return read(zone, offsets)

    async def _learn(self, zone: Zone, wall: datetime, type: ScheduleType | None) -> None:
        """Let the rows of one day show the clocks of their times."""
        assert zone.clocks is not None
        zone.clocks.inexperienced = False
        now = _ms(zone.instants(wall)[0])
        types = (
            (ScheduleType.PERIODIC, ScheduleType.TEMPORARY, ScheduleType.MANUAL) if type is None else (type,)
        )
        with suppress(AioflowsError):  # then the few rows have to suffice
            for one in types:
                query = FlowQuery(max(now - _DAY, 0), now + _DAY, type=one)
                size = self._service.usual(max(self._page_size, _SAMPLE))
                page = await self._operations.page(query, one, self._service.first_page or 0, size)
                page.instances(zone)
                if len(page) >= _ENOUGH:
                    return

    async def _offsets(
        self, walls: Sequence[datetime], ids: Sequence[str], zone: Zone, query: FlowQuery | None
    ) -> list[int]:
        found = [zone.instants(wall) for wall in walls]
        if query is not None:
            found = [_inside(instants, query) for instants in found]
            _by_order(found, walls, query)
        unknown = [row for row, instants in enumerate(found) if len(instants) > 1]
        if unknown:
            first = await self._first_pass([found[row][0] for row in unknown], query)
            for row in unknown:
                found[row] = (found[row][0] if ids[row] in first else found[row][1],)
        return [
            int((wall - instants[0]).total_seconds()) for wall, instants in zip(walls, found, strict=True)
        ]

    async def _first_pass(self, instants: Sequence[datetime], query: FlowQuery | None) -> set[str]:
        """Return the ids of the rows that were triggered at the first of the two instants of their times."""
        first, until = _ms(min(instants)), _ms(max(instants)) + 1_000
        query = (
            FlowQuery(first, until, order_by=None)
            if query is None
            else attrs.evolve(
                query,
                from_trigger_time=first,
                to_trigger_time=until,
                status=query.status or (),
                order_by=None,
            )
        )
        found = set()
        with suppress(AioflowsError):  # the service does not distinguish the passes
            async for instance in self._instances(query):
                found.add(instance.instance_id)
        return found


def _inside(instants: tuple[datetime, ...], query: FlowQuery) -> tuple[datetime, ...]:
    """Return the instants within the range of a query. A time has whole seconds."""
    inside = tuple(one for one in instants if query.from_ms - 999 <= _ms(one) < query.to_ms)
    return inside or instants


def _by_order(found: list[tuple[datetime, ...]], walls: Sequence[datetime], query: FlowQuery) -> None:
    """Distinguish the passes where the trigger times of a page run backwards."""
    if not query.sorters or query.sorters[0][0] != "trigger_time":
        return
    falling = query.sorters[0][1]
    twice = [row for row, instants in enumerate(found) if len(instants) > 1]
    turns = [
        at
        for at in range(1, len(twice))
        if (walls[twice[at]] > walls[twice[at - 1]] if falling else walls[twice[at]] < walls[twice[at - 1]])
    ]
    if len(turns) == 1:
        for at, row in enumerate(twice):
            found[row] = (found[row][(at >= turns[0]) is not falling],)


def _ms(instant: datetime) -> int:
    return (instant - NAIVE_EPOCH) // _MILLISECOND
