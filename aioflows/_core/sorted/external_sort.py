"""External sort of the rows of a keyset walk, in runs that are spilled to disk if memory is too small.

Sorting loses no row, so all that the walk proves stays proven. The first row waits for the last page.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.scans.machine import Requester, SpillWrite
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.sorted.merge import InMemoryRun, Source, SpilledRun
from aioflows._core.sorted.sort_keys import Entry, Key, SortOrder, by_key
from aioflows._core.sorted.window_plan import under_way
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance

__all__ = ["ExternalSort"]

_FEWEST = 16
"""The least number of rows to read back at once."""


@attrs.define(eq=False)
class _Run:
    """A sorted run: its number of rows, and its units in the spill file (offset and length in bytes)."""

    rows: int
    units: list[tuple[int, int]] | None = None


class ExternalSort:
    """The external sort: reads windows by the keyset walk and sorts their rows.

    Args:
        partitions: the keyset walk, unordered.
        order: the order to sort by.
        page: returns the number of rows of a full page.
        buffer: about the most rows to hold.
        keep: the most rows of a last run that stay in memory.
        handed: ids of rows that were handed out before, and are dropped. Default: no ids.
        reached: the key up to which rows were handed out. Default: ``()``, which means no rows.
        after: the key after which rows are handed out. Default: ``()``, which means from the first row on.
    """

    def __init__(
        self,
        partitions: PartitionedScan,
        order: SortOrder,
        *,
        page: Callable[[], int],
        buffer: int,
        keep: int,
        handed: Collection[str] = (),
        reached: Key = (),
        after: Key = (),
    ) -> None:
        self.partitions = partitions
        self.rows: list[FlowInstance] = []
        """Rows in memory that are not sorted yet."""
        self.ended = False
        """True if the walk has ended or was stopped."""
        self.duplicates = self.total = 0
        self._order = order
        self._page = page
        self._buffer = buffer
        self._keep = keep
        self._handed = handed
        self._reached = reached
        self._after = after
        self._runs: list[_Run] = []
        self._last: list[Entry] | None = None
        self._spilling = 0
        self._drained = False
        self._spill_writes: list[SpillWrite] = []
        self._unit = max(1, min(_FEWEST, buffer // 16))

    @property
    def held(self) -> int:
        """The number of rows in memory."""
        return (
            len(self.rows)
            + self._spilling
            + len(self._last or ())
            + sum(partition.held for partition in self.partitions.partitions)
        )

    @property
    def done(self) -> bool:
        """True if everything was read, sorted and spilled."""
        return self._last is not None and not self._spilling

    def wanted(self, slots: int) -> Iterator[tuple[Requester, PageRequest]]:
        """Return the requests to start, at most as many as the buffer has room for their rows."""
        asks = under_way(self.partitions)
        free = (self._buffer - self.held) // self._page() + 1 - asks
        if self.ended or (free < 1 and (asks or self._spilling)):
            return iter(self.partitions.looks())
        return iter(self.partitions.wanted(min(slots, max(free, 1))))

    def stores(self) -> list[SpillWrite]:
        """Return the rows to write to the spill file, each once."""
        stores, self._spill_writes = self._spill_writes, []
        return stores

    def advance(self) -> None:
        """Process the answers so far.

        Raises:
            AioflowsError: the error of the walk.
            CompletenessError: a row belongs before rows that were handed out.
        """
        while self._last is None:
            most = self._buffer // 2
            full = len(self.rows) > (most if self._runs else max(most, self._keep))
            if (full or self.ended) and not self._finish_run(last=self.ended):
                return
            if self.ended:
                continue
            got = self.partitions.next_rows()
            self._drained = got is NEED_PAGES
            if self._drained:
                return
            if got is DONE:
                self.ended = True
            elif isinstance(got, list):
                fresh = [row for row in got if row.instance_id not in self._handed]
                self.duplicates += len(got) - len(fresh)
                self.rows += fresh
                self.total += len(fresh)

    def stop(self) -> None:
        """End the walk once every request has its answer. The walk keeps the windows that are left."""
        if self._drained and not self.ended and not under_way(self.partitions):
            self.ended = True
            self.advance()

    def sources(self) -> list[Source]:
        """Return everything that was read, as sources for a merge."""
        assert self._last is not None, "everything is sorted"
        share = max(self._unit, self._buffer // (2 * max(1, len(self._runs))))
        spilled: list[Source] = [
            SpilledRun(run.units or (), share, self._unit, self._order) for run in self._runs
        ]
        return [*spilled, InMemoryRun(self._last)] if self._last else spilled

    def _finish_run(self, *, last: bool) -> bool:
        """Sort the rows in memory, and spill or keep the run. Return False if the run has to wait."""
        if self._order.lacking(self.rows):
            return False
        if not last and self._spilling:
            return False  # a second waiting run would need twice the memory
        entries = self._order.entries(self.rows)
        self._check(entries)
        self.rows = []
        if last and len(entries) <= self._keep:
            self._last = entries
            return True
        run = _Run(len(entries))
        self._runs.append(run)
        self._spilling += len(entries)

        def stored(units: list[tuple[int, int]]) -> None:
            run.units = units
            self._spilling -= run.rows

        self._spill_writes.append(SpillWrite([row for _, row in entries], self._unit, stored))
        if last:
            self._last = []
        return True

    def _check(self, entries: list[Entry]) -> None:
        """Check that no row comes too late: before the last row that was handed out, but after `after`."""
        passed = entries[: bisect_right(entries, self._reached, key=by_key)]
        lost = [row for key, row in passed if key > self._after]
        if lost:
            raise CompletenessError(
                f"instance {lost[0].instance_id!r} ({len(lost):,} in all) came after later rows of the order {self._order!r} "
                "were returned: the result changed while it was read. Use scan(query, proven=True), which reads everything "
                "before it returns the first row"
            )
