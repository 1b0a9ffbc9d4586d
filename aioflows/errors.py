"""The errors that aioflows raises.

    AioflowsError                     carries ``.checkpoint`` when a scan raised it
      QueryError (also ValueError)    an invalid value; raised before anything is sent
      TransportError                  no usable answer came back
        ConnectFailed                   no connection
        TimedOut                        no answer in time
          DeadlineExceeded (also TimeoutError)  the deadline of a scan or a call has passed
        BrokenBody                      an answer that was cut off
      AnswerError                     an answer that cannot be understood: the problem and its path
      ServiceError                    the service or its gateway refused, with a code
        Denied                          62101, 62103
        ServerFault                     62109, 1005, HTTP 5xx
        Throttled                       too many requests
        TokenExpired                    1203, or apim_status 4011 and 4012
        BadCredentials                  1002, 1003, or refused again with a new token
      CompletenessError               completeness cannot be proven: which window, what was seen, what to do

Misuse of an object (iterating it twice, using it after ``aclose``) is a ``RuntimeError``, as in asyncio
itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aioflows.checkpoint import Checkpoint, FollowCheckpoint

__all__ = [
    "AioflowsError",
    "AnswerError",
    "BadCredentials",
    "BrokenBody",
    "CompletenessError",
    "ConnectFailed",
    "DeadlineExceeded",
    "Denied",
    "QueryError",
    "ServerFault",
    "ServiceError",
    "Throttled",
    "TimedOut",
    "TokenExpired",
    "TransportError",
]


class AioflowsError(Exception):
    """The base of every error of this library."""

    checkpoint: Checkpoint | None = None
    """The checkpoint of the scan that raised this error. It holds the windows that were not handed out."""
    followed: FollowCheckpoint | None = None
    """The checkpoint of the follow that raised this error."""


class QueryError(AioflowsError, ValueError):
    """An invalid value. It is refused where it is given, before anything is sent."""


class TransportError(AioflowsError):
    """No usable answer came back."""


class ConnectFailed(TransportError):
    """The connection failed or was refused."""


class TimedOut(TransportError):
    """The answer did not arrive in time."""


class DeadlineExceeded(TimedOut, TimeoutError):
    """The deadline that was given for a scan or a call has passed before its end."""


class BrokenBody(TransportError):
    """The answer ended before it was complete."""


class AnswerError(AioflowsError):
    """An answer that cannot be understood.

    Attributes:
        problem: the problem.
        path: its place in the answer, as in ``$.data.flowInsts[3].status``. An empty path means the whole
            answer.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{problem} at {path}" if path else problem)
        self.problem = problem
        self.path = path

    def __reduce__(self) -> tuple[type[AnswerError], tuple[str, str]]:
        return type(self), (self.problem, self.path)


class ServiceError(AioflowsError):
    """A refusal of the service or of its gateway.

    Attributes:
        code: the envelope's code, or the HTTP status if the answer had no envelope.
        message: the service's own text.
    """

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{message} (code {code})" if message else f"code {code}")
        self.code = code
        self.message = message

    def __reduce__(self) -> tuple[type[ServiceError], tuple[object, ...]]:
        return type(self), (self.code, self.message)


class Denied(ServiceError):
    """The user does not exist, does not belong to the organization, or has no privilege (62101, 62103)."""


class ServerFault(ServiceError):
    """The service failed (62109, 1005, HTTP 5xx), and all retries are spent."""


class Throttled(ServiceError):
    """The service refused a request because it received too many.

    Attributes:
        retry_after: the wait that the service asked for (seconds). None means it asked for none.
    """

    def __init__(self, code: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[Throttled], tuple[object, ...]]:
        return type(self), (self.code, self.message, self.retry_after)


class TokenExpired(ServiceError):
    """The access token is no longer valid. Callers see this only if a new token was refused as well."""


class BadCredentials(ServiceError):
    """The key or the secret is wrong (1002, 1003), or a request was refused again with a new token."""


class CompletenessError(AioflowsError):
    """Completeness cannot be proven. The scan ends with this error, so that no row is lost silently."""
