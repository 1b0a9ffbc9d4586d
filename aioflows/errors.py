"""Everything that aioflows raises.

    AioflowsError                     carries ``.checkpoint`` when a scan raised it
      QueryError (also ValueError)    you asked the impossible; raised before anything is sent
      TransportError                  nothing usable came back
        ConnectFailed                   no connection
        TimedOut                        no answer in time
        BrokenBody                      an answer that was cut off
      AnswerError                     an answer that was not understood: what is wrong, and at which path
      ServiceError                    they said no, with a code
        Denied                          62101, 62103
        ServerFault                     62109, 1005, HTTP 5xx
        Throttled                       too many requests
        TokenExpired                    1203, or apim_status 4011 and 4012
        BadCredentials                  1002, 1003, or refused again with a new token
      CompletenessError               the promise cannot be proven: which window, what was seen, what would mend it

Misuse of an object (iterating it twice, using it after ``aclose``) is a ``RuntimeError``, as in asyncio itself.
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
    """Where the scan stood, if a scan raised this: what had not been handed out is what it still names."""
    followed: FollowCheckpoint | None = None
    """Where the follow stood, if a follow raised this."""


class QueryError(AioflowsError, ValueError):
    """A value that cannot be asked for, refused where it was given and before anything is sent."""


class TransportError(AioflowsError):
    """Nothing usable came back."""


class ConnectFailed(TransportError):
    """No connection could be made, or it was refused."""


class TimedOut(TransportError):
    """No answer came in time."""


class BrokenBody(TransportError):
    """The answer ended before it was whole."""


class AnswerError(AioflowsError):
    """An answer that cannot be understood.

    Attributes:
        problem: what is wrong.
        path: where in the answer, as in ``$.data.flowInsts[3].status``; empty if it is the answer as a whole.
    """

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(f"{problem} at {path}" if path else problem)
        self.problem = problem
        self.path = path

    def __reduce__(self) -> tuple[type[AnswerError], tuple[str, str]]:
        return type(self), (self.problem, self.path)


class ServiceError(AioflowsError):
    """The service or its gateway said no.

    Attributes:
        code: the envelope's code, or the HTTP status where there was no envelope.
        message: the service's own words.
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
    """The service failed by itself (62109, 1005, HTTP 5xx); raised when the retries are spent."""


class Throttled(ServiceError):
    """Too many requests.

    Attributes:
        retry_after: seconds that the service asked us to wait, or None if it named none.
    """

    def __init__(self, code: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[type[Throttled], tuple[object, ...]]:
        return type(self), (self.code, self.message, self.retry_after)


class TokenExpired(ServiceError):
    """The access token is no longer valid; seen by callers only when a new one did not help either."""


class BadCredentials(ServiceError):
    """The key or the secret is wrong (1002, 1003), or a request was refused again with a new token."""


class CompletenessError(AioflowsError):
    """It cannot be proven that nothing is missing, so the scan ends here rather than quietly with less."""
