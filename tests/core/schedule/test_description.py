"""Schedules in words. Where cron-descriptor is wrong about Quartz, the words are right all the same."""

from __future__ import annotations

import pytest

from aioflows._core.schedule.description import describe_fields
from aioflows._core.schedule.expression import parse_expression


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
        ("0 50-10/10 3 * * ?", "At 0, 10, and 50 minutes past the hour, at 03:00"),
        ("0 0 2 L-3W * ?", "At 02:00, on the weekday nearest to 3 days before the last day of the month"),
        ("0 0 2 L-1W * ?", "At 02:00, on the weekday nearest to 1 day before the last day of the month"),
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
