"""Too many requests: a token bucket, and the guises in which a gateway says so (the documentation names none)."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime

from aioflows.emulator.access import Access
from aioflows.emulator.reply import Reply, json_reply, plain


def http_date(ms: float) -> str:
    """An HTTP date, such as ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC), usegmt=True)


def _rfc850(ms: float) -> str:
    """The same as older servers write it, such as ``Sunday, 06-Nov-94 08:49:37 GMT``."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%A, %d-%b-%y %H:%M:%S} GMT"


def _asctime(ms: float) -> str:
    """The same as the oldest ones write it, such as ``Sun Nov  6 08:49:37 1994``."""
    return datetime.fromtimestamp(ms // 1000, UTC).ctime()


_DATES = {"date": http_date, "rfc850": _rfc850, "asctime": _asctime}


class Limiter:
    """A bucket that refills with time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._level = float(access.burst)
        self._filled_ms: float | None = None
        self._storm_until_ms = -math.inf
        self._pause_until_ms = -math.inf

    def wait(self, now_ms: float) -> float:
        """Seconds that a request comes too early; 0: it passes, and is counted."""
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
        return (1 - self._level) / rate

    def storm(self, seconds: float, now_ms: float) -> None:
        """Refuse everything for so long."""
        self._storm_until_ms = now_ms + seconds * 1000

    def early(self, now_ms: float) -> bool:
        """Whether a request comes within a wait that was named in an answer."""
        return now_ms < self._pause_until_ms

    def refusal(self, seconds: float, key: str, now_ms: float) -> Reply:
        """The answer to a request that comes too early, in the guise of this gateway."""
        guise = self._access.throttle
        if guise == "envelope":
            return json_reply(
                f'{{"{key}":{self._access.throttle_code},"msg":"too many requests","data":null}}'
            )
        status = int(guise[:3])
        text = "429 Too Many Requests" if status == 429 else "503 Service Unavailable"
        form = _DATES.get(guise[4:])
        if form is not None:
            date_ms = math.ceil((now_ms + seconds * 1000) / 1000) * 1000
            self._pause_until_ms = max(self._pause_until_ms, date_ms)
            return plain(status, text, **{"Retry-After": form(date_ms)})
        if guise.endswith("-seconds"):
            whole = math.ceil(seconds - 1e-9)
            self._pause_until_ms = max(self._pause_until_ms, now_ms + whole * 1000)
            return plain(status, text, **{"Retry-After": str(whole)})
        return plain(status, text)
