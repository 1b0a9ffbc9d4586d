"""Signed cursors: a client can hand back where it stands, and cannot ask for anything else with it.

A cursor is ``version.expiry.position.signature``, each part in the alphabet of URLs:

1. The signature (HMAC-SHA256) covers all other parts and the fingerprint of the query. So a cursor that was
   changed, or is used with another query, is refused.
2. Nothing of a cursor is read before its signature was checked.
3. The position is the compressed checkpoint. Signing hides nothing: it holds times and ids, and no secret.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
import zlib
from collections.abc import Callable, Sequence
from datetime import timedelta

from aioflows.checkpoint import Checkpoint, FollowCheckpoint, fingerprint, follow_fingerprint
from aioflows.errors import QueryError
from aioflows.query import FlowQuery
from aioflows.web.parameters import ParameterError

__all__ = ["CursorSigner"]

_VERSION = "1"
_LEAST_KEY = 16  # bytes
_LONGEST = 100_000  # characters
_ADVICE = "begin again without it"


class CursorSigner:
    """Makes signed cursors of checkpoints, and checkpoints of signed cursors.

    Args:
        key: the secret of the application, the same in all its processes (at least 16 bytes). Several keys: the
            first signs, and each of them is accepted, so that a key can be changed.
        max_age: how long a cursor is valid (seconds, or a timedelta). None means for ever. Default: None.
        clock: returns the present time (seconds since 1970-01-01 UTC). Default: this machine's.

    Raises:
        QueryError: a key is too short, or the age is not positive.
    """

    def __init__(
        self,
        key: str | bytes | Sequence[str | bytes],
        *,
        max_age: float | timedelta | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        keys = [key] if isinstance(key, (str, bytes)) else list(key)
        self._keys = [one.encode() if isinstance(one, str) else bytes(one) for one in keys]
        if not self._keys or min(map(len, self._keys)) < _LEAST_KEY:
            raise QueryError(f"the key of cursors must have at least {_LEAST_KEY} bytes")
        seconds = max_age.total_seconds() if isinstance(max_age, timedelta) else max_age
        if seconds is not None and not seconds > 0:
            raise QueryError(f"max_age must be a number of seconds above 0, or None, not {max_age!r}")
        self._max_age = seconds
        self._clock = clock

    def __repr__(self) -> str:
        return f"<CursorSigner, {len(self._keys)} keys>"

    def cursor(self, checkpoint: Checkpoint | FollowCheckpoint) -> str:
        """Return the signed cursor of a checkpoint. It is a text for URLs and headers."""
        expiry = "" if self._max_age is None else str(int(self._clock() + self._max_age))
        signed = f"{_VERSION}.{expiry}.{_text(zlib.compress(checkpoint.to_json().encode(), 9))}"
        return f"{signed}.{self._signature(self._keys[0], signed, checkpoint.fingerprint)}"

    def checkpoint(self, cursor: str | None, query: FlowQuery) -> Checkpoint | None:
        """Return the checkpoint in a cursor, for ``session.scan(query, resume=...)``. Return None if there is no cursor.

        Args:
            cursor: the cursor that the client sent. None or an empty text means no cursor.
            query: the query of the client's request.

        Raises:
            ParameterError: the cursor was changed, has expired, or belongs to another query.
        """
        text = self._opened(cursor, fingerprint(query))
        return None if text is None else Checkpoint.from_json(text)

    def followed(
        self, cursor: str | None, query: FlowQuery, *, changes: bool = False
    ) -> FollowCheckpoint | None:
        """Return the checkpoint in the cursor of a follow, for ``session.follow(query, resume=...)``.

        Args:
            cursor: the cursor that the client sent, such as its ``Last-Event-ID``. None or an empty text means no
                cursor.
            query: the query of the client's request.
            changes: as in `FlowSession.follow`.

        Raises:
            ParameterError: the cursor was changed, has expired, or belongs to another query.
        """
        text = self._opened(cursor, follow_fingerprint(query, changes=changes))
        return None if text is None else FollowCheckpoint.from_json(text)

    def _opened(self, cursor: str | None, query: str) -> str | None:
        if not cursor:
            return None
        parts = cursor.split(".")
        if len(cursor) > _LONGEST or len(parts) != 4 or not cursor.isascii():
            raise ParameterError("cursor", f"is not a cursor of this service; {_ADVICE}")
        version, expiry, position, signature = parts
        if version != _VERSION:
            raise ParameterError("cursor", f"is of another release of this service; {_ADVICE}")
        signed = f"{version}.{expiry}.{position}"
        found = [hmac.compare_digest(self._signature(key, signed, query), signature) for key in self._keys]
        if not any(found):
            raise ParameterError("cursor", f"was changed, or is from another query; {_ADVICE}")
        if expiry and int(expiry) < self._clock():
            raise ParameterError("cursor", f"has expired; {_ADVICE}")
        return zlib.decompress(_bytes(position)).decode()

    @staticmethod
    def _signature(key: bytes, signed: str, query: str) -> str:
        return _text(hmac.digest(key, f"aioflows cursor\n{query}\n{signed}".encode(), hashlib.sha256))


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise ParameterError("cursor", f"is not a cursor of this service; {_ADVICE}") from error
