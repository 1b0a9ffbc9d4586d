"""The zone check: before a row is handed out, an answer must show that the zone of the service is right.

A wrong zone moves every row by the same hours, so a wide window hides the error. A window of one second shows
the error: only in the right zone does the row that was read there come again. Most scans request such a
window at the end of the first page (`aioflows._core.planning.gap_request`). With few rows or a small limit,
the window is requested here.

A row may be deleted meanwhile, so an empty answer for its second proves nothing. Then the window that brought
the row is requested again, followed by the second of a row of the new answer.

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.follow_ups import Script
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.wire.zone import wall_seconds
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["ZoneShown"]

_ROUNDS = 3
"""How often a row is looked for in its second, and then in its first window, before it counts as misread."""


class ZoneShown:
    """The check that rows are read in the right zone.

    Args:
        state: the state of the scan.
        misread: returns the error for a second without the rows that were read there.
    """

    def __init__(self, state: KeysetState, misread: Callable[[PageRequest, int], CompletenessError]) -> None:
        self._frontier, self._follow_ups = state.frontier, state.follow_ups
        self._reader, self._service = state.reader, state.service
        self._misread = misread
        self._sample: tuple[PageRequest, Page] | None = None
        self._asked = self._gone = False
        self.waited = False
        """True if rows had to wait for this check."""
        self.error: AioflowsError | None = None
        """The error that ended the check. None means no error."""

    def note(self, ask: PageRequest, page: Page) -> None:
        """Note an answer. The first answer that has rows provides the row to look for."""
        if page.ids and self._sample is None:
            self._sample = ask, page

    @property
    def unsure(self) -> bool:
        """True if rows have come and nothing proves that the zone is right."""
        zone = self._reader.zone
        named = zone is not None and not zone.given
        return self._sample is not None and named and not (self._gone or self._reader.pinned)

    def start(self) -> None:
        """Request the second of a row, once and if no answer has shown the zone."""
        if self.unsure and not self._asked:
            self._asked = True
            self._follow_ups.start(self._check())

    def _check(self) -> Script:
        try:
            for left in reversed(range(_ROUNDS + 1)):
                assert self._sample is not None, "a row has come"
                sample, page = self._sample
                near = self._near(sample, page)
                page = yield near
                self._frontier.duplicates += len(page.ids)
                if page.ids:
                    self._reader.read(near, page)
                    return
                if not left:
                    raise self._misread(near, near.first // 1000)
                again = attrs.evolve(sample, tries=None, reads=None)
                page = yield again
                self._frontier.duplicates += len(page.ids)
                if not page.ids:
                    self._gone = True
                    return
                self._sample = again, page
        except AioflowsError as error:
            self.error = error

    def _near(self, ask: PageRequest, page: Page) -> PageRequest:
        """Return the request for the second of the first row of a page."""
        assert self._reader.zone is not None, "rows were read"
        offset = self._reader.zone.offset_at(ask.from_ms // 1000)
        second = ask.axis.second(wall_seconds(page.times[0]) - offset)
        return attrs.evolve(
            ask,
            first=second * 1000,
            until=second * 1000 + 1000,
            page_no=self._service.first_page or 0,
            page_size=self._service.answered(ask.page_size),
            tries=None,
            reads=None,
        )
