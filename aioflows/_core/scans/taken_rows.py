"""Rows that a scan hands out together: parts of pages, and the order of their rows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

import attrs

from aioflows._core.scans.partition import PageSlice

__all__ = ["TakenRows"]


@attrs.frozen(eq=False)
class TakenRows:
    """Rows to hand out.

    Args:
        pieces: the rows of each page.
        order: the order of all rows, if rows of several pieces interleave. None means the order of the pieces.
    """

    pieces: Sequence[PageSlice]
    order: Sequence[int] | None

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def in_batches(self, most: int) -> Iterator[TakenRows]:
        """Yield the same rows in batches of about the same length, with at most *most* rows each."""
        total = len(self)
        batches = -(-total // most)
        for number in range(batches):
            yield self._batch(total * number // batches, total * (number + 1) // batches)

    def _batch(self, first: int, until: int) -> TakenRows:
        starts = list(accumulate(map(len, self.pieces), initial=0))
        if self.order is None:
            cut = [
                attrs.evolve(piece, numbers=piece.numbers[max(0, first - start) : max(0, until - start)])
                for piece, start in zip(self.pieces, starts, strict=False)
            ]
            return TakenRows([piece for piece in cut if piece], None)
        chosen: dict[int, list[int]] = {}
        places = []
        for row in self.order[first:until]:
            piece = bisect_right(starts, row) - 1
            numbers = chosen.setdefault(piece, [])
            places.append((piece, len(numbers)))
            numbers.append(self.pieces[piece].numbers[row - starts[piece]])
        before = dict(zip(chosen, accumulate(map(len, chosen.values()), initial=0), strict=False))
        pieces = [attrs.evolve(self.pieces[piece], numbers=numbers) for piece, numbers in chosen.items()]
        return TakenRows(pieces, [before[piece] + place for piece, place in places])
