"""What goes back: an HTTP answer as a value, with what is wrong with it on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

JSON = "application/json;charset=UTF-8"


@attrs.frozen
class Reply:
    """One answer; unpacks as ``status, headers, body = reply``.

    Attributes:
        status: the HTTP status.
        headers: the HTTP headers, without those that framing needs.
        body: the bytes of the body, compressed if the headers say so.
        delay: seconds until it is sent.
        wire: empty, or what happens at the socket instead of an orderly answer: a key of `faults.WIRE`.
        again: headers that come a second time.
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
    """An answer that holds JSON."""
    return Reply(200, {"Content-Type": JSON}, text.encode() if isinstance(text, str) else text)


def plain(status: int, text: str, **headers: str) -> Reply:
    """An answer of a proxy or a router, which knows no envelope."""
    return Reply(status, {"Content-Type": "text/plain; charset=utf-8", **headers}, text.encode())
