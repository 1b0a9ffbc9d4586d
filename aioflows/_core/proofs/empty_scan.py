"""Empty scans: a window of a scan without any row is requested in other ways before it is taken for empty.

1. The rows without the query's filters show whether the service answers about the whole window (`range_limit`).
2. If the number of the first page is known from other scans, the other number is requested. A service that now
   counts from the other number may answer the known number with no rows.
3. Narrower windows inside are requested, since a service may answer a range that is too long with no rows.
   They are left out if the service has answered a window of nearly this width with rows.

If narrower windows have rows, the range is read in parts. See docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.proofs.range_limit import LEAST, Reach, answered_width, cut_to, looks_into

__all__ = ["EmptyScan", "read_in_parts"]

_WINDOWS = 3
"""Empty windows of a scan that are requested in other ways. Their result holds for all windows."""

_NEARLY = 0.95
"""The share of the width of a window from which a narrower window with rows makes further looks needless."""


class EmptyScan:
    """Further requests about empty windows of a scan without any row.

    Args:
        state: the state of the scan.
        believe: called with a window and its request if no other request has shown a row.
    """

    def __init__(self, state: KeysetState, believe: Callable[[Gap, PageRequest], None]) -> None:
        self._state = state
        self._gaps, self._service = state.gaps, state.service
        self._filtered = state.options.filtered
        self._believe = believe
        self._left = _WINDOWS
        self._known = state.service.first_page is not None

    def unsure_of(self, gap: Gap) -> bool:
        """Return True if a window has to be requested in other ways."""
        return not self._state.evidence.rows and not gap.looked_inside and self._left > 0

    def look(self, gap: Gap, ask: PageRequest) -> None:
        """Request a window in other ways.

        Args:
            gap: the window.
            ask: a request that was answered with no rows.
        """
        gap.looked_inside = gap.on_hold = True
        self._left -= 1
        whole = attrs.evolve(ask, first=gap.first, until=gap.until, backward=False)
        bare = self._filtered and not self._service.looks_as_far_as(ask.until - ask.first)

        def done(width: int | None) -> None:
            gap.on_hold = False
            if gap not in self._gaps:
                return
            if width:
                read_in_parts(self._state, gap, width)
            elif width == 0 or (self._known and self._service.first_page != whole.page_no):
                # This scan or another has corrected the number of the first page, so the answers prove nothing.
                gap.forget_empty_answers()
            else:
                self._believe(gap, whole)

        self._state.follow_ups.run(self._answered_width(gap, whole, bare=bare), done)

    def _answered_width(self, gap: Gap, whole: PageRequest, *, bare: bool) -> Reach:
        """Return the longest window that the service answers about (milliseconds).

        None means that nothing shows a limit. 0 means that the first page has another number.

        Args:
            gap: the window.
            whole: the request for the window.
            bare: True to request the rows of the window without the filters first.
        """
        width = (yield from cut_to(whole, self._state.reader)) if bare else None
        if width:
            return width
        known = self._service.first_page
        if known is None:
            # Page 1 has a row if pages count from 1, or if the window has two rows or more. If the range has no
            # rows without the filters either, narrower windows are not requested.
            numbers = () if width == 0 else (0,) if self._filtered else (1, 1)
        else:
            # A page number that does not exist may be answered with an error each time.
            page = yield attrs.evolve(whole, page_size=1, page_no=1 - known, tries=1)
            if gap not in self._gaps:
                return None
            if page is not None and page.ids:
                self._service.first_page = self._service.base = (
                    None  # a row on the other page: the first page may have that number
                )
                return 0
            length = gap.until - gap.first
            wide = length > LEAST and not self._filtered and self._service.widest < _NEARLY * length
            numbers = (known,) if wide else ()
        return (yield from answered_width(whole, self._state.reader, looks_into(whole, numbers)))


def read_in_parts(state: KeysetState, gap: Gap, width: int) -> None:
    """Cut a gap into windows of *width* milliseconds, since a wider window was answered with no rows."""
    gap.forget_empty_answers()
    service = state.service
    if (
        width >= gap.until - gap.first
    ):  # the whole window was answered with rows, so the empty answer was false
        service.false_empty_seen = service.false_empty_seen or not state.options.growing
        return
    service.silent_beyond = width
    state.read_in_parts(gap.first, gap.until, width)
