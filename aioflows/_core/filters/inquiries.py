"""Questions beside a scan's own: each inquiry is a script that asks one page after the other, and says at its end what is wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import TypeAlias

import attrs

from aioflows._core.pages.reading import Page, PageRequest
from aioflows._core.scans.machine import Requester
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.models import ScheduleType

__all__ = ["Inquiries", "Script"]

Script: TypeAlias = Generator[tuple[ScheduleType, PageRequest], Page | None, CompletenessError | None]
"""It yields a schedule type and a page to ask for, is sent that page, or None where the request failed, and returns the error
that its answers show; None: nothing is wrong."""


@attrs.frozen(eq=False)
class _Inquirer:
    """The asker of one request of a script."""

    inquiries: Inquiries
    type: ScheduleType
    script: Script

    def received(self, ask: PageRequest, page: Page) -> None:  # noqa: ARG002
        self.inquiries.answered(self.script, page)

    def failed(self, ask: PageRequest, error: AioflowsError) -> None:  # noqa: ARG002
        # A question that only checks something does not end a scan that has read all it was asked for.
        self.inquiries.answered(self.script, None)


class Inquiries:
    """The scripts of one scan that are under way."""

    def __init__(self) -> None:
        self.open = 0
        """Scripts that have not ended yet."""
        self.error: CompletenessError | None = None
        """The first error that a script has returned."""
        self.rows_received = 0
        self._ready: deque[tuple[Requester, PageRequest]] = deque()

    def begin(self, script: Script) -> None:
        """Begin a script."""
        self.open += 1
        self._go_on(script, None)

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return requests to start, at most so many."""
        return [self._ready.popleft() for _ in range(min(slots, len(self._ready)))]

    def answered(self, script: Script, page: Page | None) -> None:
        """Send an answer to the script that asked for it; None: the request failed."""
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
