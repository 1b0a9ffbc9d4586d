"""A zone that a service names is checked by a search for a row that was read in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from aioflows._core.clocks.named_zone import Shown, WindowSearch, calm_days, find_shift
from aioflows.models import NAIVE_EPOCH, ScheduleType

MINUTE = 60_000
PERIODIC, MANUAL = ScheduleType.PERIODIC, ScheduleType.MANUAL
AT = 1_717_200_000_000 + 7 * MINUTE + 13_000
Rows = list[tuple[str, int, ScheduleType]]


def wall(ms: int, offset: int) -> datetime:
    return NAIVE_EPOCH + timedelta(milliseconds=ms, seconds=offset)


class Service:
    """Answers searches. Its times are in an offset (s), and it may round ranges, or ignore what is asked."""

    def __init__(
        self, rows: Rows, offset: int, *, bounds: Callable[[int], int] = int, ignores: str = ""
    ) -> None:
        self.rows, self.offset = rows, offset
        self.bounds, self.ignores = bounds, ignores
        self.asked: list[WindowSearch] = []

    def answer(self, ask: WindowSearch) -> Shown:
        self.asked.append(ask)
        first, until = self.bounds(ask.first), self.bounds(ask.until)
        found = [
            (name, wall(ms, self.offset))
            for name, ms, type in self.rows
            if type is ask.type
            and ("range" in self.ignores or first <= ms < until)
            and ("text" in self.ignores or ask.text in name)
        ]
        return found[:100]

    def shift(self, named: int, name: str = "1-a", likely: int | None = None) -> int | None:
        shown = next(wall(ms, self.offset) for one, ms, _ in self.rows if one == name)
        script = find_shift(name, shown, [shown - timedelta(seconds=named)], [PERIODIC, MANUAL], likely)
        try:
            ask = next(script)
            while True:
                ask = script.send(self.answer(ask))
        except StopIteration as end:
            found: int | None = end.value
            return found


SPARSE: Rows = [("1-a", AT, PERIODIC), ("1-b", AT - 86_400_000, PERIODIC)]
DENSE: Rows = [("1-a", AT, PERIODIC), *((f"{n}-c", AT + n * MINUTE, PERIODIC) for n in range(-900, 900) if n)]


@pytest.mark.parametrize("rows", [SPARSE, DENSE], ids=["sparse", "dense"])
@pytest.mark.parametrize("offset", [28_800, 0, -18_000, 20_700])
def test_a_right_zone_costs_one_search(rows: Rows, offset: int) -> None:
    service = Service(rows, offset)
    assert (service.shift(offset), len(service.asked)) == (0, 1)


@pytest.mark.parametrize("rows", [SPARSE, DENSE], ids=["sparse", "dense"])
@pytest.mark.parametrize("named", [0, 900, 3_600, -18_000, 50_400, -43_200])
def test_every_wrong_zone_is_found_with_its_shift(rows: Rows, named: int) -> None:
    service = Service(rows, 28_800)
    assert service.shift(named) == 28_800 - named
    assert len(service.asked) <= 15
    before = len(service.asked)
    assert service.shift(named, likely=28_800 - named) == 28_800 - named
    assert len(service.asked) - before <= 4


def test_a_row_of_the_last_type_is_found_too() -> None:
    for named in (28_800, 0):
        assert Service([("1-a", AT, MANUAL)], 28_800).shift(named) == 28_800 - named


@pytest.mark.parametrize("unit", [1_000, MINUTE])
@pytest.mark.parametrize("away", [0, 13_000, 59_000])
def test_a_service_that_rounds_ranges_is_not_taken_for_one_with_a_wrong_zone(unit: int, away: int) -> None:
    rows = [(name, ms + away, type) for name, ms, type in DENSE]
    for bounds in (lambda ms: ms // unit * unit, lambda ms: -(-ms // unit) * unit):
        assert Service(rows, 28_800, bounds=bounds).shift(28_800) == 0
        assert Service(rows, 28_800, bounds=bounds).shift(0) == 28_800


@pytest.mark.parametrize("rows", [SPARSE, DENSE], ids=["sparse", "dense"])
@pytest.mark.parametrize("ignores", ["text", "range", "text and range"])
def test_a_service_that_ignores_what_is_asked_is_never_said_to_have_another_offset(
    rows: Rows, ignores: str
) -> None:
    assert Service(rows, 28_800, ignores=ignores).shift(28_800) in {0, None}
    assert Service(rows, 28_800, ignores=ignores).shift(0) in {28_800, 0, None}


def test_a_row_that_no_search_shows_decides_nothing() -> None:
    service = Service(SPARSE, 28_800)
    script = find_shift("9-z", wall(AT, 0), [wall(AT + 7_200_000, 0)], [PERIODIC])
    ask = next(script)
    with pytest.raises(StopIteration) as end:
        while True:
            ask = script.send(service.answer(ask))
    assert end.value.value is None


@pytest.mark.parametrize(
    "place",
    [
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Cairo",
        "America/Nuuk",
        "Pacific/Easter",
    ],
)
def test_no_clock_is_changed_within_calm_days(place: str) -> None:
    """Days that have the same number have one offset, so that one row shows it for all of them."""
    hours = [NAIVE_EPOCH + timedelta(days=56 * 365 + 15, hours=n) for n in range(24 * 730)]
    zone = ZoneInfo(place)
    calm = [hour for hour in hours if calm_days(hour) is not None]
    assert len(calm) > len(hours) * 0.9
    for one, other in pairwise(calm):
        if calm_days(one) == calm_days(other):
            assert one.replace(tzinfo=zone).utcoffset() == other.replace(tzinfo=zone).utcoffset()
