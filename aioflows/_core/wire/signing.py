"""Request signatures as the gateway wants them: bytes in, lower-case hex out.

Source: https://support.envisioniot.com/docs/api/en/latest/api_authentication.html, whose worked examples are
the tests.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

__all__ = ["encryption", "signature", "signed_text"]


def encryption(access_key: str, timestamp: int, secret_key: str) -> str:
    """Return the proof for the token service that the secret key is known, without the key itself.

    Args:
        access_key: the application's appKey.
        timestamp: the time in the request (ms since 1970-01-01 UTC).
        secret_key: the application's appSecret.
    """
    return sha256(f"{access_key}{timestamp}{secret_key}".encode()).hexdigest()


def signature(token: str, signed: bytes, timestamp: int, secret_key: str) -> str:
    """Return the signature of one request, for the header ``apim-signature``.

    Args:
        token: the access token in the same request.
        signed: the result of `signed_text` for its query and body.
        timestamp: the time in the header ``apim-timestamp`` (ms since 1970-01-01 UTC).
        secret_key: the application's appSecret.
    """
    text = sha256(token.encode())
    text.update(signed)
    text.update(f"{timestamp}{secret_key}".encode())
    return text.hexdigest()


def signed_text(query: Iterable[tuple[str, str]], body: bytes | None) -> bytes:
    """Return the part of a request that is signed: ``paramsData``, which is its query and its body.

    Args:
        query: names and values before percent-encoding. The vendor's documentation does not say which form is
            signed.
        body: the bytes exactly as they are sent. None means no body.
    """
    # Code points sort as their UTF-8 bytes do. Values of a name that comes twice keep their order.
    parameters = "".join(name + value for name, value in sorted(query, key=lambda pair: pair[0]))
    return parameters.encode() + (body or b"")
