"""The events of a session, as frozen values for its observer and for the log.

Progress, logs, metrics and tests use the same events. No event holds a secret, a header or a body. The
numbers of scans and requests are unique in the process, so that one observer may serve several sessions. New
event types and fields may be added. An observer must ignore unknown types and fields.

    Event
      ScanEvent           ScanBegan, WindowDone, DriftFound, ScanEnded
      RequestEvent        RequestSent, RequestEnded, RequestThrottled, Retried
      Paused, TokenRenewed

Every `RequestSent` is followed by its `RequestEnded`, also if the attempt failed or was cancelled. Every
`ScanBegan` is followed by its `ScanEnded`.
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
    """The way in which a scan ended."""

    COMPLETE = "complete"
    """All rows were handed out."""
    LIMIT = "limit"
    """The scan handed out as many rows as its *limit*."""
    CLOSED = "closed"
    """The consumer closed the scan before its end."""
    FAILED = "failed"
    """The scan raised an error after all rows before the error were handed out."""


@attrs.frozen(kw_only=True)
class Event:
    """An event of a session: the base of all events."""


@attrs.frozen(kw_only=True)
class ScanEvent(Event):
    """An event of a scan.

    Args:
        scan: the number of the scan, as in `FlowScan.number`.
    """

    scan: int


@attrs.frozen(kw_only=True)
class ScanBegan(ScanEvent):
    """A scan is iterated for the first time.

    Args:
        from_ms: the first millisecond of the query since 1970-01-01 UTC.
        to_ms: the first millisecond after the query's range.
        order_by: the order of the query.
        resumed: True if the scan resumes an earlier one.
    """

    from_ms: int
    to_ms: int
    order_by: str | Sequence[str] | None
    resumed: bool


@attrs.frozen(kw_only=True)
class WindowDone(ScanEvent):
    """A time window was proven complete. Its rows may not be handed out yet.

    Args:
        type: the schedule type of its rows.
        from_ms: the first millisecond of the window since 1970-01-01 UTC.
        to_ms: the first millisecond after the window.
        rows: the number of its rows.
        proof: the kind of the proof of completeness.
    """

    type: ScheduleType
    from_ms: int
    to_ms: int
    rows: int
    proof: Proof


@attrs.frozen(kw_only=True)
class DriftFound(ScanEvent):
    """The pages of a window in the service's own order were inconsistent. The window is read again.

    Usually rows moved between two answers. The reason may also be a limit of the service.

    Args:
        type: the schedule type of its rows.
        from_ms: the first millisecond of the window since 1970-01-01 UTC.
        to_ms: the first millisecond after the window.
        reason: the inconsistency that was seen.
    """

    type: ScheduleType
    from_ms: int
    to_ms: int
    reason: str


@attrs.frozen(kw_only=True)
class ScanEnded(ScanEvent):
    """A scan is over. None of its requests is under way.

    Args:
        outcome: the way in which the scan ended.
        rows: the number of rows handed out.
        requests: the number of searches sent. Every attempt counts.
        elapsed: the time since the scan began (seconds).
        error: the error that the scan raised. Default: None, which means that the scan did not fail.
    """

    outcome: ScanOutcome
    rows: int
    requests: int
    elapsed: float
    error: AioflowsError | None = None


@attrs.frozen(kw_only=True)
class RequestEvent(Event):
    """An event of a request.

    Args:
        scan: the number of the request's scan. None means that it belongs to no scan, or to several.
        request: the number of the request, which all its attempts share.
        operation: the service's name for the operation, as in "search" or "token/get".
        attempt: the number of the latest attempt, from 1.
    """

    scan: int | None
    request: int
    operation: str
    attempt: int


@attrs.frozen(kw_only=True)
class RequestSent(RequestEvent):
    """An attempt passed the gate and is about to be sent.

    Args:
        method: the HTTP method.
        url: the URL without its query, because the query holds the names of user and organization.
    """

    method: str
    url: str


@attrs.frozen(kw_only=True)
class RequestEnded(RequestEvent):
    """An attempt was answered, failed, or was cancelled.

    Args:
        duration: the time from sending to the last byte, or to the failure (seconds).
        status: the HTTP status. Default: None, which means no answer.
        size: the size of the decompressed body (bytes). Default: None, which means no answer.
        rows: the number of rows on the page. Default: None, which means that the answer was not a page.
        error: the reason of the failure. Default: None, which means no failure.
        cancelled: True if the attempt was cancelled because its result was not needed any more. Default: False.
    """

    duration: float
    status: int | None = None
    size: int | None = None
    rows: int | None = None
    error: AioflowsError | None = None
    cancelled: bool = False


@attrs.frozen(kw_only=True)
class RequestThrottled(RequestEvent):
    """An attempt was refused because the service received too many requests.

    Args:
        retry_after: the wait that the service asked for (seconds). None means that no wait was named.
        error: the refusal.
    """

    retry_after: float | None
    error: Throttled


@attrs.frozen(kw_only=True)
class Retried(RequestEvent):
    """An attempt failed and will be repeated after a wait.

    Args:
        wait: the shortest wait before the next attempt (seconds). The gate may make the wait longer.
        error: the reason of the failure.
    """

    wait: float
    error: AioflowsError


@attrs.frozen(kw_only=True)
class Paused(Event):
    """The service asked for a pause. The session sends no request before the pause is over.

    Args:
        seconds: the length of the pause (seconds).
        error: the refusal that asked for the pause.
    """

    seconds: float
    error: Throttled


@attrs.frozen(kw_only=True)
class TokenRenewed(Event):
    """The session got its first access token, or a new access token.

    Args:
        generation: the number of the token in this session, from 1. The token itself is not part of the
            event.
        life: the assumed lifetime of the token (seconds).
    """

    generation: int
    life: float
