"""Null probes: requests that show where the service puts rows that lack a sort field.

A probe requests the first page of all rows, sorted by one field. The first row shows the place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import attrs

from aioflows._core.pages.empty_answer_policy import EMPTY_ANSWERS
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.machine import Requester
from aioflows._core.sorted.sort_keys import Sorter, SortOrder
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError
from aioflows.models import ScheduleType

__all__ = ["NullProbes"]

_ROWS = 10


@attrs.frozen(eq=False)
class _Probe:
    """A request for one sort field and one schedule type."""

    probes: NullProbes
    sorter: Sorter
    type: ScheduleType

    def received(self, ask: PageRequest, page: Page) -> None:  # noqa: ARG002
        self.probes.answered(self, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:  # noqa: ARG002
        self.probes.error = error


class NullProbes:
    """The probes of one scan.

    Args:
        order: the order of the scan. Its attribute `needed` has the fields to probe.
        windows: the schedule types that are read, each with its window (ms of real time).
        service: the facts that the session knows about the service.
    """

    def __init__(
        self, order: SortOrder, windows: Sequence[tuple[ScheduleType, int, int]], service: ServiceFacts
    ) -> None:
        self.zone: Zone | None = None
        self.error: AioflowsError | None = None
        self.rows_received = 0
        self._order = order
        self._windows = windows
        self._service = service
        self._asked: set[Sorter] = set()
        self._looks: Counter[tuple[Sorter, ScheduleType]] = Counter()
        self._answered: set[tuple[Sorter, ScheduleType]] = set()

    def wanted(self) -> list[tuple[Requester, PageRequest]]:
        """Return the probes that were not sent yet."""
        asks: list[tuple[Requester, PageRequest]] = []
        for sorter in [one for one in self._order.needed if one not in self._asked]:
            self._asked.add(sorter)
            field, falling = sorter
            window = self._unprobed(sorter)[0]
            axis = Direction(falling)
            ask = PageRequest(
                *axis.window(*window[1:]),
                axis,
                _ROWS,
                page_no=self._service.first_page or 0,
                field=field,
            )
            asks.append((_Probe(self, sorter, window[0]), ask))
        return asks

    def answered(self, probe: _Probe, page: Page) -> None:
        """Process the answer to a probe."""
        self._asked.discard(probe.sorter)
        self.rows_received += len(page.ids)
        self._looks[probe.sorter, probe.type] += 1
        if not page.ids and self._looks[probe.sorter, probe.type] < EMPTY_ANSWERS:
            return  # a single empty answer may be false
        self._answered.add((probe.sorter, probe.type))
        assert self.zone is not None, "the zone is known before the first answer is read"
        try:
            rows = page.instances(self.zone, range(len(page.ids)))
            self._order.probed(probe.sorter, rows, probe.type, last=not self._unprobed(probe.sorter))
        except AioflowsError as error:
            self.error = error

    def _unprobed(self, sorter: Sorter) -> list[tuple[ScheduleType, int, int]]:
        """Return the windows that were not probed, first the type known to have rows without the field."""
        best = self._order.type_lacking(sorter[0])
        left = [one for one in self._windows if (sorter, one[0]) not in self._answered]
        return sorted(left, key=lambda one: one[0] is not best)
