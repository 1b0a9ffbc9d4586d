"""Compressed text files that can be cut and continued at any commit.

gzip (RFC 1952): one member, since many readers stop behind the first. A full flush ends each commit (RFC 1951,
3.2.4), and later bytes refer to nothing before the flush. So a new compressor can continue the file. The
journal entry keeps the checksum and the size of the text, which end the member.

Zstandard (RFC 8878): one frame for each commit. Readers join the frames to one text.
"""

from __future__ import annotations

import enum
import zlib
from typing import Protocol

import attrs

from aioflows._extras import pa
from aioflows.export.journal import JournalEntry

__all__ = ["Compression", "Compressor", "compressor"]

_GZIP_HEAD = bytes.fromhex("1f8b08000000000000ff")  # deflate, no name, no time, an unknown system
_LEVEL = 6


class Compression(enum.StrEnum):
    """A compression of a text file. The value is the ending of the file name."""

    NONE = ""
    GZIP = ".gz"
    ZSTD = ".zst"


class Compressor(Protocol):
    """A compressor of a growing file."""

    def add(self, content: bytes, /) -> bytes:
        """Return the bytes to append to the file for more text."""

    def commit(self, entry: JournalEntry, /) -> tuple[bytes, JournalEntry]:
        """Return the bytes that make all text so far readable, and the entry from which the file is continued."""


class _Plain:
    def add(self, content: bytes) -> bytes:
        return content

    def commit(self, entry: JournalEntry) -> tuple[bytes, JournalEntry]:
        return b"", entry


class _Gzip:
    """A gzip member.

    Args:
        entry: the journal entry that the file is continued from.
        begun: True if the head of the file is written already.
    """

    def __init__(self, entry: JournalEntry, *, begun: bool) -> None:
        self._head = b"" if begun else _GZIP_HEAD
        self._crc, self._size = entry.crc, entry.size
        self._deflate = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS)

    def add(self, content: bytes) -> bytes:
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        head, self._head = self._head, b""
        return head + self._deflate.compress(content)

    def commit(self, entry: JournalEntry) -> tuple[bytes, JournalEntry]:
        end = self._deflate.flush(zlib.Z_FINISH if entry.done else zlib.Z_FULL_FLUSH)
        if entry.done:
            end += self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little")
        head, self._head = self._head, b""
        return head + end, attrs.evolve(entry, crc=self._crc, size=self._size)


class _Zstandard:
    """Zstandard frames."""

    def __init__(self) -> None:
        self._codec = pa.Codec("zstd")
        self._text: list[bytes] = []

    def add(self, content: bytes) -> bytes:
        self._text.append(content)
        return b""

    def commit(self, entry: JournalEntry) -> tuple[bytes, JournalEntry]:
        text, self._text = b"".join(self._text), []
        return self._codec.compress(text, asbytes=True) if text else b"", entry


def compressor(compression: Compression, entry: JournalEntry, *, begun: bool) -> Compressor:
    """Return the compressor for a file.

    Args:
        compression: how the file is compressed.
        entry: the journal entry that the file is continued from.
        begun: True if the beginning of the file is written already.
    """
    if compression is Compression.GZIP:
        return _Gzip(entry, begun=begun)
    return _Zstandard() if compression is Compression.ZSTD else _Plain()
