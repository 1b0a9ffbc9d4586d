"""Runs are counted as a list of them would be."""

from __future__ import annotations

import random
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aioflows._core.audit.fire_counter import FireCounter, FireCounters
from aioflows._core.schedule.expression import parse_expression
from aioflows._core.schedule.fires import fire_times
from aioflows._core.schedule.wall_clock import DAY, WallClock
from aioflows._core.wire.zone import Zone

LINES = (Path(__file__).parents[2] / "samples" / "quartz-fires.tsv").read_text(encoding="utf-8").splitlines()
CASES = sorted({tuple(line.split("\t")[:2]) for line in LINES if not line.startswith("#")})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
START, END = (int((datetime(2018, month, 1, tzinfo=UTC) - EPOCH).total_seconds()) for month in (2, 12))


def place(counter: FireCounter, clock: WallClock, second: int) -> int:
    day = clock.wall(second) // DAY
    return counter.place(day, second + clock.offsets(day).first - day * DAY, second)


@pytest.mark.parametrize(("expression", "zone"), random.Random(1).sample(CASES, 60))
def test_the_number_of_runs_between_two_instants_is_that_of_a_list(expression: str, zone: str) -> None:
    """Instants are runs, their neighbours, and random ones, in three parts of a year with both clock changes."""
    clock, rng = WallClock(Zone.parse(zone)), random.Random(expression)
    low = START + rng.randrange(40) * DAY + rng.randrange(DAY)
    runs = [
        round(one.timestamp())
        for one in fire_times(parse_expression(expression), clock, low, min(END, low + 270 * DAY))
    ]
    counter = FireCounters(clock, clock.wall(low) // DAY).counter(expression)
    assert isinstance(counter, FireCounter)
    near = [one + rng.randrange(-2, 3) for one in rng.sample(runs, min(150, len(runs)))]
    instants = sorted(
        one for one in {*near, *(low + rng.randrange(270 * DAY) for _ in range(50))} if one >= low
    )
    instants = [one for one in instants if one < END]
    offset = None
    for instant in instants:
        found = place(counter, clock, instant)
        index = bisect_left(runs, instant)
        on_schedule = index < len(runs) and runs[index] == instant
        assert (found >= 0) == on_schedule, clock.time(instant)
        number = found if found >= 0 else ~found
        offset = number - index if offset is None else offset
        assert number - index == offset, clock.time(instant)


def test_expressions_that_quartz_refuses_have_a_reason_and_no_counter() -> None:
    counters = FireCounters(WallClock(Zone.parse("UTC")), 0)
    assert "needs 6 or 7" in str(counters.counter("0 2 * * *"))
    assert "selects nothing" in str(counters.counter("0 0 , * * ?"))


def test_an_expression_whose_search_never_ends_has_an_error() -> None:
    clock = WallClock(Zone.parse("UTC"))
    counter = FireCounters(clock, START // DAY).counter("0 0 0 0W * ?")
    assert isinstance(counter, FireCounter)
    place(counter, clock, START)
    assert "never ends" in counter.error


def test_a_schedule_that_is_over_has_no_more_runs() -> None:
    clock = WallClock(Zone.parse("UTC"))
    counter = FireCounters(clock, START // DAY).counter("0 0 0 1 3 ? 2018")
    assert isinstance(counter, FireCounter)
    assert place(counter, clock, START) == ~0
    assert place(counter, clock, END) == place(counter, clock, END + timedelta(days=9_000).days * DAY) == ~1
