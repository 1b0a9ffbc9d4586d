"""Which expressions are accepted, and what they select: as Quartz 2.3.2 reads them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.schedule.day_rules import (
    DayRule,
    LastDay,
    LastWeekday,
    ListedDays,
    ListedWeekdays,
    NearestWeekday,
    NthWeekday,
)
from aioflows._core.schedule.expression import parse_expression
from aioflows.errors import QueryError

SAMPLES = Path(__file__).parents[2] / "samples"
LINES = (SAMPLES / "quartz-accepted.tsv").read_text(encoding="utf-8").splitlines()
JUDGED = [(one[0], one[1]) for line in LINES if not line.startswith("#") for one in [line.split("\t")]]


@pytest.mark.parametrize(("expression", "verdict"), JUDGED, ids=[one[0] for one in JUDGED])
def test_an_expression_is_accepted_exactly_if_quartz_accepts_it(expression: str, verdict: str) -> None:
    if verdict == "taken":
        parse_expression(expression)
    else:
        with pytest.raises(QueryError, match="not a Quartz schedule"):
            parse_expression(expression)


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("0 2 * * *", "write the second in front"),
        ("0 0 2 * * *", "write '\\?' for the other"),
        ("0 0 2 ? * ?", "write '\\*' for one of them"),
        ("0 70 2 * * ?", "in the field minute, '70': 70 is outside 0-59"),
        ("0 0 2 ? * 8", "8 is outside 1-7 or SUN-SAT"),
        ("0 0 2 ? * MON-XXX", "'XXX' is unknown; write 1-7 or SUN-SAT"),
        ("0 0/70 * * * ?", "the largest is 59"),
        ("0 0 2 ? * MON#6", "as in 2#1 for the first Monday"),
        ("0 0 2 5,L * ?", "write 'L' alone"),
        ("0 0 2 L-31 * ?", "L-30 is the earliest"),
        ("0 0 2 L- * ?", "write L-3"),
        ("0 5/3X 2 * * ?", "'/' needs a whole number"),
        ("0 0 5- * * ?", "write 0-23"),
        ("0 0 0 1 1 ? 2019-2018", "ends before it starts"),
        ("0 0 0 99999999999 * ?", "too large"),
        ("0 0 15W * * ?", "'W' needs a day of month"),
        ("0 0 6L * * ?", "'L' needs a day of week"),
        ("0 0 2#1 * * ?", "'#' needs a day of week"),
        ("0 ? 2 * * ?", "write '\\*'"),
        ("0 MON 2 * * ?", "a minute has no names"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_what_to_write(expression: str, advice: str) -> None:
    with pytest.raises(QueryError, match=advice) as refused:
        parse_expression(expression)
    assert repr(expression) in str(refused.value)


def minutes(text: str) -> tuple[int, ...]:
    return parse_expression(f"0 {text} 0 * * ?").minutes


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("5", [5]), ("05", [5]), ("1,15,1", [1, 15]), ("1,,2", [1, 2]), ("10-12", [10, 11, 12]),
        ("58-1", [0, 1, 58, 59]), ("50-10/10", [0, 10, 50]), ("0/20", [0, 20, 40]), ("/20", [0, 20, 40]),
        ("*/20", [0, 20, 40]), ("7/30", [7, 37]), ("5/0", [5]), ("0-30/99", [0]), ("0-30/0", [0]), ("5X", [5]),
        ("5-7X", [5, 6, 7]), ("5/30X", [5, 35]), ("99-3", [0, 1, 2, 3]),
    ],
)  # fmt: skip
def test_a_list_of_minutes_selects_what_quartz_selects(text: str, selected: list[int]) -> None:
    assert list(minutes(text)) == selected


@pytest.mark.parametrize("text", ["*", "99", "*/0", "*/-5", "*5", "0/1", "0-59", "*,3"])
def test_every_spelling_of_every_minute_is_every_minute(text: str) -> None:
    assert minutes(text) == tuple(range(60))


@pytest.mark.parametrize(
    ("days", "weekdays", "rule"),
    [
        ("1,15", "?", ListedDays((1, 15))),
        ("30-2", "?", ListedDays((1, 2, 30, 31))),
        ("L", "?", LastDay(0)),
        ("L-3", "?", LastDay(3)),
        ("LW", "?", NearestWeekday(0, 0)),
        ("L-3W", "?", NearestWeekday(0, 3)),
        ("L-W", "?", NearestWeekday(0, 0)),
        ("15W", "?", NearestWeekday(15, None)),
        ("15W,20", "?", NearestWeekday(15, None)),
        ("?", "2", ListedWeekdays((2,))),
        ("98", "mon", ListedWeekdays((2,))),
        ("?", "FRI-MON", ListedWeekdays((1, 2, 6, 7))),
        ("?", "MONDAY", ListedWeekdays((2,))),
        ("?", "L", ListedWeekdays((7,))),
        ("?", "L-1", ListedWeekdays((7,))),
        ("?", "6L", LastWeekday(6)),
        ("?", "friL", LastWeekday(6)),
        ("?", "2#1", NthWeekday(2, 1)),
        ("?", "MON#2,FRI", NthWeekday(2, 2)),
    ],
)
def test_the_days_of_an_expression_are_one_rule(days: str, weekdays: str, rule: DayRule) -> None:
    assert parse_expression(f"0 0 0 {days} * {weekdays}").days == rule


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("NOV-FEB", (1, 2, 11, 12)),
        ("11-2", (1, 2, 11, 12)),
        ("mar,SEP", (3, 9)),
        ("JANUARY", (1,)),
        ("JAN/2", (1,)),
    ],
)
def test_months_are_named_or_numbered_and_text_behind_a_name_is_ignored(
    text: str, selected: tuple[int, ...]
) -> None:
    assert parse_expression(f"0 0 0 1 {text} ?").months == selected


def test_fields_are_separated_by_blanks_and_tabs_and_further_fields_are_ignored() -> None:
    assert parse_expression(" 0\t0  2 ? * 2 * and more") == parse_expression("0 0 2 ? * 2")


@pytest.mark.parametrize(
    "expression", ["L 0 0 * * ?", "0 , 0 * * ?", "0 0 L * * ?", "0 0 0 1 , ?", "0 0 0 ? * ,"]
)
def test_a_field_that_selects_nothing_is_accepted_and_known(expression: str) -> None:
    """Quartz accepts such an expression, and fails when it computes the first run."""
    assert parse_expression(expression).empty


@given(st.text("0123456789*?/-,LW# AFIJMNORSU\t98ı٣+", max_size=40))
def test_any_text_is_accepted_or_refused_with_a_query_error(text: str) -> None:
    with suppress(QueryError):
        parse_expression(text)
