"""Validators of the emulator's settings. Each raises a `QueryError` that names the setting and its value."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from aioflows.errors import QueryError

Check = Callable[[Any, "attrs.Attribute[Any]", Any], None]


def whole(low: int, high: int) -> Check:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise QueryError(f"{field.name} must be a whole number from {low:,} to {high:,}, not {value!r}")

    return check


def number(low: float, high: float) -> Check:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        real = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not real or not math.isfinite(value) or not low <= value <= high:  # type: ignore[arg-type, operator]  # `real` checks the type
            raise QueryError(f"{field.name} must be a number from {low:g} to {high:g}, not {value!r}")

    return check


def maybe(check: Check) -> Check:
    return attrs.validators.optional(check)


def pair(field: attrs.Attribute[Any], value: tuple[object, ...]) -> None:
    if len(value) != 2:
        raise QueryError(f"{field.name} must be two numbers, not {value!r}")


def one_of(*choices: str) -> Check:
    def check(_: object, field: attrs.Attribute[Any], value: object) -> None:
        if value not in choices:
            raise QueryError(f"{field.name} must be one of {', '.join(map(repr, choices))}, not {value!r}")

    check.__dict__["choices"] = choices  # for the help text of the command line
    return check


def some_of(*choices: object) -> Check:
    def check(_: object, field: attrs.Attribute[Any], value: Iterable[object]) -> None:
        for one in value:
            if isinstance(one, bool) or one not in choices:
                known = ", ".join(map(repr, choices))
                raise QueryError(f"{field.name} must hold only {known}, not {one!r}")

    return check


def flag(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, bool):
        raise QueryError(f"{field.name} must be True or False, not {value!r}")


def text(_: object, field: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise QueryError(f"{field.name} must be a text that is not empty, not {value!r}")


def secret(_: object, field: attrs.Attribute[Any], value: object) -> None:
    # The message does not show the value, since even a wrong value may be a secret.
    if not isinstance(value, str) or not value:
        raise QueryError(f"{field.name} must be a text that is not empty")


def several(value: object) -> list[object]:
    """Return the members of a collection. Raise an error for a text, which would be a collection of letters."""
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise QueryError(f"the value must be a collection, such as a list, not {value!r}")
    return list(value)


def listed(value: object) -> tuple[Any, ...]:
    return tuple(several(value))


def optional_list(value: object) -> tuple[Any, ...] | None:
    return None if value is None else listed(value)


def distinct(value: object) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(several(value)))


def members(value: object) -> frozenset[Any]:
    return frozenset(several(value))
