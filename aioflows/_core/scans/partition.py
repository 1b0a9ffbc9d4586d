"""A partition: the keyset scan of one schedule type, which may run beside scans of other types."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import attrs

from aioflows._core.bounds.range_bounds import RangeBounds
from aioflows._core.bounds.range_check import Answer
from aioflows._core.bounds.range_end import RangeEnd
from aioflows._core.bounds.repeated_hour import RepeatedHour
from aioflows._core.pages.filter_checks import TypeOverlapCheck
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.read_ahead import RowsElsewhere
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AioflowsError, TimedOut
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["PageSlice", "Partition"]


@attrs.frozen(eq=False)
class PageSlice:
    """Rows of one page.

    Args:
        partition: the partition that read the rows.
        page: the page.
        numbers: the numbers of the rows on the page, in the order of the scan.
        offset: the offset in force when the rows were triggered (seconds east of Greenwich).
    """

    partition: Partition
    page: Page
    numbers: Sequence[int]
    offset: int

    def __len__(self) -> int:
        return len(self.numbers)

    def second(self, number: int) -> int:
        """Return the second of scan time in which a row lies."""
        return self.partition.scan.axis.second(wall_seconds(self.page.times[number]) - self.offset)

    def cut(self, second: float) -> tuple[PageSlice, PageSlice]:
        """Return the rows before a second of scan time, and the rows from that second on."""
        before = bisect_left(self.numbers, second, key=self.second)
        numbers = self.numbers
        return attrs.evolve(self, numbers=numbers[:before]), attrs.evolve(self, numbers=numbers[before:])

    def read(self, zone: Zone) -> list[FlowInstance]:
        """Return the decoded rows."""
        return self.page.instances(zone, self.numbers, offset=self.offset)


@attrs.define(eq=False)
class Partition:
    """The keyset scan of one schedule type, with the checks between it and the service.

    Args:
        type: the schedule type that the partition reads.
        scan: the keyset scan.
        handed: for seconds of scan time, the last id that an earlier scan handed out there. Default: empty.
        resumed: True if the scan resumes an earlier one. Default: False.
        edges: the bounds of the query (ms of real time) that are checked. Default: no bounds.
        pieces: rows that a row of another partition may still precede.
    """

    type: ScheduleType
    scan: KeysetScan
    handed: dict[int, str] = attrs.field(factory=dict)
    resumed: bool = False
    edges: tuple[int, ...] = ()
    pieces: list[PageSlice] = attrs.field(init=False, factory=list)
    ended: bool = attrs.field(init=False, default=False)
    first_pages: TypeOverlapCheck = attrs.field(init=False, factory=TypeOverlapCheck)
    """The check that all partitions of one scan share."""
    _clocks: RepeatedHour = attrs.field(init=False)
    _bounds: RangeBounds = attrs.field(init=False)
    _end: RangeEnd = attrs.field(init=False)
    _early: list[PageRequest] = attrs.field(init=False, factory=list)
    """Requests that were sent before the zone was known."""
    _too_wide: set[tuple[int, int]] = attrs.field(init=False, factory=set)
    """Windows of requests sent before the zone was known, if the clocks change within the window."""

    @_clocks.default
    def _wall_clocks(self) -> RepeatedHour:
        return RepeatedHour(self.scan.spans, self.scan.axis, self._deliver, resumed=self.resumed)

    @_bounds.default
    def _range_bounds(self) -> RangeBounds:
        return RangeBounds(self.edges, self._clocks.received)

    @_end.default
    def _range_end(self) -> RangeEnd:
        ends = [self.scan.axis.window(*span)[1] for span in self.scan.spans]
        return RangeEnd(ends, self._bounds.received)

    @property
    def undated(self) -> list[tuple[int, int]]:
        """Windows whose rows may be dated an hour too late or too early (ms of real time)."""
        return self._clocks.undated

    @property
    def held(self) -> int:
        """The number of rows that were read and not handed out yet."""
        return self.scan.held + sum(map(len, self.pieces))

    def account(self) -> ScanAccount:
        """Return the figures so far."""
        return attrs.evolve(self.scan.account(), undated=tuple(self.undated))

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times, which the first answer needs."""
        self._end.zone = self._bounds.zone = zone
        self._clocks.set_zone(zone)
        self._too_wide |= {
            (one.first, one.until) for one in self._early if zone.transitions(one.from_ms, one.to_ms)
        }
        self.scan.set_zone(zone)

    def looks(self) -> list[PageRequest]:
        """Return the requests that answers wait for, and that are sent however many requests are under way."""
        asks = [*map(self._bounds.sent, self._clocks.wanted()), *self._bounds.wanted()]
        return [*map(self._end.sent, asks), *self._end.wanted()]

    def pressing(self, slots: int) -> list[PageRequest]:
        """Return at most `slots` requests that an answer made necessary."""
        return self._sent(self.scan.pressing(slots))

    def wanted(self, slots: int, elsewhere: RowsElsewhere) -> list[PageRequest]:
        """Return the requests to start. See `KeysetScan.wanted` for the arguments."""
        while asks := self.scan.wanted(slots, elsewhere):
            if sent := self._sent(asks):
                return sent  # if every request failed at once, the scan has other requests
        return []

    def _sent(self, asks: Sequence[PageRequest]) -> list[PageRequest]:
        if self._end.zone is None:
            self._early += asks
        sent = []
        for ask in asks:
            if (ask.first, ask.until) in self._too_wide:
                self.scan.failed(ask, _too_wide())
            else:
                sent.append(self._end.sent(self._bounds.sent(self._clocks.sent(ask))))
        return sent

    def received(self, ask: PageRequest, page: Page) -> None:
        """Process the answer to a request."""
        self._end.received(ask, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:
        """Process the error that a request ended with, after its retries were spent."""
        self._end.received(ask, error)

    def _deliver(self, ask: PageRequest, answer: Answer) -> None:
        if isinstance(answer, AioflowsError):
            self.first_pages.answered.add(self.type)
            self.scan.failed(ask, answer)
        elif (ask.first, ask.until) in self._too_wide:
            self.scan.failed(ask, _too_wide())
        else:
            self.first_pages.look(self.type, answer)
            self.scan.received(ask, answer)

    @property
    def unheard(self) -> bool:
        """True if the partition has windows to read and no request of its type was answered yet."""
        return bool(self.scan.spans) and self.type not in self.first_pages.answered

    @property
    def second(self) -> float:
        """The second of scan time before which no further row of the partition comes."""
        return math.inf if self.ended else self.scan.position // 1000


def _too_wide() -> TimedOut:
    """Return an error that makes the scan request narrower windows than one in which clocks change."""
    return TimedOut(
        "clocks change within the window, so its parts before and after the change must be requested alone"
    )
