"""The access token, its renewal, and what is signed with it.

1. There is one renewal at a time, and it belongs to all who wait for it.
2. A token has a generation. Who was refused says with which, so that the sixteen requests that meet the end of one token
   ask for one new one, and a request that meets the end of two is not mistaken for one without rights.
3. Timestamps are the service's time: where the local clock is off, by what its answers say.

Source: https://support.envisioniot.com/docs/api/en/latest/api_authentication.html.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import takewhile
from operator import eq
from typing import Final

from aioflows._core.wire.responses import Token
from aioflows._core.wire.signing import encryption, signature, signed_text
from aioflows._display.secret import STARS
from aioflows._net.observers import Observers
from aioflows._net.single_flight import SingleFlight
from aioflows._net.transport import Request, SecretHeaders
from aioflows.errors import AioflowsError, AnswerError, ServiceError
from aioflows.events import TokenRenewed
from aioflows.settings import AppKey

__all__ = ["AccessTokens", "Fetch"]

Fetch = Callable[[Callable[[], Request]], Awaitable[Token]]
"""Sends a token request, made anew for each attempt so that it bears the time of its sending."""

_TOLERANCE: Final = 5.0
_LONGEST_LIFE: Final = 30 * 86_400.0
_LIFE_IF_UNKNOWN: Final = 60.0
_LONGEST_MARGIN: Final = 60.0
_RECOGNIZED: Final = 8  # characters


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class AccessTokens:
    """Signs requests as an application, and keeps the access token for it alive.

    Args:
        key: the application's *keys*; None: the gateway asks for none, and nothing is signed.
        base_url: *scheme, host and port* of the gateway.
        now: gives the *local time* in seconds since 1970-01-01 UTC.
        clock: gives a *time* in seconds that no one sets; the running loop's by default.
        watch: is told of each new token.
    """

    def __init__(
        self,
        key: AppKey | None,
        base_url: str,
        *,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = _loop_time,
        watch: Observers | None = None,
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
        self._token = ""
        self._refused = False  # the service has called the token in use expired
        self._accepted = 0  # the last generation that the service has taken
        self._dies = self._renew_from = 0.0
        self._last_stamp = 0
        self._asked_at = 0.0
        self._renewal: SingleFlight[None] | None = None

    @property
    def needed(self) -> bool:
        """Whether requests are signed at all."""
        return self._key is not None

    async def ensure(self, fetch: Fetch) -> None:
        """Returns when there is a token that lives; has one fetched if there is none, or it is about to die.

        Raises:
            AioflowsError: whatever *fetch* raises; each caller gets a copy.
        """
        if self._key is None or (self._token and not self._refused and self._clock() < self._renew_from):
            return
        if self._renewal is None or self._renewal.over:
            self._renewal = SingleFlight(self._renew(fetch), "aioflows token renewal")
        await self._renewal.wait()

    def headers(
        self, query: Iterable[tuple[str, str]], body: bytes | None, *, insist: bool = False
    ) -> SecretHeaders | None:
        """Signs a request that is about to be sent; None if the token has died, unless *insist* is set."""
        if self._key is None:
            return SecretHeaders()
        if not insist and (self._refused or self._clock() >= self._dies):
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
        """Notes that a request with this token has come to another end than its refusal."""
        self._accepted = max(self._accepted, generation)

    def is_proven(self, generation: int) -> bool:
        """Whether the service may ever have taken this token, so that a refusal means no more than its age."""
        return generation <= self._accepted

    def refused(self, generation: int) -> None:
        """Notes that the service calls this token expired; the next `ensure` renews it, unless that is done."""
        if generation == self.generation:
            self._refused = True

    def local_time(self) -> float:
        """Gives the local time in seconds since 1970-01-01 UTC, as `heard` wants it."""
        return self._now()

    def heard(self, date: str | None, sent: float) -> None:
        """Compares the clocks by the ``Date`` of an answer to a request that was sent at a local time."""
        said = _instant(date)
        if said is None:
            return
        # It was written between sending and now, in whole seconds with the rest cut off (RFC 9110, section 5.6.7).
        ahead = max(0.0, said - self._now()) + min(0.0, said + 1 - sent)
        self.offset = ahead if abs(ahead) > _TOLERANCE else 0.0

    async def _renew(self, fetch: Fetch) -> None:
        old = self._token
        try:
            token = await fetch(self._maker("get"))
            if self._refused and token.access_token == old:
                token = await self._another(fetch, old)
        except AioflowsError:
            if not old or self._refused or self._clock() >= self._dies:
                raise
            self._renew_from = self._dies  # it was early to ask: the old one may serve as long as it lives
        else:
            self._take(token)

    async def _another(self, fetch: Fetch, old: str) -> Token:
        """Insists on a new token: the service calls *old* expired, and still hands it out."""
        try:
            token = await fetch(self._maker("refresh", accessToken=old))
        except (ServiceError, AnswerError):  # 1204: refreshing the token failed
            token = None
        if token is None or token.access_token == old:
            token = await fetch(self._maker("get"))
        return token

    def _maker(self, action: str, **members: str) -> Callable[[], Request]:
        key = self._key
        if key is None:
            raise RuntimeError("nothing is signed, so there is no token to ask for")

        def make() -> Request:
            stamp = self._milliseconds()
            # Another one each time: 1001 is "repeated request with the same encryption". Far behind the last one is
            # a clock that was set right, though.
            if 0 <= self._last_stamp - stamp < 1000:
                stamp = self._last_stamp + 1
            self._last_stamp = stamp
            self._asked_at = self._clock()
            proof = encryption(key.access_key, stamp, key.secret_key)
            body = {"appKey": key.access_key, "encryption": proof, "timestamp": stamp, **members}
            return Request("POST", self._url + action, (), json.dumps(body).encode(), f"token/{action}")

        return make

    def _take(self, token: Token) -> None:
        # Asking for a token before the old one died may give the old one again. Then it is used to its end.
        margin = 0.0 if token.access_token == self._token else _LONGEST_MARGIN
        life = min(token.expire_seconds if token.expire_seconds > 0 else _LIFE_IF_UNKNOWN, _LONGEST_LIFE)
        self._dies = self._asked_at + life
        self._renew_from = self._dies - min(margin, life / 10)
        self._token = token.access_token
        self._refused = False
        self.generation += 1
        if self._watch.wanted(TokenRenewed):
            self._watch.tell(TokenRenewed(generation=self.generation, life=life))

    def _milliseconds(self) -> int:
        return int((self._now() + self.offset) * 1000)

    def censor(self, error: AioflowsError) -> None:
        """Cuts out of an error what the other side has repeated of the keys and the token, as debug pages do."""
        if self._key is None:
            return
        secrets = (self._key.access_key, self._key.secret_key, self._token)
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
        return f"<Credentials {state}{', renewing' if renewing else ''}>"


def _without(secrets: Iterable[str], value: object) -> object:
    """Gives a text without these, nor with the beginning of one that was cut off."""
    if not isinstance(value, str):
        return value
    for secret in secrets:
        # A shorter one is nobody's real one, and may be an ordinary word.
        while len(secret) >= _RECOGNIZED and (at := value.find(secret[:_RECOGNIZED])) >= 0:
            value = value[:at] + STARS + value[at + _shared(value[at:], secret) :]
    return value


def _shared(one: str, other: str) -> int:
    """Tells how many characters two texts begin with in common."""
    return sum(1 for _ in takewhile(bool, map(eq, one, other)))


def _instant(date: str | None) -> float | None:
    try:
        when = parsedate_to_datetime(date or "")
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    # The oldest of the three forms comes out without a zone, and means UTC (RFC 9110, section 5.6.7).
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
