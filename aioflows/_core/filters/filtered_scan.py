"""A filtered scan: checks a scan's filters before its first row, in every row, and at its end.

A filtered scan wraps another machine and adds these checks:

1. Rows in an order of the service are checked here. The keyset walk checks its own rows (`partitions`).
2. Rows of ``type=MANUAL`` wait until another type was requested (`type_probe`).
3. The end of the scan waits until the statuses that never came were requested (`StatusProbes`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import attrs

from aioflows._core.filters.inquiries import Inquiries
from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.filters.status_probes import StatusProbes
from aioflows._core.filters.type_probe import type_ignored, type_probe
from aioflows._core.pages.filter_checks import FilterChecks
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.machine import (
    Machine,
    PendingEvent,
    Requester,
    Rows,
    SpillRead,
    SpillWrite,
    Waiting,
)
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows._tables.raw_rows import RawRows
from aioflows.checkpoint import Position, Remainder
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["FilteredScan"]

R = TypeVar("R")

_SEVERAL = 2
_PAGES_BETWEEN_LOOKS = 4
"""The factor by which the number of pages grows until another type is requested again. Until then, windows had
no rows of another type."""


@attrs.frozen(eq=False)
class _Watched:
    """A requester whose pages the filtered scan checks first."""

    scan: FilteredScan
    asker: Requester

    @property
    def type(self) -> ScheduleType:
        return self.asker.type

    def received(self, ask: PageRequest, page: Page) -> None:
        self.scan.look(ask, page)
        self.asker.received(ask, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        self.asker.failed(ask, error)


class FilteredScan(Machine):
    """A scan whose filters are checked.

    Args:
        machine: machine that reads the query.
        query: query of the scan.
        service: facts of the session about the service.
        page_size: page size (rows).
        seen: facts of the session about how the service applies filters.
        checks: the filters that rows must match, if `machine` does not check them. None means no checks here.
        polling: True if the same window is read again and again.
    """

    def __init__(
        self,
        machine: Machine,
        query: FlowQuery,
        service: ServiceFacts,
        page_size: int,
        seen: SeenFilters,
        *,
        checks: FilterChecks | None,
        polling: bool,
    ) -> None:
        self._machine = machine
        self._types = list(ScheduleType) if query.type is None else [query.type]
        self._query = query
        self._checks = checks
        self._seen = seen
        self._inquiries = Inquiries()
        self._statuses = (
            StatusProbes(query, service, page_size, seen, polling=polling)
            if len(query.status) >= _SEVERAL
            else None
        )
        self._manual = query.type is ScheduleType.MANUAL and not seen.manual
        """True while pages are checked for instances of other types."""
        self._others: dict[str, ScheduleType] = {}
        """Ids that came for other types, and that no page of manual instances may hold. Empty until a probe
        decides nothing."""
        self._zone: Zone | None = None
        self._asked = self._ended = False
        self._pages = 0
        self._first_page: int | None = None
        self._next_look: float = 1

    def __repr__(self) -> str:
        return f"<FilteredScan of {self._machine!r}, {self._inquiries.open} inquiries>"

    # State

    @property
    def progress(self) -> float:
        return self._machine.progress

    def account(self) -> ScanAccount:
        return self._machine.account() + ScanAccount(self._inquiries.rows_received)

    def drain_events(self) -> list[PendingEvent]:
        return self._machine.drain_events()

    def set_zone(self, zone: Zone) -> None:
        self._zone = zone
        self._machine.set_zone(zone)

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        """Return the windows that are left.

        If nothing is left, but the service left out a row, the second of this row is returned. So a resumed
        scan finds the error again.
        """
        left = self._machine.remaining(last, begun, all_handed)
        lost = None if self._statuses is None else self._statuses.left_out
        if lost is not None and not left:
            left.append(Remainder(lost.type, lost.from_ms, lost.from_ms + 1000))
        return left

    def position(self, last: FlowInstance | None) -> Position | None:
        return self._machine.position(last)

    # Requests and disk tasks

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start, at most *slots*, each with its requester."""
        asks = self._inquiries.wanted(slots)
        own = list(self._machine.wanted(slots - len(asks)))
        self._asked = self._asked or bool(own)
        if self._manual or self._statuses is not None:
            own = [(_Watched(self, asker), ask) for asker, ask in own]
        return asks + own

    def look(self, ask: PageRequest, page: Page) -> None:
        """Check a page of the scan."""
        if self._statuses is not None:
            self._statuses.largest = max(self._statuses.largest, len(page.ids))
        if self._manual and page.ids:
            self._look_for_others(ask, page)

    def _look_for_others(self, ask: PageRequest, page: Page) -> None:
        if self._others and (shared := self._others.keys() & page.ids):
            name = min(shared)
            self._inquiries.error = type_ignored(name, self._others[name])
        if self._first_page is None:
            self._first_page = ask.page_no
        if ask.expression or ask.page_no != self._first_page or ask.field != "trigger_time":
            return  # a probe compares first pages that are sorted by trigger time
        self._pages += 1
        # Windows without an instance of another type show nothing. So later pages are probed too, at growing
        # distances.
        if self._pages < self._next_look or self._others or self._seen.manual or self._inquiries.open:
            return
        whole = ask.from_ms <= self._query.from_ms and ask.to_ms >= self._query.to_ms
        self._next_look = math.inf if whole else self._pages * _PAGES_BETWEEN_LOOKS
        asked = attrs.evolve(ask, expression=self._query.expression)
        self._inquiries.begin(type_probe(asked, page, self._zone_known, self._seen, self._others))

    @property
    def held(self) -> int:
        return self._machine.held

    def hand_out_at_most(self, rows: int) -> None:
        self._machine.hand_out_at_most(rows)

    def disk_tasks(self) -> list[SpillWrite | SpillRead]:
        return self._machine.disk_tasks()

    def disk_failed(self, error: AioflowsError) -> None:
        self._machine.disk_failed(error)

    # Rows, and the end of the scan

    def next_rows(self) -> Rows:
        return self._checked(self._machine.next_rows)

    def next_raw(self) -> Rows | RawRows:
        return self._checked(self._machine.next_raw)

    def _checked(
        self, next_rows: Callable[[], list[FlowInstance] | R | Waiting]
    ) -> list[FlowInstance] | R | Waiting:
        if self._inquiries.error is not None:
            raise self._inquiries.error
        if self._inquiries.open:
            return NEED_PAGES
        got = next_rows()
        if isinstance(got, list):
            if self._checks is not None:
                self._checks.check(got)
            if self._statuses is not None:
                self._statuses.came.update([row.status for row in got])
        elif got is DONE and self._begins_at_the_end():
            return NEED_PAGES
        return got

    def _begins_at_the_end(self) -> bool:
        """Begin the probes that are due once all rows were read. Return True if a probe was begun."""
        if self._ended or not self._asked or self._statuses is None:
            return False
        self._ended = True
        for script in self._statuses.scripts(self._types, self._zone_known):
            self._inquiries.begin(script)
        return self._inquiries.open > 0

    @property
    def _zone_known(self) -> Zone:
        assert self._zone is not None, "set_zone() comes before the first answer"
        return self._zone
