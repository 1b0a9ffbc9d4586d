"""The gateway in front of the service: tokens and signatures (EnOS, "API authentication").

The gateway does not depend on the service. A request passes, or is refused with one of the gateway's codes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping

import attrs

from aioflows.emulator.gateway.options import Access
from aioflows.emulator.reply import Reply, json_reply, plain
from aioflows.emulator.service.search import EMPTY_PARAMETER, ILLEGAL_PARAMETER, Refusal

REPEATED, NO_SUCH_KEY, BAD_ENCRYPTION = 1001, 1002, 1003
EXPIRED, REFRESH_FAILED = 1203, 1204

TOKEN_PATHS = {
    "/apim-token-service/v2.0/token/get": "token",
    "/apim-token-service/v2.0/token/refresh": "refresh",
}
_MOST_ENCRYPTIONS = 100_000


def encryption(app_key: str, timestamp: str, app_secret: str) -> str:
    """Return the proof in a token request: ``sha256hex(appKey + timestamp + appSecret)``, in lower case."""
    return hashlib.sha256(f"{app_key}{timestamp}{app_secret}".encode()).hexdigest()


def signature(
    token: str, query: Iterable[tuple[str, str]], body: bytes, timestamp: str, app_secret: str
) -> str:
    """Return the signature of any other request.

    The signature is a SHA-256 of the token, the parameters, the body as sent, the timestamp and the secret. The
    parameters are sorted by name in ASCII order, and each name is followed by its value. The documentation
    does not mention percent-encoding; the emulator signs the decoded values.
    """
    parameters = "".join(name + value for name, value in sorted(query, key=lambda pair: pair[0]))
    return hashlib.sha256(
        f"{token}{parameters}".encode() + body + f"{timestamp}{app_secret}".encode()
    ).hexdigest()


@attrs.define
class _Token:
    text: str
    dies_ms: float
    uses_left: int | None


class Gateway:
    """A gateway that issues tokens and checks requests.

    Args:
        access: the requirements.
        seed: the seed of the tokens.
    """

    def __init__(self, access: Access, seed: int) -> None:
        self._access = access
        self._seed = seed
        self._token: _Token | None = None
        self._issued: set[str] = set()
        self._encryptions: dict[str, None] = {}

    # Tokens

    def token(self, operation: str, body: bytes, now_ms: int) -> Reply:
        """Return the answer to a request for a token, or for its refresh."""
        try:
            asked = self._read_request(body, now_ms)
            if operation == "refresh":
                self._revoke(asked.get("accessToken"), now_ms)
            token = self._current(now_ms)
        except Refusal as refusal:
            return self._answer(refusal.code, refusal.message, "null")
        expire = self._access.claimed_expire
        if expire is None:
            expire = max(0, int(token.dies_ms - now_ms) // 1000)
        data = json.dumps({"accessToken": token.text, "expire": expire})
        return self._answer(0, "SUCCESS", data)

    def expire_tokens(self) -> None:
        """Expire the current token now."""
        self._token = None

    def _answer(self, code: int, message: str, data: str) -> Reply:
        # The example in the vendor's "API authentication" misspells the member as "stauts".
        key = "stauts" if self._access.misspelt_status else "status"
        head = f'"{key}":{code},"msg":{json.dumps(message)},"business":"apim-token-service"'
        return json_reply(f'{{{head},"data":{data}}}')

    def _read_request(self, body: bytes, now_ms: int) -> dict[str, object]:
        access = self._access
        try:
            asked = json.loads(body.decode())
        except (ValueError, RecursionError):
            raise Refusal(ILLEGAL_PARAMETER, "request body must be JSON") from None
        if not isinstance(asked, dict):
            raise Refusal(ILLEGAL_PARAMETER, "request body must be an object")
        for name in ("appKey", "encryption", "timestamp"):
            if asked.get(name) in (None, ""):
                raise Refusal(EMPTY_PARAMETER, f"{name} must not be empty")
        app_key, given, timestamp = asked["appKey"], asked["encryption"], _timestamp(asked["timestamp"])
        if not isinstance(app_key, str) or not isinstance(given, str) or timestamp is None:
            raise Refusal(
                ILLEGAL_PARAMETER,
                "parameter is not legal: appKey and encryption must be texts, timestamp must be epoch milliseconds",
            )
        if access.app_key is not None and app_key != access.app_key:
            raise Refusal(NO_SUCH_KEY, "appKey does not exist")
        if access.app_secret is not None and not _same(
            given, encryption(app_key, timestamp, access.app_secret)
        ):
            raise Refusal(
                BAD_ENCRYPTION,
                "encryption is not legal: must be the SHA-256 of appKey, timestamp and appSecret",
            )
        self._check_skew(timestamp, now_ms)
        if access.refuse_repeats and given in self._encryptions:
            raise Refusal(REPEATED, "repeated request with the same encryption")
        self._encryptions[given] = None
        if len(self._encryptions) > _MOST_ENCRYPTIONS:
            del self._encryptions[next(iter(self._encryptions))]
        return asked

    def _current(self, now_ms: int) -> _Token:
        """Return the current token, or a new one if it has expired."""
        if self._token is None or not self._lives(self._token, now_ms):
            text = hashlib.sha256(f"{self._seed} token {len(self._issued)}".encode()).hexdigest()[:32]
            self._issued.add(text)
            self._token = _Token(text, now_ms + self._access.token_seconds * 1000, self._access.token_uses)
        return self._token

    def _revoke(self, text: object, now_ms: int) -> None:
        """Revoke a token, so that the refresh issues another token."""
        if self._token is None or text != self._token.text or not self._lives(self._token, now_ms):
            raise Refusal(REFRESH_FAILED, "refreshing the token failed: the token is unknown or expired")
        self._token = None

    @staticmethod
    def _lives(token: _Token, now_ms: int) -> bool:
        return now_ms < token.dies_ms and token.uses_left != 0

    # Requests

    def problem(
        self, key: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> Reply | None:
        """Return the refusal of a request, or None if the request passes.

        Args:
            key: the name of the member with the code in the envelope.
            query: names and values, not percent-encoded.
            headers: the headers, with names in lower case.
            body: the bytes as sent.
            now_ms: the server's time (ms since the epoch).
        """
        if self._access.app_key is None:
            return None
        try:
            self._check(query, headers, body, now_ms)
        except Refusal as refusal:
            if refusal.code == EXPIRED and self._access.expired != "1203":
                return self._expired(refusal.message)
            return json_reply(f'{{"{key}":{refusal.code},"msg":{json.dumps(refusal.message)},"data":null}}')
        return None

    def _check(
        self, query: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes, now_ms: int
    ) -> None:
        names = ("apim-accesstoken", "apim-signature", "apim-timestamp")
        text, signed, raw_timestamp = (headers.get(name, "") for name in names)
        for name, value in zip(names, (text, signed, raw_timestamp), strict=True):
            if not value:
                raise Refusal(EMPTY_PARAMETER, f"{name} must not be empty")
        timestamp = _timestamp(raw_timestamp)
        if timestamp is None:
            raise Refusal(ILLEGAL_PARAMETER, "apim-timestamp is not legal: must be epoch milliseconds")
        if text not in self._issued:
            raise Refusal(ILLEGAL_PARAMETER, "apim-accesstoken is not legal: unknown token")
        token = self._token
        if token is None or text != token.text or not self._lives(token, now_ms):
            raise Refusal(EXPIRED, "access token expired")
        if not _same(signed, signature(text, query, body, timestamp, self._access.app_secret or "")):
            raise Refusal(
                BAD_ENCRYPTION, "apim-signature is not legal: must be the SHA-256 of the signed texts"
            )
        self._check_skew(timestamp, now_ms)
        if token.uses_left is not None:
            token.uses_left -= 1

    def _check_skew(self, timestamp: str, now_ms: int) -> None:
        if abs(int(timestamp) - now_ms) > self._access.skew_tolerance * 1000:
            raise Refusal(self._access.skew_code, "timestamp is not legal: too far from the server's time")

    def _expired(self, message: str) -> Reply:
        if self._access.expired == "401":
            return plain(401, "401 Unauthorized")
        # The vendor's SDK finds an expired token by `apim_status`, in an answer with HTTP status 200.
        return json_reply(f'{{"apim_status":{self._access.expired},"msg":{json.dumps(message)}}}')


def _timestamp(value: object) -> str | None:
    """Return epoch milliseconds as a text of digits, or None if the value is neither an int nor digits."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    legal = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
    return str(value) if legal else None


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode())
