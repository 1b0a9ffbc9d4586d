"""A reader of a window that the service sorts by a field, by page numbers.

Invariants:

1. Let a page be sorted by a field, and begin in a group before ``g``. Then the page holds every lasting row
   from ``g`` to before the group of its last row. So a page joins the rows read so far if it begins before
   their last group, whatever has changed meanwhile. If that group reaches to the start of the page, the page
   joins if it has the same rows as the page before, at the places that both cover.
2. The end is proven from the end. A page sorted in the reverse direction holds every lasting row from its
   farthest group to the end of the window. The window is complete once the pages from its start reach into
   the page from its end. A page that is not full, a limit on page numbers and a silent cap do not prove an end.

If pages do not join, a group is too large to be held, or the end is not reached, the window is *abandoned*.
Then its pages do not count, and the keyset walk reads the window again.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.sequence import PageSequence, PlacedPage
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.sorted.group_buffer import GroupBuffer
from aioflows._core.sorted.page_groups import Backwards, GroupReader, PageGroups
from aioflows._core.sorted.sort_keys import Entry, Key, SortOrder
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, TimedOut
from aioflows.models import ScheduleType

__all__ = ["WindowReader"]


class WindowReader:
    """A reader of one window in the service's order.

    Args:
        type: the schedule type of its rows.
        first: the start of the window (ms of scan time).
        until: the end of the window (ms of scan time).
        expected: the rows to expect in the window. 0 means that the number is unknown.
        page_size: rows per request, no more than the service is known to return.
        largest_group: the most rows of one group to hold.
        order: the order of the scan.
        service: the facts that the session knows about the service.
        evidence: the evidence of the scan of `type`.
        zone: the zone of the service, whose offset does not change within the window.
    """

    def __init__(
        self,
        type: ScheduleType,
        first: int,
        until: int,
        expected: float,
        *,
        page_size: int,
        largest_group: int,
        order: SortOrder,
        service: ServiceFacts,
        evidence: ScanEvidence,
        zone: Zone,
    ) -> None:
        self.type = type
        self.expected = expected
        self.rows_received = 0
        self.abandoned = ""
        """The reason why the window was abandoned. Empty if it was not."""
        self.read_again = False
        """True while the keyset walk reads the window, so that no row of other windows is handed out."""
        self.error: AioflowsError | None = None
        self._largest_group = largest_group
        self._order = order
        self._service = service
        self._evidence = evidence
        self._ask = PageRequest(first, until, Direction(order.descending), page_size, field=order.first[0])
        self.window = self._ask.from_ms, self._ask.to_ms
        """The window (ms of real time)."""
        self.page_size = page_size
        """Rows per request."""
        self._reader = GroupReader(self._ask, type, order, evidence, zone)
        self.buffer = GroupBuffer(order, zone)
        """The rows that were read and not handed out."""
        self._pages = PageSequence(self._ask, service)
        self._place: PlacedPage | None = None
        """The next page, which waits for the place of rows that lack the field."""
        self._last_ids: Sequence[str] = ()
        """The ids of the last page that was joined."""
        self._end = 0
        """The number of rows that were joined."""
        self._short = False
        """True if the last page was not full."""
        self._back: PageRequest | None = None
        self._back_page: Page | None = None
        self._back_groups: PageGroups | None = None
        self._first_dropped: Key = ()
        """A key that precedes all rows that were read and not handed out when the window was abandoned."""
        self._complete = False

    def __repr__(self) -> str:
        state = f"abandoned, {self.abandoned}" if self.abandoned else f"{self._end} rows read"
        return f"<WindowReader {self._ask.from_ms}–{self._ask.to_ms} {state}, {self._pages.under_way} asks under way>"

    # State

    @property
    def entries(self) -> list[Entry]:
        """The rows to hand out next, with their keys."""
        return self.buffer.entries

    @property
    def bound(self) -> Key | None:
        """A key that no further row precedes. None means that there are no further rows."""
        if self.abandoned:
            return () if self.read_again else self._first_dropped
        if self.buffer.complete or self.buffer.last is None:
            return ()
        return None if self._complete else (self.buffer.last,)

    @property
    def horizon(self) -> Key:
        """The key up to which the window was read. The window with the least horizon runs out of rows first."""
        return () if self.buffer.last is None else (self.buffer.last,)

    @property
    def held(self) -> int:
        """The number of rows that were read and not handed out, or are under way."""
        known = len(self.buffer) + self._pages.held + (len(self._place.page.ids) if self._place else 0)
        back = self._back is not None and not self._over
        return known + self.page_size * (self._pages.under_way + back)

    @property
    def under_way(self) -> bool:
        """True if a request of the window is under way."""
        return self._pages.under_way > 0 or (self._back is not None and self._back_page is None)

    @property
    def begun(self) -> bool:
        """True if its first page was requested."""
        return self._pages.asked > 0

    @property
    def done(self) -> bool:
        """True if every row of the window was handed out."""
        return self._complete and not self.buffer.entries and not self.buffer.complete

    @property
    def _over(self) -> bool:
        return self._complete or bool(self.abandoned) or self.error is not None

    # Requests

    def ask(self) -> PageRequest | None:
        """Return the next request worth starting. None means no request."""
        if self._over:
            return None
        if self._wants_end():
            self._back = attrs.evolve(self._ask, backward=True, page_no=self._service.first_page or 0)
            return self._back
        if self._short or (self._pages.asked >= self._far and self.under_way):
            return None
        return self._pages.ask()

    @property
    def _far(self) -> float:
        """The row number up to which pages are requested at once.

        The first value is the expected number of rows. If more rows came, the surplus is added to their number.
        """
        surplus = self._end - self.expected
        return self.expected if surplus < 0 else self._end + surplus

    def _wants_end(self) -> bool:
        """Return True if it is time for the page that proves the end."""
        if self._back is not None or not self._end:
            return False
        if self._short:
            return True
        near = self._pages.asked + self.page_size / 2 >= self.expected > 0
        return near and self._order.ends_alike is not None

    # Answers

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:  # noqa: ARG002
        """Process the error that a request ended with.

        A refusal or a timeout may mean that the page lies too deep for the service. Then the window is
        abandoned. After another error, the scan ends at the window's position.
        """
        if self._over:
            return
        if refusal(error) or isinstance(error, TimedOut):
            self.abandoned = "the service failed on one of its pages"
            self.advance()
        else:
            self.error = error

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        self.rows_received += len(page.ids)
        if page.ids:
            self._service.saw(ask.page_size, len(page.ids), ask.until - ask.first)
            self._evidence.note_size(ask.page_size, len(page.ids))
        if self._over:
            return
        if ask is self._back:
            self._back_page = page
        else:
            self._pages.received(ask, page)
        self.advance()

    def advance(self) -> None:
        """Join pages as far as the answers, and the known places of rows that lack the field, allow."""
        try:
            while not self._over and self._step():
                pass
        except Backwards:
            self.abandoned = "its times run backwards"
        except AioflowsError as error:
            self.error = error
        if not self.abandoned:
            self.buffer.sort()
        elif self._pages.asked:
            self._first_dropped = self.buffer.drop() or self._first_dropped
            self._back_groups = None
            self._pages = PageSequence(self._ask, self._service)

    def _step(self) -> bool:
        if self._back_groups is None and self._back_page is not None:
            self._back_groups = self._reader.read(self._back_page, backward=True)
        if self._place is None and not self._short:
            self._place = self._pages.next()
        if self._place is None:
            return self._reaches_end()
        groups = self._reader.read(self._place.page)
        if groups is None:
            return False
        place, self._place = self._place, None
        self._join(place, groups)
        return True

    def _join(self, place: PlacedPage, groups: PageGroups) -> None:
        """Join a page to the rows that were read before it, or abandon the window."""
        self._short = len(groups.rows) < place.size
        last = self.buffer.last
        if last is None:
            if not groups.rows:
                self.abandoned = "its first page was empty"
                return
            self.buffer.add(groups, 0)
        elif not groups.rows:
            return  # page numbers may end before the rows, so the page from the end decides
        elif groups.keys[0] < last:
            self.buffer.add(groups, bisect_left(groups.keys, last))
        elif not self._shares_rows(place):
            self.abandoned = "two of its pages did not join"
            return
        else:
            self.buffer.add(groups, self._end - place.offset)
        self._end, self._last_ids = place.offset + len(groups.rows), place.page.ids
        if len(self.buffer.open) > self._largest_group:
            self.abandoned = "more rows have the same value than can be held in memory"

    def _shares_rows(self, place: PlacedPage) -> bool:
        """Return True if a page begins with the last rows of the page before, and brings no other old row."""
        shared = self._end - place.offset
        ids = place.page.ids
        joins = shared > 0 and [*ids[:shared]] == [*self._last_ids[-shared:]]
        return joins and self.buffer.seen.isdisjoint(ids[shared:])

    def _reaches_end(self) -> bool:
        """End the window, if the page from its end reaches the pages from its start."""
        last, back = self.buffer.last, self._back_groups
        if back is None or last is None:
            return False
        if self._order.ends_alike is None:
            if not self._short:
                return False  # rows without the field may stand at either end, so all pages from the start are read
            if self._order.value(self.buffer.open[0]) is None:
                self._order.needed[self._order.reverse] = None
                return False
        if back.keys and back.keys[0] < last:
            self.buffer.add(back, bisect_left(back.keys, last))
            self.buffer.close()
            self._back_groups, self._complete = None, True
            return True
        if self._short:
            self.abandoned = "its pages ended before its end"
        return False
