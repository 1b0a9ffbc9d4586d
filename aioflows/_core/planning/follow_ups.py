"""Requests that the plan knows nothing of: what an answer made it necessary to find out, and what to do with it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from aioflows._core.pages.reading import Page, PageRequest
from aioflows.errors import AioflowsError

__all__ = ["FollowUps", "Job"]

R = TypeVar("R")

Job: TypeAlias = Callable[["Page | AioflowsError"], None]
"""Takes the answer to a request, or the error that it ended with."""


class FollowUps:
    """Requests that go before all others, and the jobs that wait for their answers."""

    def __init__(self) -> None:
        self._waiting: deque[PageRequest] = deque()
        self._jobs: dict[PageRequest, Job] = {}

    def add(self, ask: PageRequest, job: Job | None = None) -> None:
        """Have a request sent next; without a *job* its answer goes the ordinary way."""
        self._waiting.append(ask)
        if job is not None:
            self._jobs[ask] = job

    def expect(self, ask: PageRequest, job: Job) -> None:
        """Have the answer to a request that is sent anyway given to a job."""
        self._jobs[ask] = job

    def run(self, script: Generator[PageRequest, Page | None, R], done: Callable[[R], None]) -> None:
        """Have a script ask one request after the other; what it returns is given to *done*.

        A request that fails is answered with None.
        """

        def go_on(answer: Page | AioflowsError | None) -> None:
            try:
                ask = script.send(None if isinstance(answer, AioflowsError) else answer)
            except StopIteration as end:
                done(end.value)
            else:
                self.add(ask, go_on)

        go_on(None)

    def next(self) -> PageRequest | None:
        """Return the next request to send."""
        return self._waiting.popleft() if self._waiting else None

    def job(self, ask: PageRequest) -> Job | None:
        """Return the job that waits for an answer, once."""
        return self._jobs.pop(ask, None)
