"""Rows of a keyset walk, sorted in runs, which are laid aside where they are too many to be held.

What the walk proves is proven here: sorting loses nothing. The first row waits for the last page.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator

import attrs

from aioflows._core.pages.reading import PageRequest
from aioflows._core.scans.machine import Requester, SpillWrite
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.sorted.merge import InMemoryRun, Source, SpilledRun
from aioflows._core.sorted.sort_keys import Entry, Key, SortOrder, by_key
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance

__all__ = ["ExternalSort"]

_FEWEST = 16
"""Rows that are read back at once, at least."""


@attrs.define(eq=False)
class _Run:
    """A sorted run, and where it was laid aside."""

    rows: int
    units: list[tuple[int, int]] | None = None


class ExternalSort:
    """Reads windows by the keyset walk, and sorts what comes.

    Args:
        lanes: the walk, unordered.
        order: the order to sort by.
        page: *rows* of a full page.
        buffer: *rows* to hold at most, about.
        keep: *rows* that are not laid aside if there are no more.
        handed: *ids* of rows that were given already, and are dropped.
        reached: the key up to which rows were given.
        after: the key from which on rows were to be given.
    """

    def __init__(
        self,
        lanes: PartitionedScan,
        order: SortOrder,
        *,
        page: Callable[[], int],
        buffer: int,
        keep: int,
        handed: Collection[str] = (),
        reached: Key = (),
        after: Key = (),
    ) -> None:
        self.lanes = lanes
        self.rows: list[FlowInstance] = []
        """Rows that are held, in no order."""
        self.ended = False
        """Whether the walk has come to its end, or was stopped."""
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
        self._storing = 0
        self._drained = False
        self._stores: list[SpillWrite] = []
        self._unit = max(1, min(_FEWEST, buffer // 16))

    @property
    def held(self) -> int:
        """Rows in memory."""
        return (
            len(self.rows)
            + self._storing
            + len(self._last or ())
            + sum(lane.held for lane in self.lanes.lanes)
        )

    @property
    def done(self) -> bool:
        """Whether everything was read, sorted and laid aside."""
        return self._last is not None and not self._storing

    def wanted(self, slots: int) -> Iterator[tuple[Requester, PageRequest]]:
        """Name requests to start, as many as their rows can be held."""
        under_way = sum(lane.scan.under_way for lane in self.lanes.lanes)
        free = (self._buffer - self.held) // self._page() + 1 - under_way
        if self.ended or (free < 1 and (under_way or self._storing)):
            return iter(self.lanes.looks())
        return iter(self.lanes.wanted(min(slots, max(free, 1))))

    def stores(self) -> list[SpillWrite]:
        """Name what is to be laid aside, each once."""
        stores, self._stores = self._stores, []
        return stores

    def advance(self) -> None:
        """Take what was answered.

        Raises:
            AioflowsError: the walk has ended with it.
            CompletenessError: a row turned up whose place was passed.
        """
        while self._last is None:
            most = self._buffer // 2
            full = len(self.rows) > (most if self._runs else max(most, self._keep))
            if (full or self.ended) and not self._puts_aside(last=self.ended):
                return
            if self.ended:
                continue
            got = self.lanes.next_rows()
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
        """End the walk where it is, once everything that was asked for has come; it tells what is left."""
        if self._drained and not self.ended and not any(lane.scan.under_way for lane in self.lanes.lanes):
            self.ended = True
            self.advance()

    def sources(self) -> list[Source]:
        """Return everything that was read, as sources to be merged."""
        assert self._last is not None, "it is done"
        share = max(self._unit, self._buffer // (2 * max(1, len(self._runs))))
        shelves: list[Source] = [
            SpilledRun(run.units or (), share, self._unit, self._order) for run in self._runs
        ]
        return [*shelves, InMemoryRun(self._last)] if self._last else shelves

    def _puts_aside(self, *, last: bool) -> bool:
        """Sort what is held and lay it aside, unless it may be kept; False: that has to wait."""
        if self._order.lacking(self.rows):
            return False
        if not last and self._storing:
            return False  # no more than one run waits at a time
        entries = self._order.entries(self.rows)
        self._check(entries)
        self.rows = []
        if last and len(entries) <= self._keep:
            self._last = entries
            return True
        run = _Run(len(entries))
        self._runs.append(run)
        self._storing += len(entries)

        def stored(units: list[tuple[int, int]]) -> None:
            run.units = units
            self._storing -= run.rows

        self._stores.append(SpillWrite([row for _, row in entries], self._unit, stored))
        if last:
            self._last = []
        return True

    def _check(self, entries: list[Entry]) -> None:
        """See that no row stands where rows were given already, beyond those that are known."""
        passed = entries[: bisect_right(entries, self._reached, key=by_key)]
        lost = [row for key, row in passed if key > self._after]
        if lost:
            raise CompletenessError(
                f"instance {lost[0].instance_id!r} ({len(lost):,} in all) turned up where the order {self._order!r} was "
                "given already: the result changed while it was read, and the row may have been passed over. "
                "scan(query, proven=True) reads everything before it gives the first row, and is not open to that"
            )
