"""The order of rows with equal sort keys. In two database plans it depends on LIMIT and OFFSET.

Sources: PostgreSQL, "LIMIT and OFFSET": different values may give different plans, and so rows in another
order. PostgreSQL's "top-N heapsort" keeps a heap of the first LIMIT + OFFSET rows; MariaDB sorts in the same
way.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from aioflows.emulator.service.paging import Slice

_PRIME = 2_147_483_647
_SMALL_PART = 4
"""An index is read if the page ends in the first quarter of the result. Otherwise all rows are sorted."""

T = TypeVar("T")


def tie_break(ties: str, shuffle: int, page: Slice, matching: int, *, descending: bool) -> str:
    """Return the sort key of rows with equal keys, as a term of SQL.

    Args:
        ties: a value of `Quirks.ties`.
        shuffle: the seed of a random order.
        page: the slice of the result that is requested.
        matching: the rows that match. Only "two-plans" uses it.
        descending: True if the first sorter is descending.
    """
    if ties == "stable":
        return "number"
    if ties == "two-plans" and (page.limit + page.offset) * _SMALL_PART <= matching:
        return "number DESC" if descending else "number"  # the index is read backwards or forwards
    # Squared, because with a factor alone, rows that are neighbours in one order would be neighbours in every
    # order.
    draw = random.Random(shuffle).randrange
    mixed = f"((number * {draw(1, _PRIME)} + {draw(_PRIME)}) % {_PRIME})"
    return f"({mixed} * {mixed} % {_PRIME} * {draw(1, _PRIME)}) % {_PRIME}"


class _Ranked:
    """A row in a heap whose top is the last row of the order. Rows of equal rank compare as equal."""

    __slots__ = ("rank", "row")

    def __init__(self, rank: int, row: object) -> None:
        self.rank = rank
        self.row = row

    def __lt__(self, other: _Ranked) -> bool:
        return self.rank > other.rank


def top_n(ranked: Sequence[tuple[int, T]], page: Slice) -> list[T]:
    """Return the rows of a page, in the order in which a heap of the first LIMIT + OFFSET rows returns them.

    Args:
        ranked: pairs of a rank and a row, in the order of the table.
        page: the slice of the result that is requested.
    """
    count = page.limit + page.offset
    first = _sorted(ranked) if 2 * count >= len(ranked) else _heap_sorted(ranked, count)
    return first[page.offset : count]


def _sorted(ranked: Iterable[tuple[int, T]]) -> list[T]:
    return [row for _, row in sorted(ranked, key=lambda one: one[0])]


def _heap_sorted(ranked: Iterable[tuple[int, T]], count: int) -> list[T]:
    heap: list[_Ranked] = []
    for rank, row in ranked:
        if len(heap) < count:
            heapq.heappush(heap, _Ranked(rank, row))
        elif count and rank < heap[0].rank:
            heapq.heapreplace(heap, _Ranked(rank, row))
    rows: list[T] = [heapq.heappop(heap).row for _ in range(len(heap))]  # type: ignore[misc]  # rows of type T
    return rows[::-1]
