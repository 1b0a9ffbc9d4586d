"""A page that the service sorted by a field, in the order of the scan: its rows, and the group of each row.

A page that is out of order, or has a row outside its window, proves nothing and ends the scan. A page sorted
from the end is reversed. If the service puts rows that lack the field at the same end in both directions, they
stand at the wrong end of a reversed page.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import attrs

from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.sorted.sort_keys import Sorter, SortOrder
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["Backwards", "GroupReader", "PageGroups"]


class Backwards(Exception):
    """The times of a page are out of order, but clocks may have been put back, so the service may be right."""


@attrs.frozen
class PageGroups:
    """The rows of one page, in groups.

    Args:
        rows: the rows of the page, in the order of the scan.
        keys: for each row, the first part of the least key of its group.
    """

    rows: list[FlowInstance]
    keys: list[timedelta]


class GroupReader:
    """A reader for the pages of one window.

    Args:
        ask: the request for the window.
        type: the schedule type.
        order: the order of the scan.
        evidence: the evidence of the scan of `type`.
        zone: the zone of the service, whose offset does not change within the window.
    """

    def __init__(
        self, ask: PageRequest, type: ScheduleType, order: SortOrder, evidence: ScanEvidence, zone: Zone
    ) -> None:
        self._ask = ask
        self._type = type
        self._order = order
        self._evidence = evidence
        self._zone = zone
        self._offset = zone.offset_at(ask.from_ms // 1000)

    def read(self, page: Page, *, backward: bool = False) -> PageGroups | None:
        """Return the rows of a page in groups. None means that the place of rows without the field is unknown.

        Args:
            page: the answer.
            backward: True if the page was sorted against the order of the scan. Default: False.

        Raises:
            CompletenessError: the page is out of order, or a row lies outside the window.
            Backwards: the page is out of order, but the clocks may be the reason.
        """
        self._check_window(page)
        offset = None if self._zone.fixed else self._offset
        rows = page.instances(self._zone, range(len(page.ids)), offset=offset)
        sorter = self._order.reverse if backward else self._order.first
        self._order.note(rows, self._type)
        lack, have = self._order.kinds(sorter, rows)
        if lack and have:
            self._order.learn(sorter, first=self._order.value(rows[0]) is None)
        if lack and self._order.nulls_first(self._order.first) is None:
            self._order.needed[self._order.first] = None
            return None
        if backward:
            rows = self._suffix(rows[::-1])
        keys = [self._order.group(self._order.value(row), self._zone) for row in rows]
        for number, (one, other) in enumerate(pairwise(keys), 1):
            if other < one:
                raise self._disorder(rows[number - 1], rows[number], sorter)
        return PageGroups(rows, keys)

    def _suffix(self, rows: list[FlowInstance]) -> list[FlowInstance]:
        """Return the rows of a reversed page that also stand at the end of the scan's order."""
        if self._order.nulls_first(
            self._order.first
        ):  # if in both directions, rows without the field are not at the end of the scan's order
            at_end = self._order.nulls_first(self._order.reverse) is False
            return rows if at_end else [row for row in rows if self._order.value(row) is not None]
        return [] if self._order.ends_alike is False else rows

    def _check_window(self, page: Page) -> None:
        if not page.times:
            return
        low, high = self._ask.from_ms // 1000, -(-self._ask.to_ms // 1000)
        for time in (min(page.times), max(page.times)):
            second = wall_seconds(time) - self._offset
            if second == high == self._ask.to_ms // 1000:
                raise CompletenessError(
                    f"instance {page.ids[list(page.times).index(time)]!r} came with trigger time {time}, the end of the "
                    f"window of the request ({self._ask.from_ms}–{self._ask.to_ms} ms): the service includes the end of the "
                    "range, or rounds its times. Use scan(query, proven=True), which can read a service that includes the end"
                )
            if not low <= second < high:
                raise CompletenessError(
                    f"instance {page.ids[list(page.times).index(time)]!r} came with trigger time {time}, which lies "
                    f"outside the window of the request ({self._ask.from_ms}–{self._ask.to_ms} ms): the service ignores the time "
                    "filter, or names a wrong zone. Give the right zone as FlowSession(server_timezone=...)"
                )

    def _disorder(self, one: FlowInstance, other: FlowInstance, sorter: Sorter) -> Exception:
        if not self._zone.fixed:
            # The clock of the sort field may have been put back, even if the clock of trigger times was not.
            return Backwards()
        field, falling = sorter
        return CompletenessError(
            f"the service broke the order of the request: in the window {self._ask.from_ms}–{self._ask.to_ms} ms, "
            f"sorted by {field} {'DESC' if falling else 'ASC'}, instances {one.instance_id!r} and "
            f"{other.instance_id!r} are in the wrong order. Use scan(query, proven=True), which sorts here instead"
        )
