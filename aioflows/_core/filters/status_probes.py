"""Status probes: extra requests that show a service which applies only one of several statuses.

The rows of a scan cannot show the mistake, because each row that comes does match. The mistake is known
from services that use MyBatis: in ``IN (#{status})``, the database casts "1,-1" to its first number. So the
rows of the other statuses never come.

1. A status that never came in a whole scan is requested alone. A row that comes for this status alone, but not
   for all statuses together, shows the mistake.
2. A row may have changed its status meanwhile, one empty answer may be transient, and a crowded second may be
   cut at the end of the page. So the second of such a row is requested several times in turn, with all statuses
   and with its status alone. An empty answer to a probe is accepted at once, unless the service has returned a
   false empty answer before.
3. Nothing is probed if one status is requested, or if the least and the greatest code came: then no end of the
   list was dropped. Otherwise a scan costs one search at its end for each missing status and schedule type. A
   follow, which reads the same windows again and again, probes all missing statuses after its first scan that
   lacks a status, and one status after every 16th later scan.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import islice

import attrs

from aioflows._core.filters.inquiries import PROBE_ROWS, PROBE_TRIES, Script
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows.errors import CompletenessError
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery

__all__ = ["LeftOut", "StatusProbes"]

_HALVINGS = 6
"""The most times that a window is halved after a failed request."""

_WITNESSES = 3
"""The most rows of one status that are confirmed by further requests."""

_TURNS = ("together", "alone", "together", "together", "alone", "together")
"""The order of requests for a row's second, with all statuses or with its status alone. Rows change
meanwhile, so the turns repeat. Every second answer may be empty by fault, so two requests with all statuses
are consecutive."""


@attrs.frozen
class LeftOut:
    """An instance that the service left out of a scan.

    Args:
        type: schedule type of the instance.
        from_ms: start of its second (ms since 1970-01-01 UTC).
    """

    type: ScheduleType
    from_ms: int


class StatusProbes:
    """The probes for statuses that never came in a scan.

    Args:
        query: query of the scan, with several statuses.
        service: facts of the session about the service.
        page_size: page size (rows).
        seen: facts of the session about filters.
        polling: True if the same window is read again and again. Then probes follow only some of the scans.
    """

    def __init__(
        self, query: FlowQuery, service: ServiceFacts, page_size: int, seen: SeenFilters, *, polling: bool
    ) -> None:
        self.came: set[int | None] = set()
        """The statuses of all rows so far."""
        self.largest = 0
        """The rows of the largest page so far."""
        self.left_out: LeftOut | None = None
        """The row that a probe found and the scan lacks. None means no such row."""
        self._query = query
        self._service = service
        self._size = page_size
        self._seen = seen
        self._polling = polling
        self._page_no: int | None = None

    def scripts(self, types: Sequence[ScheduleType], zone: Zone) -> Iterator[Script]:
        """Yield the probes that are due at the end of the scan, one for each missing status and type."""
        self._page_no = self._service.first_page
        asked = sorted(self._query.status)
        if None in self.came or {asked[0], asked[-1]} <= self.came:
            return  # a row without a status may stand for a missing status
        missing = [(status, type) for status in asked if status not in self.came for type in types]
        for status, type in self._seen.due(missing) if self._polling and missing else missing:
            yield self._alone(status, type, zone)

    def _alone(self, status: int, type: ScheduleType, zone: Zone) -> Script:
        windows = [(self._query.from_ms, self._query.to_ms, 0)]
        while windows:
            first, until, halvings = windows.pop(0)
            page = yield from self._first_page(status, type, first, until)
            if page is None:
                middle = (first + until) // 2
                if halvings < _HALVINGS and first < middle:
                    windows[:0] = [(first, middle, halvings + 1), (middle, until, halvings + 1)]
                continue
            for name, second in _witnesses(page, status, zone):
                error = yield from self._confirmed(status, type, name, second, zone)
                if error is not None:
                    self.left_out = LeftOut(type, second * 1000)
                    return error
            if page.ids:
                break
        return None

    def _first_page(
        self, status: int, type: ScheduleType, first: int, until: int
    ) -> Generator[tuple[ScheduleType, PageRequest], Page | None, Page | None]:
        page = yield type, self._ask(first, until, PROBE_ROWS, (status,))
        if _empty(page) and self._page_no is None:
            # No row has shown yet whether pages count from 0 or from 1.
            page = yield type, self._ask(first, until, PROBE_ROWS, (status,), page_no=1)
            if not _empty(page) and self._page_no is None:
                self._page_no = 1
        elif _empty(page) and self._service.false_empty_seen:
            page = yield type, self._ask(first, until, PROBE_ROWS, (status,))
        elif not _empty(page) and self._page_no is None:
            self._page_no = 0
        return page

    def _confirmed(self, status: int, type: ScheduleType, name: str, second: int, zone: Zone) -> Script:
        """Request a row's second in turns, with all statuses and with its status alone.

        Return the error if the row comes only for its status alone, in every turn. Otherwise return None.
        """
        # The window has one more second on each side, because the service may round times.
        first = max(self._query.from_ms, second * 1000 - 1000)
        until = min(self._query.to_ms, second * 1000 + 2000)
        text = "" if self._query.expression or "\\" in name else name
        for asked in _TURNS:
            statuses = (status,) if asked == "alone" else ()
            page = yield type, self._ask(first, until, self._size, statuses, expression=text)
            if asked == "alone" and _empty(page):  # a single empty answer may be transient
                page = yield type, self._ask(first, until, self._size, statuses, expression=text)
            if page is None or any(_witnesses(page, status, zone)) != (asked == "alone"):
                return None
            if asked == "together" and not self._whole(page, text):
                # If the next page has rows, this page was cut off and proves nothing.
                more = yield (
                    type,
                    self._ask(
                        first,
                        until,
                        len(page.ids),
                        statuses,
                        expression=text,
                        page_no=(self._page_no or 0) + 1,
                    ),
                )
                if more is None or more.ids:
                    return None
        several = ", ".join(str(int(one)) for one in sorted(self._query.status))
        return CompletenessError(
            f"instance {name!r} came for status {int(status)} alone, but not for statuses {several} together: most likely the "
            "service reads only one of several statuses. Run a scan for each status"
        )

    def _whole(self, page: Page, text: str) -> bool:
        """Return True if an answer was not cut off: all its rows contain the text, or another page had more
        rows.

        Without a text, an empty answer also counts as whole.
        """
        named = all(text in name for name in page.ids) if text else not page.ids
        return named or len(page.ids) < self.largest

    def _ask(
        self,
        first: int,
        until: int,
        size: int,
        statuses: tuple[int, ...],
        *,
        expression: str = "",
        page_no: int | None = None,
    ) -> PageRequest:
        return PageRequest(
            first,
            until,
            Direction(descending=False),
            size,
            page_no=(self._page_no or 0) if page_no is None else page_no,
            tries=PROBE_TRIES,
            expression=expression,
            status=statuses or None,
        )


def _empty(page: Page | None) -> bool:
    return page is None or not page.ids


def _witnesses(page: Page, status: int, zone: Zone) -> Iterator[tuple[str, int]]:
    """Yield pairs (id, second of real time) of a page's rows with a status, at most one per second."""
    rows = page.instances(zone, range(len(page.ids))) if page.ids else []
    seconds = {
        int(row.trigger_time.timestamp()): row.instance_id
        for row in reversed(rows)
        if row.status == status and row.trigger_time is not None
    }
    yield from islice(((name, second) for second, name in sorted(seconds.items())), _WITNESSES)
