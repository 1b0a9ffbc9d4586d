"""The whole state of a machine as one value, so that an exhaustive walk goes on from each state only once.

Two machines with the same value do the same for ever: it holds all that can be reached from them, values as they are,
objects by what they consist of and by which of them are one and the same. What is left out is only counted and never
read again. An object of a kind that is not known here is an error, not a guess.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable
from functools import cache, partial
from hashlib import blake2b
from types import FunctionType, GeneratorType, MethodType
from typing import Any

from aioflows._core.pages import Axis
from aioflows._core.times import Zone

__all__ = ["state_of"]

_PLAIN = {int, float, str, bool, bytes, type(None), range, Zone, Axis}
"""Compared by what they are; zones and axes never change."""

_ACCOUNT = {"rows_received", "duplicates", "proofs", "counted"}
"""What the machine counts for its users and never reads itself; with it, no two states would be equal."""


def state_of(*roots: object) -> bytes:
    """Give a digest of everything that can be reached."""
    walk = _Walk()
    for root in roots:
        walk.visit(root)
    return blake2b(repr(walk.found).encode(), digest_size=16).digest()


class _Walk:
    def __init__(self) -> None:
        self.found: list[object] = []
        self._numbers: dict[int, int] = {}
        self._alive: list[object] = []

    def visit(self, value: object) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self.found.append(value)
            return
        number = self._numbers.get(id(value))
        if number is not None:
            self.found.append(("again", number))
            return
        self._numbers[id(value)] = len(self._numbers)
        self._alive.append(value)  # an id is an object's own only while it lives
        self.found.append(kind.__name__)
        for part in _parts_of(kind)(value):
            self.visit(part)
        self.found.append("end")


def _parts_of(kind: type) -> Callable[[Any], list[Any]]:
    for known, parts in _PARTS:
        if issubclass(kind, known):
            return parts
    return _fields(kind)


def _function(value: Any) -> list[Any]:
    return [value.__qualname__, *(cell.cell_contents for cell in value.__closure__ or ()), value.__defaults__]


def _generator(value: Any) -> list[Any]:
    frame = value.gi_frame
    return [value.__qualname__] if frame is None else [value.__qualname__, frame.f_lasti, *_pairs(frame.f_locals)]


def _pairs(value: Any) -> list[Any]:
    return [part for pair in value.items() for part in pair]


def _set(value: Any) -> list[Any]:
    # Sets of texts and numbers only: those of objects have no order of their own.
    return sorted(value)


_PARTS: list[tuple[type, Callable[[Any], list[Any]]]] = [
    (dict, _pairs),
    (Counter, _pairs),
    (list, list),
    (tuple, list),
    (deque, list),
    (set, _set),
    (frozenset, _set),
    (enum.Enum, lambda value: [value.name]),
    (FunctionType, _function),
    (GeneratorType, _generator),
    (MethodType, lambda value: [value.__name__, value.__self__]),
    (partial, lambda value: [value.func, value.args, value.keywords]),
    (BaseException, lambda value: [str(value)]),
]


@cache
def _fields(kind: type) -> Callable[[Any], list[Any]]:
    slots = [name for one in kind.__mro__ for name in one.__dict__.get("__slots__", ()) if name != "__weakref__"]
    module = kind.__module__
    if not module.startswith(("aioflows.", "tests.", "__main__")):
        raise TypeError(f"{kind} is of no kind whose state is known")

    def parts(value: Any) -> list[Any]:
        found = [getattr(value, name) for name in slots]
        held = getattr(value, "__dict__", {})
        return [*found, *(held[name] for name in held if name not in _ACCOUNT)]

    return parts
