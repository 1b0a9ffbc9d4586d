"""Proven runs on their way out: nothing unseen precedes what was given."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.page import Batch
from aioflows._core.planning.reorder_buffer import ProvenRun, ReorderBuffer
from tests.support.model import ModelPage


def run(first: int, until: int, rows: int = 1) -> ProvenRun:
    page = ModelPage([f"{first}-{row}" for row in range(rows)], ["2024-01-01 00:00:00"] * rows)
    return ProvenRun(first, until, Batch(((page, range(rows)),)))


def drained(buffer: ReorderBuffer) -> list[ProvenRun]:
    runs = []
    while (one := buffer.next()) is not None:
        runs.append(one)
    return runs


@given(
    widths=st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=20),
    seed=st.integers(0, 2**32),
)
def test_in_whatever_order_windows_are_proven_none_is_given_before_all_that_precede_it(
    widths: list[tuple[int, bool]], seed: int
) -> None:
    """The spans of a scan may lie apart: what lies between two of them is waited for by nobody."""
    runs, spans, at = [], [(0, 0)], 0
    for width, apart in widths:
        if apart:
            at += 1_000
            spans.append((at, at))
        runs.append(run(at, at + width))
        at += width
        spans[-1] = spans[-1][0], at
    spans = [span for span in spans if span[0] < span[1]]
    buffer, given_out = ReorderBuffer(spans, ordered=True), []
    proven = set()
    for one in random.Random(seed).sample(runs, len(runs)):
        buffer.put(one)
        proven.add(one)
        given_out += drained(buffer)
        first_missing = next((at for at, one in enumerate(runs) if one not in proven), len(runs))
        assert given_out == runs[:first_missing]
    assert buffer.progress == 1.0


def test_where_order_does_not_matter_runs_are_given_as_they_come() -> None:
    buffer = ReorderBuffer([(0, 100)], ordered=False)
    late, early = run(50, 100), run(0, 50)
    buffer.put(late)
    assert drained(buffer) == [late]
    buffer.put(early)
    assert drained(buffer) == [early]


@pytest.mark.parametrize("ordered", [True, False])
def test_rows_are_counted_as_waiting_until_they_are_given(ordered: bool) -> None:
    buffer = ReorderBuffer([(0, 100)], ordered=ordered)
    for one in (run(60, 100, 3), run(0, 10, 4)):
        buffer.put(one)
    assert (buffer.rows, len(buffer.waiting)) == (7, 2)
    given_out = drained(buffer)
    assert buffer.rows == 7 - sum(len(one.batch) for one in given_out)
    assert len(buffer.waiting) == 2 - len(given_out)


def test_progress_is_the_share_of_the_time_that_is_asked_for_and_not_of_what_lies_between() -> None:
    buffer = ReorderBuffer([(0, 100), (10_000, 10_300)], ordered=True)
    assert buffer.progress == 0
    buffer.put(run(0, 100))
    drained(buffer)
    assert (buffer.progress, buffer.position) == (0.25, 10_000)


def test_of_an_empty_range_everything_was_given() -> None:
    buffer = ReorderBuffer([], ordered=True)
    assert (buffer.next(), buffer.progress, buffer.rows) == (None, 1.0, 0)
