"""Numbers as users give them: those of Python, and those of NumPy and pandas, without importing either."""

from __future__ import annotations

import math
import operator
from datetime import timedelta
from numbers import Real

from aioflows.errors import QueryError

__all__ = ["as_number", "as_seconds", "as_whole", "whole_from"]


def as_whole(value: object) -> int | None:
    """Return a whole number as an int, or None for any other value. True and False are not numbers.

    Whole numbers of NumPy have ``__index__`` (PEP 357), and so do their booleans in old releases.
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool", "bool_"):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]  # it raises a TypeError for other values
    except TypeError:
        return None


def as_number(value: object) -> float | None:
    """Return a real number as an int or a float, or None for any other value."""
    whole = as_whole(value)
    if whole is not None:
        return whole
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def as_seconds(value: object) -> float | None:
    """Return a finite duration, a number or a timedelta, in seconds. Return None for any other value."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else as_number(value)
    return float(seconds) if seconds is not None and math.isfinite(seconds) else None


def whole_from(least: int, value: object, name: str, more: str = "") -> int:
    """Return a whole number as an int.

    Args:
        least: the least number that is valid.
        value: the number.
        name: its name in errors.
        more: further words on what is valid, for errors. Default: none.

    Raises:
        QueryError: it is not such a number.
    """
    whole = as_whole(value)
    if whole is None or whole < least:
        raise QueryError(f"{name} must be a whole number from {least}{more}, not {value!r}")
    return whole
