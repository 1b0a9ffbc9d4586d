"""The balanced cuts of a range: the requests of a `CutPlan`, of which the gate sends each round's together."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import pairwise

import attrs

from aioflows._core.cuts.plan import CutPlan, RowAnswer, RowRequest
from aioflows._core.wire.zone import Zone
from aioflows._net.call import CallTally
from aioflows._net.operations import Operations
from aioflows._net.zones import Zones
from aioflows.errors import AnswerError, BadCredentials, Denied, ServiceError, Throttled, TokenExpired
from aioflows.models import NAIVE_EPOCH, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["windows_of"]

_SECOND = timedelta(seconds=1)

_TRIES = 2
"""Attempts at a deep page. A service that has no time for it fails each of them."""

_NOT_OF_DEPTH = (Denied, BadCredentials, TokenExpired, Throttled)


async def windows_of(
    query: FlowQuery,
    parts: int,
    page_size: int,
    operations: Operations,
    zones: Zones,
    tally: CallTally,
    least_rows: int = 0,
) -> list[FlowQuery]:
    """Return a query cut into at most so many queries, of about as many rows each.

    Args:
        query: the query.
        parts: the greatest number of queries.
        page_size: rows per page of the later reading. It limits what the cuts may cost.
        operations: the service.
        zones: the zone of its times.
        tally: the costs and the rules of the requests.
        least_rows: rows that a part has at least, by the estimate. Default: 0, any number.
    """
    types = list(ScheduleType) if query.type is None else [query.type]
    begin, end = -(-query.from_ms // 1000), query.to_ms // 1000
    plan = CutPlan(begin, end, len(types), parts, page_size, least_rows)
    if parts > 1 and begin + 1 < end:
        zone = await zones.find()
        requests = plan.first()
        while requests:
            asked = [
                asyncio.ensure_future(_row(query, types[one.type], one, operations, zone, tally))
                for one in requests
            ]
            try:
                answers = await asyncio.gather(*asked)
            finally:
                for task in asked:
                    task.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
            requests = plan.next_round(dict(zip(requests, answers, strict=True)))
        bounds = [query.from_ms, *(1000 * time for time in plan.cuts()), query.to_ms]
    else:
        bounds = [query.from_ms, query.to_ms]
    found = [
        attrs.evolve(query, from_trigger_time=since, to_trigger_time=until)
        for since, until in pairwise(bounds)
    ]
    return found[::-1] if query.sorters[:1] == (("trigger_time", True),) else found


async def _row(
    query: FlowQuery,
    type: ScheduleType,
    request: RowRequest,
    operations: Operations,
    zone: Zone,
    tally: CallTally,
) -> RowAnswer:
    """Return the trigger time of one row."""
    one = attrs.evolve(
        query,
        from_trigger_time=max(1000 * request.begin, query.from_ms),
        order_by="-trigger_time" if request.descending else "trigger_time",
    )
    try:
        # The first page may be 0 or 1. One row more or less makes no difference here.
        page = await operations.page(one, type, request.rank, 1, tries=_TRIES, tally=tally)
    except (ServiceError, AnswerError) as error:
        if request.descending or isinstance(error, _NOT_OF_DEPTH):
            raise
        return "refused"
    if not page.walls:
        return None
    page.show_in(zone)
    return (zone.instants(page.walls[0])[0] - NAIVE_EPOCH) // _SECOND
