"""How the gateway wants requests signed: bytes in, lower-case hex out.

Source: https://support.envisioniot.com/docs/api/en/latest/api_authentication.html, whose worked examples are the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

__all__ = ["encryption", "signature", "signed_text"]


def encryption(access_key: str, timestamp: int, secret_key: str) -> str:
    """Proves to the token service that the secret key is known, without sending it.

    Args:
        access_key: the *appKey* of the application.
        timestamp: *milliseconds* since 1970-01-01 UTC, the same as in the request.
        secret_key: the *appSecret*.
    """
    return sha256(f"{access_key}{timestamp}{secret_key}".encode()).hexdigest()


def signature(token: str, signed: bytes, timestamp: int, secret_key: str) -> str:
    """Signs one request for the header ``apim-signature``.

    Args:
        token: the *access token* that goes along with it.
        signed: what `signed_text` gives for its query and body.
        timestamp: *milliseconds* since 1970-01-01 UTC, the same as in the header ``apim-timestamp``.
        secret_key: the *appSecret*.
    """
    text = sha256(token.encode())
    text.update(signed)
    text.update(f"{timestamp}{secret_key}".encode())
    return text.hexdigest()


def signed_text(query: Iterable[tuple[str, str]], body: bytes | None) -> bytes:
    """Gives the part of a request that is signed: ``paramsData``, which is its query and its body.

    Args:
        query: *names and values* as they are before percent-encoding (the documentation is silent about which).
        body: the *bytes* exactly as they are sent; None: no body.
    """
    # Code points sort as their UTF-8 bytes do. Of a name that stands there twice, the values keep their order.
    parameters = "".join(name + value for name, value in sorted(query, key=lambda pair: pair[0]))
    return parameters.encode() + (body or b"")
