"""What comes from the service cannot drive a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aioflows._display.text import printable

HOSTILE = {
    "link (OSC 8)": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "clipboard (OSC 52)": "\x1b]52;c;ZXZpbA==\x07",
    "title (OSC 0)": "\x1b]0;owned\x07",
    "colour": "\x1b[31mred\x1b[0m",
    "eight-bit CSI": "\x9b31mred",
    "eight-bit OSC": "\x9d0;owned\x9c",
    "carriage return": "SUCCESS\rFAIL   ",
    "line feed": "one\ntwo",
    "back space": "abc\b\b\bxyz",
    "NUL": "a\x00b",
    "DEL": "a\x7fb",
    "bidirectional override": "abc\u202edcba",
    "bidirectional isolate": "\u2066abc\u2069",
    "zero-width space": "zero\u200bwidth",
    "zero-width joiner": "a\u200db",
    "byte order mark": "\ufeffname",
    "line separator": "one\u2028two\u2029three",
    "soft hyphen": "in\u00advisible",
    "language tag": "a\U000e0041b",
    "Hangul filler": "a\u3164b",
    "lone surrogate": "a\ud800b",
    "private use": "a\ue000b",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_hostile_is_left(name: str) -> None:
    shown = printable(name)
    assert all(unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in shown)
    assert shown != name


@pytest.mark.parametrize(
    "name", ["风机_日统计_12", "é e\u0301", "🔋 nightly", "٣٢١ مرحبا", "a,b;c", "[bold]x[/]", ""]
)
def test_a_harmless_name_is_left_as_it_is(name: str) -> None:
    assert printable(name) == name


@pytest.mark.parametrize(
    ("char", "shown"),
    [
        ("\x1b", r"\x1b"),
        ("\n", r"\n"),
        ("\r", r"\r"),
        ("\u202e", r"\u202e"),
        ("\U000e0041", r"\U000e0041"),
        ("\x9b", r"\x9b"),
    ],
)
def test_what_is_escaped_can_be_recognised(char: str, shown: str) -> None:
    assert printable(char) == shown


def test_a_long_text_is_cut() -> None:
    assert printable("x" * 100, 10) == "x" * 9 + "…"


@given(st.text())
def test_any_text_becomes_printable(text: str) -> None:
    assert printable(text).isprintable()


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_text_is_escaped_once(text: str) -> None:
    assert printable(printable(text)) == printable(text)
