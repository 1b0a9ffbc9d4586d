"""The end of a text, compressed or not: its last record, which is where an increment continues."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from typing import Any

from aioflows._extras import pa
from aioflows.errors import QueryError
from aioflows.export.formats.compression import Compression
from aioflows.export.formats.encoder import Encoder
from aioflows.export.sink import Tail

__all__ = ["opened_text", "tail_of"]

_BLOCK = 1_000_000


@contextmanager
def opened_text(opened: Callable[[], Any], compression: Compression) -> Iterator[Any]:
    """Open a file for reading the bytes of its text.

    Args:
        opened: opens the file for reading its bytes. They can be sought.
        compression: how the file is compressed.
    """
    with closing(opened()) as file:
        is_empty = not file.seek(0, 2)
        file.seek(0)
        if compression is Compression.GZIP:
            with gzip.open(file) as text:
                yield text
        elif compression is Compression.ZSTD and not is_empty:
            with pa.input_stream(file, compression="zstd") as text:
                yield text
        else:
            yield file


def tail_of(opened: Callable[[], Any], compression: Compression, encoder: Encoder, name: str) -> Tail | None:
    """Return the last row of a text, or None if it has no rows.

    Args:
        opened: opens the file for reading its bytes. They can be sought.
        compression: how the file is compressed.
        encoder: the encoder of its rows.
        name: the target's name in messages.

    Raises:
        QueryError: the text has other columns, or does not end with a whole row.
    """
    try:
        row = _last_row(opened, compression, encoder)
        if row is None:
            return None
        return Tail(int(datetime.fromisoformat(row["trigger_time"]).timestamp()), row["instance_id"])
    except (ValueError, TypeError, EOFError, zlib.error) as error:
        raise QueryError(
            f"nothing can be appended to {name!r}: {error}; "
            "give the columns and options of its first export, or name another target"
        ) from error


def _last_row(
    opened: Callable[[], Any], compression: Compression, encoder: Encoder
) -> Mapping[str, str] | None:
    with opened_text(opened, compression) as text:
        if text.read(len(encoder.head)) != encoder.head:
            raise ValueError("it has other columns")
    record = _last_record(opened, compression, encoder.end, quoted=encoder.quoted)
    is_head = record is not None and record + encoder.end == encoder.head
    return None if record is None or is_head else encoder.decode(record)


def _last_record(
    opened: Callable[[], Any], compression: Compression, end: bytes, *, quoted: bool
) -> bytes | None:
    """Return the last record of a text, without its end, or None if the text is empty.

    Args:
        opened: opens the file for reading its bytes. They can be sought.
        compression: how the file is compressed.
        end: the bytes that end a record.
        quoted: True if *end* may also stand within a record, between quotes as in CSV.

    Raises:
        ValueError: the text does not end with a whole record.
    """
    size = _BLOCK
    while True:
        text, whole = _last_bytes(opened, compression, size)
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


def _last_bytes(opened: Callable[[], Any], compression: Compression, size: int) -> tuple[bytes, bool]:
    """Return the last bytes of a text, at least *size* if there are so many, and True if they are all."""
    if compression is Compression.NONE:
        with closing(opened()) as file:
            length = file.seek(0, 2)
            file.seek(max(0, length - size))
            return file.read(), length <= size
    last, before, whole = b"", b"", True
    with opened_text(opened, compression) as text:
        while block := text.read(_BLOCK):
            whole = whole and len(before) + len(last) + len(block) <= size
            last += block
            if len(last) >= size:
                before, last = last, b""
    return before + last, whole
