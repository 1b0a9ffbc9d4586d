"""Compressed bodies, unpacked piece by piece: no further than asked for, and not without being checked.

aiohttp takes gzip that ends early for whole, and leaves a body alone that is in an encoding which it does not know. A list
of rows that ends early must never be mistaken for a whole one, so a body is unpacked here.
"""

from __future__ import annotations

import zlib

__all__ = ["DamagedBody", "Decompressor"]

_GZIP, _ZLIB, _RAW = zlib.MAX_WBITS | 16, zlib.MAX_WBITS, -zlib.MAX_WBITS


class DamagedBody(ValueError):
    """A compressed body that is cut off, or not what it says.

    Attributes:
        message: what is wrong, in our own words.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Decompressor:
    """Unpacks one body.

    Args:
        encoding: "gzip" or "deflate"; of the latter both kinds are read, with a zlib header (RFC 9110, section 8.4.1)
            and without one, as many servers send it.
    """

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding == "gzip"
        self._member: zlib._Decompress | None = None

    def feed(self, piece: bytes, most: int) -> bytes:
        """Return what a piece of the body unpacks to, but no more than *most* bytes, after which nothing may follow.

        Raises:
            Damaged: this is not what it says.
        """
        parts: list[bytes] = []
        while piece and most > 0:
            if self._member is None:
                # A server that packs as it goes may send several members, one after the other, and fill up with zeros.
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
        """Say that the body has ended.

        Raises:
            DamagedBody: it has ended too early.
        """
        if self._member is not None:
            raise DamagedBody("its compressed body ends too early")

    def _window(self, first: int) -> int:
        if self._gzip:
            return _GZIP
        return _ZLIB if first & 0x0F == zlib.DEFLATED else _RAW
