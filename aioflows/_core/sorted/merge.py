"""Sources, each in order, merged lazily.

Invariant: a row goes out once no source can still bring one before it. Each source says by its *bound* what it may
still bring; rows before the least of all bounds go out together, sorted. So no source need be read to its end, and a
source that is behind holds back all others, which is why it is the one to be read on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import attrs

from aioflows._core.scans.machine import SpillRead
from aioflows._core.sorted.sort_keys import Entry, Key, SortOrder, by_key
from aioflows.models import FlowInstance

__all__ = ["InMemoryRun", "KWayMerge", "Source", "SpilledRun"]


class Source(Protocol):
    """Rows in order, some of which are there."""

    entries: list[Entry]
    """The next rows."""

    @property
    def bound(self) -> Key | None:
        """What no row precedes that is still to come; None: none is."""
        ...


@attrs.define(eq=False)
class InMemoryRun:
    """Rows that are all there."""

    entries: list[Entry]
    bound: None = None


class SpilledRun:
    """Rows that were laid aside in order, and are read back a few at a time.

    Args:
        units: for each few of them, where they *lie* and how long they are.
        rows: how *many* rows to keep ready.
        unit: *rows* of a unit.
        order: their order.
    """

    def __init__(self, units: Sequence[tuple[int, int]], rows: int, unit: int, order: SortOrder) -> None:
        self.entries: list[Entry] = []
        self._units = deque(units)
        self._few = max(1, rows // (2 * unit))
        self._low = rows // 2
        self._order = order
        self._last: Key = ()
        self._loading = False

    @property
    def bound(self) -> Key | None:
        """What no row precedes that is still to come; None: none is."""
        if not self._units and not self._loading:
            return None
        return (*self._last, None) if self._last else ()

    def load(self) -> SpillRead | None:
        """Name what to read back now, if too little is ready."""
        if self._loading or not self._units or len(self.entries) > self._low:
            return None
        few = [self._units.popleft() for _ in range(min(self._few, len(self._units)))]
        self._loading = True
        return SpillRead(few[0][0], sum(length for _, length in few), self._loaded)

    def _loaded(self, rows: list[FlowInstance]) -> None:
        self._loading = False
        self.entries += [(self._order.key(row), row) for row in rows]
        self._last = self.entries[-1][0]


class KWayMerge:
    """Merges sources.

    Args:
        sources: what to merge; sources may take the place of others later.
        after: the key from which on rows are handed out; ``()``: from the first.
    """

    def __init__(self, sources: Sequence[Source], after: Key = ()) -> None:
        self.sources = list(sources)
        self.reached: Key = ()
        """The key of the last row that was passed."""
        self.after = after

    @property
    def bound(self) -> Key | None:
        """What no row precedes that is still to come, from whatever source; None: none is."""
        return min((bound for source in self.sources if (bound := source.bound) is not None), default=None)

    def next(self) -> list[FlowInstance]:
        """Return the rows that nothing unseen can precede; none: the source that is farthest behind has to be read on."""
        bound = self.bound
        passed: list[Entry] = []
        for source in self.sources:
            count = len(source.entries) if bound is None else bisect_left(source.entries, bound, key=by_key)
            passed += source.entries[:count]
            del source.entries[:count]
        if not passed:
            return []
        passed.sort(key=by_key)
        self.reached = passed[-1][0]
        return [row for key, row in passed if key > self.after]

    @property
    def over(self) -> bool:
        """Whether everything was given."""
        return all(source.bound is None and not source.entries for source in self.sources)
