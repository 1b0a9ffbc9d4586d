"""Serve flow instances as JSON lines with FastAPI: one session for the application, one scan for each request.

    python examples/fastapi_app.py
    curl -N 'http://127.0.0.1:8080/instances?from_ms=1704038400000&to_ms=1735660800000'

It reads the emulator, unless AIOFLOWS_URL names a service. PORT is the port to listen on.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse
from starlette.types import Send

from aioflows import AioflowsError, FlowInstance, FlowQuery, FlowScan, FlowSession, Limits, QueryError
from aioflows.emulator import Emulator
from aioflows.export import json_line


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[dict[str, FlowSession]]:
    async with AsyncExitStack() as stack:
        url = os.environ.get("AIOFLOWS_URL") or (await stack.enter_async_context(Emulator(100_000))).url
        flows = FlowSession(url, user_id="u", org_id="o", limits=Limits(buffer=5_000))
        yield {"session": await stack.enter_async_context(flows)}


class Instances(StreamingResponse):
    def __init__(self, scan: FlowScan, first: list[FlowInstance]) -> None:
        super().__init__(self.lines(first), media_type="application/x-ndjson")
        self.scan = scan

    async def lines(self, first: list[FlowInstance]) -> AsyncIterator[bytes]:
        yield b"".join(map(json_line, first))
        try:
            async for rows in self.scan.pages():
                yield b"".join(map(json_line, rows))
        except AioflowsError as error:
            yield json.dumps({"error": str(error)}).encode() + b"\n"
            raise

    async def stream_response(self, send: Send) -> None:
        async with self.scan:  # closed at once when the client has gone, not when the generator is collected
            await super().stream_response(send)


app = FastAPI(lifespan=lifespan)


@app.get("/instances")
async def instances(request: Request, from_ms: int, to_ms: int) -> StreamingResponse:
    try:
        scan = request.state.session.scan(FlowQuery(from_ms, to_ms))
        return Instances(scan, await anext(scan.pages(), []))
    except QueryError as error:
        raise HTTPException(400, str(error)) from error
    except AioflowsError as error:
        raise HTTPException(502, str(error)) from error


if __name__ == "__main__":
    port = int(os.environ.get("PORT", "8080"))
    uvicorn.run(app, host="127.0.0.1", port=port, timeout_graceful_shutdown=5)
