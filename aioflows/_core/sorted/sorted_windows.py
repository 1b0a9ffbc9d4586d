"""The windows that the service sorts: whose request is next, and which are read again.

Invariants:

1. All windows together hold about as many rows as the buffer. Only the window that is farthest behind may
   request a page beyond the buffer, since no row can be handed out without that page.
2. An abandoned window is read again by the keyset walk, which leaves out the ids that were handed out. No row
   is handed out meanwhile. A row that belongs before the rows handed out ends the scan with an error.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.machine import PendingEvent, Requester, SpillWrite
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.sorted.external_sort import ExternalSort
from aioflows._core.sorted.merge import KWayMerge
from aioflows._core.sorted.sort_keys import SortOrder
from aioflows._core.sorted.window_reader import WindowReader
from aioflows.errors import AioflowsError
from aioflows.events import DriftFound, WindowDone
from aioflows.models import ScheduleType
from aioflows.stats import Proof

__all__ = ["SortedWindows", "Window"]

Window: TypeAlias = tuple[ScheduleType, int, int]
"""A schedule type, and a window of it (ms of real time)."""


class SortedWindows:
    """The windows of one scan, as sources of a merge.

    Args:
        readers: a reader for each window.
        order: the order of the scan.
        again: returns a keyset walk of given windows, with its zone set.
        page: returns the number of rows of a full page.
        buffer: about the most rows to hold.
    """

    def __init__(
        self,
        readers: Sequence[WindowReader],
        order: SortOrder,
        *,
        again: Callable[[Sequence[Window]], PartitionedScan],
        page: Callable[[], int],
        buffer: int,
    ) -> None:
        self._finished = ScanAccount()
        self._readers = list(readers)
        self._order = order
        self._again = again
        self._page = page
        self._buffer = buffer
        self._rereading: tuple[ExternalSort, list[WindowReader]] | None = None
        self._events: list[PendingEvent] = []

    @property
    def held(self) -> int:
        """The number of rows in memory, and of rows that are under way."""
        again = 0 if self._rereading is None else self._rereading[0].held
        return again + sum(reader.held for reader in self._readers)

    def account(self) -> ScanAccount:
        """Return the figures of all windows, and of the windows that were read again."""
        account = self._finished
        for reader in self._readers:
            account += ScanAccount(reader.rows_received, reader.buffer.duplicates)
        return account if self._rereading is None else account + self._rereading[0].partitions.account()

    def drain_events(self) -> list[PendingEvent]:
        """Return the events since the last call: windows that were read, and windows that were abandoned."""
        events, self._events = self._events, []
        return events if self._rereading is None else events + self._rereading[0].partitions.drain_events()

    # Requests and disk tasks

    def wanted(self, slots: int, merge: KWayMerge, *, ahead: bool) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start, first for the window that is farthest behind.

        Other windows read ahead as far as the buffer allows, in the order in which they run out of rows.

        Args:
            slots: the most requests to return.
            merge: the merge that the windows are sources of.
            ahead: True if anything may be read ahead.
        """
        asks: list[tuple[Requester, PageRequest]] = []
        if self._rereading is not None:
            asks += self._rereading[0].wanted(slots)
        readers = [reader for reader in self._readers if reader.bound is not None and not reader.abandoned]
        least, held = merge.bound, self.held
        waited_for = any(reader.under_way for reader in readers if reader.bound == least)
        for reader in sorted(readers, key=lambda reader: reader.horizon):
            while len(asks) < slots:
                room = held + reader.page_size <= self._buffer
                behind = reader.bound == least and (room or not waited_for)
                due = not reader.under_way and (behind or not reader.begun)
                if not due and not (ahead and room):
                    break
                before = reader.held
                ask = reader.ask()
                if ask is None:
                    break
                asks.append((reader, ask))
                waited_for = waited_for or reader.bound == least
                held += reader.held - before
        return asks

    def stores(self) -> list[SpillWrite]:
        """Return the rows to write to the spill file, each once."""
        return [] if self._rereading is None else self._rereading[0].stores()

    # Answers, and windows that end

    def advance(self) -> None:
        """Join the pages of each window as far as the answers allow."""
        for reader in self._readers:
            reader.advance()

    def error(self, merge: KWayMerge) -> AioflowsError | None:
        """Return the error of a window that no further row of another source can precede, or None."""
        return next(
            (reader.error for reader in self._readers if reader.error and reader.bound == merge.bound),
            None,
        )

    def read_again(self, merge: KWayMerge) -> bool:
        """Read abandoned windows again. Return True if the sources of the merge changed or an error is new."""
        if self._rereading is None:
            abandoned = [reader for reader in self._readers if reader.abandoned and reader.error is None]
            if not abandoned:
                return False
            self._rereading = self._begin(merge, abandoned), abandoned
        sorter, abandoned = self._rereading
        try:
            sorter.advance()
        except AioflowsError as error:
            for reader in abandoned:
                reader.error, reader.read_again = error, False
        else:
            if not sorter.done:
                return False
            self._drop(merge, set(abandoned))
            merge.sources += sorter.sources()
        self._finished += sorter.partitions.account()
        self._events += sorter.partitions.drain_events()
        self._rereading = None
        return True

    def _begin(self, merge: KWayMerge, abandoned: Sequence[WindowReader]) -> ExternalSort:
        for reader in abandoned:
            reader.read_again = True
            first, until = reader.window
            self._events.append(
                partial(DriftFound, type=reader.type, from_ms=first, to_ms=until, reason=reader.abandoned)
            )
        return ExternalSort(
            self._again([(reader.type, *reader.window) for reader in abandoned]),
            self._order,
            page=self._page,
            buffer=self._buffer // 2,
            keep=self._page(),
            handed=frozenset().union(*(reader.buffer.seen for reader in abandoned)),
            reached=merge.reached,
            after=merge.after,
        )

    def forget(self, merge: KWayMerge) -> None:
        """Drop the windows that have handed out every row."""
        self._drop(merge, {reader for reader in self._readers if reader.done})

    def _drop(self, merge: KWayMerge, gone: set[WindowReader]) -> None:
        if not gone:
            return
        for reader in [one for one in self._readers if one in gone]:
            proofs = Counter() if reader.abandoned else Counter({Proof.SORTED: 1})
            self._finished += ScanAccount(reader.rows_received, reader.buffer.duplicates, proofs)
            if not reader.abandoned:
                first, until = reader.window
                rows, proof = len(reader.buffer.seen), Proof.SORTED
                done = partial(
                    WindowDone, type=reader.type, from_ms=first, to_ms=until, rows=rows, proof=proof
                )
                self._events.append(done)
        self._readers = [reader for reader in self._readers if reader not in gone]
        merge.sources = [source for source in merge.sources if source not in gone]
