"""What the service says, made harmless to a terminal and to a log."""

from __future__ import annotations

__all__ = ["printable"]

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Letters and marks to Unicode, but with nothing to see: two names that look alike would differ by them.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")


def printable(text: str, most: int = 2_000) -> str:
    """Give a text with everything escaped that does not show as itself.

    These are control characters (C0, DEL, C1), line and paragraph separators, bidirectional and zero-width format
    characters, surrogates and unassigned code points: whatever could move the cursor, set a title or a clipboard
    (OSC 8 and 52), forge a line, or make a name look like another (CWE-150).

    Args:
        text: *anything* that comes from outside.
        most: *characters*; what is longer is cut there, and ends with an ellipsis.
    """
    if len(text) > most:
        text = text[: most - 1] + "…"
    if text.isprintable() and _INVISIBLE.isdisjoint(text):
        return text
    return "".join(_shown(char) for char in text)


def _shown(char: str) -> str:
    if char.isprintable() and char not in _INVISIBLE:
        return char
    code = ord(char)
    if char in _SHORT:
        return _SHORT[char]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
