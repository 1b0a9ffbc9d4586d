"""Servers on this machine that say, byte for byte, what a test wants them to say."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

__all__ = ["EXPIRED", "OK", "SELF_SIGNED", "Handler", "Script", "certified", "reply", "serving"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serves connections on this machine until the block ends, and waits for their handlers."""
    handlers: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers[task] = writer
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls, backlog=500)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.sleep(0.001)  # whoever has connected shall have a handler, or none
        for writer in handlers.values():
            writer.transport.abort()
        if handlers:
            await asyncio.wait(handlers)


class Script:
    """Answers each request of a connection with the next of some bytes, and remembers what was asked."""

    def __init__(self, *replies: bytes, reset: bool = False, stay: bool = False) -> None:
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._replies = list(replies)
        self._reset = reset
        self._stay = stay

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while self._replies:
            await self.read_request(reader)
            writer.write(self._replies.pop(0) if self._replies else b"")
            await writer.drain()
        if self._reset:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif self._stay:
            await reader.read()

    async def read_request(self, reader: asyncio.StreamReader) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        length = next((line[15:] for line in head.split("\r\n") if line.startswith("Content-Length:")), "0")
        self.bodies.append(await reader.readexactly(int(length)))


def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def certified(folder: Path, certificate: str) -> ssl.SSLContext:
    """The TLS of a server that shows a certificate, given with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = folder / "certificate.pem"
    file.write_text(certificate)
    context.load_cert_chain(file)
    return context


# A certificate that nobody has signed but itself, with its key: made for this test, and good for nothing else.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxWilCJTODHDKCc45
CByuJLeZBpMSuxwOjCVWAuHklMuhRANCAAQV4EkOhkL7EtA23S+LXA9ZKPnRYTUU
sN6GatWL13EJqHro4GuFkgAYkYyx3jbc33JlaTKZDirbdowQhh+By22q
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBijCCATCgAwIBAgIUAzWKmrOMgRx7/jX2pdBAEkrzWLUwCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGbm9ib2R5MCAXDTI2MTEyMzAyMjUwNFoYDzIxMjYxMDMwMDIy
NTA0WjARMQ8wDQYDVQQDDAZub2JvZHkwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AAQV4EkOhkL7EtA23S+LXA9ZKPnRYTUUsN6GatWL13EJqHro4GuFkgAYkYyx3jbc
33JlaTKZDirbdowQhh+By22qo2QwYjAdBgNVHQ4EFgQUeps/xkfaEE/82BgPmfeb
UsL/jWcwHwYDVR0jBBgwFoAUeps/xkfaEE/82BgPmfebUsL/jWcwDwYDVR0TAQH/
BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUCIGMSm06p
XZMWh9Wl3bUXfRU3Z6rENosJiXZx4FM2TzrXAiEAxBO3QL+xEbXbaOX457XjjDcl
8oAP52CgetwYp3eh3tU=
-----END CERTIFICATE-----
"""

# Another one, which was good for a year, long ago.
EXPIRED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1wX6yc15i9wPGket
9XJJJ8Co//MwQIzhCNXhlLleshehRANCAAQYTdIn8jfneosqDB9TxtNoGH7JaZDE
janSJHClC+0E1v9tzV2wyDz7irk3wQBlF/1Gj19S65bKFdTIoCov2S9a
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBUDCB9qADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHBhc3QwHhcN
MDAwMTAxMDAwMDAwWhcNMDEwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDARwYXN0MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGE3SJ/I353qLKgwfU8bTaBh+yWmQxI2p
0iRwpQvtBNb/bc1dsMg8+4q5N8EAZRf9Ro9fUuuWyhXUyKAqL9kvWqNDMEEwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMB0GA1UdDgQWBBR2F7XuV3X0
zAmJrGJlttYCcE1G4TAKBggqhkjOPQQDAgNJADBGAiEA8FBUYOmC2QndZGkpaH4a
VBV+hTVTq3gaIdHdWOkh1XkCIQCJg8p8Q4ztHOqEtcsHymPYZVb9bnLxvHjWQeCn
zIGZrA==
-----END CERTIFICATE-----
"""
