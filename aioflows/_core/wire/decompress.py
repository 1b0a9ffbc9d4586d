"""Decompression of bodies, piece by piece: up to a given size, and with a check that the body is whole.

aiohttp accepts gzip data that ends early, and does not decode an encoding that it does not know. A list of
rows that ends early must never count as a whole one, so bodies are decompressed here.
"""

from __future__ import annotations

import zlib

__all__ = ["DamagedBody", "Decompressor"]

_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


class DamagedBody(ValueError):
    """A compressed body that is cut off, or is not in its encoding.

    Attributes:
        message: the problem, in words that contain no bytes of the body.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Decompressor:
    """A decompressor for one body.

    Args:
        encoding: "gzip" or "deflate". Deflate data is read with a zlib header (RFC 9110, section 8.4.1) and
            without one, as many servers send it.
    """

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding == "gzip"
        self._member: zlib._Decompress | None = None

    def feed(self, piece: bytes, most: int) -> bytes:
        """Return the decompressed bytes of a piece of the body, up to `most` bytes. No piece may follow
        those.

        Raises:
            DamagedBody: the data is not in its encoding.
        """
        parts: list[bytes] = []
        while piece and most > 0:
            if self._member is None:
                # RFC 1952, section 2.2: a gzip file may have several members. Some servers also pad the end
                # with zeros.
                piece = piece.lstrip(b"\0") if self._gzip and parts else piece
                if not piece:
                    break
                self._member = zlib.decompressobj(self._window(piece[0]))
            try:
                part = self._member.decompress(piece, most)
            except zlib.error:
                raise DamagedBody("its compressed body is damaged") from None
            parts.append(part)
            most -= len(part)
            piece = self._member.unused_data
            if self._member.eof:
                self._member = None
        return b"".join(parts)

    def close(self) -> None:
        """End the body.

        Raises:
            DamagedBody: the body has ended too early.
        """
        if self._member is not None:
            raise DamagedBody("its compressed body ends too early")

    def _window(self, first: int) -> int:
        if self._gzip:
            return _GZIP
        return _ZLIB if first & 0x0F == zlib.DEFLATED else _RAW
