"""The dates of rows that were not read by a scan: those of one page, and single instances.

1. In the hour that clocks show twice, a trigger time stands for two instants. A scan knows which by the window
   that it asked for. Here the range of the query tells, or the order of the page. If neither does, the first
   pass of that hour is read, and a row that is not in it belongs to the second.
2. A few rows show little about the clocks of their start, end and creation (`aioflows._net.clock_questions`).

Both are rare. Usually nothing is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from aioflows._core.wire.zone import Zone
from aioflows._net.clock_questions import ClockQuestions
from aioflows.errors import AioflowsError
from aioflows.models import NAIVE_EPOCH, FlowInstance
from aioflows.query import FlowQuery

__all__ = ["RowDates"]

T = TypeVar("T")

_MILLISECOND = timedelta(milliseconds=1)


class RowDates:
    """The dates of rows of one session.

    Args:
        clocks: asks about the clocks of times.
        instances: reads the instances of a query.
    """

    def __init__(
        self, clocks: ClockQuestions, instances: Callable[[FlowQuery], AsyncIterator[FlowInstance]]
    ) -> None:
        self._clocks = clocks
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
        type = None if query is None else query.type
        await self._clocks.learn(lambda zone: read(zone, offsets), walls, zone, type)
        return read(zone, offsets)

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
