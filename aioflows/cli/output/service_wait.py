"""Whether a command waits for the service, since when and why, from the events of its session.

1. A wait begins with a request while no other is under way, or with an answer while others are. The next
   answer ends it, and so does the end of the last request.
2. A request that failed still waits, since it is repeated, or the command tries again later.
3. A wait is shown once it is three times as long as the slowest answer so far. So a slow service is not taken
   for a dead one.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from datetime import timedelta

from aioflows import (
    AioflowsError,
    AnswerError,
    Event,
    RequestEnded,
    RequestSent,
    Retried,
    ServerFault,
    Throttled,
    TransportError,
)
from aioflows._display.text import printable
from aioflows.cli.output.console import format_duration

__all__ = ["OUTAGES", "ServiceWait"]

OUTAGES = (TransportError, ServerFault, Throttled, AnswerError)
"""The errors that may pass. Any other error is an answer of the service."""

_ADVICE = re.compile(r"; |, while ")  # after it, an error says what it may mean, and what to do
_SLOW = 3.0
_PAUSE = 5.0  # seconds; a log is not told of shorter pauses that the service asked for
_LATE_RETRY = 1.0  # seconds by which the gate may delay a retry
_LONGEST_REASON = 100  # characters of an error


class ServiceWait:
    """The wait of a command for its service.

    Args:
        least: shortest wait that is shown (seconds). Default: 0.5.
        at_once: True to show a wait as soon as an attempt has failed, until the first answer. Default: True.
        clock: returns the time (seconds). Default: `time.monotonic`.
    """

    def __init__(
        self, least: float = 0.5, *, at_once: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._least = least
        self._at_once = at_once
        self._clock = clock
        self._wanted: dict[int, float] = {}
        """The requests under way, and those that are repeated until a time (s)."""
        self._since: float | None = None
        self._error: AioflowsError | None = None
        self._slowest = 0.0
        self._next_try = 0.0
        self.reached = False
        """True if the service has answered, even with an error that may pass."""
        self.answers = 0
        """Number of answers without such an error."""

    def on_event(self, event: Event) -> None:
        """Process an event of the session."""
        now = self._clock()
        match event:
            case RequestSent():
                self._since = now if self.seconds is None else self._since
                self._wanted[event.request] = math.inf
            case RequestEnded():
                self._wanted.pop(event.request, None)
                self._ended(event, now)
            case Retried():
                self._wanted[event.request] = now + event.wait + _LATE_RETRY
                self._next_try = now + event.wait
                self._error = event.error

    def _ended(self, event: RequestEnded, now: float) -> None:
        if isinstance(event.error, OUTAGES):
            self._error = event.error
            self.reached = self.reached or event.status is not None
        elif not event.cancelled:
            self.answers += 1
            self.reached, self._error = True, None
            self._slowest = max(self._slowest, event.duration)
            self._since = now if self._wanted else None

    @property
    def seconds(self) -> float | None:
        """Seconds since the wait began. None means that the command does not wait for the service."""
        now = self._clock()
        if self._error is None and not any(until > now for until in self._wanted.values()):
            return None
        return None if self._since is None else now - self._since

    @property
    def shown(self) -> float | None:
        """The same as `seconds`. None also means that the wait is too short to be shown."""
        seconds = self.seconds
        if seconds is None:
            return None
        at_once = self._at_once and self._error is not None and not self.reached
        # A service that says how long to wait is not dead.
        least = (
            max(self._least, _PAUSE)
            if isinstance(self._error, Throttled) and not self._at_once
            else self._least
        )
        return seconds if at_once or seconds >= max(least, _SLOW * self._slowest) else None

    @property
    def next_try(self) -> float | None:
        """Seconds until a failed request is repeated. None means that the command waits for an answer."""
        left = self._next_try - self._clock()
        return left if left > 0 and not any(until == math.inf for until in self._wanted.values()) else None

    @property
    def reason(self) -> str:
        """The error of the last attempt, or "no answer"."""
        if self._error is None:
            return "no answer"
        return printable(_ADVICE.split(str(self._error), 1)[0], _LONGEST_REASON)

    def text(self) -> str:
        """Return a text such as ``waiting 12s: no answer``, or "" for a wait that is not shown."""
        seconds = self.shown
        if seconds is None:
            return ""
        return f"waiting {format_duration(timedelta(seconds=seconds))}: {self.reason}"
