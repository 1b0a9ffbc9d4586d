"""A board as an application of aiohttp.web, and its server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from aioflows.errors import QueryError
from aioflows.web.aiohttp_stream import stream
from aioflows.web.answers import StreamAnswer

if TYPE_CHECKING:
    from aioflows.board.application import BoardApplication

__all__ = ["aiohttp_application", "serve"]


def aiohttp_application(board: BoardApplication) -> web.Application:
    """Return a board as an application of aiohttp.web. Its shutdown ends the work of the board."""

    async def respond(request: web.Request) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = "/" + request.match_info["place"]
        answer = await board.respond(request.method, path, request.query_string, headers)
        if isinstance(answer, StreamAnswer):
            return await stream(request, answer)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    async def end(_: web.Application) -> None:
        await board.aclose()

    made = web.Application()
    made.router.add_route("*", "/{place:.*}", respond)
    made.on_shutdown.append(end)  # before aiohttp waits for the streams of clients
    return made


@asynccontextmanager
async def serve(board: BoardApplication, host: str, port: int) -> AsyncIterator[int]:
    """Serve a board, and yield the port.

    Args:
        board: the board.
        host: the address to listen at.
        port: the port. 0 means any free port.

    Raises:
        QueryError: the address cannot be used, as when the port is taken.
    """
    runner = web.AppRunner(aiohttp_application(board), access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise QueryError(f"the board cannot listen at {host}, port {port}: {reason}") from error
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()
