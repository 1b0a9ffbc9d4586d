"""The seam between what is said and how it travels: one request out, one answer back, nothing decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import attrs

__all__ = ["Answer", "Request", "Transport"]


@attrs.frozen
class Request:
    """One HTTP request, complete but for its authentication headers.

    Args:
        method: the HTTP method.
        url: scheme, host, port and path, without a query.
        query: names and values as they are before percent-encoding.
        body: the bytes to be sent and signed; None: no body.
    """

    method: str
    url: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None


@attrs.frozen
class Answer:
    """One HTTP answer, its body read whole and decompressed."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes = attrs.field(repr=False)


class Transport(Protocol):
    """Carries one request; raises `TransportError` where nothing usable comes back."""

    async def send(self, request: Request, headers: Mapping[str, str], timeout: float) -> Answer: ...

    async def close(self) -> None: ...
