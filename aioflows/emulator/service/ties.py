"""The order of rows with equal sort keys. In two database plans, LIMIT and OFFSET change this order.

Sources: PostgreSQL, "LIMIT and OFFSET": different values may lead to different plans, and so to rows in another
order. The "top-N heapsort" of PostgreSQL and MariaDB keeps a heap of the first LIMIT + OFFSET rows.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from aioflows.emulator.service.paging import Slice

_PRIME = 2_147_483_647
_SMALL_PART = 4
"""The divisor of the result that gives the part for which an index is read. Otherwise all rows are sorted."""

T = TypeVar("T")


def tie_break(ties: str, shuffle: int, page: Slice, matching: int, *, descending: bool) -> str:
    """Return a term of SQL by which rows with equal sort keys are ordered.

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
        return "number DESC" if descending else "number"  # a database reads an index backwards for DESC
    # A factor alone would leave neighbours of one order neighbours in every order, so the term is squared.
    draw = random.Random(shuffle).randrange
    mixed = f"((number * {draw(1, _PRIME)} + {draw(_PRIME)}) % {_PRIME})"
    return f"({mixed} * {mixed} % {_PRIME} * {draw(1, _PRIME)}) % {_PRIME}"


class _Ranked:
    """A row in a heap whose top is the last row of the order. Rows of equal rank count as equal."""

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
