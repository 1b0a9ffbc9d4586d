"""The access token: its renewal, and the signatures made with it.

1. At most one renewal is under way. All requests that need a new token wait for the same one.
2. A token has a generation. A refused request reports the generation that it used. So sixteen requests that
   meet the expiry of one token cause one renewal, and a request that meets two expiries is not taken for one
   without rights.
3. Timestamps are in the service's time. If the local clock is wrong, the ``Date`` of answers corrects it.

Source: https://support.envisioniot.com/docs/api/en/latest/api_authentication.html.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import takewhile
from operator import eq
from typing import Final

from aioflows._core.wire.responses import Token
from aioflows._core.wire.signing import encryption, signature, signed_text
from aioflows._display.secret import STARS, Secret
from aioflows._net.observers import Observers
from aioflows._net.single_flight import SingleFlight
from aioflows._net.transport import Request, SecretHeaders
from aioflows.errors import AioflowsError, AnswerError, ServiceError
from aioflows.events import TokenRenewed
from aioflows.settings import AppKey

__all__ = ["AccessTokens", "Fetch"]

Fetch = Callable[[Callable[[], Request]], Awaitable[Token]]
"""Sends a token request, which is made anew for each attempt so that its timestamp is current."""

_TOLERANCE: Final = 5.0
_LONGEST_LIFE: Final = 30 * 86_400.0
_LIFE_IF_UNKNOWN: Final = 60.0
_LONGEST_MARGIN: Final = 60.0
_RECOGNIZED: Final = 8  # characters


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class AccessTokens:
    """The access tokens of one application: signs requests and renews the token.

    Args:
        key: the application's keys. None means that the gateway asks for none, and requests are not signed.
        base_url: the scheme, host and port of the gateway, and the path below which it stands.
        now: returns the local time (seconds since 1970-01-01 UTC).
        clock: returns a monotonic time (seconds). Default: the running loop's.
        watch: receives an event for each new token.
        secrets: further texts that no error may show. Default: none.
    """

    def __init__(
        self,
        key: AppKey | None,
        base_url: str,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = _loop_time,
        watch: Observers | None = None,
        secrets: Collection[str] = (),
    ) -> None:
        self.generation = 0
        """The number of the token in use; 0 before the first."""
        self.offset = 0.0
        """Seconds by which the service's clock is ahead of the local one; 0 while they agree."""
        self._key = key
        self._url = f"{base_url}/apim-token-service/v2.0/token/"
        self._now = now
        self._clock = clock
        self._watch = watch or Observers()
        self._secrets = tuple(map(Secret, secrets))
        self._token = ""
        self._refused = False  # the service called the token in use expired
        self._accepted = 0  # the last generation that the service accepted
        self._expires = self._renew_from = 0.0
        self._last_stamp = 0
        self._requested_at = 0.0
        self._renewal: SingleFlight[None] | None = None

    @property
    def needed(self) -> bool:
        """True if requests are signed."""
        return self._key is not None

    async def ensure(self, fetch: Fetch) -> None:
        """Return when there is a valid token. Fetch one if there is none, or if it is about to expire.

        Raises:
            AioflowsError: the error of *fetch*. Each caller gets a copy.
        """
        if self._key is None or (self._token and not self._refused and self._clock() < self._renew_from):
            return
        if self._renewal is None or self._renewal.over:
            self._renewal = SingleFlight(self._renew(fetch), "aioflows token renewal")
        await self._renewal.wait()

    def headers(
        self, query: Iterable[tuple[str, str]], body: bytes | None, *, insist: bool = False
    ) -> SecretHeaders | None:
        """Return the headers that sign a request.

        Return None if the token has expired, unless *insist* is set.
        """
        if self._key is None:
            return SecretHeaders()
        if not insist and (self._refused or self._clock() >= self._expires):
            return None
        stamp = self._milliseconds()
        signed = signed_text(query, body)
        return SecretHeaders(
            {
                "apim-accesstoken": self._token,
                "apim-signature": signature(self._token, signed, stamp, self._key.secret_key),
                "apim-timestamp": str(stamp),
            }
        )

    def accepted(self, generation: int) -> None:
        """Record that a request with this token was not refused for the token."""
        self._accepted = max(self._accepted, generation)

    def is_proven(self, generation: int) -> bool:
        """Return True if the service may have accepted this token before.

        Then a refusal means only that it expired.
        """
        return generation <= self._accepted

    def refused(self, generation: int) -> None:
        """Record that the service calls this token expired.

        The next `ensure` renews it, unless it was renewed.
        """
        if generation == self.generation:
            self._refused = True

    def local_time(self) -> float:
        """Return the local time in seconds since 1970-01-01 UTC, for `adjust_clock`."""
        return self._now()

    def adjust_clock(self, date: str | None, sent: float) -> None:
        """Compare the clocks by the ``Date`` of an answer.

        Args:
            date: the ``Date`` header of the answer. None means that it has none.
            sent: the local time at which the request was sent (seconds since 1970-01-01 UTC).
        """
        said = _instant(date)
        if said is None:
            return
        # The date was written between sending and now, in whole seconds, rounded down (RFC 9110, section
        # 5.6.7).
        ahead = max(0.0, said - self._now()) + min(0.0, said + 1 - sent)
        self.offset = ahead if abs(ahead) > _TOLERANCE else 0.0

    async def _renew(self, fetch: Fetch) -> None:
        old = self._token
        try:
            token = await fetch(self._request_maker("get"))
            if self._refused and token.access_token == old:
                token = await self._refresh(fetch, old)
        except AioflowsError:
            if not old or self._refused or self._clock() >= self._expires:
                raise
            # The renewal was early, so the old token is used until it expires.
            self._renew_from = self._expires
        else:
            self._take(token)

    async def _refresh(self, fetch: Fetch, old: str) -> Token:
        """Return a token other than *old*, which the service calls expired and still returns."""
        try:
            token = await fetch(self._request_maker("refresh", accessToken=old))
        except (ServiceError, AnswerError):  # 1204 means that the refresh failed
            token = None
        if token is None or token.access_token == old:
            token = await fetch(self._request_maker("get"))
        return token

    def _request_maker(self, action: str, **members: str) -> Callable[[], Request]:
        key = self._key
        if key is None:
            raise RuntimeError("requests are not signed, so there is no token to ask for")

        def make() -> Request:
            stamp = self._milliseconds()
            # Stamps must differ, because 1001 is "repeated request with the same encryption". A stamp that is
            # far behind the last one means that the clock was corrected.
            if 0 <= self._last_stamp - stamp < 1000:
                stamp = self._last_stamp + 1
            self._last_stamp = stamp
            self._requested_at = self._clock()
            proof = encryption(key.access_key, stamp, key.secret_key)
            body = {"appKey": key.access_key, "encryption": proof, "timestamp": stamp, **members}
            return Request("POST", self._url + action, (), json.dumps(body).encode(), f"token/{action}")

        return make

    def _take(self, token: Token) -> None:
        # A renewal before the expiry may return the same token. Then the token is used until it expires.
        margin = 0.0 if token.access_token == self._token else _LONGEST_MARGIN
        life = min(token.expire_seconds if token.expire_seconds > 0 else _LIFE_IF_UNKNOWN, _LONGEST_LIFE)
        self._expires = self._requested_at + life
        self._renew_from = self._expires - min(margin, life / 10)
        self._token = token.access_token
        self._refused = False
        self.generation += 1
        if self._watch.wanted(TokenRenewed):
            self._watch.emit(TokenRenewed(generation=self.generation, life=life))

    def _milliseconds(self) -> int:
        return int((self._now() + self.offset) * 1000)

    def redact(self, error: AioflowsError) -> None:
        """Remove all secrets from an error. Debug pages of a service may repeat them."""
        key = self._key
        keys = () if key is None else (key.access_key, key.secret_key, self._token)
        secrets = (*keys, *(secret.reveal() for secret in self._secrets))
        error.args = tuple(_without(secrets, value) for value in error.args)
        for name, value in vars(error).items():
            setattr(error, name, _without(secrets, value))

    def __repr__(self) -> str:
        state = (
            "not needed"
            if self._key is None
            else f"token {self.generation}"
            if self._token
            else "no token yet"
        )
        renewing = self._renewal is not None and not self._renewal.over
        return f"<AccessTokens {state}{', renewing' if renewing else ''}>"


def _without(secrets: Iterable[str], value: object) -> object:
    """Return a text without these secrets, and without the beginning of a secret that was cut off."""
    if not isinstance(value, str):
        return value
    for secret in secrets:
        # Real secrets are longer. A shorter one, as in tests, may be an ordinary word.
        while len(secret) >= _RECOGNIZED and (at := value.find(secret[:_RECOGNIZED])) >= 0:
            value = value[:at] + STARS + value[at + _shared(value[at:], secret) :]
    return value


def _shared(one: str, other: str) -> int:
    """Return the length of the common beginning of two texts."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def _instant(date: str | None) -> float | None:
    try:
        when = parsedate_to_datetime(date or "")
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    # The asctime form is parsed without a zone, and means UTC (RFC 9110, section 5.6.7).
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
