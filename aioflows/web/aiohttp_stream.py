"""The same answers with aiohttp.web."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from aioflows.errors import AioflowsError, QueryError
from aioflows.web.answers import NDJSON, StreamAnswer
from aioflows.web.bodies import Rows
from aioflows.web.delivery import deliver, run_while
from aioflows.web.failures import ErrorAnswer

__all__ = ["answer_query_errors", "stream"]

_LOOK = 0.1  # seconds between two looks at the connection


async def stream(request: web.Request, scan: Rows | StreamAnswer) -> web.StreamResponse:
    """Answer a request of aiohttp.web with a scan or a follow, as JSON lines.

    It ends at once when the client has gone, also without ``handler_cancellation=True``.

    Args:
        request: the request.
        scan: the scan or the follow, or one of the other answers, such as ``ServerSentEvents(follow)``. It is
            closed.

    Raises:
        AioflowsError: the scan failed after rows were sent. aiohttp then cuts the connection.
    """
    answer = scan if isinstance(scan, StreamAnswer) else NDJSON(scan)
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in answer.raw_headers}
    response = web.StreamResponse(status=answer.status_code, headers=headers)

    async def begin() -> None:
        await response.prepare(request)

    if request.method == "HEAD":
        await answer.stream_body.aclose()
        return response
    try:
        await run_while(_left(request), deliver(answer.stream_body, begin, response.write))
    except AioflowsError as error:
        if response.prepared:
            raise
        return _response(ErrorAnswer(error))
    except ConnectionError:  # writing to a client that has gone
        return response
    return response


@web.middleware
async def answer_query_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a `QueryError` of a handler with 400: a middleware of aiohttp.web.

    ``web.Application(middlewares=[answer_query_errors])``
    """
    try:
        return await handler(request)
    except QueryError as error:
        return _response(ErrorAnswer(error))


async def _left(request: web.Request) -> None:
    """Wait until the client has gone. aiohttp tells a handler only if it is cancelled."""
    while (transport := request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110  (aiohttp sets no event)
        await asyncio.sleep(_LOOK)


def _response(answer: ErrorAnswer) -> web.Response:
    headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in answer.raw_headers}
    return web.Response(status=answer.status_code, headers=headers, body=bytes(answer.body))
