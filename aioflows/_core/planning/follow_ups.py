"""Follow-up requests, which an answer made necessary, and the callbacks for their answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TypeAlias, TypeVar

from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows.errors import AioflowsError

__all__ = ["FollowUps", "Job", "Script"]

R = TypeVar("R")

Job: TypeAlias = Callable[["Page | AioflowsError"], None]
"""A callback for the answer to a request, or for the error that ended the request."""

Script: TypeAlias = Generator[PageRequest, Page, None]
"""A script that yields requests, and receives the page of each request."""


class FollowUps:
    """A queue of requests that are sent before all others, and the callbacks for their answers."""

    def __init__(self) -> None:
        self._waiting: deque[PageRequest] = deque()
        self._jobs: dict[PageRequest, Job] = {}

    def add(self, ask: PageRequest, job: Job | None = None) -> None:
        """Add a request to send next. Without a *job*, the answer is handled like any other answer."""
        self._waiting.append(ask)
        if job is not None:
            self._jobs[ask] = job

    def expect(self, ask: PageRequest, job: Job) -> None:
        """Register a callback for a request that is sent without the queue."""
        self._jobs[ask] = job

    def run(self, script: Generator[PageRequest, Page | None, R], done: Callable[[R], None]) -> None:
        """Run a script that yields one request after the other, and call *done* with its result.

        The script receives None for a request that fails.
        """

        def go_on(answer: Page | AioflowsError | None) -> None:
            try:
                ask = script.send(None if isinstance(answer, AioflowsError) else answer)
            except StopIteration as end:
                done(end.value)
            else:
                self.add(ask, go_on)

        go_on(None)

    def start(self, script: Script) -> None:
        """Run a script that yields one request after the other. An error is raised inside the script."""

        def go_on(answer: Page | AioflowsError) -> None:
            with suppress(StopIteration):
                if isinstance(answer, AioflowsError):
                    self.add(script.throw(answer), go_on)
                else:
                    self.add(script.send(answer), go_on)

        with suppress(StopIteration):
            self.add(next(script), go_on)

    def next(self) -> PageRequest | None:
        """Remove the next request to send and return it. Return None if no request waits."""
        return self._waiting.popleft() if self._waiting else None

    def job(self, ask: PageRequest) -> Job | None:
        """Remove the callback for a request and return it. Return None if there is no callback."""
        return self._jobs.pop(ask, None)
