"""What happens on the way, as frozen values for the one observer that a session may have, and for the log.

Progress, logs, metrics and tests are made of the same events. None of them holds a secret, a header or a body. Scans and
requests have numbers that are unique in the process, so that one observer may serve several sessions. Kinds of events
and facts in them may be added, so an observer lets pass what it does not know.

    Event
      ScanEvent           ScanBegan, WindowDone, DriftFound, ScanEnded
      RequestEvent        RequestSent, RequestEnded, RequestThrottled, Retried
      Paused, TokenRenewed

Every `RequestSent` is followed by its `RequestEnded`, whatever becomes of the attempt, and every `ScanBegan` by its
`ScanEnded`.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence

import attrs

from aioflows.errors import AioflowsError, Throttled
from aioflows.models import ScheduleType
from aioflows.stats import Proof

__all__ = [
    "DriftFound",
    "Event",
    "Paused",
    "RequestEnded",
    "RequestEvent",
    "RequestSent",
    "RequestThrottled",
    "Retried",
    "ScanBegan",
    "ScanEnded",
    "ScanEvent",
    "ScanOutcome",
    "TokenRenewed",
    "WindowDone",
]


class ScanOutcome(enum.StrEnum):
    """How a scan ended."""

    COMPLETE = "complete"
    """Everything was handed out."""
    LIMIT = "limit"
    """As many rows as were asked for were handed out."""
    CLOSED = "closed"
    """Its consumer has left before the end."""
    FAILED = "failed"
    """It raised an error, after everything before it was handed out."""


@attrs.frozen(kw_only=True)
class Event:
    """Something that has happened."""


@attrs.frozen(kw_only=True)
class ScanEvent(Event):
    """Something that has happened to a scan.

    Args:
        scan: its *number*, which is `FlowScan.number`.
    """

    scan: int


@attrs.frozen(kw_only=True)
class ScanBegan(ScanEvent):
    """A scan is being iterated for the first time.

    Args:
        from_ms: the query's first *millisecond* since 1970-01-01 UTC.
        to_ms: the first millisecond behind it.
        order_by: the query's *order*.
        resumed: whether it goes on where another one has stopped.
    """

    from_ms: int
    to_ms: int
    order_by: str | Sequence[str] | None
    resumed: bool


@attrs.frozen(kw_only=True)
class WindowDone(ScanEvent):
    """A time window was read whole, and it is known how that is known; its rows are not all handed out yet.

    Args:
        type: the *schedule type* that it was read of.
        from_ms: its first *millisecond* since 1970-01-01 UTC.
        to_ms: the first millisecond behind it.
        rows: the *rows* in it.
        proof: how it is *known* that there are no more.
    """

    type: ScheduleType
    from_ms: int
    to_ms: int
    rows: int
    proof: Proof


@attrs.frozen(kw_only=True)
class DriftFound(ScanEvent):
    """A window that is read in the service's own order did not hold together, and is read again.

    The service's rows moved between two answers, as a rule; what the reason says may also be a limit of the service.

    Args:
        type: the *schedule type* that it was read of.
        from_ms: its first *millisecond* since 1970-01-01 UTC.
        to_ms: the first millisecond behind it.
        reason: what was *seen*.
    """

    type: ScheduleType
    from_ms: int
    to_ms: int
    reason: str


@attrs.frozen(kw_only=True)
class ScanEnded(ScanEvent):
    """A scan is over, and nothing of it is under way any more.

    Args:
        outcome: *how* it ended.
        rows: *rows* that were handed out.
        requests: *searches* sent, every attempt counted.
        elapsed: *seconds* since it began.
        error: what it *raised*, if it failed.
    """

    outcome: ScanOutcome
    rows: int
    requests: int
    elapsed: float
    error: AioflowsError | None = None


@attrs.frozen(kw_only=True)
class RequestEvent(Event):
    """Something that has happened to a request.

    Args:
        scan: the *number* of the scan that it belongs to; None: it belongs to none, or to several.
        request: its own *number*; all of its attempts have the same.
        operation: the service's *name* for what is asked, as in "search" or "token/get".
        attempt: the *number* of the latest attempt, from 1.
    """

    scan: int | None
    request: int
    operation: str
    attempt: int


@attrs.frozen(kw_only=True)
class RequestSent(RequestEvent):
    """An attempt at a request was let through, and is about to be sent.

    Args:
        method: the HTTP *method*.
        url: *where* it goes, without its query, which holds the names of user and organization.
    """

    method: str
    url: str


@attrs.frozen(kw_only=True)
class RequestEnded(RequestEvent):
    """An attempt was answered, has failed, or was given up.

    Args:
        duration: *seconds* from sending to the last byte, or to the failure.
        status: the HTTP *status*; None: there was no answer.
        size: *bytes* of the body, decompressed; None: there was no answer.
        rows: *rows* of the page that came; None: no page came.
        error: *why* it failed.
        cancelled: whether nobody waited for it any longer.
    """

    duration: float
    status: int | None = None
    size: int | None = None
    rows: int | None = None
    error: AioflowsError | None = None
    cancelled: bool = False


@attrs.frozen(kw_only=True)
class RequestThrottled(RequestEvent):
    """An attempt was refused because there were too many.

    Args:
        retry_after: *seconds* that the service wants us to wait; None: it did not say.
        error: what it *said*.
    """

    retry_after: float | None
    error: Throttled


@attrs.frozen(kw_only=True)
class Retried(RequestEvent):
    """An attempt has failed, and there will be another after a wait.

    Args:
        wait: *seconds* until then, at least; the gate may take longer.
        error: *why* it failed.
    """

    wait: float
    error: AioflowsError


@attrs.frozen(kw_only=True)
class Paused(Event):
    """The service asked for a rest, and no request of the session is sent before it is over.

    Args:
        seconds: how *long*.
        error: what it *said*.
    """

    seconds: float
    error: Throttled


@attrs.frozen(kw_only=True)
class TokenRenewed(Event):
    """There is an access token, the first one or another one.

    Args:
        generation: the *number* of the token in this session, from 1; of the token itself nothing is told.
        life: *seconds* that it is taken to live.
    """

    generation: int
    life: float
