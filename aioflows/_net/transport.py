"""The transport protocol: it sends one request and returns one answer, without decisions about either."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import attrs

__all__ = ["Answer", "PooledTransport", "Queue", "Request", "SecretHeaders", "Transport"]


def _size(body: bytes | None) -> str:
    # The body of a token request is derived from the secret, so `repr` shows no body.
    return "None" if body is None else f"<{len(body)} bytes>"


@attrs.frozen
class Request:
    """An HTTP request without its authentication headers.

    Args:
        method: the HTTP method.
        url: the scheme, host, port and path, without a query.
        query: the names and values of the query before percent-encoding. Default: none.
        body: the bytes to send and to sign. None means no body. Default: None.
        operation: the service's name for the operation, for events. Default: an empty text.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=_size)
    operation: str = ""


@attrs.frozen
class Answer:
    """An HTTP answer, with its body read completely and decompressed.

    Args:
        status: the HTTP status.
        headers: the headers, in a mapping that ignores case.
        body: the decompressed body.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=_size)


class SecretHeaders(dict[str, str]):
    """Headers whose `repr` shows names only, so that a traceback with local variables holds no token."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self) or 'none'}>"

    __str__ = __repr__


@runtime_checkable
class Transport(Protocol):
    """A transport: it carries one request, and raises `TransportError` if no usable answer comes back."""

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        """Send *request* with the additional *headers*. Return the answer, read within *timeout* seconds.

        An answer with any status is returned. Redirects are not followed.
        """
        ...

    async def close(self) -> None:
        """Close the connections of this transport. Safe to call more than once."""
        ...


@attrs.frozen
class Queue:
    """The wait of a request for a connection of a pool that the application also uses.

    Args:
        patience: the longest wait (seconds). It is not part of the time for the answer.
        waited: called with the length of the wait (seconds) when the request gets a connection.
    """

    patience: float
    waited: Callable[[float], object]


@runtime_checkable
class PooledTransport(Transport, Protocol):
    """A transport whose connections may come from a pool of the caller."""

    @property
    def connections(self) -> int | None:
        """The greatest number of connections to one host. None means that no limit is known."""
        ...

    async def send_queued(
        self, request: Request, headers: Mapping[str, str], timeout: float, queue: Queue
    ) -> Answer:
        """Send a request as `send` does.

        The *timeout* does not run while the request waits in the *queue*.
        """
        ...
