"""The order of rows with equal sort keys, and the two plans of a database in which it depends on LIMIT and OFFSET.

Sources: PostgreSQL, "LIMIT and OFFSET" (different LIMIT and OFFSET values may give different plans, and rows in another
order), and its "top-N heapsort", which keeps a heap of the first LIMIT + OFFSET rows; MariaDB sorts in the same way.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

from aioflows.emulator.service.paging import Slice

_PRIME = 2_147_483_647
_SMALL_PART = 4
"""An index is read in its order for up to one row of so many; beyond, all that matches is read and sorted."""

T = TypeVar("T")


def tie_break(ties: str, shuffle: int, page: Slice, matching: int, *, descending: bool) -> str:
    """Return what rows with equal keys are sorted by, as a term of SQL.

    Args:
        ties: a key of `Quirks.ties`.
        shuffle: another *number* gives another order.
        page: what of the *result* is asked for.
        matching: *rows* that match, where it depends on that.
        descending: whether the first sorter is.
    """
    if ties == "stable":
        return "number"
    if ties == "two-plans" and (page.limit + page.offset) * _SMALL_PART <= matching:
        return "number DESC" if descending else "number"  # an index is walked backwards
    # Squared, since orders that differ by a factor only would keep neighbours neighbours.
    draw = random.Random(shuffle).randrange
    mixed = f"((number * {draw(1, _PRIME)} + {draw(_PRIME)}) % {_PRIME})"
    return f"({mixed} * {mixed} % {_PRIME} * {draw(1, _PRIME)}) % {_PRIME}"


class _Ranked:
    """A row in a heap, in which the last row in the order is at the top; rows of equal rank are not told apart."""

    __slots__ = ("rank", "row")

    def __init__(self, rank: int, row: object) -> None:
        self.rank = rank
        self.row = row

    def __lt__(self, other: _Ranked) -> bool:
        return self.rank > other.rank


def top_n(ranked: Sequence[tuple[int, T]], page: Slice) -> list[T]:
    """Return the rows of a page as they come out of a heap of the first LIMIT + OFFSET rows.

    Args:
        ranked: the *rank* of each row, and the row, in the order of the table.
        page: what of the *result* is asked for.
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
    rows: list[T] = [heapq.heappop(heap).row for _ in range(len(heap))]  # type: ignore[misc]  # what was put in
    return rows[::-1]
