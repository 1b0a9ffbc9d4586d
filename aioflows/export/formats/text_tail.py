"""The end of a text file, compressed or not: its last record, which is where an increment continues."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from aioflows._extras import pa
from aioflows.export.formats.compression import Compression

__all__ = ["last_record", "open_text"]

_BLOCK = 1_000_000


def open_text(path: Path, compression: Compression) -> Any:
    """Open a file for reading the bytes of its text. The caller closes it."""
    if compression is Compression.GZIP:
        return gzip.open(path)
    if compression is Compression.ZSTD and path.stat().st_size:
        return pa.input_stream(str(path), compression="zstd")
    return path.open("rb")


def last_record(path: Path, compression: Compression, end: bytes, *, quoted: bool) -> bytes | None:
    """Return the last record of a file, without its end, or None if the file is empty.

    Args:
        path: the file.
        compression: how the file is compressed.
        end: the bytes that end a record.
        quoted: True if *end* may also stand within a record, between quotes as in CSV.

    Raises:
        ValueError: the file does not end with a whole record.
    """
    size = _BLOCK
    while True:
        text, whole = _last_bytes(path, compression, size)
        if not text:
            return None
        if not text.endswith(end):
            raise ValueError("it does not end with a whole line")
        begin = _begin_of_last(text, end, quoted=quoted)
        if begin is not None or whole:
            return text[begin or 0 : -len(end)]
        size *= 4


def _begin_of_last(text: bytes, end: bytes, *, quoted: bool) -> int | None:
    """Return where the last record begins, or None if it begins before *text*."""
    quotes, right = 0, len(text) - len(end)
    while (left := text.rfind(end, 0, right)) >= 0:
        # The text ends outside of quotes, so a place is outside if an even number of quotes follows.
        quotes += text.count(b'"', left, right)
        if not quoted or quotes % 2 == 0:
            return left + len(end)
        right = left
    return None


def _last_bytes(path: Path, compression: Compression, size: int) -> tuple[bytes, bool]:
    """Return the last bytes of a text, at least *size* if there are so many, and True if they are all."""
    if compression is Compression.NONE:
        with path.open("rb") as file:
            length = file.seek(0, 2)
            file.seek(max(0, length - size))
            return file.read(), length <= size
    last, before, whole = b"", b"", True
    for block in _blocks(path, compression):
        whole = whole and len(before) + len(last) + len(block) <= size
        last += block
        if len(last) >= size:
            before, last = last, b""
    return before + last, whole


def _blocks(path: Path, compression: Compression) -> Iterator[bytes]:
    with closing(open_text(path, compression)) as file:
        while block := file.read(_BLOCK):
            yield block
