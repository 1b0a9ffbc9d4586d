"""The emulator as its users see it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Self

from aioflows.emulator.assembly import Settings, opened, wall_ms
from aioflows.emulator.controls import Controls
from aioflows.emulator.deployment import as_request
from aioflows.emulator.reply import Reply, json_reply
from aioflows.emulator.server import Server, checked_host, checked_port
from aioflows.emulator.switches import sorted_out

STATE_PATH = "/_emulator/state"
_IN_THE_LOOP = 20_000
"""As many rows are made so quickly that the loop may wait; for more, a thread is used."""


class Emulator(Controls):
    """An EnOS deployment of your own: as odd, strict and hostile as a real one may be, on the loopback interface only.

    ``async with Emulator(instances=10_000, seed=1) as emulator:`` serves it at ``emulator.url``. Without a server,
    `respond` answers one request: ``with Emulator(...) as emulator: emulator.respond(...)``.

    Args:
        instances: *rows*, exactly.
        seed: another *number* gives other rows.
        host: "127.0.0.1" or "::1".
        port: 0: any that is free.
        path: a *file* that keeps the rows: made if it does not exist, served as it is if it does.
        now: gives the *moment* in ms since the epoch; a test may pass its own.
        switches: every field of `World`, `Quirks`, `Constraints`, `Meanwhile`, `Access` and `Trouble`, as a keyword.

    Raises:
        QueryError: a setting makes no sense.
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
        world, quirks, constraints, meanwhile, access, trouble = sorted_out(
            {"instances": instances, "seed": seed, **switches}
        )
        self.world, self.quirks, self.constraints = world, quirks, constraints
        self.meanwhile, self.access, self.trouble = meanwhile, access, trouble
        super().__init__(
            Settings(
                world=world,
                quirks=quirks,
                constraints=constraints,
                meanwhile=meanwhile,
                access=access,
                trouble=trouble,
                path=path,
                now=now,
            )
        )
        self._host = checked_host(host)
        self._port = checked_port(port)
        self._server: Server | None = None

    # From opening to closing

    def open(self) -> Self:
        """Make the rows, or open the file that holds them; `respond` works from here on."""
        if self._opened is None:
            self._opened = opened(self._settings, self._record)
        return self

    def close(self) -> None:
        """Let go of the rows; a file keeps them."""
        if self._opened is not None:
            self._opened.store.close()
        self._opened = None

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        try:
            await self._open_beside()
            self._server = await Server.started(self.exchange, self._host, self._port)
        except BaseException:
            self.close()
            raise
        return self

    async def _open_beside(self) -> None:
        """Open, in a thread if it takes long; a thread cannot be cancelled, so it is waited for in any case."""
        if self.world.instances <= _IN_THE_LOOP:
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
        """Where it is served, such as ``http://127.0.0.1:40213``."""
        if self._server is None:
            raise RuntimeError("the emulator is not being served; use `async with`")
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
        """Answer one request, without a socket.

        Args:
            method: the HTTP *method*.
            path: the URL's path.
            query: names and values *before* percent-encoding.
            headers: the HTTP *headers*.
            body: the *bytes* as sent.
            now_ms: the *moment* it comes; None: what `now` gives.

        Returns:
            A `Reply`. Look at its ``wire`` if faults of the socket were scripted, and at its ``delay``.
        """
        deployment = self._need().deployment
        if path == STATE_PATH:  # looking on is no request
            return json_reply(json.dumps(self.state()))
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
        """The same, but after the reply's delay, and counted as in flight meanwhile."""
        if path == STATE_PATH:
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
        at = "closed" if self._opened is None else "open" if self._server is None else self._server.url
        return f"<Emulator of {self.world.instances:,} instances ({self.world.profile}, seed {self.world.seed}), {at}>"
