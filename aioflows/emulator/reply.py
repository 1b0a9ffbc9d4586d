"""An HTTP answer as a value, with the faults of its connection."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

JSON = "application/json;charset=UTF-8"


@attrs.frozen
class Reply:
    """An answer, which unpacks as ``status, headers, body = reply``.

    Attributes:
        status: the HTTP status.
        headers: the HTTP headers, without Content-Length and Transfer-Encoding.
        body: the bytes of the body, compressed if the headers say so.
        delay: seconds until the answer is sent.
        wire: the fault at the socket, a key of `faults.catalogue.WIRE`. Empty means no fault.
        again: headers that are sent a second time.
        pace: seconds between bytes, for the wire fault "drip".
    """

    status: int
    headers: dict[str, str]
    body: bytes = attrs.field(repr=False)
    delay: float = 0.0
    wire: str = ""
    pace: float = 0.0
    again: tuple[tuple[str, str], ...] = ()

    def __iter__(self) -> Iterator[int | dict[str, str] | bytes]:
        return iter((self.status, self.headers, self.body))


def json_reply(text: str | bytes) -> Reply:
    """Return an answer that holds JSON."""
    return Reply(200, {"Content-Type": JSON}, text.encode() if isinstance(text, str) else text)


def plain(status: int, text: str, **headers: str) -> Reply:
    """Return an answer in plain text without an envelope, as of a proxy or a router."""
    return Reply(status, {"Content-Type": "text/plain; charset=utf-8", **headers}, text.encode())
