"""Missing rows: rows at the edge of a window that did not come again.

A row is missing for one of three reasons: the row was deleted, the answer without the row was wrong, or the
time of the row was misread. If times are misread, windows are cut in wrong places, and rows between the
windows are lost. So the row is searched in two places: in the window that returned the row, and in its own
second.

- Not in that window: the row was deleted, and the answer holds.
- In both: the answer was wrong, and its window is requested again.
- In that window, and never in its second: the time was misread. The scan ends with an error.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.empty_answer_policy import EMPTY_ANSWERS
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.follow_ups import Script
from aioflows._core.planning.gaps import Anchor, Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["MissingRows"]

_ROUNDS = 5
"""How many times a row is searched in both places.

A row that comes and goes is soon found in both, or in neither.
"""

_TOO_LARGE = 3
"""Empty answers to larger pages, where smaller pages have rows, that show a limit on the page size."""

_MOST_SIZES = 16
"""The most page sizes that one gap shows to be too large. After these, its answers contradict each other."""

_ANEW = 2
"""Disproved answers about one gap, after which narrower windows are requested.

A service that answers about a part of a long range leaves out the same rows each time.
"""

_MOST = 8
"""Disproved answers about one gap, after which the scan ends with an error."""


@attrs.define(eq=False)
class _MissingRow:
    """A row that did not come again, and the answer without it."""

    anchor: Anchor
    gap: Gap
    ask: PageRequest
    page: Page
    empty: int = 0
    """How many times the window that returned the row was answered with no rows."""
    shown: bool = False
    """True if the window that returned the row has been answered with rows since."""


class MissingRows:
    """A search for missing rows.

    Args:
        state: the state of the scan.
        go_on: called with a request and its answer, if the answer holds although it lacks the row.
    """

    def __init__(self, state: KeysetState, go_on: Callable[[PageRequest, Page], None]) -> None:
        self._state = state
        self._frontier, self._gaps, self._service = state.frontier, state.gaps, state.service
        self._go_on = go_on
        self.any_missing = False
        """True if an answer has lacked a row."""

    def search_for(self, anchor: Anchor, gap: Gap, ask: PageRequest, page: Page) -> None:
        """Start the search for a row, and keep the answer without it until the search ends."""
        gap.on_hold = self.any_missing = True
        self._state.follow_ups.start(self._search(_MissingRow(anchor, gap, ask, page)))

    def misread(self, ask: PageRequest, second: int) -> CompletenessError:
        """Return the error for a second of scan time whose rows appear at another time."""
        zone = self._state.reader.zone
        assert zone is not None, "rows were read"
        told = (
            "the zone that this session was given is wrong. Give the zone of the service, or none"
            if zone.given
            else f"the times of the service are not in the zone {zone.tzinfo} that it names, or only for a part of the "
            "year, since it has daylight saving time. Give the zone of the times as FlowSession(server_timezone=...), "
            "such as 'Europe/Berlin'"
        )
        return CompletenessError(
            f"an answer has rows that are read as triggered at {ask.axis.second(second) * 1000} ms, but the answer about that "
            f"second has none. Most likely, {told}, and begin the scan again. If the zone is right, the service answers about "
            "a part of a long range only, or rounds the range: query shorter ranges of whole minutes"
        )

    def _search(self, missing: _MissingRow) -> Script:
        """Request the window that returned the row, and the row's second, in turn."""
        gap, anchor = missing.gap, missing.anchor
        first = anchor.second * 1000
        try:
            for left in reversed(range(_ROUNDS)):
                again = attrs.evolve(anchor.ask, tries=None)
                page = yield again
                missing.shown = missing.shown or bool(page.ids)
                if not self._may_hold(again, page, missing):
                    break
                near = attrs.evolve(again, first=first, until=first + 1000)
                if gap.contradictions % 2:
                    # If every n-th answer of the service is wrong, one request less puts the scan out of step.
                    self._reject_answer(missing)
                    return
                page = yield near
                if page.ids:
                    self._state.reader.read(near, page)
                    self._reject_answer(missing)
                    return
                if not left and missing.shown:
                    raise self.misread(near, anchor.second)
        except AioflowsError as error:
            self._frontier.fail(gap, error)
            return
        self._accept_answer(missing)

    def _may_hold(self, ask: PageRequest, page: Page, missing: _MissingRow) -> bool:
        """Return True if a page shows a row in the second, or does not prove that the second has no row.

        Any row counts: if the second holds more rows than a page, ties may put another row in the place of the
        missing row.
        """
        second = missing.anchor.second
        if not page.ids:  # the window had rows before, so one empty answer is not a proof
            missing.empty += 1
            return missing.empty < EMPTY_ANSWERS or missing.shown or not self._state.reader.pinned
        reading = self._state.reader.read(ask, page)
        if reading.at(second):
            return True
        reached = reading.first < second if ask.backward else reading.last > second
        fewer = len(reading) < missing.anchor.rows  # the answer with the row had more rows
        return not (reached or fewer or self._state.reader.pinned)

    def _reject_answer(self, missing: _MissingRow) -> None:
        gap, ask = missing.gap, missing.ask
        gap.on_hold = False
        too_large = ask.page_size > missing.anchor.ask.page_size
        if missing.empty:  # the same request was answered with rows before, and with no rows now
            self._service.false_empty_seen, too_large = True, False
        size_blamed = too_large and (self._service.refuses_sizes or gap.contradictions + 1 >= _TOO_LARGE)
        if size_blamed and gap.sizes_blamed < _MOST_SIZES:
            gap.sizes_blamed += 1
            self._service.refuse_size(ask.page_size)
            return
        gap.contradictions += 1
        if not missing.page.ids and not too_large:
            self._service.false_empty_seen = True
        if not missing.page.ids and gap.contradictions >= _TOO_LARGE and gap in self._gaps:
            # The window may be too long for the service.
            self._gaps.halve(gap)
        if missing.page.ids and gap.contradictions > _ANEW:
            self._narrow(gap, ask)
        if gap.contradictions > _MOST:
            self._frontier.fail(
                gap,
                CompletenessError(
                    f"answers about the window {ask.from_ms}–{ask.to_ms} ms left out, again and again, rows that other answers have, so "
                    "no answer can be trusted. Several servers with different data, or a cache, may be the cause: query one "
                    "server, or run the scan again when the data is at rest"
                ),
            )

    def _narrow(self, gap: Gap, ask: PageRequest) -> None:
        """Request a gap without the rows beside it. If the last request was like that, cut the gap in two."""
        if ask.first < gap.first or gap.until < ask.until:
            gap.start.known = gap.end.known = None
        elif gap in self._gaps and gap.middle is not None:
            self._gaps.halve(gap)

    def _accept_answer(self, missing: _MissingRow) -> None:
        gap = missing.gap
        gap.on_hold = False
        for edge in (gap.start, gap.end):
            if edge.anchor is missing.anchor:
                edge.anchor = None
        self._go_on(missing.ask, missing.page)
