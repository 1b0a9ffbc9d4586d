"""Throttling: a token bucket, and the answers to too many requests. The vendor documents no such answer."""

from __future__ import annotations

import http
import math
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from aioflows.emulator.gateway.options import Access
from aioflows.emulator.reply import Reply, json_reply, plain


def http_date(ms: float) -> str:
    """Return a time as an HTTP date, such as ``Sun, 06 Nov 1994 08:49:37 GMT`` (RFC 9110, 5.6.7)."""
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC), usegmt=True)


def _rfc850(ms: float) -> str:
    """Return a time in the obsolete form of RFC 850, such as ``Sunday, 06-Nov-94 08:49:37 GMT``."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%A, %d-%b-%y %H:%M:%S} GMT"


def _asctime(ms: float) -> str:
    """Return a time in the obsolete form of C's ``asctime``, such as ``Sun Nov  6 08:49:37 1994``."""
    return datetime.fromtimestamp(ms // 1000, UTC).ctime()


def _dated(form: Callable[[float], str]) -> Callable[[float, float], dict[str, str]]:
    return lambda _, until_ms: {"Retry-After": form(until_ms)}


def _quota(name: str, text: str) -> dict[str, str]:
    return {f"{name.removesuffix('-After').removesuffix('-Reset')}-Remaining": "0", name: text}


_WAITS: dict[str, tuple[int, Callable[[float, float], dict[str, str]]]] = {
    "seconds": (1000, lambda wait, _: {"Retry-After": f"{wait / 1000:.0f}"}),
    "decimals": (1, lambda wait, _: {"Retry-After": f"{wait / 1000:.3f}"}),
    "date": (1000, _dated(http_date)),
    "rfc850": (1000, _dated(_rfc850)),
    "asctime": (1000, _dated(_asctime)),
    "ms": (1, lambda wait, _: {"Retry-After-Ms": f"{wait:.0f}"}),
    "reset": (1000, lambda _, until: _quota("X-RateLimit-Reset", f"{until / 1000:.0f}")),
    "reset-ms": (1, lambda _, until: _quota("X-RateLimit-Reset", f"{until:.0f}")),
    "reset-delta": (1000, lambda wait, _: _quota("RateLimit-Reset", f"{wait / 1000:.0f}")),
    "reset-after": (1, lambda wait, _: _quota("X-RateLimit-Reset-After", f"{wait / 1000:.3f}")),
    "reset-list": (1000, lambda wait, _: {"RateLimit": f'"default";r=0;t={wait / 1000:.0f}'}),
}
"""The precision (ms) of each form of a wait, and its headers, made from the wait and from its end (ms)."""

_MOMENTS = ("date", "rfc850", "asctime", "reset", "reset-ms")
_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}


class Limiter:
    """A token bucket, which refills with time. Each request takes one token."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._level = float(access.burst)
        self._filled_ms: float | None = None
        self._storm_until_ms = -math.inf
        self._pause_until_ms = -math.inf

    def wait(self, now_ms: float) -> float:
        """Return the seconds by which a request comes too early. 0 means that the request passes."""
        if now_ms < self._storm_until_ms:
            return (self._storm_until_ms - now_ms) / 1000
        rate = self._access.rate
        if rate is None:
            return 0.0
        if self._filled_ms is not None:
            grown = self._level + max(0.0, now_ms - self._filled_ms) / 1000 * rate
            self._level = min(float(self._access.burst), grown)
        self._filled_ms = now_ms if self._filled_ms is None else max(now_ms, self._filled_ms)
        if self._level >= 1 - 1e-9:
            self._level -= 1
            return 0.0
        if self._access.count_refused:
            self._level = max(self._level - 1, -float(self._access.burst))
        return (1 - self._level) / rate

    def storm(self, seconds: float, now_ms: float) -> None:
        """Refuse every request for a number of seconds."""
        self._storm_until_ms = now_ms + seconds * 1000

    def early(self, now_ms: float) -> bool:
        """Return True if a request comes during a wait that an answer has named."""
        return now_ms < self._pause_until_ms

    def refusal(self, seconds: float, key: str, now_ms: float) -> Reply:
        """Return the answer to a request that comes too early, in the form that `Access.throttle` names."""
        form = self._access.throttle
        if form == "envelope":
            return json_reply(
                f'{{"{key}":{self._access.throttle_code},"msg":"too many requests","data":null}}'
            )
        if form in ("close", "reset"):
            return Reply(503, {}, b"", wire=form)
        status = int(form[:3])
        text = f"{status} {_PHRASES.get(status, 'Refused')}"
        if len(form) == 3:
            return plain(status, text)
        step, headers = _WAITS[form[4:]]
        # A wait that is too short would be answered with another refusal, so the end is rounded up to the step.
        begin = 0.0 if form[4:] in _MOMENTS else now_ms
        until_ms = begin + math.ceil((now_ms + seconds * 1000 - begin) / step - 1e-6) * step
        self._pause_until_ms = max(self._pause_until_ms, until_ms)
        return plain(status, text, **headers(until_ms - now_ms, until_ms))
