"""An empty window in a scan without any row: it is requested in other ways before it is taken for empty.

1. The rows without the query's filters show whether the service answers about the whole window (`range_limit`).
2. If the number of the first page is known from other scans, the other number is requested. A service that now
   counts from there answers the known number with no rows, or with the second page.
3. Narrower windows inside are requested, since a service may answer a range that is too long with no rows.
   They are left out if the service has answered a window of nearly this width with rows.

If narrower windows have rows, the range is read in parts. See docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from aioflows._core.pages.ordered_page import Page, PageRequest
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.proofs.range_limit import LEAST, answered_width, cut_to, looks_into
from aioflows.errors import AioflowsError

__all__ = ["EmptyScan", "read_in_parts"]

_WINDOWS = 3
"""Empty windows of a scan that are requested in other ways. What these show holds for all windows."""

_NEARLY = 0.95
"""A window counts as answered before if one of at least this share of its width was answered with rows."""


class EmptyScan:
    """Further requests about empty windows of a scan without any row.

    Args:
        state: the state of the scan.
        believe: called with a window and its request if no other way of asking has shown a row.
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
        if self._filtered and not self._service.looks_as_far_as(ask.until - ask.first):
            script = cut_to(whole, self._state.reader)
            self._state.follow_ups.run(script, lambda width: self._seen_without_filters(gap, whole, width))
        else:
            self._request_another_page(gap, whole)

    def _seen_without_filters(self, gap: Gap, whole: PageRequest, width: int | None) -> None:
        """Read a window in parts of *width* milliseconds, if the service answers about so much of it only.

        A *width* of None means that no limit was seen. 0 means that there is no row without the filters
        either.
        """
        if not width:
            self._request_another_page(gap, whole, nobody=width == 0)
            return
        gap.on_hold = False
        if gap in self._gaps:
            read_in_parts(self._state, gap, width)

    def _request_another_page(self, gap: Gap, whole: PageRequest, *, nobody: bool = False) -> None:
        """Request the other number of the first page, if its number is known from other scans. Then request
        narrower windows.

        Args:
            gap: the window.
            whole: the request for the window.
            nobody: True if narrower windows without the filters had no rows either.
        """
        known = self._service.first_page
        if known is None:
            # Page 1 has a row if pages count from 1, or if the window has two or more rows.
            self._request_inside(gap, whole, () if nobody else (0,) if self._filtered else (1, 1))
            return
        other = attrs.evolve(
            whole,
            page_size=1,
            page_no=1 - known,
            tries=1,  # a page number that does not exist may be answered with an error each time
        )

        def answered(answer: Page | AioflowsError) -> None:
            if gap not in self._gaps:
                gap.on_hold = False
            elif isinstance(answer, AioflowsError) or not answer.ids:
                width = gap.until - gap.first
                wide = width > LEAST and not self._filtered and self._service.widest < _NEARLY * width
                self._request_inside(gap, whole, (known,) if wide else ())
            else:
                gap.on_hold = False
                self._service.first_page = self._service.base = None  # the first page has the other number
                gap.forget_empty_answers()

        self._state.follow_ups.add(other, answered)

    def _request_inside(self, gap: Gap, whole: PageRequest, numbers: Sequence[int]) -> None:
        """Request narrower windows, one for each page number in *numbers*.

        If these are empty too, the whole window is believed to be empty.
        """

        def answered(width: int | None) -> None:
            gap.on_hold = False
            if gap not in self._gaps:
                return
            if width is not None:
                read_in_parts(self._state, gap, width)
            elif self._known and self._service.first_page != whole.page_no:
                # Another scan has corrected the number of the first page, or is about to.
                gap.forget_empty_answers()
            else:
                self._believe(gap, whole)

        script = answered_width(whole, self._state.reader, looks_into(whole, numbers))
        self._state.follow_ups.run(script, answered)


def read_in_parts(state: KeysetState, gap: Gap, width: int) -> None:
    """Cut a gap into windows of *width* milliseconds, since a wider one was answered with no rows."""
    gap.forget_empty_answers()
    service = state.service
    if width >= gap.until - gap.first:  # the whole window was answered with rows after all
        service.false_empty_seen = service.false_empty_seen or not state.options.growing
        return
    service.silent_beyond = width
    state.read_in_parts(gap.first, gap.until, width)
