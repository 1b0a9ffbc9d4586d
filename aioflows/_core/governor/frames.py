"""The messages between sessions and their governor: JSON in one line each.

1. A line longer than `LONGEST_LINE`, an unknown field, a negative number or a number that is too large is a
   `BadFrame`, and whoever sent it is cut off.
2. Moments are those of the governor's clock (seconds), which its messages show. So a refusal tells when its
   permit was given, however late it comes, and two machines need no clock in common.
3. A message holds all that happened in one step of a loop. So a request costs one line each way.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

__all__ = [
    "LONGEST_LINE",
    "LONGEST_WAIT",
    "PROTOCOL",
    "BadFrame",
    "GovernorFrame",
    "Hello",
    "SessionFrame",
    "Welcome",
    "WindowReport",
    "decode_frame",
    "encode_frame",
]

PROTOCOL = 1
LONGEST_LINE = 65_536  # bytes
LONGEST_WAIT = 86_400.0  # seconds that a refusal may ask for

_Count = Annotated[int, Meta(ge=0, le=10_000)]
_Seconds = Annotated[float, Meta(ge=0, le=LONGEST_WAIT)]
_Moment = Annotated[float, Meta(ge=0, le=1e12)]
_Rate = Annotated[float, Meta(gt=0, le=1e9)]
_Key = Annotated[str, Meta(max_length=128)]
_Time = Annotated[int, Meta(ge=0, le=2**53)]
_Many = Annotated[int, Meta(ge=0, le=2**53)]


class BadFrame(Exception):
    """A line that is no message of this protocol."""


class Welcome(msgspec.Struct, forbid_unknown_fields=True):
    """The first line of a governor.

    Args:
        governor: the version of the protocol.
        nonce: a random text, which the session proves its secret with.
    """

    governor: int
    nonce: Annotated[str, Meta(min_length=16, max_length=128)]


class Hello(msgspec.Struct, forbid_unknown_fields=True):
    """The first line of a session.

    Args:
        session: the version of the protocol.
        proof: the keyed hash of the nonce.
    """

    session: int
    proof: Annotated[str, Meta(max_length=128)]


class WindowReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A range that a query is to read, or a window of it that was read.

    Args:
        query: the fingerprint of the query without its range.
        from_ms: the first millisecond since 1970-01-01 UTC.
        to_ms: the first millisecond after it.
        rows: the number of its rows. Default: 0.
        requests: the number of searches that it took. Default: 0.
        proofs: the number of windows for each kind of proof. Default: none.
        source: a digest of the service and the user, whose windows are no others'. Default: none.
    """

    query: _Key
    from_ms: _Time
    to_ms: _Time
    rows: _Many = 0
    requests: _Many = 0
    proofs: dict[str, _Many] = {}
    source: _Key = ""


class SessionFrame(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What happened in a session.

    Args:
        ok: requests that were answered.
        done: permits of requests that are over.
        back: permits that were not used.
        ask: permits that are wanted.
        refused: when each refused request got its permit, and the wait that the service asked for (seconds).
        unavailable: the same moments of requests that were refused without a reason.
        closed: those of requests whose connection was closed.
        wait: the rest of a pause that began without the governor (seconds).
        announced: ranges that are to be read.
        read: windows that were read.
        ping: True to be answered.
    """

    ok: _Count = 0
    done: _Count = 0
    back: _Count = 0
    ask: _Count = 0
    refused: list[tuple[_Moment, _Seconds]] = msgspec.field(default_factory=list)
    unavailable: list[_Moment] = msgspec.field(default_factory=list)
    closed: list[_Moment] = msgspec.field(default_factory=list)
    wait: _Seconds = 0.0
    announced: list[WindowReport] = msgspec.field(default_factory=list)
    read: list[WindowReport] = msgspec.field(default_factory=list)
    ping: bool = False


class GovernorFrame(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What a governor says to one session.

    Args:
        at: when the message was sent (seconds of the governor's clock).
        go: permits, which were given before the pause of the same message.
        pause: the rest of a pause (seconds). 0 means that none began.
        heard: the number of waits of this session that the governor knows of by now.
        share: the requests per second of the session if the governor is gone.
        rate: the rate that the service is known to accept (requests per second). 0 means that it is not known.
        pong: True as the answer to a ping.
    """

    at: _Moment = 0.0
    go: _Count = 0
    pause: _Seconds = 0.0
    heard: _Count = 0
    share: _Rate | None = None
    rate: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    pong: bool = False


_Frame = TypeVar("_Frame", bound=msgspec.Struct)

_encoder = msgspec.json.Encoder()


def encode_frame(frame: msgspec.Struct) -> bytes:
    """Return a message as a line."""
    return _encoder.encode(frame) + b"\n"


def decode_frame(line: bytes, kind: type[_Frame]) -> _Frame:
    """Return the message of a line.

    Raises:
        BadFrame: the line is not a message of this kind.
    """
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The text of the line does not appear in the error, since it may come from anywhere.
        raise BadFrame(f"a line of {len(line)} bytes is not a {kind.__name__} of this protocol") from None
