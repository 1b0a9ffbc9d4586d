"""Which machine reads a query: it depends on the order asked for, and on what can be proven of it.

- by trigger time, or in no order: the keyset walk (`lanes`).
- by trigger time and then by other fields: the same walk, its seconds sorted (`refined`).
- by start, end or creation: `sorted_scan`.
- by the time of the last update, which no answer tells: in the service's order (`blind`).

Where a filter may be applied by halves, a `FilteredScan` stands before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from aioflows._core.blind import Blind
from aioflows._core.filter_checks import FilterChecks, checks_of
from aioflows._core.filter_probes import SeenFilters
from aioflows._core.filtered_scan import FilteredScan
from aioflows._core.lane import Lane
from aioflows._core.lanes import Lanes
from aioflows._core.machine import Machine
from aioflows._core.orders import Order
from aioflows._core.probes import Probes
from aioflows._core.refined import Refined
from aioflows._core.scan import Scan
from aioflows._core.service import Service
from aioflows._core.sorted_scan import SortedScan
from aioflows._core.strips import Window
from aioflows.checkpoint import Checkpoint
from aioflows.errors import QueryError
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery
from aioflows.settings import Limits

__all__ = ["machine_of"]

_SEVERAL = 2


def machine_of(
    query: FlowQuery,
    service: Service,
    limits: Limits,
    seen: SeenFilters | None = None,
    *,
    limit: int | None,
    resume: Checkpoint | None,
    proven: bool,
    confirm: bool = True,
    growing: bool = False,
) -> Machine:
    """Return the machine that reads a query.

    Args:
        query: *what* to read, and in which order.
        service: what the session knows of the service.
        limits: how much at a time.
        seen: what the session has seen of how the service applies filters; None: nothing.
        limit: *rows* in all that will be taken; None: every one.
        resume: where an earlier scan of the same query stood.
        proven: whether completeness is to be proven under change, whatever that costs.
        confirm: whether ends that no row has shown are asked about once more.
        growing: by trigger time: whether rows still appear, many at once, where there was nothing.

    Raises:
        QueryError: the order cannot be given.
    """
    checks = checks_of(query)
    machine = _machine_of(
        query,
        service,
        limits,
        checks,
        limit=limit,
        resume=resume,
        proven=proven,
        confirm=confirm,
        growing=growing,
    )
    by_walk = isinstance(machine, (Lanes, Refined))  # which hands out nothing but what its lanes have checked
    if (checks is None or by_walk) and len(query.status) < _SEVERAL and query.type is not ScheduleType.MANUAL:
        return machine
    seen = SeenFilters() if seen is None else seen
    return FilteredScan(
        machine, query, service, limits.page_size, seen, checks=None if by_walk else checks, polling=growing
    )


def _machine_of(
    query: FlowQuery,
    service: Service,
    limits: Limits,
    checks: FilterChecks | None,
    *,
    limit: int | None,
    resume: Checkpoint | None,
    proven: bool,
    confirm: bool,
    growing: bool,
) -> Machine:
    sorters = query.sorters
    fields = [field for field, _ in sorters]
    if "update_time" in fields:
        _check_update_time(query, resume, proven=proven)
        lanes = Lanes(
            _lanes(query, service, limits, resume, None, descending=sorters[0][1], ordered=False),
            ordered=False,
            descending=sorters[0][1],
            checks=checks,
        )
        return Blind(lanes, sorters[0], service=service, page_size=limits.page_size, buffer=limits.buffer)
    if len(fields) < 2 and fields in ([], ["trigger_time"]):
        falling, ordered = bool(sorters and sorters[0][1]), bool(sorters)
        walk = _lanes(
            query,
            service,
            limits,
            resume,
            limit,
            descending=falling,
            ordered=ordered,
            confirm=confirm,
            growing=growing,
        )
        return Lanes(walk, ordered=ordered, descending=falling, checks=checks)
    order = Order(sorters, service)
    after = None if resume is None else resume.position
    if fields[0] == "trigger_time":
        walk = _lanes(
            query, service, limits, resume, limit, descending=order.descending, ordered=True, confirm=confirm
        )
        windows = [(lane.type, query.from_ms, query.to_ms) for lane in walk]
        lanes = Lanes(walk, ordered=True, descending=order.descending, noted=order.note, checks=checks)
        return Refined(lanes, order, Probes(order, windows, service), after)

    def again(windows: Sequence[Window]) -> Lanes:
        types = dict.fromkeys(type for type, _, _ in windows)
        walks = [
            Lane(
                type,
                _scan(
                    [(a, b) for one, a, b in windows if one is type],
                    service,
                    limits,
                    descending=order.descending,
                    splits=not query.expression,
                    filtered=bool(query.status or query.owner or query.expression),
                    alone=len(types) == 1,
                ),
                resumed=True,
            )
            for type in types
        ]
        return Lanes(walks, ordered=False, descending=order.descending, noted=order.note, checks=checks)

    walk = _lanes(
        query, service, limits, resume, None, descending=order.descending, ordered=False, confirm=confirm
    )
    return SortedScan(
        Lanes(walk, ordered=False, descending=order.descending, noted=order.note, checks=checks),
        order,
        service=service,
        again=again,
        page_size=limits.page_size,
        buffer=limits.buffer,
        limit=limit,
        proven=proven,
        after=after,
    )


def _lanes(
    query: FlowQuery,
    service: Service,
    limits: Limits,
    resume: Checkpoint | None,
    limit: int | None,
    *,
    descending: bool,
    ordered: bool,
    confirm: bool = True,
    growing: bool = False,
) -> list[Lane]:
    types = list(ScheduleType) if query.type is None else [query.type]
    lanes = []
    for type in types:
        windows, handed = [(query.from_ms, query.to_ms)], {}
        if resume is not None:
            left = [one for one in resume.remaining if one.type == type]
            windows = [(one.from_ms, one.to_ms) for one in left]
            handed = {
                (~one.after[0] if descending else one.after[0]): one.after[1] for one in left if one.after
            }
        scan = _scan(
            windows,
            service,
            limits,
            limit,
            descending=descending,
            ordered=ordered,
            splits=not query.expression,
            filtered=bool(query.status or query.owner or query.expression),
            alone=len(types) == 1,
            confirm=confirm,
            growing=growing,
        )
        lanes.append(Lane(type, scan, handed, resumed=resume is not None))
    return lanes


def _scan(
    windows: Sequence[tuple[int, int]],
    service: Service,
    limits: Limits,
    limit: int | None = None,
    *,
    descending: bool,
    ordered: bool = False,
    splits: bool,
    filtered: bool,
    alone: bool,
    confirm: bool = True,
    growing: bool = False,
) -> Scan:
    return Scan(
        windows,
        service=service,
        descending=descending,
        ordered=ordered,
        page_size=limits.page_size,
        concurrency=limits.concurrency,
        buffer=limits.buffer,
        limit=limit,
        splits=splits,
        filtered=filtered,
        alone=alone,
        confirm=confirm,
        growing=growing,
    )


def _check_update_time(query: FlowQuery, resume: Checkpoint | None, *, proven: bool) -> None:
    why = "the service sorts by update_time, but its answers do not tell it, so "
    if len(query.sorters) > 1:
        raise QueryError(
            f"{why}an order of several fields cannot be made with it; order by 'update_time' alone, or by the others"
        )
    if query.type is None:
        raise QueryError(
            f"{why}the three schedule types cannot be merged by it; give FlowQuery(type=...), or another order"
        )
    if proven:
        raise QueryError(
            f"{why}what the keyset walk proves cannot be sorted by it; leave out proven=True, or order by another field"
        )
    if resume is not None and resume.remaining:
        raise QueryError(
            f"{why}a scan in that order cannot be resumed; begin it again, or order by another field"
        )
