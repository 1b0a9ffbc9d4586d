"""The latest changes of a board, numbered, so that a client gets exactly those that it lacks.

1. A change names the whole new value, never a difference. So changes can be merged, and a change that comes
   twice does no harm.
2. The changes since any number are one change: the last value of each key. A client that reads slowly gets fewer
   and larger changes, and no queue grows for it.
3. Old changes are dropped beyond a number of keys. A client that lacks one of them needs the whole state.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeAlias

__all__ = ["Changes", "NumberedChanges", "merged"]

Changes: TypeAlias = dict[str, dict[Any, Any]]
"""By kind of key, the new value of each key."""


def merged(parts: Iterable[Mapping[str, Mapping[Hashable, Any]]]) -> Changes:
    """Return one change that has the effect of several, one after the other."""
    found: Changes = {}
    for part in parts:
        for kind, values in part.items():
            found.setdefault(kind, {}).update(values)
    return found


class NumberedChanges:
    """The latest changes, each with a number.

    Args:
        most: the number of keys beyond which old changes are dropped. Default: 100,000.
    """

    def __init__(self, most: int = 100_000) -> None:
        self._most = most
        self._kept: deque[tuple[int, Changes]] = deque()
        self._keys = 0
        self.last = 0
        """The number of the last change. 0 means that there was none."""

    def add(self, changes: Changes) -> int:
        """Add a change, and return its number."""
        self.last += 1
        self._kept.append((_size(changes), changes))
        self._keys += self._kept[-1][0]
        while self._keys > self._most and len(self._kept) > 1:
            self._keys -= self._kept.popleft()[0]
        return self.last

    def reaches(self, number: int) -> bool:
        """Return True if no change after a number was dropped."""
        return 0 <= self.last - number <= len(self._kept)

    def since(self, number: int) -> Changes | None:
        """Return the changes after a number as one. None means that some of them were dropped.

        The changes after the last one are empty.
        """
        if not self.reaches(number):
            return None
        parts = list(self._kept)[len(self._kept) - (self.last - number) :]
        return merged(changes for _, changes in parts)


def _size(changes: Changes) -> int:
    return 1 + sum(map(len, changes.values()))
