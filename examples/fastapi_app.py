"""Serve flow instances as JSON lines with FastAPI: one session for the application, one scan for each request.

    python examples/fastapi_app.py
    curl -N 'http://127.0.0.1:8080/instances?from_ms=1704038400000&to_ms=1735660800000'

It reads the emulator, unless AIOFLOWS_URL names a service. PORT is the port to listen on.
"""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from fastapi import FastAPI, Request

from aioflows import FlowSession, QueryError
from aioflows.emulator import Emulator
from aioflows.web import NDJSON, bad_request, query_from


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, FlowSession]]:
    async with AsyncExitStack() as stack:
        url = os.environ.get("AIOFLOWS_URL") or (await stack.enter_async_context(Emulator(100_000))).url
        yield {"session": await stack.enter_async_context(FlowSession(url, user_id="u", org_id="o"))}


app = FastAPI(lifespan=lifespan, exception_handlers={QueryError: bad_request})


@app.get("/instances")
async def instances(request: Request) -> NDJSON:
    query = query_from(request.query_params)  # an invalid one is a QueryError, which bad_request answers
    return NDJSON(request.state.session.scan(query))


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    uvicorn.run(app, host="127.0.0.1", port=port, timeout_graceful_shutdown=5)
