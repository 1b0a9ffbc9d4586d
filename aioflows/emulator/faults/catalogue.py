"""Faults as a readable list: which request, and what goes wrong with it."""

from __future__ import annotations

import re
from typing import Self

import attrs

from aioflows.emulator import checks
from aioflows.errors import QueryError

WIRE = {
    "reset": "the connection is reset before any answer",
    "reset-after-head": "the connection is reset when the headers have been sent",
    "reset-in-body": "the connection is reset in the middle of the body",
    "close": "the connection is closed without an answer, as a server does with an idle one that is just being reused",
    "black-hole": "the request is taken and never answered",
    "drip": "the answer comes one byte at a time, with `seconds` (or one) between them",
    "cut": "the body ends early, and the connection with it",
    "sliced": "every byte of an honest answer travels by itself",
    "chunked": "an honest answer comes in chunks of odd sizes",
    "early-hints": "an interim answer, 103, comes before the honest one",
    "garbage": "the answer is not HTTP",
    "bad-status-line": "the status of the answer is no number",
    "long-header": "a header of 9,000 bytes",
    "many-headers": "150 headers",
    "two-lengths": "Content-Length twice, and differing",
    "bytes-after": "another answer that nobody asked for, right after the body",
}
"""What happens at the socket."""

PACKED = {
    "cut-gzip": "the body is gzip that ends early, though its Content-Length is right",
    "cut-trailer": "the same, but all that is missing is what the body is checked by",
    "bad-crc": "the body is gzip whose checksum is wrong",
    "two-members": "the body is gzip of two members, as a server makes it that packs piece by piece",
    "brotli": "the body says that it is brotli, which nobody asked for",
    "unknown-encoding": "the body says that it is in an encoding that nobody knows",
    "gzip-bomb": "`size` bytes (or 64 MB) in one member, as a few kB of gzip",
}
"""What happens to the body where it is compressed."""

BODY = {
    "html": "a log-in page, with status 200",
    "empty": "no body",
    "null": "the body is null",
    "list": "the body is a list",
    "text": "the body is a text",
    "cut-json": "the JSON text ends early",
    "torn-json": "a piece is missing in the middle of the JSON text",
    "no-answer": "an object with nothing in it",
    "wrong-types": "flowInsts is an object",
    "no-data": "no data in the envelope",
    "null-data": "data is null",
    "no-list": "no flowInsts in data",
    "null-list": "flowInsts is null",
    "text-list": "flowInsts is an empty text",
    "false-empty": "no rows, though there are some",
    "string-code": "the envelope's code is text",
    "no-code": "the envelope has no code",
    "status-for-code": "the envelope's code is called status, as in v2.0",
    "two-codes": "the envelope has a code and a status, which contradict each other",
    "invalid-utf8": "a byte that is not UTF-8",
    "latin-1": "the text is in ISO-8859-1, and the headers say so",
    "bom": "a byte order mark before the JSON",
    "huge": "`size` bytes (or 64 MB) in one member",
    "deep": "100,000 nested lists",
    "long-int": "a whole number of 5,000 digits where nobody looks",
    "long-flow-id": "a flow id of 5,000 digits",
    "nan": "NaN where a number should be",
    "duplicate-keys": "flowInsts stands in data twice, the second time empty",
    "surrogate": "a flow name with half a surrogate pair",
    "disordered": "the rows in reverse",
    "repeated-row": "the first row stands there twice",
    "changed-row": "the first row stands there twice, with different contents",
    "moved-twin": "the first row stands there twice, the second time a second later",
    "moved-row": "the last row has another trigger time: a year earlier",
    "foreign-row": "one more row, that lies a year before the window",
    "bad-time": "a trigger time that does not exist, 24:61:00",
    "hour-24": "a trigger time of 24:00:00",
    "february-30": "a trigger time on 30 February",
    "year-9999": "a start in the year 9999, and an end that is no time",
    "null-trigger": "a row without trigger time",
    "no-id": "a row with an empty id",
    "graph-in-quotes": "a graph printed unescaped, with a quote in it that ends nothing",
    "owner-object": "a row whose owner is an object",
    "number-id": "a row whose id is a number",
    "unknown-status": "a row with status 77",
    "extra-field": "rows with a member nobody knows",
    "numbers-for-flags": "true and false are 1 and 0",
}
"""What happens to the body of an honest answer."""

SPELLS = ("throttle", "storm", "outage", "late")
KINDS = (*SPELLS, "http-<status>", "code-<code>", *WIRE, *PACKED, *BODY)

_NUMBERED = re.compile(r"(http)-([1-5]\d\d)|(code)-(-?\d{1,9})")
_BETWEEN = re.compile(r",(?=[a-z_]+=)")  # an HTTP date has a comma, too
_OPERATIONS = ("search", "get", "time", "timezone", "token", "refresh", "any")


@attrs.frozen
class Fault:
    """One entry of the script: ``Fault(at=3, kind="throttle", seconds=2)``.

    Args:
        at: the *number* of the request that it befalls, from 1, counted by operation.
        kind: *what* happens: "throttle" (in the gateway's guise; `seconds` is the wait that it names), "storm" (every
            request is throttled for `seconds`), "outage" (every connection is reset for `seconds`), "late" (an honest
            answer comes `seconds` later), "http-502" (any status), "code-62109" (any code of the envelope), or one of
            `WIRE`, `PACKED` and `BODY`.
        times: how *many requests* running; with one request in flight, the same question gets it so often.
        seconds: as the kind says.
        location: *where* a 3xx points to.
        retry_after: what an HTTP status *says* of it, word for word; "5|120": in two headers.
        headers: other *headers* of an HTTP status, as in "X-RateLimit-Remaining: 57|X-RateLimit-Reset: 30".
        size: *bytes*, for "huge" and "gzip-bomb".
        on: the *operation*: "search", "get", "time", "timezone", "token", "refresh", or "any" (then `at` counts all).
    """

    at: int = attrs.field(validator=checks.whole(1, 2**40))
    kind: str = attrs.field()
    times: int = attrs.field(default=1, validator=checks.whole(1, 2**40), kw_only=True)
    seconds: float = attrs.field(default=0.0, validator=checks.number(0, 1e9), kw_only=True)
    location: str = attrs.field(default="", kw_only=True)
    retry_after: str = attrs.field(default="", kw_only=True)
    headers: str = attrs.field(default="", kw_only=True)
    size: int = attrs.field(default=64_000_000, validator=checks.whole(1, 2**34), kw_only=True)
    on: str = attrs.field(default="search", validator=checks.one_of(*_OPERATIONS), kw_only=True)

    @kind.validator
    def _known(self, _: object, value: object) -> None:
        known = value in SPELLS or value in WIRE or value in PACKED or value in BODY
        if not known and not (isinstance(value, str) and _NUMBERED.fullmatch(value)):
            raise QueryError(f"a fault's kind must be one of {', '.join(KINDS)}, not {value!r}")

    @property
    def number(self) -> tuple[str, int] | None:
        """``("http", 502)`` or ``("code", 62109)`` of such a kind, else None."""
        found = _NUMBERED.fullmatch(self.kind)
        return (found[1] or found[3], int(found[2] or found[4])) if found else None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``at=3,kind=throttle,seconds=2``, as the command line has it."""
        given = dict(part.partition("=")[::2] for part in _BETWEEN.split(text))
        kinds = {
            "at": int,
            "kind": str,
            "times": int,
            "seconds": float,
            "location": str,
            "retry_after": str,
            "headers": str,
            "size": int,
            "on": str,
        }
        if not {"at", "kind"} <= given.keys() <= kinds.keys():
            raise QueryError(
                f"a fault reads like at=3,kind=throttle,seconds=2 (also {', '.join(kinds)}), not {text!r}"
            )
        try:
            return cls(**{name: kinds[name](value) for name, value in given.items()})
        except ValueError as error:
            raise QueryError(f"fault {text!r}: {error}") from None
