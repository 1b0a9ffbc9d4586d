"""The choice of the machine that reads a query. It depends on the order, and on the order's proof.

- By trigger time, or in no order: the keyset walk (`partitions`).
- By trigger time and then by other fields: the keyset walk, with each second sorted (`tie_order`).
- By start, end or creation time: `sorted_scan`.
- By the time of the last update, which answers do not contain: in the order of the service (`service_order`).

If the service may apply a filter only in part, a `FilteredScan` wraps the machine. See
docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs

from aioflows._core.filters.filtered_scan import FilteredScan
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.pages.filter_checks import FilterChecks, checks_of
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.machine import Machine
from aioflows._core.scans.partition import Partition
from aioflows._core.scans.partitions import PartitionedScan
from aioflows.checkpoint import Checkpoint, Position, Remainder
from aioflows.errors import QueryError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery
from aioflows.settings import Limits

if TYPE_CHECKING:
    from aioflows._core.sorted.sorted_windows import Window

__all__ = ["make_machine", "page_size_for"]

_SEVERAL = 2

_LEAST_PAGE = 100
"""Pages that are smaller than so many rows cost more than they save."""


def page_size_for(limits: Limits, query: FlowQuery) -> int:
    """Return the rows per request: fewer than the limits say, if the buffer has no room for a few such pages.

    These are the rows that the consumer got last, and a page, or two of each schedule type.
    """
    pages = 1 + (2 * len(ScheduleType) if query.type is None else 1)
    return min(limits.page_size, max(_LEAST_PAGE, limits.buffer // pages))


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
    fields = [field for field, _ in query.sorters]
    if fields[:1] in ([], ["trigger_time"]):
        limits = attrs.evolve(limits, page_size=page_size_for(limits, query))
    setup = _ScanSetup(query, service, limits, resume, confirm=confirm, growing=growing)
    machine: Machine
    if "update_time" in fields:
        _check_update_time(query, resume, proven=proven)
        machine = _by_update_time(setup)
    elif fields in ([], ["trigger_time"]):
        machine = setup.walk(ordered=bool(fields), limit=limit)
    elif fields[0] == "trigger_time":
        machine = _by_trigger_time_and_others(setup, limit)
    else:
        machine = _by_other_fields(setup, limit, proven=proven)
    by_walk = "update_time" not in fields and fields[:1] in (
        [],
        ["trigger_time"],
    )  # it hands out only rows that its partitions have checked
    checks = setup.checks
    if (checks is None or by_walk) and len(query.status) < _SEVERAL and query.type is not ScheduleType.MANUAL:
        return machine
    seen = SeenFilters() if seen is None else seen
    return FilteredScan(
        machine, query, service, limits.page_size, seen, checks=None if by_walk else checks, polling=growing
    )


@attrs.frozen
class _ScanSetup:
    """What all machines are made from. See `make_machine` for the arguments."""

    query: FlowQuery
    service: ServiceFacts
    limits: Limits
    resume: Checkpoint | None
    confirm: bool
    growing: bool
    checks: FilterChecks | None = attrs.field(init=False)

    @checks.default
    def _checks_of_query(self) -> FilterChecks | None:
        return checks_of(self.query)

    @property
    def descending(self) -> bool:
        """True if the first sort field is descending."""
        return bool(self.query.sorters) and self.query.sorters[0][1]

    @property
    def after(self) -> Position | None:
        """The position to resume after."""
        return None if self.resume is None else self.resume.position

    def walk(
        self,
        again: Sequence[Window] = (),
        *,
        ordered: bool,
        limit: int | None = None,
        noted: Callable[[Sequence[FlowInstance], ScheduleType], None] | None = None,
    ) -> PartitionedScan:
        """Return the keyset walk over the windows that are left.

        Args:
            again: the windows to read instead, which were read before. Default: none.
            ordered: True if rows are handed out in order.
            limit: the number of rows that will be taken. Default: None, every row.
            noted: called with the rows that were decoded, and their schedule type. Default: None.
        """
        query, descending, left = self.query, self.descending, [Remainder(*window) for window in again]
        types: Collection[ScheduleType] = dict.fromkeys(type for type, _, _ in again)
        if not again:
            types = list(ScheduleType) if query.type is None else [query.type]
            left = [Remainder(type, query.from_ms, query.to_ms) for type in types]
            left = left if self.resume is None else list(self.resume.remaining)
        partitions = []
        for type in types:
            of_type = [one for one in left if one.type == type]
            handed = {
                (~one.after[0] if descending else one.after[0]): one.after[1] for one in of_type if one.after
            }
            scan = KeysetScan(
                [(one.from_ms, one.to_ms) for one in of_type],
                service=self.service,
                descending=descending,
                ordered=ordered,
                page_size=self.limits.page_size,
                concurrency=self.limits.concurrency,
                buffer=self.limits.buffer,
                limit=limit,
                splits=not query.expression,
                filtered=bool(query.status or query.owner or query.expression),
                alone=len(types) == 1,
                confirm=self.confirm,
                growing=self.growing,
            )
            resumed = bool(again) or self.resume is not None
            edges = () if self.growing else (query.from_ms, query.to_ms)
            partitions.append(Partition(type, scan, handed, resumed=resumed, edges=edges))
        return PartitionedScan(
            partitions, ordered=ordered, descending=descending, noted=noted, checks=self.checks
        )


# The other orders are imported with the first scan that asks for one.


def _by_update_time(setup: _ScanSetup) -> Machine:
    from aioflows._core.sorted.service_order import ServiceOrderScan  # noqa: PLC0415

    walk = attrs.evolve(setup, confirm=True).walk(ordered=False)
    page_size, buffer = setup.limits.page_size, setup.limits.buffer
    return ServiceOrderScan(
        walk, setup.query.sorters[0], service=setup.service, page_size=page_size, buffer=buffer
    )


def _by_trigger_time_and_others(setup: _ScanSetup, limit: int | None) -> Machine:
    from aioflows._core.sorted.null_probe import NullProbes  # noqa: PLC0415
    from aioflows._core.sorted.sort_keys import SortOrder  # noqa: PLC0415
    from aioflows._core.sorted.tie_order import TieOrderScan  # noqa: PLC0415

    query, order = setup.query, SortOrder(setup.query.sorters, setup.service, setup.after)
    walk = setup.walk(ordered=True, limit=limit, noted=order.note)
    windows = [(partition.type, query.from_ms, query.to_ms) for partition in walk.partitions]
    return TieOrderScan(walk, order, NullProbes(order, windows, setup.service), setup.after)


def _by_other_fields(setup: _ScanSetup, limit: int | None, *, proven: bool) -> Machine:
    from aioflows._core.sorted.sort_keys import SortOrder  # noqa: PLC0415
    from aioflows._core.sorted.sorted_scan import SortedScan  # noqa: PLC0415

    order = SortOrder(setup.query.sorters, setup.service, setup.after)
    return SortedScan(
        setup.walk(ordered=False, noted=order.note),
        order,
        service=setup.service,
        again=partial(attrs.evolve(setup, confirm=True).walk, ordered=False, noted=order.note),
        page_size=setup.limits.page_size,
        buffer=setup.limits.buffer,
        limit=limit,
        proven=proven,
        after=setup.after,
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
            f"{why}the rows that the keyset walk proves cannot be sorted by it; leave out proven=True, or order by another field"
        )
    if resume is not None and resume.remaining:
        raise QueryError(
            f"{why}a scan in that order cannot be resumed; begin it again, or order by another field"
        )
