"""The ranks of rows: how many rows of one schedule type come before a time, learnt from a few single rows."""

from __future__ import annotations

from bisect import bisect_right, insort

__all__ = ["RowRanks"]

_UNBOUNDED = 1_000
"""How many times as many rows there may be as were found, where no row was missing yet."""


class RowRanks:
    """What is known of the ranks of one schedule type's rows.

    A rank is counted from 1, in the order of trigger time. Between known rows, ranks are interpolated.

    Args:
        begin: the start of the range (seconds since the epoch).
        end: its end.
    """

    def __init__(self, begin: int, end: int) -> None:
        self.known: list[tuple[float, int]] = [(0, begin)]
        """Ranks and the times of their rows (seconds since the epoch), in order. The first is the start of the range."""
        self._last = end
        self._most: float | None = None

    @property
    def least(self) -> float:
        """The least possible number of rows."""
        return self.known[-1][0]

    @property
    def is_bounded(self) -> bool:
        """True if a row was missing, so that there are not more rows than `most`."""
        return self._most is not None

    @property
    def most(self) -> float:
        """The greatest possible number of rows. It is a guess until a row was missing."""
        return max(self.least, 1) * _UNBOUNDED if self._most is None else self._most

    @property
    def total(self) -> float:
        """The number of rows, estimated from the density before the last known row."""
        rank, time = self.known[-1]
        if self.most <= rank or len(self.known) == 1:
            return rank
        before, earlier = self.known[-2]
        more = (rank - before) * (self._last - time) / max(time - earlier, 1)
        return min(rank + more, self.most)

    @property
    def line(self) -> list[tuple[float, int]]:
        """The known ranks and times, with the estimated total at the last row's time."""
        return [*self.known, (self.total, max(self._last, self.known[-1][1]))]

    def found(self, rank: float, time: int) -> None:
        """Add a row."""
        insort(self.known, (rank, max(time, self.known[0][1])))

    def missing(self, rank: float) -> None:
        """Note that there are fewer rows than a rank."""
        self._most = min(self.most, rank - 1) if self._most is not None else rank - 1

    def ends_at(self, time: int | None) -> None:
        """Note the time of the last row, or that there is no row."""
        if time is None:
            self._most = 0
        else:
            self._last = time

    def at(self, time: int, like: RowRanks | None = None) -> float:
        """Return the estimated number of rows before a time.

        Args:
            time: the time (seconds since the epoch).
            like: other ranks. Between known rows, these ones are taken to grow as the others do. Default:
                None, they are taken to grow evenly.
        """
        line = self.line
        place = bisect_right(line, time, key=lambda point: point[1])
        if place in (0, len(line)):
            return line[-1][0] if place else 0
        (low, since), (high, until) = line[place - 1], line[place]
        share = (time - since) / max(until - since, 1)
        if like is not None and like is not self:
            before, after = like.at(since), like.at(until)
            if after > before:
                share = (like.at(time) - before) / (after - before)
        return low + (high - low) * share
