"""The `Emulator` class, which opens the rows, serves them, and answers requests."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Self

import attrs

from aioflows.emulator.assembly import Settings, assemble, wall_ms
from aioflows.emulator.controls import Controls
from aioflows.emulator.deployment import as_request
from aioflows.emulator.reply import Reply, json_reply
from aioflows.emulator.server import Server, checked_host, checked_port
from aioflows.emulator.switches import group_switches

STATE_PATH = "/_emulator/state"
PLANTED_PATH = "/_emulator/planted"
_MOST_ON_THE_LOOP = 20_000
"""The most rows that are made on the event loop, which is quick. More rows are made in a thread."""


class Emulator(Controls):
    """An emulated EnOS deployment on the loopback interface, with the quirks and faults of real ones.

    ``async with Emulator(instances=10_000, seed=1) as emulator:`` serves it at ``emulator.url``. Without a
    server, `respond` answers one request: ``with Emulator(...) as emulator: emulator.respond(...)``.

    Args:
        instances: the exact number of rows. Default: 10,000.
        seed: the seed of the rows. Another seed gives other rows. Default: 1.
        host: "127.0.0.1" or "::1". Default: "127.0.0.1".
        port: the port. Default: 0, which means any free port.
        path: a file that stores the rows. A missing file is made, and an existing file is served unchanged.
            Default: None, which means memory.
        now: returns the current time (ms since the epoch). Default: the system's clock.
        switches: every field of `World`, `Quirks`, `Constraints`, `Meanwhile`, `Access` and `Trouble`, as a
            keyword.

    Raises:
        QueryError: a switch is unknown, or its value is not valid.
    """

    def __init__(
        self,
        instances: int = 10_000,
        seed: int = 1,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | os.PathLike[str] | None = None,
        now: Callable[[], float] = wall_ms,
        **switches: object,
    ) -> None:
        groups = group_switches({"instances": instances, "seed": seed, **switches})
        self.world, self.quirks, self.constraints, self.meanwhile, self.access, self.trouble = groups
        super().__init__(Settings(*groups, path=path, now=now))
        self._host = checked_host(host)
        self._port = checked_port(port)
        self._server: Server | None = None

    # Opening and closing

    def open(self) -> Self:
        """Make the rows, or open the file that holds them, so that `respond` works."""
        if self._assembly is None:
            self._assembly = assemble(self._settings, self._record)
        return self

    def close(self) -> None:
        """Close the rows. Rows in memory are lost, and rows in a file are kept."""
        if self._assembly is not None:
            self._assembly.store.close()
        self._assembly = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        try:
            await self._open_off_loop()
            self._server = await Server.start(self.exchange, self._host, self._port)
        except BaseException:
            self.close()
            raise
        return self

    async def _open_off_loop(self) -> None:
        """Open the rows, in a thread if there are many.

        A thread cannot be cancelled, so a cancelled call waits for its thread.
        """
        if self.world.instances <= _MOST_ON_THE_LOOP:
            self.open()
            return
        opening = asyncio.create_task(asyncio.to_thread(self.open))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            await asyncio.wait([opening])
            raise

    async def __aexit__(self, *_: object) -> None:
        server, self._server = self._server, None
        try:
            if server is not None:
                await server.stop()
        finally:
            self.close()

    @property
    def url(self) -> str:
        """The base URL, such as ``http://127.0.0.1:40213``."""
        if self._server is None:
            raise RuntimeError("the emulator has no URL, because it is not served; use `async with`")
        return self._server.url

    # Answers

    def respond(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        now_ms: float | None = None,
    ) -> Reply:
        """Return the reply to one request, without a socket.

        Args:
            method: the HTTP method.
            path: the path of the URL.
            query: names and values, not percent-encoded.
            headers: the HTTP headers.
            body: the bytes as sent.
            now_ms: the time at which the request comes (ms since the epoch). Default: None, which means now.

        Returns:
            A `Reply`. A fault of the socket is only named in its ``wire``, and its ``delay`` does not pass.
        """
        deployment = self._require_open().deployment
        if path == STATE_PATH:  # a test's look at the state is not a request of the client
            return json_reply(json.dumps(self.state()))
        if path == PLANTED_PATH:
            return json_reply(json.dumps([attrs.asdict(one) for one in self.planted]))
        request = as_request(method, path, query, headers or {}, body)
        return deployment.respond(request, self._settings.now() if now_ms is None else now_ms)

    async def exchange(
        self,
        method: str,
        path: str,
        query: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        now_ms: float | None = None,
    ) -> Reply:
        """Return the reply to one request, after the delay of the reply.

        The request counts as in flight until the reply. The arguments are those of `respond`.
        """
        if path in (STATE_PATH, PLANTED_PATH):
            return self.respond(method, path)
        self._record.begin()
        try:
            reply = self.respond(method, path, query, headers, body, now_ms=now_ms)
            if reply.delay:
                await asyncio.sleep(reply.delay)
            return reply
        finally:
            self._record.end()

    def __repr__(self) -> str:
        state = "closed" if self._assembly is None else "open" if self._server is None else self._server.url
        world = self.world
        return f"<Emulator of {world.instances:,} instances ({world.profile}, seed {world.seed}), {state}>"
