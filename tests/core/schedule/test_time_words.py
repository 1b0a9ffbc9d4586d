"""The times of day in words name the times of the expression, and no other."""

from __future__ import annotations

import random

import pytest

from aioflows._core.schedule.expression import CronFields, parse_expression
from aioflows._core.schedule.time_words import time_words
from tests.support.schedule_words import times_of


def times(fields: CronFields) -> set[int]:
    return {
        hour * 3600 + minute * 60 + second
        for hour in fields.hours
        for minute in fields.minutes
        for second in fields.seconds
    }


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("0 0 8-10,14", "At 08:00, 09:00, 10:00, and 14:00"),
        ("0 30 8-10,14", "At 08:30, 09:30, 10:30, and 14:30"),
        ("0 0 22-2", "At 00:00, 01:00, 02:00, 22:00, and 23:00"),
        ("0 0/30 2", "At 02:00 and 02:30"),
        ("5 5,6 8", "At 08:05:05 and 08:06:05"),
        ("0 30 8-17", "Every hour from 08:30 through 17:30"),
        ("0 0 0/3", "Every 3 hours"),
        ("0 20 1/3", "Every 3 hours, starting at 01:20"),
        ("0 0 *", "Every hour"),
        ("0 30 *", "At 30 minutes past the hour"),
        ("0 1/2 *", "Every 2 minutes, starting at 1 minute past the hour"),
        ("0 0/5 8-17", "Every 5 minutes, between 08:00 and 17:59"),
        ("0 0/5 14", "At 14:00, 14:05, 14:10, 14:15, 14:20, 14:25, 14:30, 14:35, 14:40, 14:45, 14:50, and 14:55"),
        ("0 0/5 8-10,14", "Every 5 minutes, between 08:00 and 10:59 and between 14:00 and 14:59"),
        ("0 * 0/6", "Every minute, in one hour of every 6, starting at 00:00"),
        ("0 * 1,3,5,9", "Every minute, in the hours that begin at 01:00, 03:00, 05:00, and 09:00"),
        ("0 0-9,30 8-10", "At 0 through 9 and 30 minutes past the hour, between 08:00 and 10:59"),
        ("30 0/5 *", "At 30 seconds past the minute, every 5 minutes"),
        ("* * 8", "Every second, between 08:00 and 08:59"),
        ("1 * *", "At 1 second past the minute"),
    ],
)  # fmt: skip
def test_times_of_day_are_told_in_words(time: str, words: str) -> None:
    assert time_words(parse_expression(f"{time} * * ?")) == words


def field(rng: random.Random, high: int) -> str:
    def one() -> int:
        return rng.randint(0, high)

    kinds = ["*", f"{one()}", f"{one()}/{rng.randint(1, high)}", f"{one()}-{one()}", f"{one()}-{one()}/3"]
    kinds += [",".join(f"{one()}" if rng.random() < 0.6 else f"{one()}-{one()}" for _ in range(3))]
    return rng.choice(kinds)


@pytest.mark.parametrize("seed", range(5))
def test_who_reads_the_words_finds_the_times_of_the_expression(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        second = "0" if rng.random() < 0.7 else field(rng, 59)
        minute = "0" if rng.random() < 0.4 else field(rng, 59)
        expression = f"{second} {minute} {field(rng, 23)} * * ?"
        fields = parse_expression(expression)
        assert times_of(time_words(fields)) == times(fields), expression
