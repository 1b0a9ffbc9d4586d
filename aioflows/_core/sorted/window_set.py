"""The sorted windows of one scan: the order of their requests, and a second reading of torn windows.

A window that the service sorts is also called a sorted_window here.

Invariants:

1. All windows together hold about the buffer. Only the window that is farthest behind may request a page
   beyond the buffer, since no row can be handed out without that page.
2. A torn window is read again by the keyset walk. Rows of it that were handed out already are known by their
   ids. No row is handed out meanwhile. A row that should have been handed out before ends the scan.

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
from aioflows._core.sorted.window import SortedWindow
from aioflows.errors import AioflowsError
from aioflows.events import DriftFound, WindowDone
from aioflows.models import ScheduleType
from aioflows.stats import Proof

__all__ = ["SortedWindows", "Window"]

Window: TypeAlias = tuple[ScheduleType, int, int]
"""A schedule type, and a window of it (ms of real time)."""


class SortedWindows:
    """The sorted windows of one scan, as sources of a merge.

    Args:
        sorted_windows: the sorted windows.
        order: the order of the scan.
        again: returns a keyset walk of some windows, with its zone set.
        page: returns the number of rows of a full page.
        buffer: about the most rows to hold.
    """

    def __init__(
        self,
        sorted_windows: Sequence[SortedWindow],
        order: SortOrder,
        *,
        again: Callable[[Sequence[Window]], PartitionedScan],
        page: Callable[[], int],
        buffer: int,
    ) -> None:
        self._past = ScanAccount()
        self._sorted_windows = list(sorted_windows)
        self._order = order
        self._again = again
        self._page = page
        self._buffer = buffer
        self._second: tuple[ExternalSort, list[SortedWindow]] | None = None
        self._news: list[PendingEvent] = []

    @property
    def held(self) -> int:
        """The number of rows in memory, and of rows that are under way."""
        second = 0 if self._second is None else self._second[0].held
        return second + sum(sorted_window.held for sorted_window in self._sorted_windows)

    def account(self) -> ScanAccount:
        """Return the figures of all windows, and of all that was read again."""
        account = self._past
        for sorted_window in self._sorted_windows:
            account += ScanAccount(sorted_window.rows_received, sorted_window.duplicates)
        return account if self._second is None else account + self._second[0].partitions.account()

    def drain_events(self) -> list[PendingEvent]:
        """Return the events since the last call: windows that were read, and windows that were torn."""
        news, self._news = self._news, []
        return news if self._second is None else news + self._second[0].partitions.drain_events()

    # Requests

    def wanted(self, slots: int, merge: KWayMerge, *, ahead: bool) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start, first one for the window that is farthest behind.

        The others read ahead as far as the buffer allows. Windows that run out of rows first come first.

        Args:
            slots: the most requests to return.
            merge: the merge that the windows are sources of.
            ahead: True if anything may be read ahead.
        """
        asks: list[tuple[Requester, PageRequest]] = []
        if self._second is not None:
            asks += self._second[0].wanted(slots)
        sorted_windows = [
            sorted_window
            for sorted_window in self._sorted_windows
            if sorted_window.bound is not None and not sorted_window.torn
        ]
        least, held = merge.bound, self.held
        waited_for = any(
            sorted_window.under_way for sorted_window in sorted_windows if sorted_window.bound == least
        )
        for sorted_window in sorted(sorted_windows, key=lambda sorted_window: sorted_window.horizon):
            while len(asks) < slots:
                room = held + sorted_window.page_size <= self._buffer
                behind = sorted_window.bound == least and (room or not waited_for)
                due = not sorted_window.under_way and (behind or not sorted_window.begun)
                if not due and not (ahead and room):
                    break
                before = sorted_window.held
                ask = sorted_window.ask()
                if ask is None:
                    break
                asks.append((sorted_window, ask))
                waited_for = waited_for or sorted_window.bound == least
                held += sorted_window.held - before
        return asks

    def stores(self) -> list[SpillWrite]:
        """Return the rows to write to the spill file, each once."""
        return [] if self._second is None else self._second[0].stores()

    # Answers

    def advance(self) -> None:
        """Go on as far as the answers allow."""
        for sorted_window in self._sorted_windows:
            sorted_window.advance()

    def error(self, merge: KWayMerge) -> AioflowsError | None:
        """Return the error of a window that no further row of another source can precede."""
        return next(
            (
                sorted_window.error
                for sorted_window in self._sorted_windows
                if sorted_window.error and sorted_window.bound == merge.bound
            ),
            None,
        )

    def read_again(self, merge: KWayMerge) -> bool:
        """Read torn windows again. Return True if there is something new to merge."""
        if self._second is None:
            torn = [
                sorted_window
                for sorted_window in self._sorted_windows
                if sorted_window.torn and sorted_window.error is None
            ]
            if not torn:
                return False
            self._second = self._begin(merge, torn), torn
        sorter, torn = self._second
        try:
            sorter.advance()
        except AioflowsError as error:
            for sorted_window in torn:
                sorted_window.error, sorted_window.given_up = error, False
        else:
            if not sorter.done:
                return False
            self._drop(merge, set(torn))
            merge.sources += sorter.sources()
        self._past += sorter.partitions.account()
        self._news += sorter.partitions.drain_events()
        self._second = None
        return True

    def _begin(self, merge: KWayMerge, torn: Sequence[SortedWindow]) -> ExternalSort:
        for sorted_window in torn:
            sorted_window.given_up = True
            first, until = sorted_window.window
            self._news.append(
                partial(
                    DriftFound, type=sorted_window.type, from_ms=first, to_ms=until, reason=sorted_window.torn
                )
            )
        return ExternalSort(
            self._again([(sorted_window.type, *sorted_window.window) for sorted_window in torn]),
            self._order,
            page=self._page,
            buffer=self._buffer // 2,
            keep=self._page(),
            handed=frozenset().union(*(sorted_window.seen for sorted_window in torn)),
            reached=merge.reached,
            after=merge.after,
        )

    def forget(self, merge: KWayMerge) -> None:
        """Drop the windows that have handed out every row."""
        self._drop(merge, {sorted_window for sorted_window in self._sorted_windows if sorted_window.done})

    def _drop(self, merge: KWayMerge, gone: set[SortedWindow]) -> None:
        if not gone:
            return
        for sorted_window in gone:
            proofs = Counter() if sorted_window.torn else Counter({Proof.SORTED: 1})
            self._past += ScanAccount(sorted_window.rows_received, sorted_window.duplicates, proofs)
            if not sorted_window.torn:
                first, until = sorted_window.window
                rows, proof = len(sorted_window.seen), Proof.SORTED
                done = partial(
                    WindowDone, type=sorted_window.type, from_ms=first, to_ms=until, rows=rows, proof=proof
                )
                self._news.append(done)
        self._sorted_windows = [
            sorted_window for sorted_window in self._sorted_windows if sorted_window not in gone
        ]
        merge.sources = [source for source in merge.sources if source not in gone]
