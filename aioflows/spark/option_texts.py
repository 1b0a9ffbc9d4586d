"""The texts of options as values. Each function raises a `ValueError` that says what is right.

No function repeats a text that may be a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

from aioflows.query import epoch_ms

__all__ = [
    "KEY_FORM",
    "SHOWN",
    "TIME_FORM",
    "flag",
    "instant",
    "name",
    "name_or_code",
    "names",
    "number",
    "text",
    "variable",
    "whole",
]

SHOWN: Final = 60
"""The most characters of a value in an error."""
TIME_FORM: Final = "give ISO 8601 with a zone, as in 2026-01-31T08:00+08:00, or epoch milliseconds"
KEY_FORM: Final = "give the names of environment variables as access_key_env and secret_key_env, or the path of a file as key_file"
_DIGITS: Final = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_LIST: Final = re.compile(r"[\[(]\s*['\"].*['\"]\s*,?\s*[\])]", re.DOTALL)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)


def text(value: str) -> str:
    """Return a text without control characters. The text of a list is refused."""
    if _LIST.fullmatch(value.strip()):
        raise ValueError("must be one text, not a list")
    if not value.isprintable():
        raise ValueError("must have no control characters")
    return value


def name(value: str) -> str:
    """Return a text that is not blank."""
    if not value.strip():
        raise ValueError("must not be blank")
    return text(value)


def variable(value: str) -> str:
    """Return the name of an environment variable."""
    if not _VARIABLE.fullmatch(value):
        raise ValueError(f"must be the name of an environment variable, not a key itself; {KEY_FORM}")
    return value


def names(value: str) -> tuple[str, ...]:
    """Return names that have commas between them."""
    if value.lstrip().startswith(("[", "(", "{")):
        raise ValueError("must be names with commas between them, as in 'FAIL,SUCCESS', not a list")
    return tuple(one.strip() for one in value.split(","))


def name_or_code(value: str) -> str | int:
    """Return a whole number, or another text as it is."""
    return int(value) if _DIGITS.fullmatch(value) else value


def instant(value: str) -> int:
    """Return a time with a zone (ms since the epoch)."""
    given = value.strip()
    if _DIGITS.fullmatch(given):
        return epoch_ms(int(given))
    try:
        time = datetime.fromisoformat(given)
    except ValueError:
        hint = " For the present time, give aioflows.spark.now()" if given.lower() == "now" else ""
        raise ValueError(f"{_short(given)} is not a time; {TIME_FORM}.{hint}") from None
    if time.tzinfo is None:
        raise ValueError(f"{_short(given)} has no zone; {TIME_FORM}")
    return epoch_ms(time)


def flag(value: str) -> bool:
    """Return a truth value."""
    known = {"true": True, "false": False}
    if value.strip().lower() not in known:
        raise ValueError(f"must be true or false, not {_short(value)}")
    return known[value.strip().lower()]


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a function that reads a whole number between two others."""

    def read(value: str) -> int:
        given = value.strip()
        if not _DIGITS.fullmatch(given) or not low <= int(given) <= high:
            raise ValueError(f"must be a whole number from {low:,} to {high:,}, not {_short(value)}")
        return int(given)

    return read


def number(unit: str, *, above_zero: bool = False) -> Callable[[str], float]:
    """Return a function that reads a number that is not negative."""
    rule = "above 0" if above_zero else "from 0"

    def read(value: str) -> float:
        try:
            found = float(value)
        except ValueError:
            found = -1.0
        if not 0 <= found < 1e9 or (above_zero and not found):
            raise ValueError(f"must be a number of {unit} {rule}, not {_short(value)}")
        return found

    return read


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")
