"""The match of an expression with an id or a flow name, and the comparison of owners.

The documentation says only "fuzzy match on the instance id and the flow name", so `FOUND` has several ways. A
way is a function of a text and the wanted text, and is registered as a function of SQL. Owners are compared
as whole texts, and databases differ in the texts that count as equal (`SAME`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable


def _contains(text: str, wanted: str) -> bool:
    # INSTR of SQL: % and _ are ordinary characters.
    return wanted in text


def _any_case(text: str, wanted: str) -> bool:
    return wanted.casefold() in text.casefold()


def _word_start(text: str, wanted: str) -> bool:
    # Hyphens and underscores separate words too: ``2809-20190812080700``, ``daily_report``.
    return re.search(rf"(?<![^\W_]){re.escape(wanted)}", text) is not None


def _collated(text: str) -> str:
    # Like MySQL's utf8mb4_0900_ai_ci: case, accents and width are ignored.
    split = unicodedata.normalize("NFKD", text.upper().lower())
    return "".join(char for char in split if not unicodedata.combining(char))


def _found_collated(text: str, wanted: str) -> bool:
    return _collated(wanted) in _collated(text)


def _like(text: str, pattern: str) -> bool:
    # LIKE of MariaDB and PostgreSQL, with case ignored: % is any text, _ any character, and a backslash
    # escapes the next.
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    wanted = "".join(wild.get(part) or re.escape(part[-1]) for part in parts)
    return re.fullmatch(wanted, text, re.DOTALL | re.IGNORECASE) is not None


def _found_like(text: str, wanted: str) -> bool:
    return _like(text, f"%{wanted}%")


def _same_any_case(text: str, wanted: str) -> bool:
    return text.casefold() == wanted.casefold()


def _same_but_trailing_spaces(text: str, wanted: str) -> bool:
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
    "same-trailing-spaces": _same_but_trailing_spaces,
    "same-collated": _same_collated,
    "same-like": _like,
}


def function(way: str) -> str:
    """Return the SQL name of the function of a way."""
    return f"found_{way.replace('-', '_')}"


def found_in_sql(column: str, way: str) -> str:
    """Return a condition of SQL that a column matches a value."""
    # The default uses a built-in function of SQLite, which is faster than a function of Python.
    return f"instr({column}, ?) > 0" if way == "contains" else f"{function(way)}({column}, ?)"


def same_in_sql(column: str, way: str) -> str:
    """Return a condition of SQL that a column equals one value, as `Quirks.owner_compare` says."""
    return f"{column} = ?" if way == "exact" else f"{function(f'same-{way}')}({column}, ?)"
