"""Collation: may a database treat two texts as equal although Python does not?

A service passes the texts of a search to its database, which compares them by a collation. The differences
that a collation may ignore are listed here. The sources are MariaDB and MySQL (``utf8mb4_general_ci``,
``unicode_ci``, ``unicode_520_ci``, ``0900_ai_ci``), PostgreSQL (``ILIKE``, ``citext``, nondeterministic ICU
collations) and SQL Server (``CI_AI``, width-insensitive):

1. case, accents and other marks, full and half width, compatibility forms, hiragana and katakana, and the
   script of a digit;
2. letters that some collations expand to two (``ß``, ``æ``), and characters beyond U+FFFF, which older
   collations treat as equal;
3. invisible characters, and blanks at the ends;
4. the kinds of dashes and of quotation marks;
5. with ``LIKE``, the wildcards ``%`` and ``_``, and a backslash, which may be dropped. Full-width wildcards
   count too, because texts may be folded first (``unaccent``).

No single database ignores all these differences, but this module does. So no collation explains a mismatch
here.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

__all__ = ["may_contain", "may_equal"]

_SPELT_OUT = {
    "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ȷ": "j", "ĸ": "q", "ſ": "s", "ŋ": "n", "ə": "e", "ー": "",
}  # fmt: skip
_SCRIPTS_WITH_MARKS = ("LATIN ", "GREEK ", "CYRILLIC ", "ARABIC ", "HEBREW ")
_MARKS = dict.fromkeys("‘’‚‛′", "'") | dict.fromkeys("“”„‟″", '"')
_WILD = {"％": "%", "＿": "_"}
_KATAKANA = range(0x30A1, 0x30F7)
_KATAKANA_FROM_HIRAGANA = 0x60
_LAST_OF_FIRST_PLANE = 0xFFFF
_ANY_ONE = 2
"""The most characters that one character is folded to, and that ``_`` may match."""


def _folded(text: str) -> str:
    return "".join(map(_primary, text))


def _folded_short(text: str) -> str:
    """Fold as ``utf8mb4_general_ci``: ``ß`` is ``s``, and all characters beyond U+FFFF are equal."""
    return "".join(map(_primary, "".join(map(_short, text))))


def _folded_alike(text: str) -> str:
    """Fold as ``utf8mb4_unicode_ci``: all characters beyond U+FFFF are equal."""
    return "".join(map(_primary, "".join(map(_first_plane, text))))


_FOLDS: Sequence[Callable[[str], str]] = (_folded, _folded_short, _folded_alike)


def _short(char: str) -> str:
    return "s" if char in "ßẞ" else _first_plane(char)


def _first_plane(char: str) -> str:
    return "\ufffd" if ord(char) > _LAST_OF_FIRST_PLANE else char


@lru_cache(maxsize=8192)
def _primary(char: str) -> str:
    """Return the part of a character that every collation compares."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
    return "".join(map(_base, plain))


def _base(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] == "M" or category in ("Cc", "Cf"):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category[0] == "Z":
        return " "
    if category == "Pd":
        return "-"
    if char in _SPELT_OUT:
        return _SPELT_OUT[char]
    if char in _MARKS:
        return _MARKS[char]
    if ord(char) in _KATAKANA:
        char = chr(ord(char) - _KATAKANA_FROM_HIRAGANA)
    return _without_marks(char)


def _without_marks(char: str) -> str:
    """Return a letter without marks that NFKD keeps (the stroke of ``ø``), and small kana as large."""
    name = unicodedata.name(char, "")
    plain = name.replace("HIRAGANA LETTER SMALL ", "HIRAGANA LETTER ")
    if name.startswith(_SCRIPTS_WITH_MARKS):
        plain = name.partition(" WITH ")[0]
    try:
        return char if plain == name else unicodedata.lookup(plain)
    except KeyError:
        return char


def may_equal(asked: str, text: str) -> bool:
    """Return True if a database may treat *text* as equal to *asked*."""
    return _matches(asked, text, anywhere=False)


def may_contain(asked: str, text: str) -> bool:
    """Return True if a database may find *asked* somewhere in *text*."""
    return _matches(asked, text, anywhere=True)


def _matches(asked: str, text: str, *, anywhere: bool) -> bool:
    patterned = any(char in asked for char in "%_％＿\\")
    for fold in _FOLDS:
        folded = fold(text).strip()
        if patterned:
            found = _like(asked.strip(), folded, fold, anywhere=anywhere)
        else:
            wanted = fold(asked).strip()
            found = wanted in folded if anywhere else wanted == folded
        if found:
            return True
    return False


def _like(asked: str, text: str, fold: Callable[[str], str], *, anywhere: bool) -> bool:
    """Return True if ``LIKE`` may match.

    The bits of one number are all states of the pattern. So no pattern takes exponential time.
    """
    parts = _parts(asked, fold, anywhere=anywhere)
    loops = _bits(part == "%" for part in parts)
    skips = loops | _bits(part in ("_", "\\") for part in parts)
    any_char = _bits(part == "_" for part in parts)
    masks: dict[str, int] = {}
    states = _skipped(1, skips)
    for char in text:
        if char not in masks:
            masks[char] = any_char | _bits(
                part in (f"={char}", char if char == "\\" else "") for part in parts
            )
        states = _skipped((states & loops) | (states & masks[char]) << 1, skips)
        if not states:
            return False
    return bool(states >> len(parts) & 1)


def _parts(asked: str, fold: Callable[[str], str], *, anywhere: bool) -> list[str]:
    """Return the parts of a pattern: ``%``, ``_``, a backslash, or a character after ``=``.

    ``_`` and the backslash are optional when the parts are matched.
    """
    parts = ["%"] if anywhere else []
    for letter in asked:
        char = _WILD.get(letter, letter)
        if char == "%":
            parts.append("%")
        elif char == "_":
            parts += ["_"] * _ANY_ONE
        elif char == "\\":
            parts.append("\\")
        else:
            parts += [f"={one}" for one in fold(char)]
    return [*parts, "%"] if anywhere else parts


def _bits(flags: Iterable[bool]) -> int:
    return sum(1 << place for place, flag in enumerate(flags) if flag)


def _skipped(states: int, skips: int) -> int:
    """Return the states, and the states that leaving out optional parts leads to."""
    while (more := states | (states & skips) << 1) != states:
        states = more
    return states
