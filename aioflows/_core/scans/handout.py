"""The handout: the rows between a scan and its consumer, and the number of rows handed out.

1. A row counts as handed out when it is taken, and not before. So a checkpoint never skips a row that an
   interrupted call has read.
2. At most *limit* rows are taken in all.
3. Taking a row needs no event loop. So a consumer in another thread can take rows while no rows are being read.
"""

from __future__ import annotations

from aioflows._tables.raw_rows import RawRows
from aioflows.models import FlowInstance

__all__ = ["Handout"]


class Handout:
    """The rows of one scan that wait for its consumer.

    Args:
        limit: the greatest number of rows to take in all. Default: None, which means every row.
    """

    __slots__ = ("_before", "_cut", "_last", "_left", "_rows", "at", "end")

    def __init__(self, limit: int | None = None) -> None:
        self._rows: list[FlowInstance] = []
        self.at = 0
        """The index of the next row to take."""
        self.end = 0
        """The index of the row before which taking ends."""
        self._before = 0
        self._last: FlowInstance | None = None
        self._left = limit
        self._cut = False
        """True if rows that left the machine cannot be taken."""

    @property
    def held(self) -> bool:
        """True if rows can be taken. Any thread may read this property while no rows are being read."""
        return self.at < self.end

    @property
    def taken(self) -> int:
        """The number of rows that were handed out."""
        return self._before + self.at

    @property
    def limited(self) -> bool:
        """True if there is a limit."""
        return self._left is not None

    @property
    def full(self) -> bool:
        """True if no more rows may be read, since the rows held reach the limit."""
        return self._left == 0

    @property
    def spent(self) -> bool:
        """True if the limit was reached, and all rows up to it were taken."""
        return self._left == 0 and self.at >= len(self._rows)

    @property
    def last(self) -> FlowInstance | None:
        """The last row that was handed out. None means that no row was handed out."""
        return self._rows[self.at - 1] if self.at else self._last

    @property
    def mark(self) -> tuple[FlowInstance | None, bool, bool]:
        """The position in the scan, as the arguments of `Machine.remaining`."""
        return self.last, self.at > 0, self.at >= len(self._rows) and not self._cut

    def clear(self) -> None:
        """Drop the rows before other rows are read, so that they are freed while they are young."""
        self._last, self._before = self.last, self.taken
        self._rows, self.at, self.end = [], 0, 0

    def fill(self, rows: list[FlowInstance]) -> None:
        """Hold rows of the scan, up to the limit. The rows before them must have been cleared."""
        self._rows = rows
        if self._left is not None:
            self._rows = rows[: self._left]
            self._left -= len(self._rows)
            self._cut = len(self._rows) < len(rows)
        self.end = len(self._rows)

    def take(self) -> FlowInstance:
        """Return the next row, and count it as handed out."""
        row = self._rows[self.at]
        self.at += 1
        return row

    def take_page(self, most: int | None = None) -> list[FlowInstance]:
        """Return all rows, or at most *most*, and count them as handed out."""
        end = self.end if most is None else min(self.end, self.at + most)
        rows = self._rows[self.at : end] if self.at or end < self.end else self._rows
        self.at = end
        return rows

    def count(self, rows: RawRows) -> None:
        """Count rows as handed out that were not held here."""
        self._last = rows.last
        self._before += len(rows)

    def miss(self) -> None:
        """Note that rows have left the machine and cannot be handed out."""
        self._cut = True

    def close(self) -> None:
        """Refuse to hand out more rows."""
        self.end = 0
