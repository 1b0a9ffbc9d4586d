"""How a text finds an instance: the documentation says "fuzzy match on the instance id and the flow name", and no more.

Each way is a function of a text and of what is looked for in it; in SQL too, where it has a name of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable


def _contains(text: str, wanted: str) -> bool:
    # Not LIKE, and no pattern: % and _ are letters like others.
    return wanted in text


def _any_case(text: str, wanted: str) -> bool:
    return wanted.casefold() in text.casefold()


def _word_start(text: str, wanted: str) -> bool:
    # A hyphen and an underscore part words too: ``2809`` and ``20190812080700``, ``daily`` and ``report``.
    return re.search(rf"(?<![^\W_]){re.escape(wanted)}", text) is not None


FOUND: dict[str, Callable[[str, str], bool]] = {
    "contains": _contains,
    "any-case": _any_case,
    "word-start": _word_start,
}


def function(way: str) -> str:
    """What a way is called in SQL."""
    return f"found_{way.replace('-', '_')}"


def found_in_sql(column: str, way: str) -> str:
    """A condition of SQL on a column and one value."""
    # The way that is asked for by the million rows is SQLite's own.
    return f"instr({column}, ?) > 0" if way == "contains" else f"{function(way)}({column}, ?)"
