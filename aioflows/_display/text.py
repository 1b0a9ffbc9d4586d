"""Text from outside, made safe for a terminal and for a log."""

from __future__ import annotations

__all__ = ["printable"]

_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Unicode counts these as letters or marks, but they are invisible: two names that look equal could differ in
# them.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


def printable(text: str, most: int = 2_000) -> str:
    """Return a text with all characters escaped that are not shown as themselves.

    These are control characters (C0, DEL, C1), line and paragraph separators, bidirectional and zero-width
    format characters, surrogates and unassigned code points. They could move the cursor, set a title or a
    clipboard (OSC 8 and 52), forge a line, or make one name look like another (CWE-150).

    Args:
        text: any text from outside.
        most: characters. A longer text is cut there, and ends with an ellipsis. Default: 2,000.
    """
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(_escape(char) for char in text)


def _escape(char: str) -> str:
    if char.isprintable() and char not in _INVISIBLE:
        return char
    code = ord(char)
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
