"""What the checks of a range have in common: they stand between a scan and the service.

A check may change a request on its way to the service, and may send requests of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import TypeAlias

import attrs

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows.errors import AioflowsError

__all__ = ["Answer", "RangeCheck", "window"]

Answer: TypeAlias = "Page | AioflowsError"


class RangeCheck(ABC):
    """A check between a scan and the service.

    Args:
        deliver: called with a request of the scan and its answer.
    """

    def __init__(self, deliver: Callable[[PageRequest, Answer], None]) -> None:
        self._deliver = deliver
        self._meant: dict[PageRequest, PageRequest] = {}
        """For each request that was sent in another form, the request of the scan."""
        self._jobs: dict[PageRequest, Callable[[Answer], None]] = {}
        self._todo: list[PageRequest] = []

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the requests to start, each once."""
        while self._todo:
            yield self._todo.pop(0)

    def received(self, ask: PageRequest, answer: Answer) -> None:
        """Process an answer."""
        if (job := self._jobs.pop(ask, None)) is not None:
            job(answer)
        else:
            self._answered(self._meant.pop(ask, ask), ask, answer)

    @abstractmethod
    def _answered(self, meant: PageRequest, sent: PageRequest, answer: Answer) -> None:
        """Process the answer to a request of the scan, and to the form in which it was sent."""

    def _request(
        self, ask: PageRequest, job: Callable[[Page], None], failed: Callable[[AioflowsError], None]
    ) -> None:
        """Send a request of this check. One of two functions is called with its page, or with its error."""

        def answered(answer: Answer) -> None:
            if isinstance(answer, AioflowsError):
                failed(answer)
            else:
                job(answer)

        self._jobs[ask] = answered
        self._todo.append(ask)


def window(ask: PageRequest, from_ms: int, to_ms: int) -> PageRequest:
    """Return a request like another one, for a window of real time (ms)."""
    first, until = ask.axis.window(from_ms, to_ms)
    return attrs.evolve(ask, first=first, until=until)
