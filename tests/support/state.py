"""The whole state of a machine as one value, so that an exhaustive walk goes on from each state only once.

Two machines with the same value do the same for ever: it holds all that can be reached from them, values as they are,
objects by what they consist of and by which of them are one and the same. What is left out is only counted and never
read again. An object of a kind that is not known here is an error, not a guess.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from collections.abc import Callable, Iterable
from functools import partial
from hashlib import blake2b
from itertools import chain
from types import FunctionType, GeneratorType, MethodType
from typing import Any, TypeAlias

from aioflows._core.pages.page_request import Direction
from aioflows._core.wire.zone import Zone
from tests.support.model import ModelPage

__all__ = ["state_of"]

Parts: TypeAlias = Callable[[Any], Iterable[Any]]

_PLAIN = {int, float, str, bool, bytes, type(None), range, Zone, Direction}
"""Compared by what they are; zones and axes never change."""

_ACCOUNT = {"rows_received", "duplicates", "proofs", "counted", "news"}
"""What the machine counts for its users and never reads itself; with it, no two states would be equal."""


_KNOWN: dict[type[Any], tuple[str, Parts]] = {}


def state_of(*roots: object) -> bytes:
    """Give a digest of everything that can be reached."""
    walk = _Walk()
    walk.visit(roots)
    return blake2b(repr(walk.found).encode(), digest_size=16).digest()


class _Walk:
    def __init__(self) -> None:
        self.found: list[object] = []
        self._numbers: dict[int, int] = {}
        self._alive: list[object] = []

    def visit(self, value: Any) -> None:
        kind, found, numbers = type(value), self.found, self._numbers
        numbers[id(value)] = len(numbers)
        self._alive.append(value)  # an id is an object's own only while it lives
        name, parts = _parts_of(kind)
        found.append(name)
        for part in parts(value):
            if type(part) in _PLAIN:
                found.append(part)
            elif (number := numbers.get(id(part))) is not None:
                found.append((number,))
            else:
                self.visit(part)
        found.append(Ellipsis)


def _parts_of(kind: type[Any]) -> tuple[str, Parts]:
    if kind not in _KNOWN:
        parts = next((parts for known, parts in _PARTS if issubclass(kind, known)), None)
        _KNOWN[kind] = kind.__name__, parts or _fields(kind)
    return _KNOWN[kind]


def _function(value: Any) -> list[Any]:
    return [value.__qualname__, *(cell.cell_contents for cell in value.__closure__ or ()), value.__defaults__]


def _generator(value: Any) -> list[Any]:
    frame = value.gi_frame
    return (
        [value.__qualname__]
        if frame is None
        else [value.__qualname__, frame.f_lasti, value.gi_yieldfrom, *_pairs(frame.f_locals)]
    )


def _pairs(value: Any) -> Iterable[Any]:
    return chain.from_iterable(value.items())


_PARTS: list[tuple[type, Parts]] = [
    (Counter, _pairs),
    (dict, _pairs),
    (list, iter),
    (tuple, iter),
    (deque, iter),
    (set, sorted),  # of texts and numbers only: those of objects have no order of their own
    (frozenset, sorted),
    (enum.Enum, lambda value: [value.name]),
    (FunctionType, _function),
    (GeneratorType, _generator),
    (type, lambda value: [value.__qualname__]),
    (MethodType, lambda value: [value.__name__, value.__self__]),
    (partial, lambda value: [value.func, value.args, value.keywords]),
    (BaseException, lambda value: [str(value)]),
    (ModelPage, lambda value: [*value.ids, *value.times]),
]


def _fields(kind: type) -> Parts:
    if not kind.__module__.startswith("aioflows."):
        raise TypeError(f"{kind} is of no kind whose state is known")
    slots = [
        name for one in kind.__mro__ for name in one.__dict__.get("__slots__", ()) if name != "__weakref__"
    ]
    if slots:
        return lambda value: [getattr(value, name) for name in slots]
    return lambda value: [part for name, part in vars(value).items() if name not in _ACCOUNT]
