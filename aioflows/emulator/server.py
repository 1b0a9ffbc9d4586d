"""The emulator's HTTP server, with all faults of a socket. Only this file of the emulator imports aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Self

import attrs
from aiohttp import web

from aioflows.emulator.reply import Reply
from aioflows.errors import QueryError

Exchange = Callable[[str, str, list[tuple[str, str]], dict[str, str], bytes], Awaitable[Reply]]

_LOOPBACK = ("127.0.0.1", "::1")
_NO_LINGER = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN (SO_LINGER in socket(7))
_NO_BODY = (204, 304)


def checked_host(host: object) -> str:
    """Return the host if it is an address of the loopback interface.

    Raises:
        QueryError: the host is another address.
    """
    if host not in _LOOPBACK:
        raise QueryError(
            f"the emulator is served on the loopback interface only, because it has no TLS and no real "
            f"credentials; host must be {' or '.join(_LOOPBACK)}, not {host!r}"
        )
    return str(host)


def checked_port(port: object) -> int:
    """Return the port if it is valid.

    Raises:
        QueryError: the port is not a whole number from 0 to 65,535.
    """
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
    async def start(cls, exchange: Exchange, host: str, port: int) -> Self:
        """Start a server that answers requests with `exchange`."""
        server = cls(exchange)
        inner = web.Server(server._handle, access_log=None, handler_cancellation=True, keepalive_timeout=300)
        # A "black-hole" request never ends, so a long time-out would delay every stop.
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
        if not reply.wire:
            body_sent = None if reply.status in _NO_BODY else reply.body
            headers = [*reply.headers.items(), *reply.again]
            return web.Response(status=reply.status, headers=headers, body=body_sent)
        if request.transport is not None:
            await _misbehave(request.transport, reply)
        # The connection is closed, but aiohttp needs a response.
        return web.Response(status=500)


async def _misbehave(transport: asyncio.Transport, reply: Reply) -> None:
    """Carry out the wire fault of a reply on its connection."""
    if reply.wire == "black-hole":
        await asyncio.Event().wait()
    if reply.wire in ("drip", "sliced"):
        await _piecemeal(transport, _raw(reply), reply.pace if reply.wire == "drip" else 0.0)
    elif reply.wire in _MESSAGES:
        transport.write(_MESSAGES[reply.wire](reply))
    if reply.wire.startswith("reset"):
        if reply.wire != "reset":
            # A reset discards bytes that are still in the send buffer.
            await asyncio.sleep(0.01)
        _reset(transport)
    else:
        transport.close()


def _raw(reply: Reply, *lines: str) -> bytes:
    return _head(reply, f"Content-Length: {len(reply.body)}", *lines) + reply.body


def _head(reply: Reply, *lines: str, status: str = "") -> bytes:
    headers = [f"{name}: {value}" for name, value in (*reply.headers.items(), *reply.again)]
    return "\r\n".join([f"HTTP/1.1 {status or reply.status} OK", *headers, *lines, "", ""]).encode()


def _cut(reply: Reply) -> bytes:
    whole = _raw(reply)
    return whole[: len(whole) - len(reply.body) // 2 - 1]


def _chunked(reply: Reply) -> bytes:
    parts, at, sizes = [_head(reply, "Transfer-Encoding: chunked")], 0, itertools.cycle(_ODD_SIZES)
    while at < len(reply.body):
        piece = reply.body[at : at + next(sizes)]
        parts.append(b"%x;odd=yes\r\n%b\r\n" % (len(piece), piece))
        at += len(piece)
    return b"".join([*parts, b"0\r\nX-Trailer: 1\r\n\r\n"])


_ODD_SIZES = (1, 2, 3, 255, 256, 257, 1, 4095, 4097)
_NOTHING = b'{"code":0,"msg":"OK","data":{"flowInsts":[],"count":0}}'

_MESSAGES: dict[str, Callable[[Reply], bytes]] = {
    "garbage": lambda _: b"SSH-2.0-OpenSSH_9.6\r\n",
    "reset-after-head": lambda reply: _head(reply, f"Content-Length: {len(reply.body)}"),
    "reset-in-body": _cut,
    "cut": _cut,
    "chunked": _chunked,
    "early-hints": lambda reply: b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n" + _raw(reply),
    "bad-status-line": lambda reply: _head(reply, status="2OO") + reply.body,
    "long-header": lambda reply: _raw(reply, "X-Long: " + "a" * 9_000),
    "many-headers": lambda reply: _raw(reply, *(f"X-{number}: 1" for number in range(150))),
    "two-lengths": lambda reply: _raw(reply, f"Content-Length: {len(reply.body) - 1}"),
    "bytes-after": lambda reply: _raw(reply) + _raw(attrs.evolve(reply, body=_NOTHING)),
}


async def _piecemeal(transport: asyncio.Transport, message: bytes, pace: float) -> None:
    for byte in message:
        if transport.is_closing():
            break
        transport.write(bytes([byte]))
        await asyncio.sleep(pace)


def _reset(transport: asyncio.Transport) -> None:
    connection = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()
