"""Inquiries: requests in addition to those of a scan.

Each inquiry is a script, which requests one page after the other. If the answers show an error, the script
returns the error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TypeAlias

import attrs

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.scans.machine import Requester
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.models import ScheduleType

__all__ = ["PROBE_ROWS", "PROBE_TRIES", "Inquiries", "Script"]

PROBE_ROWS = 10
"""Page size of a probe (rows). The vendor's sample has pages of ten."""

PROBE_TRIES = 2
"""Attempts at a probe."""

Script: TypeAlias = Generator[tuple[ScheduleType, PageRequest], Page | None, CompletenessError | None]
"""A generator that yields a schedule type and a request, and is sent the page. None means that the request
failed. The result is the error that the answers show, or None."""


@attrs.frozen(eq=False)
class _Inquirer:
    """The requester of one request of a script."""

    inquiries: Inquiries
    type: ScheduleType
    script: Script

    def received(self, ask: PageRequest, page: Page) -> None:  # noqa: ARG002
        self.inquiries.answered(self.script, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:  # noqa: ARG002
        # An inquiry only checks filters. So a failed inquiry does not end a scan that has read all its rows.
        self.inquiries.answered(self.script, None)


class Inquiries:
    """The running scripts of one scan."""

    def __init__(self) -> None:
        self.open = 0
        """The number of scripts that have not ended yet."""
        self.error: CompletenessError | None = None
        """The first error that a script returned."""
        self.rows_received = 0
        self._ready: deque[tuple[Requester, PageRequest]] = deque()

    def begin(self, script: Script) -> None:
        """Begin a script."""
        self.open += 1
        self._go_on(script, None)

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start, at most *slots*."""
        return [self._ready.popleft() for _ in range(min(slots, len(self._ready)))]

    def answered(self, script: Script, page: Page | None) -> None:
        """Send an answer to the script that requested it. None means that the request failed."""
        if page is not None:
            self.rows_received += len(page.ids)
        self._go_on(script, page)

    def _go_on(self, script: Script, page: Page | None) -> None:
        try:
            type, ask = script.send(page)
        except StopIteration as end:
            self.open -= 1
            self.error = self.error or end.value
        else:
            self._ready.append((_Inquirer(self, type, script), ask))
