"""A call: one request with all its attempts, its costs and its events."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs

from aioflows._core.resilience.retry_budget import RetryBudget
from aioflows._net.gate import Gate, Ticket
from aioflows._net.observers import Observers
from aioflows._net.transport import Request
from aioflows.errors import AioflowsError, BadCredentials
from aioflows.events import RequestEnded, RequestSent
from aioflows.settings import RetryPolicy

__all__ = ["Again", "Call", "CallRules", "CallTally"]

T = TypeVar("T")

_numbers = itertools.count(1)


@attrs.frozen(eq=False)
class CallRules:
    """The rules for a group of calls.

    Args:
        policy: the rules for retries, and the time limit of an attempt.
        budget: the retry budget, which answers refill.
        gate: a gate of the group, which its attempts pass before the gate of the session. None means that the
            group has none. Default: None.
    """

    policy: RetryPolicy
    budget: RetryBudget
    gate: Gate | None = None


@attrs.define
class CallTally:
    """The costs of a group of calls.

    Args:
        scan: the number of the scan that makes the calls. None means that no scan does. Default: None.
        requests: the number of attempts sent.
        retries: the number of attempts that were not the first of their request.
        throttled: the number of answers that said "too many requests".
        waited: the time between attempts, added up (seconds).
        rules: the rules for the calls. None means those of the session. Default: None.
    """

    scan: int | None = None
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited: float = 0.0
    rules: CallRules | None = attrs.field(default=None, eq=False, repr=False)
    round: int = attrs.field(default=0, eq=False, repr=False)
    """The round of the group's last ticket at the gate."""


@attrs.define
class Call(Generic[T]):
    """A request on its way through its attempts.

    Args:
        make: makes the request, anew for each attempt.
        read: decodes the body.
        tally: the costs of the call's group.
        rules: the rules for its retries and attempts.
        tries: the greatest number of attempts that fail by the service, or are too slow.
        reads: the greatest number of attempts whose answer cannot be read. None means the policy's.
        signed: True if the request is signed.
        ticket: its place at the gate, for all its attempts. None means that it has not drawn one.
    """

    make: Callable[[], Request]
    read: Callable[[bytes], T]
    tally: CallTally
    rules: CallRules
    tries: int
    reads: int | None = None
    signed: bool = True
    ticket: Ticket | None = None
    deadline: float = 0.0
    sent: int = 0
    failures: int = 0
    unread: float = 0
    refusals: int = 0
    expiries: int = 0  # how many times the token expired while the call waited at the gate
    clock_corrected: bool = False
    unproven_refusal: BadCredentials | None = None
    number: int = attrs.field(init=False, factory=_numbers.__next__)
    # Of the latest attempt:
    entered: float = 0.0
    answered: float = 0.0
    size: int | None = None
    announced: bool = False  # a RequestSent was emitted, so a RequestEnded must follow
    operation: str = ""
    generation: int = 0
    offset: float = 0.0
    status: int = 0

    def queued(self, seconds: float) -> None:
        """Add a wait for a connection of the caller's pool (seconds).

        It does not count as the service's time.
        """
        self.entered += seconds
        self.deadline += seconds

    # Its events

    @property
    def event_fields(self) -> dict[str, Any]:
        """The fields that all its events share."""
        return {
            "scan": self.tally.scan,
            "request": self.number,
            "operation": self.operation,
            "attempt": self.sent,
        }

    def sends(self, watch: Observers, request: Request) -> None:
        """Emit the event that an attempt is about to be sent."""
        self.operation = request.operation
        self.announced = watch.wanted(RequestSent)
        if self.announced:
            watch.emit(RequestSent(**self.event_fields, method=request.method, url=request.url))

    def ended(
        self,
        watch: Observers,
        now: float,
        *,
        rows: int | None = None,
        error: AioflowsError | None = None,
        cancelled: bool = False,
    ) -> None:
        """Emit the event that the attempt ended, if its start was emitted."""
        if not self.announced:
            return
        self.announced = False
        watch.emit(
            RequestEnded(
                **self.event_fields,
                duration=(self.answered or now) - self.entered,
                status=self.status or None,
                size=self.size,
                rows=rows,
                error=error,
                cancelled=cancelled,
            )
        )


class Again(Exception):
    """The error of an attempt that may be repeated, together with its call."""

    def __init__(self, error: AioflowsError, call: Call[Any]) -> None:
        super().__init__()
        self.error = error
        self.call = call
