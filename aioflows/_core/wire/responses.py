"""Answers, understood: first how HTTP puts it, then the envelope, then the payload.

`decipher` is for all of them, and gives the body of an answer that may be read; the ``read_*`` functions, and
`aioflows._core.wire.search.read_search`, read one payload each. Whether to ask again is decided elsewhere, by the error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

import attrs
import msgspec

from aioflows._core.wire.codec import Rows, flow_instances
from aioflows._core.wire.envelope import (
    BOM,
    Envelope,
    check,
    code_of,
    excerpt,
    opened,
    refusal,
    understood,
    words,
)
from aioflows._core.wire.retry_after import wait_named
from aioflows._core.wire.rows import naive_times
from aioflows._core.wire.zone import Zone
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    QueryError,
    ServerFault,
    ServiceError,
    Throttled,
    TokenExpired,
)
from aioflows.models import FlowInstance

__all__ = [
    "Token",
    "decipher",
    "read_instance",
    "read_time",
    "read_timezone",
    "read_token",
    "read_zone",
]

_START = 4096  # bytes; a refusal is no longer than that, and of what is longer no more is quoted
_ROWS = b'"flowInsts"'
_LONGEST_LIFE = 30 * 86_400.0  # seconds
_NO_CONTENT = 204
_NOTHING = b'{"code":0}'
_FINAL = {501, 505, 511}  # the server says that it never will
_OF_THE_REQUEST = {
    62102,
    62104,
    1001,
    1004,
    1202,
    1204,
}  # documented, and no wait changes what they are about


# HTTP


def decipher(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    throttle_codes: Collection[int] = (),
    now: float | None = None,
    *,
    resets: bool = True,
) -> bytes:
    """Return the body of an answer that may be read, or raise what the answer means.

    Any refusal, 4xx or 5xx, that asks to wait (`aioflows._core.wire.retry_after`) is `Throttled`, whatever its status: gateways say
    "too many" by 403, 420, 425 and 430 as well as by 429 and 503. Without a wait 403 and 401 mean the token, and the others
    what they say. One thing outweighs a header: a code of the envelope that is about the request, since who is denied today
    is denied after a wait as well. So 62101 and 62103 stay `Denied`, 1203 the expired token, and 1004 what was wrong.

    Args:
        status: the HTTP *status*.
        headers: the *headers*, by case-insensitive name.
        body: the *bytes*, decompressed.
        throttle_codes: envelope *codes* that mean "too many requests".
        now: the time, in *seconds* since the epoch, for an answer that does not say when it was sent.
        resets: whether a reset header says anything where nothing says how much remains.

    Raises:
        ServiceError: the gateway or the service said no; its class says how.
        AnswerError: this is no answer of theirs.
        BrokenBody: the answer ends too early.
    """
    if status == 200:
        # A long answer with rows is read once, by `read_search`, which checks the envelope as it passes.
        if len(body) <= _START or _ROWS not in body[:_START]:
            envelope = opened(body)
            code = code_of(envelope)
            if code:
                wait = wait_named(headers, now, resets=resets) if code in throttle_codes else None
                raise refusal(code, words(envelope), throttle_codes, wait)
        return body
    if status == _NO_CONTENT and not body:
        # "The request was successful, and there is no content" (RFC 9110, section 15.3.5): with this, services answer that
        # write `ResponseEntity.noContent()` where a search finds nothing. Where data is due, its reader misses it.
        return _NOTHING
    if 300 <= status < 400:
        raise AnswerError(f"HTTP {status}: a redirect{_target(headers)} is refused")
    if not 400 <= status < 600:
        raise AnswerError(f"HTTP {status} where 200 is due")
    raise _refused(status, body, throttle_codes, wait_named(headers, now, resets=resets))


def _target(headers: Mapping[str, str]) -> str:
    # Nothing but the origin: a query may hold a secret, and so may a user name.
    try:
        parts = urlsplit(headers.get("Location", ""))
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return ""
    return (
        f" to {excerpt(f'{parts.scheme}://{parts.hostname}{port}')}"
        if parts.hostname and parts.scheme
        else ""
    )


def _refused(status: int, body: bytes, throttle_codes: Collection[int], wait: float | None) -> ServiceError:
    code, message = _said(body, status, throttle_codes)
    error = refusal(code, message, throttle_codes, wait)
    throttled = status == 429 or (wait is not None and code not in _OF_THE_REQUEST)
    if type(error) is not ServiceError and not (throttled and isinstance(error, ServerFault)):
        return error  # the envelope says more than the status does
    if throttled:
        return Throttled(code, message, wait)
    if status in (401, 403):
        return TokenExpired(code, message)
    if status == 408 or (status >= 500 and status not in _FINAL):
        return ServerFault(code, message)
    return ServiceError(code, message)


def _said(body: bytes, status: int, throttle_codes: Collection[int]) -> tuple[int, str]:
    """Return the code and words of an answer that is a refusal, its HTTP status being one."""
    try:
        envelope = opened(body)
        code = code_of(envelope)
    except AioflowsError:
        code = None
    # Spring and most gateways repeat the HTTP status in a member called "status" or "code"; that is no envelope.
    if not code or (100 <= code < 600 and code not in throttle_codes):
        return status, excerpt(body[:_START].decode(errors="replace"))
    return code, words(envelope)


# Payloads


class _Answer(Envelope):
    data: Any = None


_answer = msgspec.json.Decoder(_Answer)


def _payload(body: bytes) -> Any:
    answer = understood(_answer, body.removeprefix(BOM))
    check(answer)
    data = answer.data
    if data is None:
        raise AnswerError("there is no data", "$.data")
    return data


def read_instance(body: bytes, zone: Zone) -> FlowInstance:
    """Read the answer to "Get Flow Instance".

    Args:
        body: the *bytes* of the answer.
        zone: the *zone* that its times are in.
    """
    row: Any = _payload(body)
    if not isinstance(row, dict):
        raise AnswerError(f"expected a flow instance, got {type(row).__name__}", "$.data")
    if row.get("instanceId") in (None, ""):
        raise AnswerError("there is no id", "$.data.instanceId")
    trigger: Any = row.get("triggerTime")
    try:
        times = zone.aware(naive_times([trigger]))
    except ValueError:
        raise AnswerError(f"{trigger!r:.60} is no time", "$.data.triggerTime") from None
    (instance,) = flow_instances(Rows(times, zone.epoch, loose=[row], paths=["$.data"]))
    return instance


def read_timezone(body: bytes) -> str:
    """Read the answer to "Get Timezone": a text such as ``GMT+8``."""
    data = _payload(body)
    name = data.get("timezone") if isinstance(data, dict) else data
    if not isinstance(name, str) or not name.strip():
        raise AnswerError(f"{name!r:.60} is no time zone", "$.data.timezone")
    return name.strip()


def read_zone(body: bytes) -> Zone:
    """Read the answer to "Get Timezone", and understand it."""
    name = read_timezone(body)
    try:
        return Zone.parse(name)
    except QueryError:
        problem = (
            f"{excerpt(name)!r} is no time zone that is known here; give FlowSession(server_timezone=...)"
        )
        raise AnswerError(problem, "$.data.timezone") from None


def read_time(body: bytes) -> int:
    """Read the answer to "Get Current Time": milliseconds since the epoch."""
    data = _payload(body)
    if isinstance(data, str) and re.fullmatch(r"[0-9]{1,18}", data):
        data = int(data)
    # Until 2286, as for the times that can be asked for.
    if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data < 10**13:
        raise AnswerError(f"{data!r:.60} is no time in milliseconds", "$.data")
    return data


@attrs.frozen
class Token:
    """An access token.

    Args:
        access_token: the *text* to send.
        expire_seconds: how long it lives, in *seconds* from when it was answered, 0 to 30 days; 0: nobody knows.
    """

    access_token: str = attrs.field(repr=False)
    expire_seconds: float


def read_token(body: bytes) -> Token:
    """Read the answer to a token request, by its data: the vendor's example misspells the envelope around it."""
    data = _payload(body)
    text = data.get("accessToken") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.isprintable() or not text.strip():
        raise AnswerError(
            "there is no access token", "$.data.accessToken"
        )  # without what stands there instead
    return Token(text.strip(), _life(data.get("expire")))


def _life(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_LIFE) if math.isfinite(seconds) else 0.0
