"""Transports without sockets: one that answers as a test says, and one with an emulated service behind it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import attrs
from multidict import CIMultiDict

from aioflows._core.resilience.retry import Disconnected, Garbled, TooLarge
from aioflows._core.wire.decompress import DamagedBody, Decompressor
from aioflows._net.http import LARGEST_BODY
from aioflows._net.transport import Answer, Request
from aioflows.errors import BrokenBody, TimedOut, TransportError

if TYPE_CHECKING:
    from aioflows.emulator import Emulator

__all__ = ["EmulatorTransport", "FakeTransport", "Outcome", "Sent", "answer", "envelope", "loop_time"]

Outcome = Answer | Exception


def loop_time() -> float:
    return asyncio.get_running_loop().time()


def answer(body: bytes | str | object = b"{}", status: int = 200, **headers: str) -> Answer:
    """Makes an answer; a body that is neither bytes nor text becomes JSON, ``retry_after=`` becomes a header."""
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    return Answer(status, CIMultiDict({name.replace("_", "-"): text for name, text in headers.items()}), raw)


def envelope(data: object = None, code: int = 0, msg: str = "OK") -> Answer:
    """Makes an answer of the service, v2.1."""
    return answer({"code": code, "msg": msg, "data": data})


@attrs.frozen
class Sent:
    """A request that a transport has carried."""

    request: Request
    headers: Mapping[str, str]
    at: float
    timeout: float


class FakeTransport:
    """Answers as a test says, in the loop's time.

    Args:
        respond: gives the outcome of each request, as an answer or as an error to raise, perhaps after a while; or the
            *outcomes* of one request after the other.
        latency: *seconds* from a request to its outcome.
        hang_at: the *number* of the request, from 1, that is never answered.
    """

    def __init__(
        self,
        respond: Callable[[Sent], Outcome | Awaitable[Outcome]] | Iterable[Outcome],
        *,
        latency: float = 0.0,
        hang_at: int | None = None,
    ) -> None:
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.peak = 0
        self.closed = 0
        self._latency = latency
        self._hang_at = hang_at
        if callable(respond):
            self._respond = respond
        else:
            outcomes = iter(respond)
            self._respond = lambda _: next(outcomes)

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        sent = Sent(request, headers, loop_time(), timeout)
        self.sent.append(sent)
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            if len(self.sent) == self._hang_at:
                await asyncio.get_running_loop().create_future()
            if self._latency:
                await asyncio.sleep(self._latency)
            outcome = self._respond(sent)
            if isinstance(outcome, Awaitable):
                outcome = await outcome
        finally:
            self.in_flight -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def close(self) -> None:
        self.closed += 1


class EmulatorTransport:
    """Carries requests to an emulated service in this process, in the loop's time.

    Args:
        emulator: the *service*, open.
        epoch_ms: the service's *time* when the loop's is 0, in ms since the epoch.
    """

    def __init__(
        self, emulator: Emulator, *, epoch_ms: float = 1_735_689_600_000, latency: float = 0.0
    ) -> None:
        self.emulator = emulator
        self.sent: list[Sent] = []
        self.in_flight = 0
        self.peak = 0
        self.closed = 0
        self._epoch_ms = epoch_ms
        self._latency = latency

    def now(self) -> float:
        """The service's time in seconds since the epoch."""
        return self._epoch_ms / 1000 + loop_time()

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        self.sent.append(Sent(request, headers, loop_time(), timeout))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(request, headers)
        except TimeoutError:
            raise TimedOut("no whole answer in time") from None
        finally:
            self.in_flight -= 1

    async def _exchange(self, request: Request, headers: Mapping[str, str]) -> Answer:
        own = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate", **headers}
        path = urlsplit(request.url).path
        await asyncio.sleep(self._latency / 2)
        reply = await self.emulator.exchange(
            request.method, path, request.query, own, request.body or b"", now_ms=self.now() * 1000
        )
        await asyncio.sleep(self._latency / 2)
        failure = _FAILURES.get(reply.wire)
        if failure is not None:
            raise failure(reply.wire)
        if reply.wire == "black-hole":
            await asyncio.get_running_loop().create_future()
        if reply.wire == "drip":
            await asyncio.sleep(len(reply.body) * (reply.pace or 1.0))
        headers = CIMultiDict(reply.headers)
        for name, text in reply.again:
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        return Answer(reply.status, headers, _plain(reply.body, headers.get("Content-Encoding")))

    async def close(self) -> None:
        self.closed += 1


_FAILURES: dict[str, type[TransportError]] = {
    "reset": Disconnected,
    "close": Disconnected,
    "reset-after-head": BrokenBody,
    "reset-in-body": BrokenBody,
    "cut": BrokenBody,
    "garbage": Garbled,
    "bad-status-line": Garbled,
    "long-header": Garbled,
    "many-headers": Garbled,
    "two-lengths": Garbled,
}


def _plain(body: bytes, encoding: str | None) -> bytes:
    if encoding is None:
        return body
    if encoding != "gzip":
        raise Garbled(f"{encoding} was not asked for")
    inflater = Decompressor(encoding)
    try:
        unpacked = inflater.feed(body, LARGEST_BODY + 1)
        if len(unpacked) > LARGEST_BODY:
            raise TooLarge("too large")
        inflater.close()
    except DamagedBody as error:
        raise BrokenBody(error.message) from None
    return unpacked
