"""A window that the service sorts by a field: it is read page by page and handed out in groups.

Invariants:

1. Let a page be sorted by a field, and let it begin in a group before ``g``. Then it holds every lasting row
   from ``g`` to the group of its last row. So a page joins the rows before it if it begins before their last
   group, whatever has changed meanwhile. If that group reaches to the start of the page, the page joins if
   the rows that both should share are the same ones at the same places.
2. The end is proven from the end. A page sorted in the reverse direction holds every lasting row from its
   farthest group to the end of the window. The window is complete once the pages from its start reach into
   that page. A page that is not full, a limit on page numbers and a silent cap do not prove an end.
3. A group is handed out once a later group was seen, or the end. An id is handed out once.

If none of this holds, the window is *torn*: its pages do not join, a group is too large to be held, or the
end is not reached. Then none of its pages count, and the window is read again by the keyset walk.

See docs/algorithms/sorted-orders.md.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from datetime import timedelta

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.sequence import PageSequence, PlacedPage
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.sorted.page_groups import Backwards, GroupReader, PageGroups
from aioflows._core.sorted.sort_keys import Entry, Key, SortOrder
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, TimedOut
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["SortedWindow"]


class SortedWindow:
    """A window in the service's order.

    Args:
        type: the schedule type of its rows.
        first: the start of the window (ms of scan time).
        until: the end of the window (ms of scan time).
        expected: the rows to expect in the window. 0 means that the number is unknown.
        page_size: rows per request, no more than the service is known to return.
        largest_group: the most rows of one group to hold.
        order: the order of the scan.
        service: the facts that the session knows about the service.
        evidence: the evidence of the scan of that type.
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
        self.entries: list[Entry] = []
        self.expected = expected
        self._largest_group = largest_group
        self.torn = ""
        """The reason why the window cannot be read this way. Empty if it can."""
        self.given_up = False
        """True if the window is being read again.

        Then no row goes out that this reading may still precede.
        """
        self.error: AioflowsError | None = None
        self._stuck: Key = ()
        self.rows_received = self.duplicates = 0
        self.seen: set[str] = set()
        """The ids of all rows that were read."""
        self._order = order
        self._service = service
        self._evidence = evidence
        self._zone = zone
        self._ask = PageRequest(first, until, Direction(order.descending), page_size, field=order.first[0])
        self._reader = GroupReader(self._ask, type, order, evidence, zone)
        self._pages = PageSequence(self._ask, service)
        self._place: PlacedPage | None = None
        self._tail: Sequence[str] = ()
        self._end = 0
        self._short = False
        self._back: PageRequest | None = None
        self._back_page: Page | None = None
        self._last: PageGroups | None = None
        self._whole: list[FlowInstance] = []
        self._group: list[FlowInstance] = []
        self._key: timedelta | None = None
        self._read = False

    def __repr__(self) -> str:
        state = "read" if self._read else f"torn ({self.torn})" if self.torn else f"{self._end} rows read"
        return f"<SortedWindow {self._ask.from_ms}–{self._ask.to_ms} {state}, {self._pages.under_way} asks under way>"

    # Figures

    @property
    def window(self) -> tuple[int, int]:
        """The window (ms of real time)."""
        return self._ask.from_ms, self._ask.to_ms

    @property
    def page_size(self) -> int:
        """Rows per request."""
        return self._ask.page_size

    @property
    def bound(self) -> Key | None:
        """A key that no further row precedes. None means that there are no further rows."""
        if self.torn:
            return () if self.given_up else self._stuck
        if self._whole or self._key is None:
            return ()
        return None if self._read else (self._key,)

    @property
    def horizon(self) -> Key:
        """The key up to which the window was read.

        The window with the least horizon runs out of rows first.
        """
        return () if self._key is None else (self._key,)

    @property
    def held(self) -> int:
        """The number of rows that were read and not handed out, or are under way."""
        known = len(self.entries) + len(self._whole) + len(self._group) + self._pages.held
        known += self._ask.page_size * self._pages.under_way + (
            len(self._place.page.ids) if self._place else 0
        )
        return known + (self._ask.page_size if self._back is not None and not self._over else 0)

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
        return self._read and not self.entries and not self._whole

    @property
    def _over(self) -> bool:
        return self._read or bool(self.torn) or self.error is not None

    # Requests

    def ask(self) -> PageRequest | None:
        """Return the next request worth starting. None means that there is none."""
        if self._over:
            return None
        if self._wants_end():
            self._back = PageRequest(
                self._ask.first,
                self._ask.until,
                self._ask.axis,
                self._ask.page_size,
                backward=True,
                page_no=self._service.first_page or 0,
                field=self._ask.field,
            )
            return self._back
        if self._short or (self._pages.asked >= self._far and self.under_way):
            return None
        return self._pages.ask()

    @property
    def _far(self) -> float:
        """The row number up to which pages are requested at once.

        These are the expected rows, or as many rows beyond them as were already found beyond them.
        """
        surplus = self._end - self.expected
        return self.expected if surplus < 0 else self._end + surplus

    def _wants_end(self) -> bool:
        """Return True if it is time for the page that proves the end."""
        if self._back is not None or not self._end:
            return False
        if self._short:
            return True
        near = self._pages.asked + self._ask.page_size / 2 >= self.expected > 0
        return near and self._order.ends_alike is not None

    # Answers

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:  # noqa: ARG002
        """Process the error that a request ended with. The scan ends at the window's position.

        If the service failed on a page, the page may lie too deep for it. Then the keyset walk reads the
        window.
        """
        if self._over:
            return
        if refusal(error) or isinstance(error, TimedOut):
            self._tear("the service failed on one of its pages")
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
        """Go on as far as the answers allow, and the known places of rows that lack the field."""
        try:
            while not self._over and self._step():
                pass
        except Backwards:
            self._tear("its texts run backwards")
        except AioflowsError as error:
            self.error = error
        if self.torn:
            if self._pages.asked:
                self._let_go()
        elif self._whole and not self._order.lacking(self._whole):
            self.entries += self._order.entries(self._whole)
            self._whole = []

    def _step(self) -> bool:
        if self._last is None and self._back_page is not None:
            self._last = self._reader.read(self._back_page, backward=True)
        if self._place is None and not self._short:
            self._place = self._pages.next()
        if self._place is None:
            return self._closes()
        groups = self._reader.read(self._place.page)
        if groups is None:
            return False
        place, self._place = self._place, None
        self._take(place, groups)
        return True

    def _take(self, place: PlacedPage, groups: PageGroups) -> None:
        """Join a page to the rows that were read before it."""
        self._short = len(groups.rows) < place.size
        if self._key is None:
            if not groups.rows:
                self._tear("it was answered with nothing")
                return
            self._add(groups, 0)
            self._read = groups.whole
        elif not groups.rows:
            return  # the end, or the limit of page numbers: the page from the end decides
        elif groups.keys[0] < self._key:
            self._add(groups, bisect_left(groups.keys, self._key))
        elif not self._joined(place):
            self._tear("two of its pages did not join")
            return
        else:
            self._add(groups, self._end - place.offset)
        self._end, self._tail = place.offset + len(groups.rows), place.page.ids
        if len(self._group) > self._largest_group:
            self._tear("more rows are alike in the field than may be held")
        elif self._read:
            self._whole += self._group
            self._group = []

    def _joined(self, place: PlacedPage) -> bool:
        """Return True if a page begins with the last rows of the page before it, and its other rows
        are new.
        """
        shared = self._end - place.offset
        ids = place.page.ids
        if shared < 1 or [*ids[:shared]] != [*self._tail[-shared:]]:
            return False
        return self.seen.isdisjoint(ids[shared:])

    def _add(self, groups: PageGroups, start: int) -> None:
        for row, group in zip(groups.rows[start:], groups.keys[start:], strict=True):
            if row.instance_id in self.seen:
                self.duplicates += 1
                continue
            self.seen.add(row.instance_id)
            if group != self._key:
                self._whole += self._group
                self._group, self._key = [], group
            self._group.append(row)

    def _closes(self) -> bool:
        """End the window, if the page from its end reaches the pages from its start."""
        if self._last is None or self._key is None:
            return False
        last = self._last
        if not last.whole and self._order.ends_alike is None:
            if not self._short:
                return False  # read from both sides, so that no row without the field is missed
            if self._order.value(self._group[0]) is None:
                self._order.needed[self._order.reverse] = None
                return False
        if last.whole or (last.keys and last.keys[0] < self._key):
            self._add(last, bisect_left(last.keys, self._key))
            self._whole += self._group
            self._group, self._last, self._read = [], None, True
            return True
        if self._short:
            self._tear("its pages ended before its end")
        return False

    # Giving up

    def _tear(self, why: str) -> None:
        self.torn = why

    def _let_go(self) -> None:
        """Drop everything except the ids of the rows that were handed out."""
        waiting = [row for _, row in self.entries] + self._whole + self._group
        if self.entries:
            self._stuck = self.entries[0][0]
        elif waiting and not self._order.lacking(waiting[:1]):
            self._stuck = (self._order.group(self._order.value(waiting[0]), self._zone),)
        self.seen.difference_update(row.instance_id for row in waiting)
        self.entries, self._whole, self._group, self._last = [], [], [], None
        self._pages = PageSequence(self._ask, self._service)
