"""The zone check: before a row is handed out, an answer must show that the zone of the service is right.

A wrong zone moves every row by the same hours, so a wide window hides the error. A window of one second shows
the error: only in the right zone does the row that was read there come again. Most scans request such a
window at the end of the first page (`aioflows._core.planning.gap_request`). With few rows or a small limit,
the window is requested here.

A row may be deleted meanwhile, so an empty answer for its second proves nothing. Then the window that brought
the row is requested again, followed by the second of a row of the new answer.

One row shows the zone for all rows, unless the service names the one offset of a place that may have daylight
saving time. Then rows of other dates are looked for as well (`aioflows._core.clocks.daylight`).

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.clocks.daylight import is_steady, part_of_year, telling_times
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.follow_ups import Script
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.wire.zone import wall_seconds
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["ZoneShown"]

_ROUNDS = 3
"""How often a row is looked for in its second, and then in its first window, before it counts as misread."""

_MOST_BETWEEN = 3
"""The most answers of one scan whose rows between the steady parts of the year are looked for.

If more answers have such rows, these lie close together. Then a change of the clocks puts rows outside the
windows of their pages.
"""


@attrs.frozen(eq=False)
class _Sample:
    """A row to look for: its trigger time, and the request that brought it."""

    ask: PageRequest
    time: str

    @property
    def part(self) -> str:
        """The part of the year that the row lies in."""
        return part_of_year(self.time)


class ZoneShown:
    """The check that rows are read in the right zone.

    Args:
        state: the state of the scan.
        misread: returns the error for a second without the rows that were read there.
    """

    def __init__(self, state: KeysetState, misread: Callable[[PageRequest, int], CompletenessError]) -> None:
        self._frontier, self._follow_ups = state.frontier, state.follow_ups
        self._reader, self._service = state.reader, state.service
        self._growing = state.options.growing
        self._misread = misread
        self._sample: _Sample | None = None
        self._others: dict[tuple[str, int], _Sample] = {}
        self._between = 0
        self._asked = self._gone = self._looking = False
        self.waited = False
        """True if rows had to wait for this check."""
        self.error: AioflowsError | None = None
        """The error that ended the check. None means no error."""

    def note(self, ask: PageRequest, page: Page) -> None:
        """Note an answer. The first answer that has rows provides the row to look for."""
        if not page.ids:
            return
        if self._sample is None:
            self._sample = _Sample(ask, page.times[0])
        if (dates := self._reader.dates) is not None:
            unshown = [_Sample(ask, time) for time in telling_times(page.times) if not dates.include(time)]
            self._between += any(not is_steady(sample.part) for sample in unshown)
            for sample in unshown:
                self._note_date(sample)

    def _note_date(self, sample: _Sample) -> None:
        """Note a row of a date for which no row has shown the offset: the first and the last of each part."""
        part, time = sample.part, sample.time
        if is_steady(part):
            self._others.setdefault((part, 0), sample)
        elif self._between <= _MOST_BETWEEN and not self._growing:
            first, last = self._others.get((part, -1)), self._others.get((part, 1))
            if first is None or time < first.time:
                self._others[part, -1] = sample
            if last is None or time > last.time:
                self._others[part, 1] = sample

    @property
    def unsure(self) -> bool:
        """True if rows have come and nothing proves that the zone is right."""
        return self._zone_unsure or self._date() is not None

    @property
    def date_unsure(self) -> bool:
        """True if the zone is right for some dates, and rows of others have come."""
        if self._zone_unsure or self._looking or self.error is not None or self._service.first_page is None:
            return False
        return self._date() is not None

    @property
    def _zone_unsure(self) -> bool:
        zone = self._reader.zone
        named = zone is not None and not zone.given
        return self._sample is not None and named and not (self._gone or self._reader.pinned)

    def _date(self) -> tuple[str, int] | None:
        """Return the key of a row of a date that no row has shown, in a steady part of the year if there is one."""
        if not self._others:
            return None
        dates = self._reader.dates
        for key, sample in list(self._others.items()):
            if dates is None or dates.include(sample.time):
                del self._others[key]
        return min(self._others, key=lambda key: not is_steady(key[0]), default=None)

    def start(self) -> None:
        """Request the second of a row, unless answers have shown the zone, or such a request is under way."""
        if self._looking or self.error is not None:
            return
        if self._zone_unsure:
            if not self._asked:
                self._asked = True
                assert self._sample is not None, "a row has come"
                self._follow_ups.start(self._check(self._sample, None))
        elif (key := self._date()) is not None:
            self._follow_ups.start(self._check(self._others[key], key))

    def _check(self, sample: _Sample, key: tuple[str, int] | None) -> Script:
        """Look for a row in its second. A *key* means that it must be a row of the same part of the year."""
        self._looking, wanted = True, sample
        try:
            for left in reversed(range(_ROUNDS + 1)):
                near = self._near(sample)
                page = yield near
                self._frontier.duplicates += len(page.ids)
                if page.ids:
                    self._reader.read(near, page)
                    return
                if not left:
                    raise self._misread(near, near.first // 1000)
                again = attrs.evolve(sample.ask, tries=None, reads=None)
                page = yield again
                self._frontier.duplicates += len(page.ids)
                times = [time for time in page.times if key is None or part_of_year(time) == sample.part]
                if not times:
                    self._gone = self._gone or key is None
                    return
                sample = _Sample(again, times[0] if key is None else (min if key[1] < 0 else max)(times))
        except AioflowsError as error:
            self.error = error
        finally:
            self._looking = False
            if key is not None and self.error is None and self._others.get(key) is wanted:
                del self._others[key]

    def _near(self, sample: _Sample) -> PageRequest:
        """Return the request for the second of a row."""
        assert self._reader.zone is not None, "rows were read"
        ask = sample.ask
        offset = self._reader.zone.offset_at(ask.from_ms // 1000)
        second = ask.axis.second(wall_seconds(sample.time) - offset)
        return attrs.evolve(
            ask,
            first=second * 1000,
            until=second * 1000 + 1000,
            page_no=self._service.first_page or 0,
            page_size=self._service.answered(ask.page_size),
            tries=None,
            reads=None,
        )
