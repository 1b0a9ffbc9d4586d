"""The transport over aiohttp. No error or object of aiohttp leaves it.

A table translates aiohttp's errors, and the originals are dropped: ``repr(ClientResponseError)`` prints the
request's headers, and a traceback into aiohttp holds them in its frames. Therefore errors are raised outside
the ``except`` block, without a cause and without a context.

Bodies are read under a size limit and decompressed here, because aiohttp accepts a truncated gzip body as
complete.

The application also uses the connection pool of a session that it passed. The wait for such a connection does
not count as time of the attempt, because nothing was sent yet. aiohttp's ``total`` would count it, so it is
not set. Instead, the attempt's clock stops between the two signals of aiohttp's tracing for a queued request.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final
from weakref import WeakSet

import aiohttp
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from aioflows._core.resilience.retry import Disconnected, Garbled, PoolExhausted, Refused, TooLarge
from aioflows._core.wire.decompress import DamagedBody, Decompressor
from aioflows._core.wire.envelope import excerpt
from aioflows._net.http_options import HttpOptions, Proxy
from aioflows._net.transport import Answer, Queue, Request, SecretHeaders
from aioflows.errors import AioflowsError, BrokenBody, ConnectFailed, SessionClosed, TimedOut, TransportError

__all__ = ["LARGEST_BODY", "AiohttpTransport"]

LARGEST_BODY: Final = 32 * 2**20
"""The greatest size of a decompressed body (bytes). A compressed body of 200 kB can hold 200 MB."""

_CONNECT_TIMEOUT: Final = 10.0
_ENCODINGS: Final = ("gzip", "deflate")

_CERTIFICATE = (
    "the certificate of {host} cannot be verified: {reason}. If your own authority signed it, give that "
    "authority's certificate by ssl= (--cacert), or by the variable SSL_CERT_FILE"
)

_PROXY_REFUSED = (
    "the proxy refused the connection to {host}: HTTP {status}. 407 means that it asks for another user or "
    "password in proxy="
)

# The first row that matches an error is its translation.
_TRANSLATIONS: Final[tuple[tuple[type[Exception], type[AioflowsError], str], ...]] = (
    (aiohttp.ClientConnectorCertificateError, TransportError, _CERTIFICATE),
    (
        aiohttp.ServerFingerprintMismatch,
        TransportError,
        "the certificate of {host} is not the pinned one",
    ),
    (
        aiohttp.ClientConnectorSSLError,
        TransportError,
        "no TLS with {host}: {reason}; check that the port is for https",
    ),
    (aiohttp.ClientProxyConnectionError, ConnectFailed, "no connection to the proxy: {reason}"),
    (aiohttp.ClientConnectorDNSError, ConnectFailed, "no address was found for {host}: {reason}"),
    (aiohttp.ClientConnectorError, ConnectFailed, "no connection to {host}: {reason}"),
    (aiohttp.ConnectionTimeoutError, TimedOut, "no connection to {host} in time"),
    (TimeoutError, TimedOut, "no complete answer from {host} within {timeout:g} s"),
    (aiohttp.ClientConnectionError, Disconnected, "{host} closed the connection without an answer"),
    (aiohttp.ClientPayloadError, BrokenBody, "the answer of {host} is cut off or damaged: {reason}"),
    (aiohttp.InvalidURL, TransportError, "{host} is not a valid host of a URL"),
    (
        aiohttp.ClientHttpProxyError,
        TransportError,
        _PROXY_REFUSED,
    ),
    (aiohttp.NonHttpUrlClientError, TransportError, "the URL of {host} must begin with http or https"),
    (aiohttp.ClientResponseError, Garbled, "the answer of {host} is not HTTP: {reason}"),
    (aiohttp.ClientError, TransportError, "the request to {host} failed: {reason}"),
    (OSError, ConnectFailed, "no connection to {host}: {reason}"),
    (ValueError, TransportError, "the request to {host} cannot be sent: {reason}"),
)
_FOREIGN: Final = (aiohttp.ClientError, OSError, ValueError)

_POOL: Final = (
    "no connection to {host} became free within {patience:g} s, so nothing was sent: the given aiohttp "
    "session opens {most} at once, and all are in use. Close the responses that the application holds, "
    "give its connector a higher limit, or omit http= so that aioflows opens its own connections"
)


_open: WeakSet[AiohttpTransport] = WeakSet()
_of_parent: list[aiohttp.ClientSession] = []


def _leave_to_parent() -> None:
    for transport in list(_open):
        transport.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_parent)


class AiohttpTransport:
    """The transport over HTTP.

    It verifies certificates, follows no redirect, keeps no cookie and limits the size of bodies.

    Args:
        session: an aiohttp session of the caller, which is neither changed nor closed. None means that the
            transport makes its own at the first request.
        connections: the greatest number of connections of its own session. Default: 16.
        largest_body: the greatest size of a decompressed body (bytes). Default: 32 MiB.
        options: proxy, certificates and timeouts. The first two are not used with a given session.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession | None = None,
        *,
        connections: int = 16,
        largest_body: int = LARGEST_BODY,
        options: HttpOptions = HttpOptions(),  # noqa: B008  (frozen)
    ) -> None:
        self._session = session
        self._given = session is not None
        self._connections = connections
        self._largest_body = largest_body
        self._options = options
        self._closed = False

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        """Send *request* with the additional *headers*. Return the answer, read within *timeout* seconds."""
        return await self.send_queued(request, headers, timeout, Queue(timeout, lambda _: None))

    async def send_queued(
        self, request: Request, headers: Mapping[str, str], timeout: float, queue: Queue
    ) -> Answer:
        """Send a request as `send` does.

        Only *queue* limits the wait for a connection of a given session's pool.
        """
        session = self._open_session()
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
                    allow_redirects=False,  # aiohttp would send the signature to another host
                    raise_for_status=False,
                    auto_decompress=False,
                    timeout=self._timeout(timeout),
                    **({} if stopwatch is None else stopwatch.starting(clock, session)),
                ) as response,
            ):
                answered = True
                return Answer(response.status, _join_repeated(response.headers), await self._body(response))
        except _FOREIGN as error:
            failure = _translated(error, request.url, timeout, answered=answered)
            if stopwatch is not None and stopwatch.stopped and isinstance(error, TimeoutError):
                most = self.connections or "no more"
                message = _POOL.format(host=_host(request.url), patience=queue.patience, most=most)
                failure = PoolExhausted(message)
        raise failure

    @property
    def connections(self) -> int | None:
        """The greatest number of connections to one host of a given session.

        None means that no limit is known.
        """
        pool = self._session.connector if self._given and self._session is not None else None
        limits = (getattr(pool, name, None) for name in ("limit", "limit_per_host"))
        return min((most for most in limits if isinstance(most, int) and most > 0), default=None)

    async def close(self) -> None:
        """Close the transport's own session and its connections. A given session stays open."""
        self._closed = True
        if not self._given and self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._closed:
            raise SessionClosed("the session was closed meanwhile; make a new one")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ssl=self._options.context or True),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": self._options.user_agent},
                trust_env=False,  # True would also send the passwords in ~/.netrc
                request_class=_Request,
                proxy=_proxy_url(self._options.proxy),
            )
            _open.add(self)
        return self._session

    def leave_to_parent(self) -> None:
        """Forget the connections without closing them, in a process that was forked.

        aiohttp would close them when they are collected. That removes them from the selector, which the
        processes share, and the parent would never hear of an answer on them.
        """
        session, self._closed = self._session, True
        if session is not None and not self._given:
            idle = getattr(session.connector, "_conns", None)
            if idle is not None:
                idle.clear()
            session.detach()
            _of_parent.append(session)

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        timeouts = self._options.timeouts
        connect = min(total, timeouts.connect or _CONNECT_TIMEOUT)
        return aiohttp.ClientTimeout(
            total=None if self._given else total,
            # `connect` includes the name lookup and the wait for a connection of the pool.
            connect=None if self._given else connect,
            sock_connect=connect,
            sock_read=min(total, timeouts.read or total),
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
            return b""  # the status is sufficient for an error
        host = _host(str(response.url))
        raise Garbled(f"the answer of {host} has an encoding that was not requested: {excerpt(encoding)}")

    async def _read(self, response: aiohttp.ClientResponse, decompressor: Decompressor | None) -> bytes:
        if decompressor is None and response.content_length is not None:
            return await response.read()
        pieces, size = [], 0
        async for piece in response.content.iter_any():
            if decompressor is not None:
                piece = decompressor.feed(piece, self._largest_body + 1 - size)  # noqa: PLW2901  (the same piece, decompressed)
            pieces.append(piece)
            size += len(piece)
            if size > self._largest_body:
                raise self._too_large(response)
        if decompressor is not None:
            decompressor.close()
        return b"".join(pieces)

    def _too_large(self, response: aiohttp.ClientResponse) -> TooLarge:
        response.close()  # the rest of the body is not read
        return TooLarge(f"the answer is larger than {self._largest_body:,} bytes; request smaller pages")

    def __repr__(self) -> str:
        state = "closed" if self._closed else "not opened yet" if self._session is None else "open"
        return f"<AiohttpTransport {state}{', session given' if self._given else ''}>"


class _Stopwatch:
    """The clock of one attempt. It stops while the attempt waits for a connection of the caller's pool.

    aiohttp tells a trace when a request starts and stops waiting for a connection. A trace belongs to a
    session, and the caller's session must not be changed. So a middleware adds the trace to the one request.
    """

    def __init__(self, timeout: float, queue: Queue) -> None:
        self.stopped = False
        """True while the attempt waits for a connection."""
        self._left = timeout
        self._queue = queue
        self._since = 0.0
        self._clock: asyncio.Timeout | None = None

    def starting(self, clock: asyncio.Timeout, session: aiohttp.ClientSession) -> dict[str, Any]:
        """Start the clock. Return the arguments that the request needs for it."""
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
    """A request that does not accept an answer that arrived before it was sent.

    If a gateway sends two answers to one request, all later answers on that connection belong to other
    requests. aiohttp checks for this when it returns a connection to its pool, but not when it reuses the
    connection.
    """

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        if conn.protocol is not None and conn.protocol.should_close:
            conn.close()
            raise aiohttp.ServerDisconnectedError
        return await super().send(conn)


def _proxy_url(proxy: Proxy | None) -> URL | None:
    if proxy is None or proxy.user is None:
        return None if proxy is None else URL(proxy.url)
    # aiohttp makes Proxy-Authorization of them, for tunnels and for plain requests. BasicAuth is deprecated.
    return URL(proxy.url).with_user(proxy.user.reveal()).with_password(proxy.password.reveal())


def _complete(headers: Mapping[str, str]) -> SecretHeaders:
    return SecretHeaders(
        {"Content-Type": "application/json", "Accept-Encoding": ", ".join(_ENCODINGS), **headers}
    )


def _join_repeated(headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """Return each header once, with repeated values joined by commas (RFC 9110, section 5.3)."""
    names = {name.lower() for name in headers}
    if len(names) == len(headers):
        return headers
    return CIMultiDict((name, ", ".join(headers.getall(name))) for name in names)


def _translated(error: Exception, url: str, timeout: float, *, answered: bool) -> AioflowsError:
    status = getattr(error, "status", 0)
    facts = {"host": _host(url), "reason": _reason(error), "timeout": timeout, "status": status}
    if isinstance(error, aiohttp.ClientHttpProxyError) and status >= 500:
        return ConnectFailed("the proxy cannot reach {host}: HTTP {status}".format(**facts))
    if answered and not isinstance(error, TimeoutError):
        return BrokenBody("the answer of {host} is cut off or damaged: {reason}".format(**facts))
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionError):
        of_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        facts["host"] = "the proxy" if of_proxy else facts["host"]
        return Refused("no connection to {host}: {reason}".format(**facts))
    ours, message = next(
        (ours, message) for theirs, ours, message in _TRANSLATIONS if isinstance(error, theirs)
    )
    return ours(message.format(**facts))


def _host(url: str) -> str:
    try:
        return URL(url).host_port_subcomponent or repr(url)  # without a user and password
    except ValueError:
        return repr(url)


def _reason(error: Exception) -> str:
    """Return the reason in the words of the system or of aiohttp, never in those of the service."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return (
            getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
        )
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, OSError):
        # asyncio writes "Connect call failed ('127.0.0.1', 1)". Resolvers have numbers of their own.
        if error.errno and error.errno > 0 and not isinstance(error, socket.gaierror):
            return os.strerror(error.errno)
        return error.strerror or (
            str(error) if isinstance(error, aiohttp.ClientError) else type(error).__name__
        )
    # The text after the colon quotes the answer, which may quote the request.
    message = getattr(error.__cause__ or error, "message", "")
    return message.partition(":")[0] if isinstance(message, str) and message else type(error).__name__
