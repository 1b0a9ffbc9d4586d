"""The emulator behind a socket, with everything that can go wrong there. The only file here that knows aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

from aioflows.emulator.reply import Reply
from aioflows.errors import QueryError

Exchange = Callable[[str, str, list[tuple[str, str]], dict[str, str], bytes], Awaitable[Reply]]

_LOOPBACK = ("127.0.0.1", "::1")
_NO_LINGER = struct.pack("ii", 1, 0)  # a close that sends RST instead of FIN
_NO_BODY = (204, 304)


def checked_host(host: object) -> str:
    """Give the host back if it is one of the loopback interface."""
    if host not in _LOOPBACK:
        raise QueryError(
            f"the emulator is served on {' or '.join(_LOOPBACK)} only, not on {host!r}: it has no TLS and made-up "
            "credentials, and answers whoever can reach it"
        )
    return str(host)


def checked_port(port: object) -> int:
    """Give the port back if it is one."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 65_536:
        raise QueryError(f"port must be a whole number from 0 to 65,535, not {port!r}")
    return port


class Server:
    """A running server."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._runner: web.ServerRunner | None = None
        self.url = ""

    @classmethod
    async def started(cls, exchange: Exchange, host: str, port: int) -> Self:
        """Serve `exchange` at a host and port."""
        server = cls(exchange)
        inner = web.Server(server._handle, access_log=None, handler_cancellation=True, keepalive_timeout=300)
        # Whoever stops an emulator does not wait for a black hole.
        server._runner = web.ServerRunner(inner, handle_signals=False, shutdown_timeout=0.05)
        await server._runner.setup()
        try:
            await web.TCPSite(server._runner, host, port, backlog=1024).start()
        except BaseException:
            await server._runner.cleanup()
            raise
        bound = server._runner.addresses[0][1]
        server.url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
        return server

    async def stop(self) -> None:
        """Close every connection."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        query = list(request.query.items())
        reply = await self._exchange(request.method, request.path, query, dict(request.headers), body)
        if not reply.wire or reply.wire == "cut-gzip":
            body_sent = None if reply.status in _NO_BODY else reply.body
            return web.Response(status=reply.status, headers=reply.headers, body=body_sent)
        if request.transport is not None:
            await _misbehave(request.transport, reply)
        # The connection is gone; what is returned reaches nobody.
        return web.Response(status=500)


async def _misbehave(transport: asyncio.Transport, reply: Reply) -> None:
    """Do to a connection what the reply says."""
    if reply.wire == "black-hole":
        await asyncio.Event().wait()
    if reply.wire == "drip":
        await _drip(transport, reply)
    elif reply.wire == "garbage":
        transport.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    elif reply.wire in ("cut", "reset-in-body"):
        whole = _raw(reply)
        transport.write(whole[: len(whole) - len(reply.body) // 2 - 1])
    if reply.wire.startswith("reset"):
        if reply.wire == "reset-in-body":
            await asyncio.sleep(0.01)  # so that the half is on its way before the reset discards the rest
        _reset(transport)
    else:
        transport.close()


def _raw(reply: Reply) -> bytes:
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    lines = [f"HTTP/1.1 {reply.status} OK", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + reply.body


async def _drip(transport: asyncio.Transport, reply: Reply) -> None:
    for byte in _raw(reply):
        if transport.is_closing():
            break
        transport.write(bytes([byte]))
        await asyncio.sleep(reply.pace)


def _reset(transport: asyncio.Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
