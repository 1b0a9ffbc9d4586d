"""Failed windows: before the scan ends with an error, a smaller page or a narrower window is requested.

Services refuse in many ways: with a code of the gateway or the service, with HTTP 400 or 413, or by failing.
A proxy may also cut or replace an answer that is too long.
"""

from __future__ import annotations

import re

from aioflows._core.pages.first_page import refusal, unreadable
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows.errors import AioflowsError, ServerFault, TimedOut

__all__ = ["MAY_BE_TOO_MUCH", "FailedWindows"]

MAY_BE_TOO_MUCH = (ServerFault, TimedOut)
"""Errors that may not occur for a narrower window."""

_RANGE = re.compile(
    r"(?i)range|window|span|interval|period|days?\b|too (long|wide|large)|exceed|HTTP 4(00|13)|code 4(00|13)|范围|超"
)
"""Words of a refusal that may be about the width of a window."""

_HALVINGS_AT_FIRST = 7
"""How often a window is halved before any row came, if the error does not speak of ranges.

Such an error more likely has another cause.
"""

_HALVINGS = 16
"""How often a window is halved because the service fails on it. The last half is requested with full retries."""


class FailedWindows:
    """The reaction of a scan to windows that the service fails on."""

    def __init__(self, state: KeysetState) -> None:
        self._state = state
        self._frontier, self._gaps, self._service = state.frontier, state.gaps, state.service

    def failed(self, ask: PageRequest, error: AioflowsError, *, tried_all: bool) -> bool:
        """Request less, if a request may have failed because it asked for too much. Otherwise record the error.

        Return True if the same request is to be sent again, with as many attempts as usual.

        Args:
            ask: the request.
            error: the error that the request ended with.
            tried_all: True if the request was sent with as many attempts as usual before.
        """
        gaps = self._gaps.within(ask.first, ask.until)
        if not gaps or self._try_smaller(ask, error):
            self._frontier.finish(ask)
            return False
        if tried_all:
            self._frontier.finish(ask)
            self._frontier.fail(gaps[0], error)
            return False
        gap = gaps[-1] if ask.backward else gaps[0]
        named = refusal(error) and bool(_RANGE.search(str(error)))
        failed = isinstance(error, MAY_BE_TOO_MUCH) or named
        most = _HALVINGS if named or self._state.evidence.rows else _HALVINGS_AT_FIRST
        if failed and gap.halvings < most and self._narrow(gap, ask):
            return False
        if failed and ask.tries is not None:
            return True
        self._frontier.finish(ask)
        if not (
            isinstance(error, ServerFault)
            and not self._state.sizes_tried
            and self._service.unread_size(ask.page_size)
        ):
            self._frontier.fail(gap, error)
        return False

    def _narrow(self, gap: Gap, ask: PageRequest) -> bool:
        """Request a narrower window. Return False if no narrower one is left."""
        if ask.until > gap.until:
            gap.halvings += 1  # a request for a halved gap does not reach beyond the gap
        elif ask.until - ask.first > self._service.reach and gap.middle is not None:
            self._gaps.halve(gap)
        else:
            return False
        self._frontier.finish(ask)
        return True

    def _try_smaller(self, ask: PageRequest, error: AioflowsError) -> bool:
        """Note that a page size is refused, if the error may mean that. Return True if a smaller size is next.

        If the service fails on a size that was answered in this scan, the failure more likely has another
        cause. So the size is reduced only if nothing else helps. Rows may be wider in this window.
        """
        if unreadable(error):
            return self._service.unread_size(ask.page_size)
        if self._state.sizes_tried or not refusal(error):
            return False
        if isinstance(error, ServerFault) and self._state.evidence.answered(ask.page_size):
            return False
        if self._service.refuse_size(ask.page_size):
            return True
        self._service.start_from_one(self._state.options.page_size)
        self._state.sizes_tried = True
        return False
