"""Serve flow instances as JSON lines with aiohttp: one session for the application, one scan for each request.

    python examples/aiohttp_app.py
    curl -N 'http://127.0.0.1:8080/instances?from_ms=1704038400000&to_ms=1735660800000'

It reads the emulator, unless AIOFLOWS_URL names a service. PORT is the port to listen on.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from aiohttp import web

from aioflows import AioflowsError, FlowQuery, FlowSession, Limits
from aioflows.emulator import Emulator
from aioflows.export import json_line

SESSION = web.AppKey("session", FlowSession)


async def session(app: web.Application) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        url = os.environ.get("AIOFLOWS_URL") or (await stack.enter_async_context(Emulator(100_000))).url
        flows = FlowSession(url, user_id="u", org_id="o", limits=Limits(buffer=5_000))
        app[SESSION] = await stack.enter_async_context(flows)
        yield


async def instances(request: web.Request) -> web.StreamResponse:
    try:
        query = FlowQuery(int(request.query["from_ms"]), int(request.query["to_ms"]))
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(text=f"from_ms and to_ms, please: {error}") from error
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    try:
        async with request.app[SESSION].scan(query) as scan:
            async for rows in scan.pages():
                if not response.prepared:
                    await response.prepare(request)
                await response.write(b"".join(map(json_line, rows)))
    except AioflowsError as error:
        if not response.prepared:
            raise web.HTTPBadGateway(text=str(error)) from error
        await response.write(json.dumps({"error": str(error)}).encode() + b"\n")
        raise
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response


def application() -> web.Application:
    app = web.Application()
    app.cleanup_ctx.append(session)
    app.router.add_get("/instances", instances)
    return app


if __name__ == "__main__":
    # Without handler_cancellation, aiohttp lets a handler wait for the service though its client has gone.
    port = int(os.environ.get("PORT", "8080"))
    web.run_app(application(), host="127.0.0.1", port=port, handler_cancellation=True, shutdown_timeout=5)
