"""The meaning of an answer: first by its HTTP status, then by its envelope, then by its payload.

`decipher` serves all operations and returns the body of an answer that may be read. The ``read_*`` functions
and `aioflows._core.wire.search.read_search` read one payload each. The retry policy decides by the error
whether to ask again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from functools import partial
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
    decode,
    error_text,
    excerpt,
    parse_envelope,
    refusal,
)
from aioflows._core.wire.retry_after import wait_named
from aioflows._core.wire.zone import Zone
from aioflows._moments import in_utc, moment
from aioflows.errors import (
    AioflowsError,
    AnswerError,
    NotFound,
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
    "not_found",
    "read_instance",
    "read_time",
    "read_timezone",
    "read_token",
    "read_zone",
]

_START = 4096  # bytes; a refusal is not longer, and no more of a body is quoted
_ROWS = b'"flowInsts"'
_LONGEST_LIFE = 30 * 86_400.0  # seconds
_NO_CONTENT = 204
_NOTHING = b'{"code":0}'
_FINAL = {501, 505, 511}  # the server will never answer this request
_OF_THE_REQUEST = {62102, 62104, 1001, 1004, 1202, 1204}
"""The documented codes about the request, which waiting does not change."""
_HTTP_NOT_FOUND = 404
_NO_SUCH_INSTANCE = 62104
_UNKNOWN_ID = re.compile(
    r"(do(es)?|did) ?n[o']t exist|not exist|not found|no such|不存在|未找到", re.IGNORECASE
)


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
    """Return the body of an answer that may be read, or raise the error that the answer means.

    A refusal, 4xx or 5xx, that asks to wait (`aioflows._core.wire.retry_after`) is `Throttled`, whatever its
    status. Gateways report "too many requests" by 403, 420, 425 and 430 as well as by 429 and 503. Without a
    wait, 401 and 403 mean the token, and other statuses keep their meaning. An envelope's code about the
    request goes before the header, since waiting does not change it. So 62101 and 62103 stay `Denied`, 1203
    the expired token, and 1004 an invalid request.

    Args:
        status: the HTTP status.
        headers: the headers, by case-insensitive name.
        body: the decompressed body.
        throttle_codes: envelope codes that mean "too many requests". Default: none.
        now: the time for an answer without a ``Date`` (s since the epoch). Default: None, which means
            unknown.
        resets: True if a reset header counts when no header reports the remaining quota. Default: True.

    Raises:
        ServiceError: the gateway or the service refused. The class shows the kind of refusal.
        AnswerError: this is not an answer of the service or the gateway.
        BrokenBody: the answer ends too early.
    """
    if status == 200:
        # A long answer with rows is parsed only once, by `read_search`, which also checks its envelope.
        if len(body) <= _START or _ROWS not in body[:_START]:
            envelope = parse_envelope(body)
            code = code_of(envelope)
            if code:
                wait = wait_named(headers, now, resets=resets) if code in throttle_codes else None
                raise refusal(code, error_text(envelope), throttle_codes, wait)
        return body
    if status == _NO_CONTENT and not body:
        # "The request was successful, and there is no content" (RFC 9110, section 15.3.5). Services send it
        # that return `ResponseEntity.noContent()` for an empty search. A reader that needs data raises its
        # own error.
        return _NOTHING
    if 300 <= status < 400:
        raise AnswerError(f"HTTP {status}: a redirect{_target(headers)} is refused")
    if not 400 <= status < 600:
        raise AnswerError(f"HTTP {status} instead of 200")
    raise _refused(status, body, throttle_codes, wait_named(headers, now, resets=resets))


def _target(headers: Mapping[str, str]) -> str:
    # Only the origin is quoted, since a query or a user name may hold a secret.
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
    code, message = _code_and_message(body, status, throttle_codes)
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


def _code_and_message(body: bytes, status: int, throttle_codes: Collection[int]) -> tuple[int, str]:
    """Return the code and the message of an answer with an HTTP error status."""
    try:
        envelope = parse_envelope(body)
        code = code_of(envelope)
    except AioflowsError:
        code = None
    # Spring and most gateways repeat the HTTP status in a member "status" or "code". Such a body is not an
    # envelope.
    if not code or (100 <= code < 600 and code not in throttle_codes):
        return status, excerpt(body[:_START].decode(errors="replace"))
    return code, error_text(envelope)


# Payloads


class _Answer(Envelope):
    data: Any = None


_answer = msgspec.json.Decoder(_Answer)


def _data(body: bytes) -> Any:
    answer = decode(_answer, body.removeprefix(BOM))
    check(answer)
    return answer.data


def _payload(body: bytes) -> Any:
    data = _data(body)
    if data is None:
        raise AnswerError("there is no data", "$.data")
    return data


def read_instance(body: bytes, zone: Zone, offset: Sequence[int] | None = None) -> FlowInstance:
    """Return the flow instance of an answer to "Get Flow Instance".

    Args:
        body: the body of the answer.
        zone: the zone of its times.
        offset: the offset in force when it was triggered (s east of Greenwich). Default: None, unknown.

    Raises:
        NotFound: the answer holds no instance.
        AnswerError: it holds something else.
    """
    row: Any = _data(body)
    if not row or (isinstance(row, dict) and not any(row.values())):
        raise NotFound(0, "the service answers without a flow instance, so it has none with this id")
    if not isinstance(row, dict):
        raise AnswerError(f"expected a flow instance, got {type(row).__name__}", "$.data")
    if row.get("instanceId") in (None, ""):
        raise AnswerError("there is no id", "$.data.instanceId")
    trigger = moment(row.get("triggerTime"))
    instant = in_utc(trigger) if trigger is not None and trigger.tzinfo is not None else None
    if trigger is None or (trigger.tzinfo is not None and instant is None):
        raise AnswerError(f"{row.get('triggerTime')!r:.60} is not a time", "$.data.triggerTime")
    if instant is not None:  # it says the instant, whatever the zone is
        trigger = zone.shown_at(instant).replace(tzinfo=None, fold=0)
        offset = [int((trigger - instant).total_seconds())]
    walls = [trigger]
    times = zone.aware(walls, offset)
    date = None if zone.clocks is None else partial(zone.clocks.date, walls=walls, zone=zone, offset=offset)
    (instance,) = flow_instances(Rows(times, zone.epoch, loose=[row], paths=["$.data"], date=date))
    return instance


def not_found(error: ServiceError, url: str) -> NotFound | None:
    """Return the error for an unknown id if a refusal of "Get Flow Instance" means one.

    The documentation names no code for it. Services use a code of their own, with words, or HTTP 404.

    Args:
        error: the refusal.
        url: the address of the request, for the message.
    """
    if isinstance(error, NotFound):
        return error
    if type(error) is not ServiceError:
        return None
    if error.code == _HTTP_NOT_FOUND:
        words = f"HTTP 404: there is no flow instance with this id, or no service at {url}"
        return NotFound(error.code, words)
    known = error.code == _NO_SUCH_INSTANCE or _UNKNOWN_ID.search(error.message)
    return NotFound(error.code, error.message) if known else None


def read_timezone(body: bytes) -> str:
    """Return the zone of an answer to "Get Timezone", as a text such as ``GMT+8``."""
    data = _payload(body)
    name = data.get("timezone") if isinstance(data, dict) else data
    if not isinstance(name, str) or not name.strip():
        raise AnswerError(f"{name!r:.60} is not a time zone", "$.data.timezone")
    return name.strip()


def read_zone(body: bytes) -> Zone:
    """Return the zone of an answer to "Get Timezone"."""
    name = read_timezone(body)
    try:
        return Zone.parse(name)
    except QueryError:
        problem = f"{excerpt(name)!r} is not a known time zone; give FlowSession(server_timezone=...)"
        raise AnswerError(problem, "$.data.timezone") from None


def read_time(body: bytes) -> int:
    """Return the time of an answer to "Get Current Time" (ms since the epoch)."""
    data = _payload(body)
    if isinstance(data, str) and re.fullmatch(r"[0-9]{1,18}", data):
        data = int(data)
    # The limit is in 2286, the same as for times in a query.
    if isinstance(data, bool) or not isinstance(data, int) or not 0 <= data < 10**13:
        raise AnswerError(f"{data!r:.60} is not a time in milliseconds", "$.data")
    return data


@attrs.frozen
class Token:
    """An access token.

    Args:
        access_token: the text to send.
        expire_seconds: its lifetime from the answer on (s), 0 to 30 days. 0 means unknown.
    """

    access_token: str = attrs.field(repr=False)
    expire_seconds: float


def read_token(body: bytes) -> Token:
    """Return the token of a token answer, by its data, since the vendor's example misspells the envelope."""
    data = _payload(body)
    text = data.get("accessToken") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.isprintable() or not text.strip():
        raise AnswerError(
            "there is no access token", "$.data.accessToken"
        )  # the message does not quote the value
    return Token(text.strip(), _life(data.get("expire")))


def _life(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), _LONGEST_LIFE) if math.isfinite(seconds) else 0.0
