"""The runs of a schedule, in zones whose clocks change and for rules that Quartz reads in ways of its own."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aioflows._core.schedule.expression import parse_expression
from aioflows._core.schedule.fires import fire_after, fire_times
from aioflows._core.schedule.wall_clock import WallClock
from aioflows._core.wire.zone import Zone
from aioflows.errors import QueryError

# Zones, and a day shortly before clocks change there.
CHANGES = [
    ("UTC", "2019-03-30"), ("Europe/Berlin", "2019-03-30"), ("Europe/Berlin", "2019-10-26"), ("Asia/Beirut", "2019-03-30"),
    ("America/Sao_Paulo", "2018-11-03"), ("America/Sao_Paulo", "2019-02-16"), ("Australia/Lord_Howe", "2019-04-06"),
    ("Australia/Lord_Howe", "2019-10-05"), ("Pacific/Apia", "2011-12-29"), ("America/St_Johns", "2005-04-02"),
    ("Antarctica/Troll", "2019-03-30"), ("Africa/Casablanca", "2060-02-01"), ("Africa/Casablanca", "2060-03-07"),
]  # fmt: skip


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def searched(expression: str, zone: str, after: int, count: int) -> list[int]:
    """Return runs by one search for each, in seconds since the epoch."""
    fields, clock = parse_expression(expression), WallClock(Zone.parse(zone))
    found: list[int] = []
    while len(found) < count and (wall := fire_after(fields, clock, after)) is not None:
        after = clock.instant(wall)
        found.append(after)
    return found


def listed(expression: str, zone: str, first: int, end: int, count: int) -> list[int]:
    runs = fire_times(parse_expression(expression), WallClock(Zone.parse(zone)), first, end)
    return [int(one.timestamp()) for one in itertools.islice(runs, count)]


# Quartz' own answers, in UTC.
ANSWERS = {
    "the time that clocks skip has no run": (
        "0 30 2 * * ?", "Europe/Berlin", "2019-03-30 00:00", ["2019-03-30 01:30", "2019-04-01 00:30"],
    ),
    "the hour that clocks show twice has its runs in the second pass": (
        "0 0/30 * * * ?", "Europe/Berlin", "2019-10-26 23:30",
        ["2019-10-27 01:00", "2019-10-27 01:30", "2019-10-27 02:00"],
    ),
    "a midnight that clocks skip has no run": (
        "0 0 0 * * ?", "America/Sao_Paulo", "2018-11-03 00:00", ["2018-11-03 03:00", "2018-11-05 02:00"],
    ),
    "a midnight that clocks skip hides no run after it": (
        "0 30 0,1 * * ?", "America/Sao_Paulo", "2018-11-03 20:00", ["2018-11-04 03:30", "2018-11-05 02:30"],
    ),
    "a run behind half an hour that clocks skip is lost if the search lands behind it": (
        "0 15,35 * * * ?", "Australia/Lord_Howe", "2019-10-05 14:00",
        ["2019-10-05 14:05", "2019-10-05 14:45", "2019-10-05 15:05", "2019-10-05 16:15"],
    ),
    "half an hour that clocks show twice has its runs in the second pass": (
        "0 0/15 1,2 * * ?", "Australia/Lord_Howe", "2019-04-06 14:00",
        ["2019-04-06 14:15", "2019-04-06 15:00", "2019-04-06 15:15", "2019-04-06 15:30"],
    ),
    "a run behind two hours that clocks skip is lost if the search lands behind it": (
        "0 0 1,3,4 * * ?", "Antarctica/Troll", "2019-03-30 03:30", ["2019-03-30 04:00", "2019-03-31 02:00"],
    ),
    "clocks may skip an hour that does not start at a full hour": (
        "0 0/20 * * * ?", "America/St_Johns", "2005-04-03 03:00", ["2005-04-03 03:10", "2005-04-03 03:30"],
    ),
    "a day that clocks skip has no run": (
        "0 0 12 * * ?", "Pacific/Apia", "2011-12-29 00:00", ["2011-12-29 22:00", "2011-12-30 22:00"],
    ),
    "a weekday that clocks skip has no run": (
        "0 0 12 ? * FRI", "Pacific/Apia", "2011-12-20 00:00", ["2011-12-23 22:00", "2012-01-05 22:00"],
    ),
    "the nearest weekday to a day that clocks skip is that of the day behind it": (
        "0 0 12 30W * ?", "Pacific/Apia", "2011-11-28 00:00",
        ["2011-11-30 22:00", "2011-12-29 22:00", "2012-01-29 22:00", "2012-03-29 22:00"],
    ),
    "a day that a month does not have leads into the next month": (
        "0 0 0 31 * ?", "UTC", "2019-01-05 00:00", ["2019-01-31 00:00", "2019-03-31 00:00", "2019-05-31 00:00"],
    ),
    "the nearest weekday to a day that a month does not have may lie in that month": (
        "0 0 12 31W * ?", "UTC", "2021-04-01 00:00", ["2021-04-30 12:00", "2021-05-31 12:00", "2021-07-30 12:00"],
    ),
    "the nearest weekday to February 29 is found by a search that starts in that February": (
        "0 0 12 29W * ?", "UTC", "2025-02-01 00:00", ["2025-02-28 12:00", "2025-03-28 12:00"],
    ),
    "the nearest weekday to February 29 is skipped by a search that starts before": (
        "0 0 12 29W * ?", "UTC", "2025-01-01 00:00", ["2025-01-29 12:00", "2025-03-28 12:00"],
    ),
    "a list with W counts by its smallest day": (
        "0 0 12 15W,20 * ?", "UTC", "2019-01-01 00:00", ["2019-01-15 12:00", "2019-02-15 12:00"],
    ),
    "a list with # counts by its smallest weekday": (
        "0 0 12 ? * 2#2,6", "UTC", "2019-01-01 00:00", ["2019-01-14 12:00", "2019-02-11 12:00"],
    ),
    "weekday 0 before # is Saturday": (
        "0 0 12 ? * 0#2", "UTC", "2019-01-01 00:00", ["2019-01-12 12:00", "2019-02-09 12:00"],
    ),
    "weekday 8 before # is no day": ("0 0 12 ? * 8#2", "UTC", "2019-01-01 00:00", []),
    "years after the last one have no run": (
        "0 0 12 1 1 ? 2019/40", "UTC", "2019-01-05 00:00", ["2059-01-01 12:00", "2099-01-01 12:00"],
    ),
    "the last year has runs": ("0 0 12 1 1 ? 2126,2127", "UTC", "2019-01-05 00:00", ["2126-01-01 12:00"]),
    "no year has no run": ("0 0 12 1 1 ? L", "UTC", "2019-01-05 00:00", []),
}  # fmt: skip


@pytest.mark.parametrize("claim", ANSWERS)
def test_quartz_answers(claim: str) -> None:
    expression, zone, after, runs = ANSWERS[claim]
    ends = not runs or expression.endswith(("2019/40", "2127"))
    found = searched(expression, zone, seconds(after), len(runs) + ends)
    assert [f"{datetime.fromtimestamp(one, UTC):%Y-%m-%d %H:%M}" for one in found] == runs


@st.composite
def expressions(draw: st.DrawFn) -> str:
    def time(high: int) -> str:
        number = st.integers(0, high)
        return draw(
            st.one_of(
                st.just("*"),
                number.map(str),
                st.lists(number, min_size=2, max_size=4).map(lambda one: ",".join(map(str, one))),
                st.builds("{}-{}".format, number, number),
                st.builds("{}/{}".format, number, st.integers(1, high)),
            )
        )

    days = st.sampled_from(
        ["* * ?", "L * ?", "15W * ?", "29-31 * ?", "? * 1L", "? * 7#1", "? * MON-FRI", "? 10-3 SAT,SUN"]
    )
    return f"{draw(st.sampled_from(['0', '5,50', '*/20']))} {time(59)} {time(23)} {draw(days)}"


@settings(max_examples=300, deadline=None)
@given(expressions(), st.sampled_from(CHANGES), st.integers(-40_000, 80_000))
def test_runs_that_are_listed_are_those_of_one_search_each(
    expression: str, change: tuple[str, str], moved: int
) -> None:
    zone, day = change
    first = seconds(f"{day} 12:00") + moved
    first = WallClock(Zone.parse(zone)).behind_first_pass(first)
    wanted = searched(expression, zone, first - 1, 60)
    assert listed(expression, zone, first, seconds("2127-01-01 00:00"), 60) == wanted


@settings(max_examples=60, deadline=None)
@given(expressions(), st.sampled_from(CHANGES), st.integers(0, 60))
def test_a_list_ends_before_its_end(expression: str, change: tuple[str, str], count: int) -> None:
    zone, day = change
    first = seconds(f"{day} 03:00")
    wanted = searched(expression, zone, first - 1, count + 1)
    if len(wanted) > count:
        assert listed(expression, zone, first, wanted[count], count + 1) == wanted[:count]


def test_every_second_of_a_day_on_which_clocks_skip_an_hour_is_listed_once() -> None:
    runs = listed(
        "* * * * * ?", "Europe/Berlin", seconds("2019-03-30 23:00"), seconds("2019-03-31 22:00"), 100_000
    )
    assert runs == list(range(seconds("2019-03-30 23:00"), seconds("2019-03-31 22:00")))


@pytest.mark.parametrize("expression", ["0 0 12 L-30W * ?", "0 0 12 0W * ?"])
def test_a_search_that_quartz_never_ends_is_an_error(expression: str) -> None:
    with pytest.raises(QueryError, match=r"never ends its search .* choose a day that every month has"):
        searched(expression, "UTC", seconds("2019-01-05 00:00"), 1)


def test_a_field_that_selects_nothing_is_an_error_at_the_first_search() -> None:
    with pytest.raises(QueryError, match="its hour selects nothing; write '\\*'"):
        searched("0 0 L * * ?", "UTC", 0, 1)


def test_a_day_that_never_comes_ends_the_search() -> None:
    assert searched("0 0 0 30 2 ?", "Europe/Berlin", 0, 1) == []


def test_a_list_stops_where_clocks_skip_a_part_of_an_hour() -> None:
    first = seconds("2005-04-03 03:00")
    runs = listed("0 * 0 * * ?", "America/St_Johns", first, seconds("2005-04-04 00:00"), 1_000)
    assert runs == [seconds("2005-04-03 03:30")]
