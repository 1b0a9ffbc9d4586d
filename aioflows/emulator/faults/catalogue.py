"""The catalogue of faults, and the script entry that assigns a fault to a request."""

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
    "close": "the connection is closed without an answer, as of an idle connection that is just being reused",
    "black-hole": "the request is accepted and never answered",
    "drip": "the answer comes one byte at a time, with `seconds` (or one) between them",
    "cut": "the body ends early, and the connection with it",
    "sliced": "an honest answer is sent one byte at a time, without a pause",
    "chunked": "an honest answer comes in chunks of odd sizes",
    "early-hints": "an interim answer, 103, comes before the honest one",
    "garbage": "the answer is not HTTP",
    "bad-status-line": "the status of the answer is not a number",
    "long-header": "a header of 9,000 bytes",
    "many-headers": "150 headers",
    "two-lengths": "two Content-Length headers that differ",
    "bytes-after": "another answer, without a request, right after the body",
}
"""The faults at the socket."""

PACKED = {
    "cut-gzip": "the body is gzip that ends early, though its Content-Length is right",
    "cut-trailer": "the body is gzip without its trailer, the checksum and the length",
    "bad-crc": "the body is gzip whose checksum is wrong",
    "two-members": "the body is gzip of two members, as from a server that compresses piece by piece",
    "brotli": "Content-Encoding names brotli, which the client did not accept",
    "unknown-encoding": "Content-Encoding names an unknown encoding",
    "gzip-bomb": "`size` bytes (or 64 MB) in one member, compressed to a few kB of gzip",
}
"""The faults of a compressed body."""

BODY = {
    "html": "a login page, with status 200",
    "empty": "no body",
    "null": "the body is null",
    "list": "the body is a list",
    "text": "the body is a text",
    "cut-json": "the JSON text ends early",
    "torn-json": "a piece is missing in the middle of the JSON text",
    "no-answer": "an empty object",
    "wrong-types": "flowInsts is an object",
    "no-data": "no data in the envelope",
    "null-data": "data is null",
    "no-list": "no flowInsts in data",
    "null-list": "flowInsts is null",
    "text-list": "flowInsts is an empty text",
    "false-empty": "no rows, although rows match",
    "string-code": "the envelope's code is a text",
    "no-code": "the envelope has no code",
    "status-for-code": "the envelope's code is called status, as in v2.0",
    "two-codes": "the envelope has a code and a status, which contradict each other",
    "invalid-utf8": "a byte that is not UTF-8",
    "latin-1": "the text is in ISO-8859-1, and the headers say so",
    "bom": "a byte order mark before the JSON",
    "huge": "`size` bytes (or 64 MB) in one member",
    "deep": "100,000 nested lists",
    "long-int": "a whole number of 5,000 digits in an unknown member",
    "long-flow-id": "a flow id of 5,000 digits",
    "nan": "NaN where a number should be",
    "duplicate-keys": "data has flowInsts twice, the second time empty",
    "surrogate": "a flow name with half a surrogate pair",
    "disordered": "the rows in reverse order",
    "repeated-row": "the first row occurs twice",
    "changed-row": "the first row occurs twice, with different contents",
    "moved-twin": "the first row occurs twice, the second time a second later",
    "moved-row": "the last row has a trigger time that is a year earlier",
    "foreign-row": "one more row, a year before the window",
    "bad-time": "a trigger time that does not exist, 24:61:00",
    "hour-24": "a trigger time of 24:00:00",
    "february-30": "a trigger time on 30 February",
    "year-9999": "a start in the year 9999, and an end that is not a time",
    "null-trigger": "a row without trigger time",
    "no-id": "a row with an empty id",
    "graph-in-quotes": "a graph that is not escaped, and that holds a stray quote",
    "owner-object": "a row whose owner is an object",
    "number-id": "a row whose id is a number",
    "unknown-status": "a row with status 77",
    "extra-field": "rows with an unknown member",
    "numbers-for-flags": "1 and 0 instead of true and false",
}
"""The faults in the body of an honest answer."""

SPELLS = ("throttle", "storm", "outage", "late")
KINDS = (*SPELLS, "http-<status>", "code-<code>", *WIRE, *PACKED, *BODY)

_NUMBERED = re.compile(r"(http)-([1-5]\d\d)|(code)-(-?\d{1,9})")
_SEPARATOR = re.compile(r",(?=[a-z_]+=)")  # only a comma before a name, because an HTTP date has a comma too
_OPERATIONS = ("search", "get", "time", "timezone", "token", "refresh", "any")


@attrs.frozen
class Fault:
    """A scripted fault: ``Fault(at=3, kind="throttle", seconds=2)``.

    Args:
        at: the number of the request that fails, from 1, counted by operation.
        kind: the kind of fault: "throttle" (in the form that `Access.throttle` names, with a wait of
            `seconds`), "storm" (every request is throttled for `seconds`), "outage" (every connection is
            reset for `seconds`), "late" (an honest answer comes `seconds` later), "http-502" (any HTTP
            status), "code-62109" (any code of the envelope), or a key of `WIRE`, `PACKED` and `BODY`.
        times: the number of consecutive requests that fail. With one request in flight, these are attempts at
            one request. Default: 1.
        seconds: the seconds that `kind` names. Default: 0.
        location: the Location header of a 3xx. Default: no header.
        retry_after: the Retry-After header of an HTTP status, verbatim. "5|120" sends two headers. Default: no
            header, unless `seconds` is given.
        headers: other headers of an HTTP status, such as "X-RateLimit-Remaining: 57|X-RateLimit-Reset: 30".
            Default: no headers.
        size: bytes, for "huge" and "gzip-bomb". Default: 64,000,000.
        on: the operation: "search", "get", "time", "timezone", "token", "refresh", or "any", for which `at`
            counts all requests. Default: "search".
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
        """``("http", 502)`` or ``("code", 62109)`` for a kind with a number, otherwise None."""
        found = _NUMBERED.fullmatch(self.kind)
        return (found[1] or found[3], int(found[2] or found[4])) if found else None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the fault in a text such as ``at=3,kind=throttle,seconds=2``, the form of the command line.

        Raises:
            QueryError: the text has another form, or a value is not valid.
        """
        given = dict(part.partition("=")[::2] for part in _SEPARATOR.split(text))
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
                f"a fault must have a form such as at=3,kind=throttle,seconds=2 (known names: {', '.join(kinds)}), "
                f"not {text!r}"
            )
        try:
            return cls(**{name: kinds[name](value) for name, value in given.items()})
        except ValueError as error:
            raise QueryError(f"fault {text!r} cannot be used: {error}") from None
