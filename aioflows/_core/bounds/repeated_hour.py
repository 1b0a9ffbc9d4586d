"""The repeated hour: a check for services that compare the range by wall clocks in the hour shown twice.

A column of local times (MariaDB's DATETIME) holds no offset. Let clocks be put back by an hour at the instant
T. To such a service the hour before T and the hour after T are the same. A request for either hour brings the
rows of both. A window that ends at T ends an hour earlier. Rows are dated by their window, so each row would
come twice, with two times.

1. A row of that hour is also looked for in the other pass. A service that distinguishes the two passes
   answers with nothing there. This check uses at most two rows per scan and schedule type. Scans of other
   hours send no extra request.
2. If the service does not distinguish them, the hour is read once, as the second pass. Windows that end in
   the first pass are sent as if they ended where it begins. Each id comes once, but its pass is unknown
   (`undated`).
3. If the range itself begins or ends inside the two hours, its rows in them are unknown. The scan then ends
   with an error. The service is checked first, since it may have no row there at all.

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from functools import partial

import attrs

from aioflows._core.bounds.range_check import Answer, RangeCheck, window
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["RepeatedHour"]

_DAY = 86_400_000
_ROWS = 2
"""The rows to look for in the other pass, each of another second, before the service is trusted.

If it answers with none of them, it distinguishes the passes.
"""


class _HourVerdict(enum.Enum):
    UNKNOWN = enum.auto()
    APART = enum.auto()
    MIXED = enum.auto()


@attrs.frozen
class _Hours:
    """A stretch that clocks show twice.

    Args:
        turn: when clocks are put back, which ends the first pass and begins the second (ms of real time).
        length: by how much (ms).
        wall: what clocks show where either pass begins, read as if it were UTC (ms).
    """

    turn: int
    length: int
    wall: int

    @property
    def first(self) -> int:
        """The beginning of the first pass (ms of real time)."""
        return self.turn - self.length

    @property
    def until(self) -> int:
        """The end of the second pass (ms of real time)."""
        return self.turn + self.length

    def overlaps(self, ask: PageRequest) -> bool:
        """Return True if the window of a request overlaps either pass."""
        return ask.from_ms < self.until and ask.to_ms > self.first

    def shows(self, wall_ms: int) -> bool:
        """Return True if clocks show a time in either pass."""
        return self.wall <= wall_ms < self.wall + self.length


class RepeatedHour(RangeCheck):
    """The check of the repeated hour. It stands between a scan and the service.

    Args:
        spans: the windows that the scan reads (ms of scan time).
        axis: the direction of the scan.
        deliver: called with a request of the scan and its answer.
        resumed: True if the scan resumes an earlier one, so that its windows may begin or end inside the
            query's range.
    """

    def __init__(
        self,
        spans: Sequence[tuple[int, int]],
        axis: Direction,
        deliver: Callable[[PageRequest, Answer], None],
        *,
        resumed: bool,
    ) -> None:
        super().__init__(deliver)
        self._spans = [axis.window(*span) for span in spans]
        self._resumed = resumed
        self._hours: list[_Hours] = []
        self._cut: _Hours | None = None
        self._verdict = _HourVerdict.UNKNOWN
        self._error: CompletenessError | None = None
        self._looking = False
        self._edge_looked = False
        self._seen_apart = 0
        self._held: list[tuple[PageRequest, Page]] = []

    @property
    def undated(self) -> list[tuple[int, int]]:
        """The windows whose rows may belong to either pass (ms of real time)."""
        return [(one.first, one.until) for one in self._hours] if self._verdict is _HourVerdict.MIXED else []

    def set_zone(self, zone: Zone) -> None:
        """Set the zone of the service's times."""
        if zone.fixed or not self._spans:
            return
        first, until = min(one for one, _ in self._spans), max(one for _, one in self._spans)
        for turn in zone.transitions(first - _DAY, until + _DAY):
            before, after = zone.offset_at(turn // 1000 - 1), zone.offset_at(turn // 1000)
            hours = _Hours(turn, 1000 * (before - after), turn + 1000 * after)
            if before > after and any(a < hours.until and hours.first < b for a, b in self._spans):
                self._hours.append(hours)
                if not self._resumed and any(hours.first < edge < hours.until for edge in (first, until)):
                    self._cut = hours

    def sent(self, ask: PageRequest) -> PageRequest:
        """Return the request to send for a request of the scan."""
        hours = self._over(ask)
        if self._verdict is not _HourVerdict.MIXED or hours is None or not self._ends_in_first(ask, hours):
            return ask
        narrower = window(ask, min(ask.from_ms, hours.first), hours.first)
        self._meant[narrower] = ask
        return narrower

    def _answered(self, meant: PageRequest, sent: PageRequest, answer: Answer) -> None:
        hours = self._over(meant)
        if meant is not sent or isinstance(answer, AioflowsError) or hours is None:
            self._deliver(meant, answer)
        else:
            self._look(meant, answer, hours)

    def _over(self, ask: PageRequest) -> _Hours | None:
        return next((one for one in self._hours if one.overlaps(ask)), None)

    @staticmethod
    def _ends_in_first(ask: PageRequest, hours: _Hours) -> bool:
        return hours.first < ask.to_ms <= hours.turn

    def _look(self, ask: PageRequest, page: Page, hours: _Hours) -> None:
        if self._error is not None:
            self._deliver(ask, self._error)
        elif self._verdict is _HourVerdict.MIXED and self._ends_in_first(ask, hours):
            self._todo.append(self.sent(ask))
        elif self._verdict is not _HourVerdict.UNKNOWN or ask.from_ms < hours.turn < ask.to_ms:
            self._deliver(ask, page)  # a window with both passes shows nothing
        elif self._looking:
            self._held.append((ask, page))
        elif self._cut is not None and not self._edge_looked:
            self._held.append((ask, page))
            self._looking = self._edge_looked = True
            self._ask(ask, hours.turn, hours.until, partial(self._looked_at_second, ask, hours))
        elif rows := _shown(page, hours):
            self._held.append((ask, page))
            self._looking = True
            self._look_for(ask, hours, rows, second=ask.from_ms >= hours.turn)
        else:
            self._deliver(ask, page)

    # Does the service distinguish the two passes?

    def _looked_at_second(self, ask: PageRequest, hours: _Hours, page: Page) -> None:
        if rows := _shown(page, hours):
            self._look_for(ask, hours, rows, second=True)
        else:
            self._ask(ask, hours.first, hours.turn - 1, partial(self._looked_at_first, ask, hours))

    def _looked_at_first(self, ask: PageRequest, hours: _Hours, page: Page) -> None:
        if rows := _shown(page, hours):
            self._look_for(ask, hours, rows, second=False)
        else:
            self._settle(_HourVerdict.UNKNOWN)

    def _look_for(self, ask: PageRequest, hours: _Hours, rows: dict[int, set[str]], *, second: bool) -> None:
        """Look for rows in the other pass than the one in which they were read."""
        wall = min(rows)
        ids = rows.pop(wall)
        begin = (hours.first if second else hours.turn) + wall - hours.wall

        def looked(page: Page) -> None:
            if not ids.isdisjoint(page.ids):
                self._mixed(min(ids & set(page.ids)), hours)
                return
            self._seen_apart += 1
            if rows and self._seen_apart < _ROWS:
                self._look_for(ask, hours, rows, second=second)
            else:
                self._settle(_HourVerdict.APART)

        self._ask(ask, begin, begin + 1000, looked)

    def _mixed(self, name: str, hours: _Hours) -> None:
        if self._cut is not None:
            self._error = CompletenessError(
                f"the service compares the range by wall clocks, which show the hours {hours.first}–{hours.turn} ms and "
                f"{hours.turn}–{hours.until} ms alike: instance {name!r} was answered for both. The range begins or ends inside "
                "these hours, so it cannot be known which rows belong to it. Give a range that has both of them, or neither"
            )
        self._settle(_HourVerdict.MIXED)

    def _ask(self, ask: PageRequest, from_ms: int, to_ms: int, job: Callable[[Page], None]) -> None:
        self._request(attrs.evolve(window(ask, from_ms, to_ms), tries=None), job, self._fail)

    def _fail(self, error: AioflowsError) -> None:
        self._looking = False
        held, self._held = self._held, []
        for ask, _ in held:
            self._deliver(ask, error)

    def _settle(self, verdict: _HourVerdict) -> None:
        self._verdict, self._looking = verdict, False
        held, self._held = self._held, []
        for ask, page in held:
            self.received(ask, page)


def _shown(page: Page, hours: _Hours) -> dict[int, set[str]]:
    """Return the ids of the rows that clocks show in either pass, by their wall-clock time (ms)."""
    rows: dict[int, set[str]] = {}
    try:
        for name, time in zip(page.ids, page.times, strict=True):
            wall = wall_seconds(time) * 1000
            if hours.shows(wall):
                rows.setdefault(wall, set()).add(name)
    except AioflowsError:  # the reader of the page reports the error
        return {}
    return rows
