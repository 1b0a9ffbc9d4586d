"""Rows as JSON lines, a page at a time, and the characters in which JSON is written.

JSON is ASCII without control characters, or on request UTF-8 in which control characters and characters that reorder
text stay escaped.

A value inside of a JSON text, such as a graph, is decoded and encoded. So numbers, escapes and spaces are written in one
way, whichever way the service wrote them, and lines do not depend on the way in which they were made.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any

import msgspec

from aioflows._json_text import value_of

__all__ = ["UNREADABLE", "as_ascii", "as_utf8", "json_lines", "json_values", "row_type"]

UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, OverflowError, RecursionError)
"""The errors of rows that only the standard library can decode or encode."""

_NULL = "null"
# The first bytes in UTF-8 of characters that Python's "backslashreplace" writes as JSON does not: those below U+0100
# as \xNN, and those above U+FFFF as \UNNNNNNNN. No other character has these bytes.
_LATIN, _ASTRAL = (b"\xc2", b"\xc3"), (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")
# DEL, C1 control characters, line separators, and the marks that reorder text (https://trojansource.codes).
_UNSAFE = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_UNSAFE_STARTS = (b"\x7f", b"\xc2", b"\xe2\x80", b"\xe2\x81")
"""The first bytes of these characters in UTF-8."""

_decode = msgspec.json.Decoder().decode
_encoder = msgspec.json.Encoder()
_encode, _encode_lines = _encoder.encode, _encoder.encode_lines


def row_type(names: Iterable[str]) -> Callable[..., Any]:
    """Return a type of rows for `json_lines`, made from the values of members with these names, in this order."""
    return msgspec.defstruct("LineRow", [(name, Any) for name in names], gc=False)


def json_lines(rows: Sequence[Any], *, utf8: bool = False) -> bytes:
    """Return rows as JSON, one a line.

    Args:
        rows: the rows, of a type that `row_type` made.
        utf8: True for UTF-8. Default: False, which means ASCII.

    Raises:
        UNREADABLE: only the standard library can encode a row.
    """
    lines = _encode_lines(rows)
    return as_utf8(lines) if utf8 else as_ascii(lines)


def json_values(texts: Sequence[str | None]) -> list[Any]:
    """Return the values of JSON texts as members for `json_lines`.

    Raises:
        UNREADABLE: only the standard library can decode or encode a value.
    """
    distinct = list(set(texts))
    if 4 * len(distinct) > len(texts):
        return _values(texts)
    known = dict(zip(distinct, _values(distinct), strict=True))
    return [known[text] for text in texts]


def _values(texts: Sequence[str | None]) -> list[Any]:
    # Each value is encoded at once. The garbage collector would visit the values of a page again and again.
    values = list(map(_encode, map(_decode, [text or _NULL for text in texts])))
    if any(value.startswith(b'"') for value in values):  # such a text may hold JSON
        values = [_encode(value_of(text)) for text in texts]
    return list(map(msgspec.Raw, values))


def as_utf8(lines: bytes) -> bytes:
    """Return JSON in UTF-8 with its unsafe characters escaped."""
    if not any(start in lines for start in _UNSAFE_STARTS):
        return lines
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", lines.decode()).encode()


def as_ascii(lines: bytes) -> bytes:
    """Return JSON in UTF-8 as JSON in ASCII, without control characters."""
    if not lines.isascii():
        lines = _escaped(lines)
    # DEL (U+007F) is the one ASCII control character that JSON encoders do not escape (RFC 8259, 7).
    return lines.replace(b"\x7f", b"\\u007f") if b"\x7f" in lines else lines


def _escaped(lines: bytes) -> bytes:
    text = lines.decode()
    if any(start in lines for start in _ASTRAL):
        return text.encode("ascii", "aioflows.json")
    quick = text.encode("ascii", "backslashreplace")
    if not any(start in lines for start in _LATIN):
        return quick
    # In JSON, an x follows a backslash only if that is escaped.
    return text.encode("ascii", "aioflows.json") if rb"\\x" in quick else quick.replace(rb"\x", rb"\u00")


def _escape_characters(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return encode_basestring_ascii(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("aioflows.json", _escape_characters)
