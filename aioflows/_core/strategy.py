"""The choice of the machine that reads a query. It depends on the order, and on the order's proof.

- By trigger time, or in no order: the keyset walk (`partitions`).
- By trigger time and then by other fields: the keyset walk, with each second sorted (`tie_order`).
- By start, end or creation time: `sorted_scan`.
- By the time of the last update, which answers do not contain: in the order of the service (`service_order`).

If the service may apply a filter only in part, a `FilteredScan` wraps the machine. See
docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from aioflows._core.filters.filter_probes import SeenFilters
from aioflows._core.filters.filtered_scan import FilteredScan
from aioflows._core.pages.filter_checks import FilterChecks, checks_of
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.machine import Machine
from aioflows._core.scans.partition import Partition
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.sorted.null_probe import NullProbes
from aioflows._core.sorted.service_order import ServiceOrderScan
from aioflows._core.sorted.sort_keys import SortOrder
from aioflows._core.sorted.sorted_scan import SortedScan
from aioflows._core.sorted.tie_order import TieOrderScan
from aioflows._core.sorted.window_set import Window
from aioflows.checkpoint import Checkpoint
from aioflows.errors import QueryError
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery
from aioflows.settings import Limits

__all__ = ["make_machine"]

_SEVERAL = 2


def make_machine(
    query: FlowQuery,
    service: ServiceFacts,
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
        query: the query, with its order.
        service: the facts about the service that the session knows.
        limits: the limits on rows and requests.
        seen: how the service applied filters earlier in the session. None means that nothing is known.
        limit: the number of rows that will be taken. None means every row.
        resume: the checkpoint of an earlier scan of the same query.
        proven: True to prove completeness while the data changes, at any cost.
        confirm: True to request ends without a known row again.
        growing: True if many rows may appear at once where there were none. Only by trigger time.

    Raises:
        QueryError: the order is not possible.
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
    by_walk = isinstance(
        machine, (PartitionedScan, TieOrderScan)
    )  # it hands out only rows that its partitions have checked
    if (checks is None or by_walk) and len(query.status) < _SEVERAL and query.type is not ScheduleType.MANUAL:
        return machine
    seen = SeenFilters() if seen is None else seen
    return FilteredScan(
        machine, query, service, limits.page_size, seen, checks=None if by_walk else checks, polling=growing
    )


def _machine_of(
    query: FlowQuery,
    service: ServiceFacts,
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
        partitions = PartitionedScan(
            _partitions(query, service, limits, resume, None, descending=sorters[0][1], ordered=False),
            ordered=False,
            descending=sorters[0][1],
            checks=checks,
        )
        return ServiceOrderScan(
            partitions, sorters[0], service=service, page_size=limits.page_size, buffer=limits.buffer
        )
    if len(fields) < 2 and fields in ([], ["trigger_time"]):
        falling, ordered = bool(sorters and sorters[0][1]), bool(sorters)
        walk = _partitions(
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
        return PartitionedScan(walk, ordered=ordered, descending=falling, checks=checks)
    after = None if resume is None else resume.position
    order = SortOrder(sorters, service, after)
    if fields[0] == "trigger_time":
        walk = _partitions(
            query, service, limits, resume, limit, descending=order.descending, ordered=True, confirm=confirm
        )
        windows = [(partition.type, query.from_ms, query.to_ms) for partition in walk]
        partitions = PartitionedScan(
            walk, ordered=True, descending=order.descending, noted=order.note, checks=checks
        )
        return TieOrderScan(partitions, order, NullProbes(order, windows, service), after)

    def again(windows: Sequence[Window]) -> PartitionedScan:
        types = dict.fromkeys(type for type, _, _ in windows)
        walks = [
            Partition(
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
        return PartitionedScan(
            walks, ordered=False, descending=order.descending, noted=order.note, checks=checks
        )

    walk = _partitions(
        query, service, limits, resume, None, descending=order.descending, ordered=False, confirm=confirm
    )
    return SortedScan(
        PartitionedScan(walk, ordered=False, descending=order.descending, noted=order.note, checks=checks),
        order,
        service=service,
        again=again,
        page_size=limits.page_size,
        buffer=limits.buffer,
        limit=limit,
        proven=proven,
        after=after,
    )


def _partitions(
    query: FlowQuery,
    service: ServiceFacts,
    limits: Limits,
    resume: Checkpoint | None,
    limit: int | None,
    *,
    descending: bool,
    ordered: bool,
    confirm: bool = True,
    growing: bool = False,
) -> list[Partition]:
    types = list(ScheduleType) if query.type is None else [query.type]
    partitions = []
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
        partitions.append(Partition(type, scan, handed, resumed=resume is not None))
    return partitions


def _scan(
    windows: Sequence[tuple[int, int]],
    service: ServiceFacts,
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
) -> KeysetScan:
    return KeysetScan(
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
