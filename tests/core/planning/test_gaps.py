"""What is unproven: gaps tile what no page has proven, however they are taken apart."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.planning.gaps import Gap, Gaps


def windows(gaps: Gaps) -> list[tuple[int, int]]:
    return [(gap.first, gap.until) for gap in gaps]


@given(st.integers(0, 2**32))
def test_gaps_are_what_was_not_taken_and_rows_are_counted_where_they_lie(seed: int) -> None:
    rng = random.Random(seed)
    gaps = Gaps([(0, 1000)])
    open_ms = set(range(1000))
    rows_before = [0] * 1001  # rows[n]: those proven at millisecond n
    for _ in range(40):
        first = rng.randrange(1000)
        until = rng.randrange(first + 1, 1001)
        for gap in gaps.within(first, until):
            low, high = max(first, gap.first), min(until, gap.until)
            if rng.random() < 0.3 and high - low > 2:
                gaps.split(gap, rng.randrange(low + 1, high))
                continue
            rows = rng.randrange(5)
            gaps.take(gap, low, high, rows)
            rows_before[low] += rows
            open_ms -= set(range(low, high))
        covered = [ms for first, until in windows(gaps) for ms in range(first, until)]
        assert covered == sorted(open_ms)
        edges = [gap.first for gap in gaps]
        assert gaps.ready == sum(rows_before[: edges[0] if edges else 1001])
        for gap, end in zip(gaps, [*edges[1:], 1001], strict=False):
            assert gap.after == sum(rows_before[gap.until : end])


def test_a_window_finds_the_gaps_it_touches_and_no_other() -> None:
    gaps = Gaps([(0, 10), (20, 30), (40, 50)])
    assert [gap.first for gap in gaps.within(5, 21)] == [0, 20]
    assert [gap.first for gap in gaps.within(10, 20)] == []
    assert [gap.first for gap in gaps.within(29, 41)] == [20, 40]


def test_neighbours_are_not_joined_across_a_change_of_offset() -> None:
    gaps = Gaps([(0, 100)])
    gaps.split(gaps[0], 50)
    assert gaps.after(gaps[0]) is gaps[1]
    gaps.fences.add(50)
    assert gaps.after(gaps[0]) is None


def test_a_split_leaves_to_each_part_what_was_known_at_its_end() -> None:
    gaps = Gaps([(0, 100)])
    gap = gaps[0]
    gap.maybe_last, gap.start.known, gap.after = True, 7, 5
    later = gaps.split(gap, 50)
    assert (gap.maybe_last, gap.start.known, gap.after) == (True, 7, 0)
    assert (later.maybe_last, later.start.known, later.after) == (False, None, 5)


def test_a_request_reaches_over_gaps_of_which_nothing_was_asked_and_no_farther() -> None:
    gaps = Gaps([(0, 100)])
    for cut in (10, 20, 30, 40):
        gaps.split(gaps[len(gaps) - 1], cut)
    gaps[3].empty_answers = 1
    assert gaps.reach(gaps[0], 1000) == 30
    assert gaps.reach(gaps[0], 25) == 25
    assert gaps.reach(gaps[0], 5) == 10
    gaps.fences.add(20)
    assert gaps.reach(gaps[0], 1000) == 20


def test_a_gap_that_was_closed_is_no_longer_among_the_gaps() -> None:
    gaps = Gaps([(0, 100)])
    first = gaps[0]
    gaps.split(first, 50)
    gaps.take(first, 0, 50, 0)
    assert first not in gaps
    assert gaps[0] in gaps


def test_a_gap_expects_rows_by_its_density() -> None:
    assert Gap(0, 2000, 0.5).expected == 1000
