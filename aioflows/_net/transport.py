"""The seam between what is said and how it travels: one request out, one answer back, nothing decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import attrs

__all__ = ["Answer", "PooledTransport", "Queue", "Request", "SecretHeaders", "Transport"]


def _size(body: bytes | None) -> str:
    # A token request proves in its body that the secret is known, so no body is shown.
    return "None" if body is None else f"<{len(body)} bytes>"


@attrs.frozen
class Request:
    """One HTTP request, complete but for its authentication headers.

    Args:
        method: the HTTP method.
        url: scheme, host, port and path, without a query.
        query: names and values as they are before percent-encoding.
        body: the bytes to be sent and signed; None: no body.
        operation: the service's name for what is asked, as events tell it.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = attrs.field(default=None, repr=_size)
    operation: str = ""


@attrs.frozen
class Answer:
    """One HTTP answer, its body read whole and decompressed."""

    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Case-insensitive."""
    body: bytes = attrs.field(repr=_size)


class SecretHeaders(dict[str, str]):
    """Headers that show their names only, so that a traceback with local variables holds no token."""

    def __repr__(self) -> str:
        return f"<headers {', '.join(self) or 'none'}>"

    __str__ = __repr__


@runtime_checkable
class Transport(Protocol):
    """Carries one request; raises `TransportError` where nothing usable comes back."""

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer:
        """Sends *request* with *headers* besides its own, and reads the answer within *timeout* seconds.

        Whatever the status is, an answer is an answer. Redirects are not followed.
        """
        ...

    async def close(self) -> None:
        """Closes what this transport opened; twice is fine."""
        ...


@attrs.frozen
class Queue:
    """How a request stands in line for a connection of a pool that others may use as well.

    Args:
        patience: the *seconds* that it may wait; they are not those in which it has to be answered.
        waited: is told the *seconds* that it did wait, when it gets a connection.
    """

    patience: float
    waited: Callable[[float], object]


@runtime_checkable
class PooledTransport(Transport, Protocol):
    """A transport whose connections may come out of a pool of the caller's."""

    @property
    def connections(self) -> int | None:
        """The connections to one host that the pool lets out at most; None: no bound is known."""
        ...

    async def send_queued(
        self, request: Request, headers: Mapping[str, str], timeout: float, queue: Queue
    ) -> Answer:
        """Do what `send` does, but with the *timeout* running only while there is, or could be, a connection."""
        ...
