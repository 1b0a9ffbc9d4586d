"""A client of an ASGI application, made by hand: it leaves, reads slowly or stays, and keeps what was sent to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

from aioflows.web import ErrorAnswer, StreamAnswer

__all__ = ["AsgiClient"]


class AsgiClient:
    """A client that asks an application once.

    Args:
        leaves_at: the loop's *time* at which it leaves. None: it stays.
        reads_until: the *bytes* after which it reads no more.
    """

    def __init__(self, leaves_at: float | None = None, reads_until: int | None = None) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.head_at: float | None = None
        self._leaves_at = leaves_at
        self._reads_until = reads_until
        self._asked = False

    async def ask(self, answer: StreamAnswer | ErrorAnswer, method: str = "GET") -> None:
        await answer({"type": "http", "method": method, "headers": []}, self._receive, self._send)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    async def _receive(self) -> MutableMapping[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        loop = asyncio.get_running_loop()
        if self._leaves_at is None:
            await loop.create_future()
        await asyncio.sleep(max(0.0, (self._leaves_at or 0) - loop.time()))
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        assert not self.complete, "a complete answer is followed by nothing"
        if message["type"] == "http.response.start":
            assert self.status is None
            self.status = message["status"]
            self.headers = {name.decode(): text.decode() for name, text in message["headers"]}
            self.head_at = asyncio.get_running_loop().time()
            return
        assert self.status is not None
        self.body += message.get("body", b"")
        self.complete = not message.get("more_body", False)
        if self._reads_until is not None and len(self.body) >= self._reads_until:
            await asyncio.get_running_loop().create_future()
