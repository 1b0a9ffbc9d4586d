"""Id shape: a text that all ids of an instant share, and the characters beside it that tell ids apart.

The ids ``2809-20190812080700`` and ``17-20190812080700`` share ``-20190812080700``. The character before this
text tells the two apart. Unseen ids are assumed to have the same shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import product
from string import ascii_lowercase, ascii_uppercase, digits

import attrs

__all__ = ["IdShape"]

_MOST_CHARACTERS = 8
"""The most characters in a search besides the character that tells ids apart. With fewer characters, less
depends on the ids seen so far."""

_MOST_MATCHES = 2
"""The most ids that may contain a part's text, as a multiple of the ids in the largest part. A text may
also stand elsewhere in an id."""


@attrs.frozen
class IdShape:
    """The shape that the ids of an instant share.

    Args:
        separator: a character that all ids have, with as many shared neighbours as are needed, so that a
            part's text rarely stands elsewhere in an id.
        before: True if the characters that tell ids apart stand before the separator, False if after it.
        letters: the characters that may tell ids apart.
    """

    separator: str
    before: bool
    letters: str

    @classmethod
    def of(cls, ids: Iterable[str]) -> IdShape | None:
        """Return the shape that makes the most parts. None means that the ids share no shape."""
        names = list(ids)
        most, best = 1, None
        for separator in sorted({char for char in names[0] if not char.isalnum()} if names else ()):
            for before, last in product((True, False), repeat=2):
                found = _characters_beside(names, separator, before=before, last=last)
                letters = _alphabet(found)
                if letters and len(found) > most:
                    most = len(found)
                    best = cls(_lengthened(names, separator, before=before, last=last), before, letters)
        return best

    @property
    def parts(self) -> list[str]:
        """The texts of the parts. Every id contains at least one of these texts."""
        return [
            letter + self.separator if self.before else self.separator + letter for letter in self.letters
        ]


def _characters_beside(names: list[str], separator: str, *, before: bool, last: bool) -> set[str]:
    """Return the characters beside the first or last separator of the ids. Empty if an id has none."""
    found = set()
    for name in names:
        place = (name.rfind if last else name.find)(separator) + (-1 if before else 1)
        if separator not in name or not 0 <= place < len(name):
            return set()
        found.add(name[place])
    return found


def _lengthened(names: list[str], separator: str, *, before: bool, last: bool) -> str:
    """Return a separator with as many shared neighbouring characters as are needed to make parts small."""
    places = [(name.rfind if last else name.find)(separator) for name in names]
    apart = Counter(
        name[place - 1 if before else place + 1] for name, place in zip(names, places, strict=True)
    )
    for more in range(_MOST_CHARACTERS):
        texts = {
            name[place : place + 1 + more] if before else name[max(0, place - more) : place + 1]
            for name, place in zip(names, places, strict=True)
        }
        if len(texts) > 1 or len(text := texts.pop()) <= more:
            break
        parts = (char + text if before else text + char for char in apart)
        if max(sum(part in name for name in names) for part in parts) <= _MOST_MATCHES * max(apart.values()):
            return text
    return separator


def _alphabet(found: set[str]) -> str:
    """Return all characters that may tell ids apart, if *found* were seen to. Empty means unknown."""
    if not all(char.isascii() and char.isalnum() for char in found):
        return ""
    letters = digits if found & set(digits) else ""
    for case in (ascii_lowercase, ascii_uppercase):
        seen = found & set(case)
        if seen:
            letters += case[:6] if letters.startswith(digits) and seen <= set(case[:6]) else case
    return letters
