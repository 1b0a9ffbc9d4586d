"""The dates on which the one offset that a service names may be another one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest

from aioflows._core.clocks.daylight import ShownDates, is_steady, may_change, part_of_year, telling_times
from aioflows._core.wire.zone import Zone

PLACES = (
    *("America/Adak", "America/Anchorage", "America/Los_Angeles", "America/New_York", "America/St_Johns"),
    *(
        "America/Santiago",
        "America/Havana",
        "America/Nuuk",
        "Atlantic/Azores",
        "Europe/London",
        "Europe/Berlin",
    ),
    *(
        "Europe/Kyiv",
        "Africa/Cairo",
        "Asia/Beirut",
        "Asia/Jerusalem",
        "Europe/Chisinau",
        "Australia/Adelaide",
    ),
    *("Australia/Sydney", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Easter"),
)


@cache
def changes(place: str) -> list[int]:
    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 1000 for year in (2025, 2032))
    return Zone.parse(ZoneInfo(place)).transitions(first, last)


@pytest.mark.parametrize("place", PLACES)
def test_no_place_changes_its_clocks_in_a_steady_part(place: str) -> None:
    """Each part between the steady ones has one change at most, and both offsets of a place are in the table."""
    parts = []
    for change in changes(place):
        after = datetime.fromtimestamp(change / 1000, ZoneInfo(place))
        before = datetime.fromtimestamp(change / 1000 - 1, ZoneInfo(place))
        for shown in (before, after):
            assert may_change(int((shown.utcoffset() or timedelta()).total_seconds()))
        parts.append(part_of_year(after.isoformat()))
    assert parts
    assert not any(map(is_steady, parts))
    assert len(parts) == len(set(parts))


@pytest.mark.parametrize(
    "place", ["Asia/Shanghai", "Asia/Kolkata", "Asia/Tokyo", "Asia/Dubai", "Asia/Jakarta"]
)
def test_offsets_without_daylight_saving_time_cost_nothing(place: str) -> None:
    offset = datetime(2026, 1, 1, tzinfo=ZoneInfo(place)).utcoffset()
    assert offset is not None
    assert not may_change(int(offset.total_seconds()))


def shown(*times: str) -> ShownDates:
    dates = ShownDates()
    dates.note(times)
    return dates


def test_a_row_shows_its_own_part_of_any_year() -> None:
    dates = shown("2024-12-01 00:00:00")
    assert dates.include("2022-02-01 00:00:00")
    assert not dates.include("2024-07-01 00:00:00")
    assert not dates.include("2024-04-10 00:00:00")


def test_rows_of_both_steady_parts_show_that_clocks_are_not_changed() -> None:
    dates = shown("2024-12-01 00:00:00", "2024-07-01 00:00:00")
    assert dates.include("2024-04-10 00:00:00")
    assert dates.include("2021-10-10 00:00:00")


def test_between_steady_parts_two_rows_show_what_lies_between_them() -> None:
    dates = shown("2024-03-20 00:00:00", "2024-04-10 00:00:00")
    assert dates.include("2024-04-01 00:00:00")
    assert not dates.include("2024-03-19 00:00:00")
    assert not dates.include("2024-04-11 00:00:00")
    assert not dates.include("2023-04-01 00:00:00")
    dates.note(["2024-02-01 00:00:00"])
    assert dates.include("2024-03-19 00:00:00")
    assert not dates.include("2024-04-11 00:00:00")
    dates = shown("2024-08-01 00:00:00", "2024-10-10 00:00:00")
    assert dates.include("2024-09-19 00:00:00")
    assert not dates.include("2024-10-11 00:00:00")


@pytest.mark.parametrize("descending", [False, True])
def test_few_rows_tell_about_all_others(descending: bool) -> None:
    """A page of one part needs one or two of its rows; a longer one is divided into parts."""
    winter = [f"2024-0{month}-01 00:00:00" for month in (1, 2)]
    spring = [f"2024-03-{day} 00:00:00" for day in (10, 20, 30)]
    summer = [f"2024-0{month}-01 00:00:00" for month in (5, 6, 7)]
    for times, expected in (
        (winter, 1),
        (spring, 2),
        (summer, 1),
        ([*winter, *spring, *summer, "2024-12-01 00:00:00"], 5),
        (["2024-01-01 00:00:00", "2024-06-01 00:00:00", "2024-12-01 00:00:00"], 3),
    ):
        found = telling_times(times[::-1] if descending else times)
        assert len(found) == expected
        assert set(found) <= set(times)
