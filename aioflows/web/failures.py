"""Errors as answers: the HTTP status, and a reason that is safe to show."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from aioflows.errors import AioflowsError, QueryError, SessionClosed, Throttled, TimedOut
from aioflows.web.response_base import Receive, Response, Scope, Send

__all__ = ["ErrorAnswer", "bad_request", "json_bytes", "reason"]

_LONGEST_REASON = 1_000  # characters
_STATUSES: tuple[tuple[type[AioflowsError], int], ...] = (
    (QueryError, 400),
    (Throttled, 503),
    (SessionClosed, 503),
    (TimedOut, 504),
    (AioflowsError, 502),
)


class ErrorAnswer(Response):
    """An error as an answer: an ASGI application, and a Starlette ``Response`` where Starlette is installed.

    An invalid query is 400, a service that throttles is 503 with ``Retry-After``, a service that does not
    answer in time is 504, and every other error is 502. The body is JSON: ``{"error": "..."}``, with the name
    of the ``"parameter"`` if one is wrong.

    Args:
        error: the error.
    """

    media_type = "application/json"

    def __init__(self, error: AioflowsError) -> None:
        self.status_code = next(status for kind, status in _STATUSES if isinstance(error, kind))
        self.background = None
        self.body = json_bytes(reason(error))
        headers = {
            "content-type": "application/json",
            "content-length": str(len(self.body)),
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
        }
        if isinstance(error, Throttled) and error.retry_after is not None:
            headers["retry-after"] = str(math.ceil(error.retry_after))  # RFC 9110, 10.2.3: whole seconds
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (ASGI)
        """Answer an HTTP request: an ASGI application."""
        body = b"" if scope["method"] == "HEAD" else self.body
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body})


async def bad_request(_: object, error: Exception) -> ErrorAnswer:
    """Return the answer to a request whose query is invalid: 400, with the parameter and what is right.

    It is an exception handler of Starlette and FastAPI:
    ``FastAPI(exception_handlers={QueryError: bad_request})``.
    """
    if not isinstance(error, AioflowsError):
        raise error
    return ErrorAnswer(error)


def reason(error: AioflowsError) -> dict[str, object]:
    """Return the members of a JSON reason. Errors of this library hold no secret."""
    parameter = getattr(error, "parameter", None)
    members: dict[str, object] = {"error": str(error)[:_LONGEST_REASON]}
    return members if parameter is None else members | {"parameter": parameter}


def json_bytes(members: Mapping[str, object]) -> bytes:
    """Return JSON in ASCII that no browser takes for HTML, whatever its type is taken for."""
    text = json.dumps(members, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("ascii")
