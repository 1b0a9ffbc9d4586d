"""Serve flow instances as JSON lines with aiohttp: one session for the application, one scan for each request.

    python examples/aiohttp_app.py
    curl -N 'http://127.0.0.1:8080/instances?from_ms=1704038400000&to_ms=1735660800000'

It reads the emulator, unless AIOFLOWS_URL names a service. PORT is the port to listen on.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from aiohttp import web

from aioflows import FlowSession
from aioflows.emulator import Emulator
from aioflows.web import answer_query_errors, query_from, stream

SESSION = web.AppKey("session", FlowSession)


async def session(app: web.Application) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        url = os.environ.get("AIOFLOWS_URL") or (await stack.enter_async_context(Emulator(100_000))).url
        app[SESSION] = await stack.enter_async_context(FlowSession(url, user_id="u", org_id="o"))
        yield


async def instances(request: web.Request) -> web.StreamResponse:
    query = query_from(request.query)  # an invalid one is a QueryError, which answer_query_errors answers
    return await stream(request, request.app[SESSION].scan(query))


def application() -> web.Application:
    app = web.Application(middlewares=[answer_query_errors])
    app.cleanup_ctx.append(session)
    app.router.add_get("/instances", instances)
    return app


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    web.run_app(application(), host="127.0.0.1", port=port, shutdown_timeout=5)
