"""One limit for the requests of many processes, on one machine or on a cluster.

    with Governor() as governor:
        ...  # in other processes: FlowSession(..., governor=governor.address)
        print(governor.account())

The governor holds the gate of a session, which finds out the rate that the service accepts. Each session asks it
for a permit before each request, over one TCP connection, and tells it of refusals. So a wait that the service
asks of one process stops them all. It carries permits and counts only: no rows, no keys and no tokens.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import secrets
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn, Self, SupportsFloat, SupportsIndex, TypeVar

from aioflows._core.governor.address import GovernorAddress
from aioflows._core.governor.frames import (
    LONGEST_LINE,
    PROTOCOL,
    BadFrame,
    GovernorFrame,
    Hello,
    SessionFrame,
    Welcome,
    decode_frame,
    encode_frame,
)
from aioflows._core.governor.reads import GovernorAccount, ReadWindow
from aioflows._core.governor.share import UNKNOWN_SHARE, shared
from aioflows._display.secret import Secret
from aioflows._net.gate import Gate
from aioflows._net.permits import PermitDesk
from aioflows._numbers import whole_from
from aioflows.checkpoint import range_free_fingerprint
from aioflows.errors import QueryError
from aioflows.query import FlowQuery
from aioflows.settings import Limits
from aioflows.sync.loop_thread import LoopThread

__all__ = ["Governor", "GovernorAccount", "ReadWindow"]

T = TypeVar("T")

_GREETING: Final = 5.0  # seconds in which a session must prove the secret
_GONE: Final = 30.0  # seconds without a word after which a session is gone; it says something every five
_STRANGERS: Final = 64  # connections at once that have not proved the secret
_LAST_PORT: Final = 65_535
_STEPS: Final = 3  # of the loop, in which it takes what sessions have sent
_FAULTS: Final = (OSError, EOFError, ValueError, TimeoutError, BadFrame, asyncio.LimitOverrunError)
_EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  (they are refused)


class Governor:
    """One gate for the sessions of many processes, in a thread of this one.

    Use it in a ``with`` block, or call `open` and `close`. It works beside code with and without ``await``.
    Without the governor, sessions go on at their share of the rate, and come back when it does.

    Args:
        rate: the greatest rate of all sessions together (requests per second). None means as fast as the
            service allows, which is found out. Default: None.
        concurrency: the greatest number of requests in flight of all sessions together, 1 to 1,024. Default:
            32.
        parallel: the number of sessions that run at a time. A session that cannot reach the governor takes
            this part of the rate. If more are connected, their number counts. Default: 8.
        host: the name or address of this machine at which it listens. The sessions must reach it. Default:
            "127.0.0.1", for processes of this machine.
        port: the port. 0 means any that is free. Default: 0.

    Raises:
        QueryError: a value is invalid.
    """

    def __init__(
        self,
        rate: SupportsFloat | SupportsIndex | None = None,
        concurrency: SupportsIndex = 32,
        *,
        parallel: SupportsIndex = 8,
        host: str = "127.0.0.1",
        port: SupportsIndex = 0,
    ) -> None:
        limits = Limits(concurrency=concurrency, rate=rate)
        if not isinstance(host, str) or host in _EVERYWHERE:
            raise QueryError(
                f"host must be the name or address by which the sessions reach this machine, not {host!r}"
            )
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]  # an address of IPv6, as Spark writes it
        self._server = _GovernorServer(limits, whole_from(1, parallel, "parallel"), host, _port(port))
        self._thread: LoopThread | None = None
        self._process = os.getpid()

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> Self:
        """Start to listen, and return the governor. Safe to call more than once.

        Raises:
            OSError: the host is not one of this machine, or the port is taken.
            RuntimeError: the governor was closed.
        """
        self._check_process()
        if self._thread is None:
            thread = LoopThread(self._server)
            thread.start()
            self._thread = thread
        elif not self._thread.alive:
            raise RuntimeError("this governor was closed, and cannot be opened again; make a new one")
        return self

    def close(self) -> None:
        """Stop, and cut off the sessions. The account remains. Safe to call more than once."""
        if self._thread is not None and self._process == os.getpid():
            self._thread.stop()

    @property
    def address(self) -> str:
        """The address for ``FlowSession(governor=...)``. It holds a secret, which opens this governor only.

        Raises:
            RuntimeError: the governor is not open.
        """
        if self._server.address is None:
            raise RuntimeError(
                "the governor is not open; use it inside 'with Governor() as governor:', or call open()"
            )
        return self._server.address.text()

    def expect(self, query: FlowQuery) -> None:
        """Announce a query that windows are read of, so that `account` knows where they begin and end.

        A query that ``session.cuts`` of a session with this governor has cut is announced already. The query counts
        for one service and user: those of the session that reads a part of it first. If the same query is read from
        several, use ``session.cuts`` of a session of each.

        Args:
            query: the query.
        """
        if not isinstance(query, FlowQuery):
            raise QueryError(f"expect() takes a FlowQuery, not {query!r}")
        self._ask(
            lambda: self._server.desk.reads.announce(
                range_free_fingerprint(query), query.from_ms, query.to_ms
            )
        )

    def account(self) -> GovernorAccount:
        """Return what was read so far: the windows, how each was proven, and whether they tile the range.

        A scan of a session counts as a window once it is complete, unless it has a limit, was resumed, or does
        not confirm its end.
        """
        for _ in range(_STEPS):
            self._ask(lambda: None)
        return self._ask(self._server.desk.account)

    def _ask(self, question: Callable[[], T]) -> T:
        self._check_process()
        return question() if self._thread is None else self._thread.ask(question)

    def _check_process(self) -> None:
        if self._process != os.getpid():
            raise RuntimeError(
                f"this governor belongs to process {self._process}, which forked this one; pass "
                "governor.address to the sessions of this process"
            )

    def __reduce__(self) -> NoReturn:
        raise TypeError("a governor cannot be pickled or copied; pass governor.address to other processes")

    def __repr__(self) -> str:
        return f"<Governor {self._server!r}>"

    def __del__(self) -> None:
        thread = getattr(self, "_thread", None)
        if thread is not None and thread.alive:
            warnings.warn(
                f"{self!r} was never closed; use 'with Governor() as governor:'",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
            thread.request_stop()


def _port(value: SupportsIndex) -> int:
    port = whole_from(0, value, "port")
    if port > _LAST_PORT:
        raise QueryError(f"port must be from 0 to {_LAST_PORT:,}, not {port}")
    return port


class _GovernorServer:
    """The listening side, as a context of the governor's thread.

    Args:
        limits: the limits of all sessions together.
        parallel: the least number of sessions among which the rate is shared.
        host: where to listen.
        port: the port. 0 means any that is free.
    """

    def __init__(self, limits: Limits, parallel: int, host: str, port: int) -> None:
        self.address: GovernorAddress | None = None
        self.desk = PermitDesk(Gate(limits.concurrency, limits.rate), limits.rate, parallel)
        self._secret = Secret(secrets.token_hex(32))
        self._share = shared(limits.rate, parallel) if limits.rate else UNKNOWN_SHARE
        self._host, self._port = host, port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._strangers = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, self._host, self._port, limit=LONGEST_LINE)
        port = self._server.sockets[0].getsockname()[1]
        self.address = GovernorAddress(self._host, port, self._secret, self._share)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        # Errors of a client end its own connection only. They are not logged, since anyone may connect.
        with suppress(*_FAULTS, asyncio.CancelledError):
            if await self._is_welcome(reader, writer):
                await self._serve(reader, writer)
        writer.transport.abort()

    async def _is_welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Return True if the other side speaks this protocol and knows the secret."""
        if self._strangers >= _STRANGERS:
            return False
        self._strangers += 1
        try:
            nonce = secrets.token_hex(16)
            writer.write(encode_frame(Welcome(PROTOCOL, nonce)))
            async with asyncio.timeout(_GREETING):
                hello = decode_frame(await reader.readuntil(), Hello)
        finally:
            self._strangers -= 1
        assert self.address is not None
        proven = hmac.compare_digest(hello.proof.encode(), self.address.proof(nonce).encode())
        return proven and hello.session == PROTOCOL

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(frame: GovernorFrame) -> None:
            if not writer.is_closing():
                writer.write(encode_frame(frame))

        session = self.desk.join(send)
        try:
            session.greet()
            while True:
                async with asyncio.timeout(_GONE):
                    line = await reader.readuntil()
                session.received(decode_frame(line, SessionFrame))
        finally:
            session.left()

    def __repr__(self) -> str:
        where = "not open" if self.address is None else f"at {self.address}"
        return f"{where}, {len(self.desk.sessions)} sessions, {self.desk.gate!r}"
