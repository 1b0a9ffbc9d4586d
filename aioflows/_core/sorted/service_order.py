"""A scan in the service's own order, by a field that its answers do not contain.

Without the field, only the places of rows can be checked, and nothing can be merged. So one window is read by
page numbers:

1. Two pages join if the second begins with the rows that the first ends with, at the same places, and brings no
   other row that came before.
2. The end is proven from the end. The first page of the reverse direction must hold the last row, and no row
   that the last pages did not bring.

If pages do not join, the later page is requested again a few times, since the answers may be from before and
after a change. If the pages still do not join, the result has changed, and the scan ends.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import partial

import attrs

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.sequence import PageSequence, PlacedPage
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.read_ahead import BATCHES_BEFORE_ALL
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.machine import Machine, PendingEvent, Requester, Rows
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.sorted.sort_keys import Sorter
from aioflows._core.sorted.window_plan import expected_rows, under_way, whole_range
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.checkpoint import Remainder
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.events import DriftFound, WindowDone
from aioflows.models import FlowInstance, ScheduleType
from aioflows.stats import Proof

__all__ = ["ServiceOrderScan"]

_TRIES = 3
_LAST_PAGES = 3
"""The number of last pages whose ids are kept, to be compared with the page from the end."""


class ServiceOrderScan(Machine):
    """The scan in the service's own order.

    Args:
        partitions: a keyset walk of the same window. Only its first answers are used, which show how the
            service numbers pages, and how many rows a page holds.
        sorter: the sort field, and True if it is descending.
        service: the facts that the session knows about the service.
        page_size: rows per request.
        buffer: rows to read ahead.
    """

    def __init__(
        self,
        partitions: PartitionedScan,
        sorter: Sorter,
        *,
        service: ServiceFacts,
        page_size: int,
        buffer: int,
    ) -> None:
        self.type: ScheduleType = partitions.partitions[0].type
        self.rows_received = self.duplicates = 0
        self._partitions = partitions
        self._sorter = sorter
        self._service = service
        self._page_size = page_size
        self._buffer = buffer
        self._zone: Zone | None = None
        self._pages: PageSequence | None = None
        self._back: PageRequest | None = None
        self._back_ids: list[str] | None = None
        self._seen: set[str] = set()
        self._last: deque[list[str]] = deque(maxlen=_LAST_PAGES)
        self._end = self._tries = self._batches = 0
        self._short = self._over = False
        self._error: AioflowsError | None = None
        self._events: list[PendingEvent] = []

    def __repr__(self) -> str:
        return f"<ServiceOrderScan by {self._sorter[0]}, {self._end} rows read>"

    # State

    @property
    def progress(self) -> float:
        """The share of the rows that was handed out, from 0 to 1, estimated from the first answer."""
        if self._pages is None:
            return 0.0
        expected = expected_rows(self._partitions)
        return min(1.0, self._end / max(expected, self._end, 1.0))

    def account(self) -> ScanAccount:
        """Return the figures so far. The keyset walk adds only the expected number of rows."""
        walk = self._partitions.account()
        return ScanAccount(
            self.rows_received,
            self.duplicates,
            Counter({Proof.SORTED: 1}) if self._over else Counter(),
            undated=walk.undated,
            expected=0.0 if self._over else max(0.0, walk.expected - self._end),
        )

    def drain_events(self) -> list[PendingEvent]:
        """Return the events since the last call: pages that did not join, and the window that was read."""
        events, self._events = self._events, []
        return events

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times. The zone is needed before the first answer."""
        self._zone = zone
        self._partitions.set_zone(zone)

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:  # noqa: ARG002
        """Return the whole window, since nothing shows which of its rows were handed out."""
        return whole_range(self._partitions)

    # Requests

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start."""
        if self._pages is None:
            return self._partitions.wanted(1 - under_way(self._partitions))
        asks: list[tuple[Requester, PageRequest]] = []
        while len(asks) < slots and (ask := self._ask(self._pages)) is not None:
            asks.append((self, ask))
        return asks

    def _ask(self, pages: PageSequence) -> PageRequest | None:
        if self._over or self._error is not None:
            return None
        if self._short:
            if self._back is None:
                self._back = attrs.evolve(self._window(), backward=True)
                return self._back
            return None
        size = self._window().page_size
        ahead = pages.held + size * (pages.under_way + 1)
        if pages.under_way and (self._batches < BATCHES_BEFORE_ALL or ahead > self._buffer):
            return None
        expected = expected_rows(self._partitions)
        if pages.under_way and pages.asked >= max(expected, self._end + size):
            return None
        return pages.ask()

    def _window(self) -> PageRequest:
        spans = self._partitions.partitions[0].scan.spans
        return PageRequest(
            spans[0][0],
            spans[-1][1],
            Direction(self._sorter[1]),
            self._service.full(self._page_size),
            page_no=self._service.first_page or 0,
            field=self._sorter[0],
        )

    # Answers

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:  # noqa: ARG002
        """Process the error that a request ended with, after its retries were spent."""
        self._error = self._error or error

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        self.rows_received += len(page.ids)
        if ask is self._back:
            self._back_ids = list(page.ids)
        elif self._pages is not None:
            self._pages.received(ask, page)

    # Rows

    def next_rows(self) -> Rows:
        """Return the next rows in the service's order. Raise the scan's error after all rows before the error."""
        if self._pages is None:
            got = self._partitions.next_rows()
            if got is DONE:
                return DONE  # the keyset walk has proven that the window is empty
            if got is NEED_PAGES:
                return NEED_PAGES
            self._pages = PageSequence(self._window(), self._service)
        while not self._over:
            if self._short:
                return self._ends()
            place = self._pages.next()
            if place is None:
                if self._error is not None:
                    raise self._error
                return NEED_PAGES
            rows = self._rows(self._pages, place)
            if rows:
                self._batches += 1
                return rows
        return DONE

    def _rows(self, pages: PageSequence, place: PlacedPage) -> list[FlowInstance]:
        """Return the new rows of a page. If the page does not join, request it again and return no rows."""
        ids = [*place.page.ids]
        shared = self._end - place.offset
        known = [name for page in self._last for name in page]
        if (
            not ids
            or shared < (1 if self._end else 0)
            or ids[:shared] != (known[-shared:] if shared else [])
            or len(set(ids)) < len(ids)
            or not self._seen.isdisjoint(ids[shared:])
        ):
            self._tries += 1
            if ids:
                self._note_drift("two pages did not join")
            if self._tries < _TRIES:
                pages.once_more()
            elif ids:
                raise self._changed("two pages did not join")
            else:
                # Page numbers may end before the rows, so the page from the end decides.
                self._short, self._tries = True, 0
            return []
        self._tries = 0
        self._end = place.offset + len(ids)
        self._short = len(ids) < place.size
        fresh = ids[shared:]
        if fresh:  # all rows of a last page may be on the page before
            self._last.append(fresh)
        self._seen.update(fresh)
        assert self._zone is not None, "the zone is known before the first answer is read"
        self._check_end(place.page, shared)
        return place.page.instances(self._zone, range(shared, len(ids)))

    def _check_end(self, page: Page, start: int) -> None:
        """Check that no row has the end of the window as its trigger time, since such rows may be anywhere."""
        assert self._zone is not None, "the zone is known before the first answer is read"
        to_ms = self._window().to_ms
        end = to_ms // 1000 + self._zone.offset_at(to_ms // 1000 - 1)
        for name, time in zip(page.ids[start:], page.times[start:], strict=True):
            if to_ms % 1000 == 0 and wall_seconds(time) == end:
                raise CompletenessError(
                    f"instance {name!r} came with trigger time {time}, the end of the window of the request "
                    f"({self._window().from_ms}–{to_ms} ms): the service includes the end of the range, or rounds its times. "
                    "Order by trigger_time, or end the range a millisecond earlier"
                )

    def _ends(self) -> Rows:
        if self._error is not None:
            raise self._error
        if self._back_ids is None:
            return NEED_PAGES
        known = {name for page in self._last for name in page}
        last = self._last[-1][-1] if self._last and self._last[-1] else None
        if not self._back_ids or not known.issuperset(self._back_ids) or last not in self._back_ids:
            self._tries += 1
            self._note_drift("its pages ended too early")
            if self._tries < _TRIES:
                self._back = self._back_ids = None
                return NEED_PAGES
            raise self._changed("its pages ended too early, namely")
        self._over = True
        first, until = self._window().from_ms, self._window().to_ms
        done = partial(WindowDone, type=self.type, from_ms=first, to_ms=until)
        self._events.append(partial(done, rows=self._end, proof=Proof.SORTED))
        return DONE

    def _note_drift(self, reason: str) -> None:
        window = self._window()
        self._events.append(
            partial(DriftFound, type=self.type, from_ms=window.from_ms, to_ms=window.to_ms, reason=reason)
        )

    def _changed(self, what: str) -> CompletenessError:
        first, until = self._window().from_ms, self._window().to_ms
        return CompletenessError(
            f"the window {first}–{until} ms, sorted by {self._sorter[0]}, cannot be read completely: {what} after "
            f"{self._end:,} rows. Rows changed meanwhile, page numbers end too early, or equal rows come in another order "
            "each time. Order by another field, with proven=True"
        )
