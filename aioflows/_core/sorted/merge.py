"""A lazy k-way merge of sources that are each in order.

Invariant: a row is handed out once no source can still bring an earlier row. The bound of a source is a key
that precedes all its further rows. Rows before the least of all bounds are handed out together, sorted. So no
source has to be read to its end. The source that is farthest behind delays all others, and is read next.

See docs/algorithms/sorted-orders.md.
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
    """A source of rows in order, of which some may have been read."""

    @property
    def entries(self) -> list[Entry]:
        """The next rows, with their keys. The merge deletes the rows that it hands out."""
        ...

    @property
    def bound(self) -> Key | None:
        """A key that no further row precedes. None means that there are no further rows."""
        ...


@attrs.define(eq=False)
class InMemoryRun:
    """A source whose rows are all in memory."""

    entries: list[Entry]
    bound: None = None


class SpilledRun:
    """A source whose rows were spilled in order, and are read back a few at a time.

    Args:
        units: the offset and length of each unit in the spill file (bytes).
        rows: the number of rows to keep ready.
        unit: the number of rows in a unit.
        order: the order of the rows.
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
        """A key that no further row precedes. None means that there are no further rows."""
        if not self._units and not self._loading:
            return None
        return (*self._last, None) if self._last else ()

    def load(self) -> SpillRead | None:
        """Return the next read from the spill file, if too few rows are ready."""
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
    """A lazy merge of sources.

    Args:
        sources: the first sources to merge. Later the attribute `sources` may change.
        after: the key after which rows are handed out. Default: ``()``, which means from the first row on.
    """

    def __init__(self, sources: Sequence[Source], after: Key = ()) -> None:
        self.sources = list(sources)
        self.reached: Key = ()
        """The key of the last row that was passed."""
        self.after = after

    @property
    def bound(self) -> Key | None:
        """A key that no further row of any source precedes. None means that there are no further rows."""
        return min((bound for source in self.sources if (bound := source.bound) is not None), default=None)

    def next(self) -> list[FlowInstance]:
        """Return the rows that no further row can precede. Empty if the source farthest behind must be read."""
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
        """True if every row of every source was handed out."""
        return all(source.bound is None and not source.entries for source in self.sources)
