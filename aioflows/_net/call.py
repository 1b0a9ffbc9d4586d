"""A request on its way: what it is, what it has cost so far, and what is told of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from aioflows._net.gate import Ticket
from aioflows._net.observers import Observers
from aioflows._net.transport import Request
from aioflows.errors import AioflowsError, BadCredentials
from aioflows.events import RequestEnded, RequestSent

__all__ = ["Again", "Call", "CallTally"]

T = TypeVar("T")

_numbers = itertools.count(1)


@attrs.define
class CallTally:
    """Counts what a group of calls has cost.

    Args:
        requests: *attempts* sent.
        retries: *attempts* that were not the first of their request.
        throttled: *answers* that said "too many requests".
        waited: *seconds* between attempts, added up.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited: float = 0.0
    round: int = attrs.field(default=0, eq=False, repr=False)
    """The round at the gate for which it has drawn its last ticket."""


@attrs.define
class Call(Generic[T]):
    """A request on its way through its attempts.

    Args:
        make: gives *what* to send, made anew for each attempt.
        read: understands the *body*.
        tally: counts what it costs.
        tries: *attempts* that the service may fail or be too slow at.
        scan: the *number* of the scan that it belongs to.
        signed: whether it bears a signature.
        ticket: its *place* at the gate, for all of its attempts.
    """

    make: Callable[[], Request]
    read: Callable[[bytes], T]
    tally: CallTally
    tries: int
    scan: int | None = None
    signed: bool = True
    ticket: Ticket | None = None
    deadline: float = 0.0
    sent: int = 0
    failures: int = 0
    refusals: int = 0
    detours: int = 0  # times that the token died while the call waited at the gate
    clock_corrected: bool = False
    doubt: BadCredentials | None = None
    number: int = attrs.field(init=False, factory=_numbers.__next__)
    # Of the latest attempt:
    entered: float = 0.0
    answered: float = 0.0
    size: int | None = None
    told: bool = False  # that it was sent, so that its end has to be told
    operation: str = ""
    generation: int = 0
    offset: float = 0.0
    status: int = 0

    def queued(self, seconds: float) -> None:
        """Note that it has waited so long for a connection of the caller's pool, which is no time of the service's."""
        self.entered += seconds
        self.deadline += seconds

    # What is told of it

    @property
    def facts(self) -> dict[str, Any]:
        """What every event of it tells."""
        return {
            "scan": self.scan,
            "request": self.number,
            "operation": self.operation,
            "attempt": self.sent,
        }

    def sends(self, watch: Observers, request: Request) -> None:
        """Tell that an attempt is about to be sent."""
        self.operation = request.operation
        self.told = watch.wanted(RequestSent)
        if self.told:
            watch.tell(RequestSent(**self.facts, method=request.method, url=request.url))

    def ended(
        self,
        watch: Observers,
        now: float,
        *,
        rows: int | None = None,
        error: AioflowsError | None = None,
        cancelled: bool = False,
    ) -> None:
        """Tell what became of the attempt, if it was told that it was sent."""
        if not self.told:
            return
        self.told = False
        watch.tell(
            RequestEnded(
                **self.facts,
                duration=(self.answered or now) - self.entered,
                status=self.status or None,
                size=self.size,
                rows=rows,
                error=error,
                cancelled=cancelled,
            )
        )


class Again(Exception):
    """Wraps the error of an attempt that may be worth another, so that the retry sees which call it belongs to."""

    def __init__(self, error: AioflowsError, call: Call[Any]) -> None:
        super().__init__()
        self.error = error
        self.call = call
