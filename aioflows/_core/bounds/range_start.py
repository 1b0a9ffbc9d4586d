"""The start of a range: whether a service includes it, as documented, or excludes it, as ``trigger_time > from`` does.

1. A window of one millisecond has no row if the start is excluded. So one row in such a window shows that the start
   is included.
2. If two milliseconds together have a row, and neither of them has it alone, the start is excluded. Each of the two is
   requested twice in a row, and all of it twice. A row may be deleted, and every n-th answer may be false.
3. Let the last millisecond of a second be answered with a row. If the rest of that second has rows, and not this one,
   then the service compares milliseconds and includes the start.

The first two are used where a window starts inside a second, and rows do not show on which side of its start they
are. The third is used where a window starts at a whole second. If nothing stands at a start, or just before it,
then nothing can be lost there, and the question stays open.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypeAlias

import attrs

from aioflows._core.bounds.range_check import window
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AioflowsError

__all__ = ["RangeStart", "look", "seconds_of"]

_Look: TypeAlias = Generator[PageRequest, Page, bool]
"""A script that yields requests and receives their pages. It returns False if no row stands at a start."""

_ROUNDS = 2
"""How often the milliseconds at a start are requested before the start counts as excluded."""

_LOOKS = 3
"""How often the rest of a second is requested to show that its last millisecond is answered apart."""


class RangeStart:
    """What a scan knows about the start of ranges."""

    def __init__(self) -> None:
        self.included: bool | None = None
        """True if the start belongs to its range. None means that it is not known."""
        self._looks = 0

    def tell(self, ask: PageRequest, page: Page, zone: Zone, page_no: int) -> _Look:
        """Find out whether the start is included, at the start of a window.

        Args:
            ask: the request for the window.
            page: an answer that may have rows from before the start.
            zone: the zone of the service's times.
            page_no: the number of the first page.
        """
        if ask.from_ms % 1000:
            return self._inside_second(ask, page_no)
        return self._at_second(ask, page, zone, page_no)

    def _inside_second(self, ask: PageRequest, page_no: int) -> _Look:
        start = ask.from_ms
        # In a dense second the first row stands in the millisecond before its first cut.
        if (yield look(ask, start - 1, start, page_no=page_no)).ids:
            self.included = True
            return True
        for _ in range(_ROUNDS):
            if not (yield look(ask, start - 1, start + 1, page_no=page_no)).ids:
                return False
            for first in (start, start, start - 1, start - 1):
                if (yield look(ask, first, first + 1, page_no=page_no)).ids:
                    self.included = True
                    return True
        self.included = False
        return True

    def _at_second(self, ask: PageRequest, page: Page, zone: Zone, page_no: int) -> _Look:
        if self._looks < _LOOKS:
            self._looks += 1
            start = ask.from_ms
            seconds = seconds_of(zone, ask, page.times)
            last = {name for name, second in zip(page.ids, seconds, strict=False) if second * 1000 < start}
            # A service that includes the end answers for one millisecond more, which is not the last one.
            rest = yield look(ask, start - 1000, start - 2, page_no=page_no, falling=True)
            if rest.ids and last.isdisjoint(rest.ids):
                self.included = True
        return True


def look(ask: PageRequest, from_ms: int, to_ms: int, *, page_no: int, falling: bool = False) -> PageRequest:
    """Return a request like another one for a window of its own, in either order."""
    one = window(ask, from_ms, to_ms)
    return attrs.evolve(one, page_no=page_no, backward=falling != one.axis.descending, tries=None)


def seconds_of(zone: Zone, ask: PageRequest, times: Sequence[str]) -> list[int]:
    """Return the seconds of real time of some texts. Return nothing if one cannot be read."""
    offset = zone.offset_at(ask.from_ms // 1000)
    try:
        return [wall_seconds(time) - offset for time in times]
    except AioflowsError:  # the reader of the page reports the error
        return []
