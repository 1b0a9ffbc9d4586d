"""Schedules in words. Where cron-descriptor is wrong about Quartz, the words are right all the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from aioflows._core.schedule.description import describe_fields
from aioflows._core.schedule.expression import parse_expression
from aioflows.schedule import Schedule
from tests.support.schedule_words import days_of


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 2 ? * 2 *", "At 02:00, only on Monday"),
        ("0 0 2 ? * 1 *", "At 02:00, only on Sunday"),
        ("0 0/5 * * * ?", "Every 5 minutes"),
        ("0 0 12 ? * mon-fri", "At 12:00, Monday through Friday"),
        ("0 0 2 ? * FRI-MON", "At 02:00, Friday through Monday"),
        ("0 0 2 ? * 1/2", "At 02:00, only on Sunday, Tuesday, Thursday, and Saturday"),
        ("0 0 2 1 NOV-FEB ?", "At 02:00, on day 1 of the month, November through February"),
        ("0 0 2 L * ?", "At 02:00, on the last day of the month"),
        ("0 0 2 LW * ?", "At 02:00, on the last weekday of the month"),
        ("0 0 2 L-3 * ?", "At 02:00, 3 days before the last day of the month"),
        ("0 0 2 15W * ?", "At 02:00, on the weekday nearest day 15 of the month"),
        ("0 0 2 ? * 6L", "At 02:00, on the last Friday of the month"),
        ("0 0 2 ? * MON#2", "At 02:00, on the second Monday of the month"),
        ("0 0 2 1 1 ? 2019,2024", "At 02:00, on day 1 of the month, only in January, only in 2019 and 2024"),
        ("30 15 3 * * ?", "At 03:15:30"),
        ("* * * * * ?", "Every second"),
    ],
)
def test_a_schedule_is_told_in_words(expression: str, words: str) -> None:
    assert describe_fields(parse_expression(expression)) == words


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 0 2 ? * MONDAY", "At 02:00, only on Monday"),
        ("0 0 2 ? * L", "At 02:00, only on Saturday"),
        ("0 0 2 l * ?", "At 02:00, on the last day of the month"),
        ("0 0 2 L-0 * ?", "At 02:00, on the last day of the month"),
        ("0 /20 * * * ?", "Every 20 minutes"),
        ("0 0/25 * * * ?", "At 0, 25, and 50 minutes past the hour"),
        ("0 50-10/10 3 * * ?", "At 03:00, 03:10, and 03:50"),
        ("0 0 2 L-3W * ?", "At 02:00, on the weekday nearest to 3 days before the last day of the month"),
        ("0 0 2 L-1W * ?", "At 02:00, on the weekday nearest to 1 day before the last day of the month"),
        (
            "0 0 2 31W * ?",
            "At 02:00, on the weekday nearest day 31 of the month (in a month of 30 days, on day 30 if that is a Friday)",
        ),
        (
            "0 0 2 1 1 ? 2016/4",
            "At 02:00, on day 1 of the month, only in January, every 4 years, 2016 through 2124",
        ),
        ("0 0 2 ? * 2#2,6", "At 02:00, on the second Monday of the month"),
        ("0 0 2 98 * 2", "At 02:00, only on Monday"),
        ("99 * * * * ?", "Every second"),
        ("0 0 2 1 1 ? 2200", "Never"),
        ("0 0 2 ? * 8#2", "Never"),
        ("0 0 L * * ?", "Never"),
    ],
)
def test_texts_that_cron_descriptor_reads_in_another_way_are_told_as_quartz_reads_them(
    expression: str, words: str
) -> None:
    assert describe_fields(parse_expression(expression)) == words


def random_days(rng: random.Random) -> str:
    """Return a day of month, a month, a day of week and a year at random."""

    def field(low: int, high: int) -> str:
        first, second, third = (rng.randint(low, high) for _ in range(3))
        return rng.choice(["*", f"{first}", f"{first}/2", f"{first}-{second}", f"{first},{second}-{third}"])

    of_month = rng.choice([field(1, 31), "L", "LW", f"L-{rng.randint(0, 30)}", f"L-{rng.randint(1, 25)}W"])
    of_month = rng.choice([of_month, f"{rng.randint(1, 31)}W"])
    of_week = rng.choice([field(1, 7), f"{rng.randint(1, 7)}L", f"{rng.randint(1, 7)}#{rng.randint(1, 5)}"])
    day, weekday = rng.choice([(of_month, "?"), ("?", of_week)])
    return f"{day} {field(1, 12)} {weekday} {rng.choice(['*', '2025', '2024,2026', '2024/2', '2000-2026'])}"


@pytest.mark.parametrize("seed", range(5))
def test_who_reads_the_words_finds_the_days_on_which_the_schedule_runs(seed: int) -> None:
    rng = random.Random(seed)
    for days in [random_days(rng) for _ in range(10)]:
        schedule = Schedule(f"0 0 0 {days}", "UTC")
        runs = schedule.between(datetime(2024, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC))
        assert [one.date() for one in runs] == days_of(schedule.describe(), range(2024, 2028)), days
