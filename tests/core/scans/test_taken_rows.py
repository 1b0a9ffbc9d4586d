"""Rows that are handed out together, and in batches."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.scans.partition import PageSlice
from aioflows._core.scans.taken_rows import TakenRows

nothing: Any = None


def listed(rows: TakenRows) -> list[int]:
    numbers = [number for piece in rows.pieces for number in piece.numbers]
    return numbers if rows.order is None else [numbers[place] for place in rows.order]


@given(st.data(), st.lists(st.integers(1, 9), min_size=1, max_size=5), st.integers(1, 12), st.booleans())
def test_batches_hold_all_rows_in_their_order(
    data: st.DataObject, lengths: list[int], most: int, interleaved: bool
) -> None:
    numbers = iter(range(sum(lengths)))
    pieces = [PageSlice(nothing, nothing, [next(numbers) for _ in range(length)], 0) for length in lengths]
    order = data.draw(st.permutations(range(sum(lengths)))) if interleaved else None
    rows = TakenRows(pieces, order)
    batches = list(rows.in_batches(most))
    assert [row for batch in batches for row in listed(batch)] == listed(rows)
    assert max(map(len, batches)) <= most
    assert len(batches) == -(-len(rows) // most)
