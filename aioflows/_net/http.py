"""Sends requests through aiohttp, and lets nothing of aiohttp out.

Its errors are translated here by a table and dropped: ``repr(ClientResponseError)`` prints the request's headers, and
a traceback into aiohttp holds them in its frames. So what is raised is raised outside the ``except`` block, and has
neither a cause nor a context.

Bodies are read under a cap and unpacked here, since aiohttp would take gzip that ends early for whole.

A session of the caller's has a pool of connections that the application uses as well. While a request waits there, the
service has not been asked: so that time is not the attempt's. aiohttp's own ``total`` would count it, so it is not set
there, and the clock is stopped between the two signals of aiohttp's tracing that a request is queued, and no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aioflows._core.resilience.retry import Disconnected, Garbled, PoolExhausted, Refused, TooLarge
from aioflows._core.wire.decompress import DamagedBody, Decompressor
from aioflows._core.wire.envelope import excerpt
from aioflows._net.transport import Answer, Queue, Request, SecretHeaders
from aioflows.errors import AioflowsError, BrokenBody, ConnectFailed, TimedOut, TransportError

__all__ = ["LARGEST_BODY", "AiohttpTransport"]

LARGEST_BODY: Final = 32 * 2**20
"""Bytes of a body, decompressed: a compressed one of 200 kB can hold 200 MB."""

_CONNECT_TIMEOUT: Final = 10.0
_ENCODINGS: Final = ("gzip", "deflate")

_CERTIFICATE = (
    "{host} shows a certificate that cannot be verified: {reason}. If an authority of your own signed it, name that "
    "authority's certificate in SSL_CERT_FILE, or pass an aiohttp.ClientSession whose connector trusts it"
)

# Read from the top: the first line that fits an error is its translation.
_TRANSLATIONS: Final[tuple[tuple[type[Exception], type[AioflowsError], str], ...]] = (
    (aiohttp.ClientConnectorCertificateError, TransportError, _CERTIFICATE),
    (
        aiohttp.ServerFingerprintMismatch,
        TransportError,
        "{host} shows another certificate than the pinned one",
    ),
    (
        aiohttp.ClientConnectorSSLError,
        TransportError,
        "no TLS with {host}: {reason}; does that port speak https?",
    ),
    (aiohttp.ClientConnectorDNSError, ConnectFailed, "no address is known for {host}: {reason}"),
    (aiohttp.ClientConnectorError, ConnectFailed, "no connection to {host}: {reason}"),
    (aiohttp.ConnectionTimeoutError, TimedOut, "no connection to {host} in time"),
    (TimeoutError, TimedOut, "no whole answer from {host} within {timeout:g} s"),
    (aiohttp.ClientConnectionError, Disconnected, "{host} closed the connection without an answer"),
    (aiohttp.ClientPayloadError, BrokenBody, "the answer of {host} is cut off or damaged: {reason}"),
    (aiohttp.InvalidURL, TransportError, "{host} makes no URL that can be asked"),
    (aiohttp.ClientHttpProxyError, TransportError, "the proxy lets nobody through to {host}: HTTP {status}"),
    (aiohttp.NonHttpUrlClientError, TransportError, "{host} can only be asked with http or https"),
    (aiohttp.ClientResponseError, Garbled, "the answer of {host} is not HTTP: {reason}"),
    (aiohttp.ClientError, TransportError, "the request to {host} failed: {reason}"),
    (OSError, ConnectFailed, "no connection to {host}: {reason}"),
    (ValueError, TransportError, "the request to {host} cannot be sent: {reason}"),
)
_FOREIGN: Final = (aiohttp.ClientError, OSError, ValueError)

_POOL: Final = (
    "no connection to {host} came free within {patience:g} s: the given aiohttp session lets out {most} at once, and all "
    "are in use, so nothing was sent. Close the responses that the application holds, give its connector a higher limit, "
    "or leave http= out, and aioflows has connections of its own"
)


class AiohttpTransport:
    """Carries requests over HTTP: no redirect followed, certificates verified, no cookie kept, no body without bound.

    Args:
        session: an aiohttp *session* of the caller's, neither changed nor closed; None: one is made at the first
            request, in the loop that runs then.
        connections: *connections* that the own session opens at once.
        largest_body: *bytes* of a body, decompressed, that are read at most.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession | None = None,
        *,
        connections: int = 16,
        largest_body: int = LARGEST_BODY,
    ) -> None:
        self._session = session
        self._given = session is not None
        self._connections = connections
        self._largest_body = largest_body
        self._closed = False

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        """Sends *request* with *headers* besides its own, and reads the answer within *timeout* seconds."""
        return await self.send_queued(request, headers, timeout, Queue(timeout, lambda _: None))

    async def send_queued(
        self, request: Request, headers: Mapping[str, str], timeout: float, queue: Queue
    ) -> Answer:
        """Sends a request; a wait for a connection of a given session's pool is bounded by *queue*, and by nothing else."""
        session = self._opened()
        answered = False
        stopwatch = _Stopwatch(timeout, queue) if self._given else None
        try:
            async with (
                asyncio.timeout(None) as clock,
                session.request(
                    request.method,
                    request.url,
                    params=request.query or None,
                    data=request.body,
                    headers=_complete(headers),
                    allow_redirects=False,  # the headers prove who we are, and aiohttp would carry them to another host
                    raise_for_status=False,
                    auto_decompress=False,
                    timeout=self._timeout(timeout),
                    **({} if stopwatch is None else stopwatch.starting(clock, session)),
                ) as response,
            ):
                answered = True
                return Answer(response.status, _joined(response.headers), await self._body(response))
        except _FOREIGN as error:
            failure = _translated(error, request.url, timeout, answered=answered)
            if stopwatch is not None and stopwatch.stopped and isinstance(error, TimeoutError):
                most = self.connections or "no more"
                words = _POOL.format(host=_host(request.url), patience=queue.patience, most=most)
                failure = PoolExhausted(words)
        raise failure

    @property
    def connections(self) -> int | None:
        """The connections to one host that a given session's pool lets out at most; None: no bound is known."""
        pool = self._session.connector if self._given and self._session is not None else None
        limits = (getattr(pool, name, None) for name in ("limit", "limit_per_host"))
        return min((most for most in limits if isinstance(most, int) and most > 0), default=None)

    async def close(self) -> None:
        """Closes the own session with its connections; a given one is left alone."""
        self._closed = True
        if not self._given and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise RuntimeError("the session is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "aioflows"},
                trust_env=False,  # it would also send what stands in ~/.netrc
                request_class=_Request,
            )
        return self._session

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        connect = min(total, _CONNECT_TIMEOUT)
        return aiohttp.ClientTimeout(
            total=None if self._given else total,
            # Looking the name up included, and waiting for one of a given session's connections.
            connect=None if self._given else connect,
            sock_connect=connect,
            sock_read=total,
        )

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if response.content_length is not None and response.content_length > self._largest_body:
            raise self._too_large(response)
        if encoding in ("", "identity"):
            return await self._read(response, None)
        try:
            if encoding in _ENCODINGS:
                return await self._read(response, Decompressor(encoding))
        except DamagedBody:
            if response.status == 200:
                raise
        if response.status != 200:
            return b""  # its status says enough
        host = _host(str(response.url))
        raise Garbled(f"the answer of {host} is in an encoding that was not asked for: {excerpt(encoding)}")

    async def _read(self, response: aiohttp.ClientResponse, inflater: Decompressor | None) -> bytes:
        if inflater is None and response.content_length is not None:
            return await response.read()
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            if inflater is not None:
                piece = inflater.feed(piece, self._largest_body + 1 - size)  # noqa: PLW2901  (the same one, unpacked)
            pieces.append(piece)
            size += len(piece)
            if size > self._largest_body:
                raise self._too_large(response)
        if inflater is not None:
            inflater.close()
        return b"".join(pieces)

    def _too_large(self, response: aiohttp.ClientResponse) -> TooLarge:
        response.close()  # what has not been read shall not be read
        return TooLarge(f"answer larger than {self._largest_body:,} bytes; ask for smaller pages")

    def __repr__(self) -> str:
        state = "closed" if self._closed else "not opened yet" if self._session is None else "open"
        return f"<AiohttpTransport {state}{', session given' if self._given else ''}>"


class _Stopwatch:
    """The clock of one attempt, which stands still while the attempt waits for a connection of the caller's pool.

    aiohttp tells a trace that a request is queued for a connection, and when it is no longer. A trace belongs to a session,
    and the caller's is not changed: so it is added to the one request, on its way through the session's middlewares.
    """

    def __init__(self, timeout: float, queue: Queue) -> None:
        self.stopped = False
        """Whether it waits for a connection."""
        self._left = timeout
        self._queue = queue
        self._since = 0.0
        self._clock: asyncio.Timeout | None = None

    def starting(self, clock: asyncio.Timeout, session: aiohttp.ClientSession) -> dict[str, Any]:
        """Start it, and give the arguments of the request that go with it."""
        self._clock = clock
        self._run(self._left)
        return {"middlewares": (*getattr(session, "_middlewares", ()), self._traced)}

    async def _traced(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        traces, session = getattr(request, "_traces", None), getattr(request, "_session", None)
        if isinstance(traces, list) and session is not None:
            config = aiohttp.TraceConfig()
            config.on_connection_queued_start.append(self._stop)
            config.on_connection_queued_end.append(self._go_on)
            config.freeze()
            traces.append(Trace(session, config, SimpleNamespace()))
        return await handler(request)

    async def _stop(self, *_: object) -> None:
        if not self.stopped and self._clock is not None:
            now = asyncio.get_running_loop().time()
            self._left = max(0.0, (self._clock.when() or now) - now)
            self.stopped = True
            self._run(self._queue.patience)

    async def _go_on(self, *_: object) -> None:
        if self.stopped:
            self.stopped = False
            self._queue.waited(asyncio.get_running_loop().time() - self._since)
            self._run(self._left)

    def _run(self, seconds: float) -> None:
        if self._clock is not None:
            self._since = asyncio.get_running_loop().time()
            self._clock.reschedule(self._since + seconds)


class _Request(aiohttp.ClientRequest):
    """A request that takes no answer for its own which was there before it was sent.

    A gateway that answers twice, or an idle connection twice, is out of step: whatever comes on that connection answers
    another question. aiohttp looks for that when it lays a connection by, but not when it takes it up again.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.protocol is not None and conn.protocol.should_close:
            conn.close()
            raise aiohttp.ServerDisconnectedError
        return await super().send(conn)


def _complete(headers: Mapping[str, str]) -> SecretHeaders:
    return SecretHeaders(
        {"Content-Type": "application/json", "Accept-Encoding": ", ".join(_ENCODINGS), **headers}
    )


def _joined(headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Gives each header once; what came several times is joined by commas (RFC 9110, section 5.3)."""
    names = {name.lower() for name in headers}
    if len(names) == len(headers):
        return headers
    return CIMultiDict((name, ", ".join(headers.getall(name))) for name in names)


def _translated(error: Exception, url: str, timeout: float, *, answered: bool) -> AioflowsError:
    status = getattr(error, "status", 0)
    facts = {"host": _host(url), "reason": _reason(error), "timeout": timeout, "status": status}
    if isinstance(error, aiohttp.ClientHttpProxyError) and status >= 500:
        return ConnectFailed("the proxy does not reach {host}: HTTP {status}".format(**facts))
    if answered and not isinstance(error, TimeoutError):
        return BrokenBody("the answer of {host} is cut off or damaged: {reason}".format(**facts))
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionError):
        return Refused("no connection to {host}: {reason}".format(**facts))
    ours, words = next((ours, words) for theirs, ours, words in _TRANSLATIONS if isinstance(error, theirs))
    return ours(words.format(**facts))


def _host(url: str) -> str:
    try:
        return URL(url).host_port_subcomponent or repr(url)  # without a user and password
    except ValueError:
        return repr(url)


def _reason(error: Exception) -> str:
    """Says why in words that come from the system or from aiohttp, never from the other side."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, OSError):
        return error.strerror or (
            str(error) if isinstance(error, aiohttp.ClientError) else type(error).__name__
        )
    # What follows the colon quotes the answer, which may in turn quote the request.
    message = getattr(error.__cause__ or error, "message", "")
    return message.partition(":")[0] if isinstance(message, str) and message else type(error).__name__
