"""A scan by trigger time whose ties are sorted by further fields: the keyset walk, second by second.

Batches of the walk end at whole seconds, and answers have trigger times in whole seconds. So all rows of one
trigger time come together, and sorting them loses neither the order nor the proof.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.machine import Machine, PendingEvent, Requester, Rows
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import NEED_PAGES
from aioflows._core.sorted.null_probe import NullProbes
from aioflows._core.sorted.sort_keys import Key, SortOrder
from aioflows._core.wire.zone import Zone
from aioflows.checkpoint import Position, Remainder
from aioflows.models import FlowInstance

__all__ = ["TieOrderScan"]


class TieOrderScan(Machine):
    """The scan by trigger time, then by other fields.

    Args:
        partitions: the keyset walk, ordered by trigger time.
        order: the order of the scan, whose first field is the trigger time.
        probes: the requests that find out where rows without a field stand.
        after: the place after which rows are handed out. None means every row.
    """

    def __init__(
        self, partitions: PartitionedScan, order: SortOrder, probes: NullProbes, after: Position | None
    ) -> None:
        self._partitions = partitions
        self._order = order
        self._probes = probes
        self._after = after
        self._from: Key | None = () if after is None else None
        self._waiting: list[FlowInstance] = []

    def __repr__(self) -> str:
        return f"<TieOrderScan {self._order!r} of {self._partitions.partitions}>"

    @property
    def progress(self) -> float:
        """The share of the time range that was handed out, from 0 to 1."""
        return self._partitions.progress

    def account(self) -> ScanAccount:
        """Return the figures so far."""
        return self._partitions.account() + ScanAccount(self._probes.rows_received)

    def drain_events(self) -> list[PendingEvent]:
        """Return the windows that were proven since the last call."""
        return self._partitions.drain_events()

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times, which the first answer needs."""
        self._probes.zone = zone
        self._order.set_zone(zone)
        self._partitions.set_zone(zone)

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start."""
        asks = self._probes.wanted()
        return asks + self._partitions.wanted(slots - len(asks))

    def next_rows(self) -> Rows:
        """Return the next rows in order. Raise the scan's error after all rows before the error."""
        if self._probes.error is not None:
            raise self._probes.error
        if self._from is None and self._after is not None:
            self._from = self._order.key_at(self._after)
        if not self._waiting:
            got = self._partitions.next_rows()
            if not isinstance(got, list):
                return got
            self._waiting = got
        if self._from is None or self._order.lacking(self._waiting):
            return NEED_PAGES
        rows, self._waiting = self._waiting, []
        start = self._from
        return [row for key, row in self._order.entries(rows) if key > start]

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        """Return the windows that are left, beginning with the second of the last row."""
        left = self._partitions.remaining(last, begun, all_handed and not self._waiting)
        return [attrs.evolve(one, after=None) for one in left]

    def position(self, last: FlowInstance | None) -> Position | None:
        """Return the place of the last row in the order."""
        return self._after if last is None else self._order.position(last)
