"""The applications that `web.py` serves: answers of `aioflows.web`, for ASGI servers and for aiohttp.

``/rows`` is NDJSON, ``/ahead`` the same with the buffer of the session, ``/events`` are server-sent events, ``/arrow`` is
Arrow, and ``/bare`` reads the scan, drops its rows, and answers with their number.

    AIOFLOWS_URL=... FROM_MS=... TO_MS=... python -m uvicorn benchmarks.web_applications:app
    AIOFLOWS_URL=... FROM_MS=... TO_MS=... PORT=8080 python -m benchmarks.web_applications
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from aioflows import FlowQuery, FlowScan, FlowSession, ScheduleType
from aioflows.web import NDJSON, ArrowStream, ServerSentEvents, StreamAnswer, stream

__all__ = ["app", "application"]

session = FlowSession(os.environ["AIOFLOWS_URL"], user_id="u", org_id="o")
query = FlowQuery(int(os.environ["FROM_MS"]), int(os.environ["TO_MS"]), type=ScheduleType.PERIODIC)

ANSWERS: dict[str, Callable[[FlowScan], StreamAnswer]] = {
    "/rows": NDJSON,
    "/ahead": lambda scan: NDJSON(scan, buffer=None),
    "/events": ServerSentEvents,
    "/arrow": ArrowStream,
}


async def count() -> bytes:
    rows = 0
    async with session.scan(query) as scan:
        async for page in scan.pages():
            rows += len(page)
    return str(rows).encode()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer by the path: an ASGI application."""
    if scope["type"] == "lifespan":
        await receive()
        async with session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["path"] in ANSWERS:
        await ANSWERS[scope["path"]](session.scan(query))(scope, receive, send)
    else:
        body = await count() if scope["path"] == "/bare" else b""
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def answer(request: web.Request) -> web.StreamResponse:
    if request.path in ANSWERS:
        return await stream(request, ANSWERS[request.path](session.scan(query)))
    return web.Response(body=await count() if request.path == "/bare" else b"")


async def opened(_: web.Application) -> AsyncIterator[None]:
    async with session:
        yield


application = web.Application()
application.cleanup_ctx.append(opened)
application.router.add_get("/{path}", answer)

if __name__ == "__main__":
    web.run_app(application, host="127.0.0.1", port=int(os.environ["PORT"]), print=None)
