"""The counts of a report, against those of somebody who has all the rows before him."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows import FlowInstance, FlowStatus
from aioflows.report import FAILURES, Bounds, Tally, gaps, quantile, time_axis
from tests.support.report_cases import FAILED, START, ZONE, counted, day, facts, name, rows


def tallied(some: list[FlowInstance], *, page: int = 100, bounds: Bounds | None = None) -> Tally:
    tally = Tally(ZONE, bounds=bounds)
    for at in range(0, len(some), page):
        tally.add(some[at : at + page])
    return tally


def by_hour(tally: Tally, *, failed: bool) -> Counter[tuple[str, int]]:
    found: Counter[tuple[str, int]] = Counter()
    for (row, hour, _, status), count in tally.counts().items():
        if not failed or status in FAILURES:
            found[date.fromordinal(row).isoformat(), hour] += count
    return found


@given(st.integers(0, 400), st.integers(0, 99), st.integers(1, 300))
def test_every_hour_has_the_instances_and_failures_that_an_outsider_counts(
    count: int, seed: int, page: int
) -> None:
    some = rows(count, seed)
    tally, figures = tallied(some, page=page), counted(some)
    assert by_hour(tally, failed=False) == figures.hours
    assert by_hour(tally, failed=True) == figures.failures
    assert sum(spell.runs for spell in tally.lengths().values()) == figures.ran
    assert max((spell.longest for spell in tally.lengths().values()), default=0) == round(
        figures.longest * 1000
    )


@given(st.integers(1, 60), st.integers(0, 99), st.randoms(use_true_random=False))
def test_the_order_of_the_instances_makes_no_difference(
    runs: int, seed: int, shuffled: random.Random
) -> None:
    some, bounds = rows(300, seed, days=6), Bounds(days=3, runs=runs)
    other = list(some)
    shuffled.shuffle(other)
    tallies = [tallied(one, bounds=bounds) for one in (some, other)]
    assert by_hour(tallies[0], failed=True) == by_hour(tallies[1], failed=True)
    seen = [[(day, [run.instance_id for run in mine]) for day, mine in one.runs()] for one in tallies]
    assert seen[0] == seen[1]
    assert +tallies[0].left_out == +tallies[1].left_out


def test_of_the_newest_days_the_first_runs_are_kept_and_the_others_are_counted() -> None:
    some = rows(500, days=6)
    tally = tallied(some, bounds=Bounds(days=2, runs=10))
    days = dict(tally.runs())
    last = (START.astimezone(ZONE) + timedelta(days=5)).toordinal()
    assert sorted(days) == [last - 1, last]
    for number, runs in days.items():
        mine = sorted(
            (one.trigger_time, one.instance_id)
            for one in some
            if one.trigger_time and one.trigger_time.astimezone(ZONE).toordinal() == number
        )
        assert [run.instance_id for run in runs] == [name for _, name in mine[:10]]
        assert tally.left_out[number] == len(mine) - 10


def test_a_chosen_day_is_kept_whichever_are_newer() -> None:
    tally = Tally(ZONE, date(2024, 2, 28))
    tally.add(rows(200))
    assert [day for day, _ in tally.runs()] == [date(2024, 2, 28).toordinal()]


@pytest.mark.parametrize("cells", [50, 3_000, 6_000])
def test_however_small_it_has_to_be_no_instance_is_lost(cells: int) -> None:
    some = rows(3_000, days=900, flows=60)
    tally = tallied(some, bounds=Bounds(cells=cells))
    assert sum(tally.counts().values()) == len(some)
    assert sum(spell.runs for spell in tally.lengths().values()) == counted(some).ran
    assert tally.folded
    if cells > 50:  # less than twenty flows have, it cannot become
        assert tally.cells <= cells


def test_days_are_put_together_where_flows_are_not_enough() -> None:
    some = rows(3_000, days=900, flows=3)
    tally = tallied(some, bounds=Bounds(cells=2_000))
    assert tally.span > 1
    assert not tally.folded
    assert sum(tally.counts().values()) == len(some)


def test_an_instance_without_trigger_time_is_counted_apart() -> None:
    tally = Tally(ZONE)
    tally.add([FlowInstance("a")])
    assert (tally.instances, tally.undated, sum(tally.counts().values())) == (1, 1, 0)


def test_an_hour_that_clocks_show_twice_is_one_hour() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    tally = Tally(berlin)
    tally.add(
        FlowInstance(str(fold), trigger_time=datetime(2024, 10, 27, 2, 30, tzinfo=berlin, fold=fold))
        for fold in (0, 1)
    )
    assert [(key[1], count) for key, count in tally.counts().items()] == [(2, 2)]


def test_quantiles_lie_within_the_part_that_the_exact_ones_are_in() -> None:
    some = [
        FlowInstance(str(n), status=FlowStatus.SUCCESS, trigger_time=START, start_time=START, end_time=START + timedelta(seconds=n))
        for n in range(1, 101)
    ]  # fmt: skip
    tally = tallied(some)
    found = [quantile(tally, share) for share in (0.5, 0.99)]
    assert found[0] is not None
    assert found[1] is not None
    assert timedelta(seconds=30) <= found[0] <= timedelta(seconds=60)
    assert timedelta(seconds=60) <= found[1] <= timedelta(seconds=100)
    assert quantile(Tally(), 0.5) is None


def test_the_newest_failed_instances_are_kept_and_the_others_are_counted() -> None:
    some = rows(500, days=6)
    tally = tallied(some, bounds=Bounds(failures=10))
    failed = [one for one in some if name(one) in FAILED]
    newest = sorted(((one.trigger_time, one.instance_id) for one in failed if one.trigger_time), reverse=True)
    assert [run.instance_id for run in tally.failures()] == [id for _, id in newest[:10]]
    assert tally.failures_left_out == len(failed) - 10


def test_the_time_axis_has_days_without_instances_too() -> None:
    some = [one for one in rows(600, days=4) if day(one) != "2024-02-29"]
    tally = tallied(some)
    axis = time_axis(tally, facts())
    assert len(axis) == 4
    assert gaps(tally, axis) == [(axis[1], axis[1])]
