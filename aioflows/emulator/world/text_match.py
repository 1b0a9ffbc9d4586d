"""How a text finds an instance: the documentation says "fuzzy match on the instance id and the flow name", and no more.

Each way is a function of a text and of what is looked for in it; in SQL too, where it has a name of its own. Owners are
compared whole, and databases differ in what they take for equal (`SAME`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable


def _contains(text: str, wanted: str) -> bool:
    # Not LIKE, and no pattern: % and _ are letters like others.
    return wanted in text


def _any_case(text: str, wanted: str) -> bool:
    return wanted.casefold() in text.casefold()


def _word_start(text: str, wanted: str) -> bool:
    # A hyphen and an underscore part words too: ``2809`` and ``20190812080700``, ``daily`` and ``report``.
    return re.search(rf"(?<![^\W_]){re.escape(wanted)}", text) is not None


def _collated(text: str) -> str:
    # As utf8mb4_0900_ai_ci and its kin: no case, no accents, no width.
    split = unicodedata.normalize("NFKD", text.upper().lower())
    return "".join(char for char in split if not unicodedata.combining(char))


def _found_collated(text: str, wanted: str) -> bool:
    return _collated(wanted) in _collated(text)


def _like(text: str, pattern: str) -> bool:
    # LIKE of MariaDB and PostgreSQL, in whatever case: % is any text, _ any character, a backslash takes that from the next.
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    wanted = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(wanted, text, re.DOTALL | re.IGNORECASE) is not None


def _found_like(text: str, wanted: str) -> bool:
    return _like(text, f"%{wanted}%")


def _same_any_case(text: str, wanted: str) -> bool:
    return text.casefold() == wanted.casefold()


def _same_but_blanks(text: str, wanted: str) -> bool:
    return text.rstrip(" ") == wanted.rstrip(" ")


def _same_collated(text: str, wanted: str) -> bool:
    return _collated(text).rstrip(" ") == _collated(wanted).rstrip(" ")


FOUND: dict[str, Callable[[str, str], bool]] = {
    "contains": _contains,
    "any-case": _any_case,
    "word-start": _word_start,
    "collated": _found_collated,
    "like": _found_like,
}

SAME: dict[str, Callable[[str, str], bool]] = {
    "same-any-case": _same_any_case,
    "same-trailing-spaces": _same_but_blanks,
    "same-collated": _same_collated,
    "same-like": _like,
}


def function(way: str) -> str:
    """What a way is called in SQL."""
    return f"found_{way.replace('-', '_')}"


def found_in_sql(column: str, way: str) -> str:
    """A condition of SQL on a column and one value."""
    # The way that is asked for by the million rows is SQLite's own.
    return f"instr({column}, ?) > 0" if way == "contains" else f"{function(way)}({column}, ?)"


def same_in_sql(column: str, way: str) -> str:
    """A condition of SQL: a column is one value, in a way that `Quirks.owner_compare` names."""
    return f"{column} = ?" if way == "exact" else f"{function(f'same-{way}')}({column}, ?)"
