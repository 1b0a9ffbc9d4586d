"""Wall-clock times are read as Java's calendar reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.schedule.wall_clock import DAY, WallClock
from aioflows._core.wire.zone import Zone

ZONES = [
    "UTC",
    "+08:00",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Africa/Casablanca",
]
CLOCKS = {name: WallClock(Zone.parse(name)) for name in ZONES}


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shown(zone: str, wall: str) -> str:
    return f"{datetime.fromtimestamp(CLOCKS[zone].shown(seconds(wall)), UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("zone", "wall", "read"),
    [
        ("Europe/Berlin", "2019-03-31 02:30", "2019-03-31 03:30"),
        ("Europe/Berlin", "2019-03-31 01:59", "2019-03-31 01:59"),
        ("Europe/Berlin", "2019-03-31 03:00", "2019-03-31 03:00"),
        ("America/Sao_Paulo", "2018-11-04 00:15", "2018-11-04 01:15"),
        ("Australia/Lord_Howe", "2019-10-06 02:10", "2019-10-06 02:40"),
        ("Pacific/Apia", "2011-12-30 09:00", "2011-12-31 09:00"),
        ("UTC", "2019-03-31 02:30", "2019-03-31 02:30"),
    ],
)
def test_a_time_that_clocks_skip_is_read_with_the_offset_before_the_change(
    zone: str, wall: str, read: str
) -> None:
    assert shown(zone, wall) == read


@pytest.mark.parametrize(
    ("zone", "wall", "instant"),
    [
        ("Europe/Berlin", "2019-10-27 02:30", "2019-10-27 01:30"),
        ("Europe/Berlin", "2019-10-27 02:00", "2019-10-27 01:00"),
        ("Europe/Berlin", "2019-10-27 01:59", "2019-10-26 23:59"),
        ("Europe/Berlin", "2019-10-27 03:00", "2019-10-27 02:00"),
        ("Australia/Lord_Howe", "2019-04-07 01:45", "2019-04-06 15:15"),
    ],
)
def test_a_time_that_clocks_show_twice_is_the_second_pass(zone: str, wall: str, instant: str) -> None:
    assert CLOCKS[zone].instant(seconds(wall)) == seconds(instant)


@given(st.sampled_from(ZONES), st.integers(0, seconds("2037-12-01 00:00")))
def test_an_instant_comes_back_from_its_wall_clock_unless_it_is_a_first_pass(zone: str, instant: int) -> None:
    clock = CLOCKS[zone]
    back = clock.instant(clock.wall(instant))
    assert back == instant or (back > instant and clock.wall(back) == clock.wall(instant))


@given(st.sampled_from(ZONES), st.integers(0, seconds("2037-12-01 00:00")))
def test_the_wall_clock_is_that_of_the_datetimes(zone: str, instant: int) -> None:
    offset = CLOCKS[zone].time(instant).utcoffset()
    assert CLOCKS[zone].wall(instant) == instant + (offset or timedelta()) // timedelta(seconds=1)


def test_from_2038_on_only_the_rule_that_repeats_each_year_counts() -> None:
    """The tz database lists the Ramadans of Morocco until 2087, and Java those until 2037."""
    ramadan = seconds("2060-10-30 12:00")
    assert {
        CLOCKS["Africa/Casablanca"].wall(ramadan + day * DAY) - ramadan - day * DAY
        for day in range(-180, 180)
    } == {3600}
    summer, winter = seconds("2060-07-01 12:00"), seconds("2060-12-01 12:00")
    berlin = CLOCKS["Europe/Berlin"]
    assert (berlin.wall(summer) - summer, berlin.wall(winter) - winter) == (7200, 3600)
    assert not berlin.offsets(seconds("2060-03-28 00:00") // DAY).steady


def test_the_next_gap_of_a_day_is_where_clocks_begin_to_skip() -> None:
    berlin = CLOCKS["Europe/Berlin"]
    assert berlin.next_gap(seconds("2019-03-31 00:30")) == seconds("2019-03-31 02:00")
    assert berlin.next_gap(seconds("2019-03-31 03:00")) is None
    assert berlin.next_gap(seconds("2019-10-27 00:30")) is None


def test_a_first_pass_ends_where_the_second_starts() -> None:
    berlin, change = CLOCKS["Europe/Berlin"], seconds("2019-10-27 01:00")
    assert [berlin.behind_first_pass(change + moved) - change for moved in (-3601, -3600, -1, 0, 1)] == [
        -3601,
        0,
        0,
        0,
        1,
    ]
    spring = seconds("2019-03-31 01:00")
    assert [berlin.behind_first_pass(spring + moved) - spring for moved in (-1, 0, 3599)] == [-1, 0, 3599]


def test_the_days_that_a_clock_remembers_are_bounded() -> None:
    clock = WallClock(Zone.parse("Europe/Berlin"))
    for day in range(10_000):
        clock.offsets(day)
    assert len(clock._days) <= 4_096
