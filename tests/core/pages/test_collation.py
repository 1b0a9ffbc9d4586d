"""What the comparison of a database may ignore, and what none of them does."""

from __future__ import annotations

import json
import time
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._core.pages.collation import may_contain, may_equal

ALIKE = [
    ("alice", "Alice"),
    ("alice", "ALICE  "),
    (" alice", "alice"),
    ("alice", "àlïçé"),
    ("alice", "ａｌｉｃｅ"),
    ("café", "cafe\u0301"),
    ("strasse", "Straße"),
    ("strase", "Straße"),
    ("søren", "Soren"),
    ("lukasz", "Łukasz"),
    ("dorde", "Đorđe"),
    ("aeon", "Æon"),
    ("istanbul", "İstanbul"),
    ("ilgaz", "ılgaz"),
    ("ΣΊΣΥΦΟΣ", "σισυφος"),
    ("ежик", "Ёжик"),
    ("かな", "カナ"),
    ("ハハ", "パパ"),
    ("きょう", "キヨウ"),
    ("ﾊﾟﾊﾟ", "パパ"),
    ("321", "٣٢١"),
    ("①②", "12"),
    ("🍺", "🍣"),
    ("𝐀lice", "alice"),
    ("ab", "a\u200bb"),
    ("ab", "a\x00b"),
    ("a b", "a\u00a0b"),
    ("אבג", "אָבג"),
    ("a_c", "abc"),
    ("a_c", "a_c"),
    ("%", "anything"),
    ("a%z", "abcxyz"),
    ("a\\b", "ab"),
    ("a\\b", "a\\b"),
    ("50\\%", "50%"),
    ("a\\\\b", "a\\b"),
    ("site\\_kpi", "site_kpi"),
    ("Li_", "LÍ1"),
    ("％", "anything"),
    ("a＿c", "abc"),
    ("o'neil", "O’Neil"),
    ("a-b", "a–b"),
]
APART = [
    ("alice", "bob"),
    ("alice", "alice2"),
    ("alice", "malice"),
    ("ops", "devops"),
    ("zhang.min", "zhang_min"),
    ("zhang.min", "zhang-min"),
    ("风机", "光伏"),
    ("a_c", "abbbbc"),
    ("a%z", "abc"),
    ("a\\b", "a\\\\\\b"),
    ("ab", "a b"),
    ("o'neil", "oneil"),
    ("1", "2"),
    ("x", "🍺"),
]


MEASURED = Path(__file__).parents[2] / "databases" / "collations.json"
"""What PostgreSQL and MariaDB answered; the module beside it asks them again."""


@pytest.mark.parametrize(("asked", "text"), ALIKE)
def test_what_some_database_takes_for_the_same_is_explained(asked: str, text: str) -> None:
    """A name that differs only by what a collation or LIKE ignores may equal the one asked for, and may contain it."""
    assert may_equal(asked, text)
    assert may_contain(asked, f"x {text} y")


@pytest.mark.parametrize(("asked", "text"), APART)
def test_what_no_database_takes_for_the_same_is_not(asked: str, text: str) -> None:
    """A name with other letters, or with more of them, equals nothing that was asked for."""
    assert not may_equal(asked, text)


@pytest.mark.parametrize(
    ("asked", "text"), [("hourly", "daily_report"), ("a%z", "zab"), ("a_z", "zbcda"), ("风机", "光伏")]
)
def test_what_no_text_holds_is_not_found_there(asked: str, text: str) -> None:
    """A text that lacks the letters asked for, or has them in another order, does not contain them."""
    assert not may_contain(asked, text)


@given(st.text(max_size=30))
def test_every_text_is_itself_and_within_itself(text: str) -> None:
    """No text is ever told apart from itself, whatever stands in it."""
    assert may_equal(text, text)
    assert may_contain(text, f"<{text}>")


@given(st.text("ab_%\\", max_size=6), st.text("abAB\\", max_size=6))
def test_patterns_match_as_like_does(pattern: str, text: str) -> None:
    """Whatever LIKE finds by a pattern, with its own rule for a backslash, is explained."""
    if _like(pattern, text):
        assert may_equal(pattern, text)


def _like(pattern: str, text: str) -> bool:
    """LIKE of PostgreSQL and MariaDB, by its definition."""
    if not pattern:
        return not text
    head, rest = pattern[0], pattern[1:]
    if head == "%":
        return any(_like(rest, text[start:]) for start in range(len(text) + 1))
    if head == "\\" and rest:
        head, rest = rest[0], rest[1:]
    elif head == "_":
        return bool(text) and _like(rest, text[1:])
    return text[:1].casefold() == head.casefold() and _like(rest, text[1:])


@pytest.mark.skipif(not MEASURED.exists(), reason="what real databases match was not measured here")
def test_whatever_a_real_database_matched_is_explained() -> None:
    """Of all pairs that PostgreSQL or MariaDB were asked about under some collation, no match is called wrong."""
    unexplained = [
        (comparison, asked, stored)
        for _, comparison, asked, stored, answers in json.loads(MEASURED.read_text())["pairs"]
        if "1" in answers and not (may_equal if comparison == "equal" else may_contain)(asked, stored)
    ]
    assert unexplained == []


def test_no_pattern_takes_long() -> None:
    """A pattern made to be slow is matched within a second, since all of its states are followed at once."""
    began = time.process_time()
    for pattern, text in product(["_%a" * 333, "%a" * 500, "_" * 1000], ["a" * 5000 + "b", "ab" * 2000]):
        may_equal(pattern, text)
    assert time.process_time() - began < 10
