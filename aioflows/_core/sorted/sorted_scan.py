"""A scan in an order other than that of trigger times.

The keyset walk collects a small result, or a result that must be proven. Then the rows are sorted here. A large
result begins with the walk too. Once more rows were read than may be held, the rest is cut into windows that
the service sorts (`aioflows._core.sorted.sorted_windows`), and merged with the collected rows. No row that
was read is requested again.

Invariants:

1. The windows that were walked and the windows that the service sorts cover the range without overlap. So no
   row comes from two sources.
2. The collected rows are held until they are handed out. The sorted windows hold about as many rows again.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.read_ahead import BATCHES_BEFORE_ALL
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.machine import Machine, PendingEvent, Requester, Rows, SpillRead, SpillWrite
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.sorted.external_sort import ExternalSort
from aioflows._core.sorted.merge import KWayMerge, SpilledRun
from aioflows._core.sorted.null_probe import NullProbes
from aioflows._core.sorted.sort_keys import SortOrder
from aioflows._core.sorted.sorted_windows import SortedWindows, Window
from aioflows._core.sorted.window_plan import (
    cut_evenly,
    expected_rows,
    left_windows,
    under_way,
    whole_range,
)
from aioflows._core.sorted.window_reader import WindowReader
from aioflows._core.wire.zone import Zone
from aioflows.checkpoint import Position, Remainder
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance

__all__ = ["SortedScan"]

_SMALLEST_PAGE = 8
_LARGEST_GROUP = 2
"""The pages that one group may fill, however small the buffer."""


class SortedScan(Machine):
    """The scan in an order other than that of trigger times.

    Args:
        partitions: the keyset walk of the whole range, unordered.
        order: the order of the scan.
        service: the facts that the session knows about the service.
        again: returns a keyset walk of some windows.
        page_size: rows per request.
        buffer: about the most rows to hold. While the collected rows are handed out, sorted windows may hold
            as many rows again.
        limit: rows that the consumer takes in all. Default: None, which means every row.
        proven: True if the keyset walk reads the whole result, whatever its size. Default: False.
        after: the place after which rows are handed out. Default: None, which means every row.
    """

    def __init__(
        self,
        partitions: PartitionedScan,
        order: SortOrder,
        *,
        service: ServiceFacts,
        again: Callable[[Sequence[Window]], PartitionedScan],
        page_size: int,
        buffer: int,
        limit: int | None = None,
        proven: bool = False,
        after: Position | None = None,
    ) -> None:
        self._partitions = partitions
        self._order = order
        self._service = service
        self._again = again
        self._page_size = page_size
        self._buffer = buffer
        self._few = limit is not None and limit <= page_size and not proven
        self._proven = proven
        self._after = after
        windows = [
            (
                partition.type,
                *partition.scan.axis.window(partition.scan.spans[0][0], partition.scan.spans[-1][1]),
            )
            for partition in partitions.partitions
            if partition.scan.spans
        ]
        self._probes = NullProbes(order, windows, service)
        self._walk = ExternalSort(
            partitions, order, page=self._page, buffer=buffer, keep=buffer if proven else 2 * buffer
        )
        self._stopped = False
        self._merge: KWayMerge | None = None
        self._windows = self._sorted_windows([])
        self._batches = self._rows_given = 0
        self._expected = self._begun = 0.0
        self._zone: Zone | None = None
        self._error: AioflowsError | None = None

    def __repr__(self) -> str:
        state = "collecting" if self._merge is None else f"merging {len(self._merge.sources)} sources"
        return f"<SortedScan {self._order!r} {state}, {self._rows_given} rows given, {self.held} held>"

    # State

    @property
    def held(self) -> int:
        """The number of rows in memory, and of rows on their way to a sorted window."""
        if self._merge is None:
            return self._walk.held
        merged = sum(
            len(source.entries) for source in self._merge.sources if not isinstance(source, WindowReader)
        )
        return merged + self._windows.held

    @property
    def progress(self) -> float:
        """The share of the scan that is done, from 0 to 1. Collecting before the first row is up to a half."""
        if self._merge is None:
            return self._partitions.progress / 2
        total = max(self._expected, self._rows_given, 1)
        return self._begun + (1 - self._begun) * min(1.0, self._rows_given / total)

    def account(self) -> ScanAccount:
        """Return the figures so far."""
        account = (
            self._partitions.account() + self._windows.account() + ScanAccount(self._probes.rows_received)
        )
        if self._merge is None:
            return account
        return attrs.evolve(account, expected=max(0.0, self._expected - self._rows_given))

    def drain_events(self) -> list[PendingEvent]:
        """Return the windows that were read, and those that have to be read again, since the last call."""
        return self._partitions.drain_events() + self._windows.drain_events()

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times, which the first answer needs."""
        self._zone = self._probes.zone = zone
        self._order.set_zone(zone)
        self._partitions.set_zone(zone)

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:  # noqa: ARG002
        """Return all windows, since only the place in the order shows which rows were handed out."""
        return whole_range(self._partitions)

    def position(self, last: FlowInstance | None) -> Position | None:
        """Return the place of the last row in the order."""
        return self._after if last is None else self._order.position(last)

    # Requests and disk tasks

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start."""
        asks = self._probes.wanted()
        if self._merge is None:
            if not self._stopped:
                few = len(self._partitions.partitions) - under_way(self._partitions)
                asks += self._walk.wanted(few if self._few else slots)
            else:
                asks += self._partitions.looks()
            return asks
        ahead = not self._few or self._batches >= BATCHES_BEFORE_ALL
        return asks + self._windows.wanted(slots - len(asks), self._merge, ahead=ahead)

    def disk_tasks(self) -> list[SpillWrite | SpillRead]:
        """Return the disk tasks to start, each once: rows to spill, and rows to read back."""
        tasks: list[SpillWrite | SpillRead] = [*self._walk.stores(), *self._windows.stores()]
        if self._merge is not None:
            runs = (source for source in self._merge.sources if isinstance(source, SpilledRun))
            tasks += [load for run in runs if (load := run.load()) is not None]
        return tasks

    def disk_failed(self, error: AioflowsError) -> None:
        """Process the error that a task of `disk_tasks` ended with."""
        self._error = error

    # Rows

    def next_rows(self) -> Rows:
        """Return the next rows in order. Raise the scan's error after all rows before the error."""
        error = self._error or self._probes.error
        if error is not None:
            raise error
        if self._merge is None and not self._collected():
            return NEED_PAGES
        merge = self._merge
        assert merge is not None, "everything is collected"
        self._windows.advance()
        while True:
            reached = merge.reached
            if rows := merge.next():
                self._batches += 1
                self._rows_given += len(rows)
                return rows
            if merge.reached == reached and not self._windows.read_again(merge):
                break
        self._windows.forget(merge)
        if merge.over:
            return DONE
        if (error := self._windows.error(merge)) is not None:
            raise error
        return NEED_PAGES

    # From collecting to merging

    def _collected(self) -> bool:
        """Collect rows. Return True once there are sources to merge."""
        walk = self._walk
        walk.advance()
        if not (walk.done or self._stopped):
            self._stopped = self._enough()
        if self._stopped:
            walk.stop()
        after = () if self._after is None else self._order.key_at(self._after)
        if not walk.done or after is None or (self._stopped and not self._order.settled()):
            return False
        self._begun = self._partitions.progress / 2
        self._expected = walk.total + expected_rows(self._partitions)
        readers = self._window_readers()
        self._windows = self._sorted_windows(readers)
        self._merge = KWayMerge([*walk.sources(), *readers], after)
        return True

    def _enough(self) -> bool:
        """Return True if enough rows were read, so that the service may sort the rest."""
        rows = self._walk.total
        if self._proven or not rows:
            return False
        if not self._few:
            return rows > self._buffer
        most = self._service.most(self._page_size)
        return most >= self._page_size or rows > most

    def _sorted_windows(self, readers: Sequence[WindowReader]) -> SortedWindows:
        return SortedWindows(
            readers, self._order, again=self._walked_again, page=self._page, buffer=self._buffer
        )

    def _walked_again(self, windows: Sequence[Window]) -> PartitionedScan:
        assert self._zone is not None, "the zone is known before the first answer is read"
        partitions = self._again(windows)
        partitions.set_zone(self._zone)
        return partitions

    def _window_readers(self) -> list[WindowReader]:
        """Return readers for the rest of the range, cut into windows that the service sorts."""
        if not (windows := left_windows(self._partitions)):
            return []  # a resumed scan that was finished has no windows, and no zone was set
        assert self._zone is not None, "the zone is known before the first answer is read"
        page = self._page()
        if not self._few:
            windows = cut_evenly(windows, page, self._buffer)
        size = min(page, max(_SMALLEST_PAGE, 3 * self._buffer // (4 * max(1, len(windows)))))
        evidence = {partition.type: partition.scan.evidence for partition in self._partitions.partitions}
        share = self._buffer // ((1 if self._few else 2) * max(1, len(windows)))
        return [
            WindowReader(
                *window,
                page_size=size,
                largest_group=max(_LARGEST_GROUP * size, share),
                order=self._order,
                service=self._service,
                evidence=evidence[window[0]],
                zone=self._zone,
            )
            for window in windows
        ]

    def _page(self) -> int:
        return self._service.full(self._page_size)
