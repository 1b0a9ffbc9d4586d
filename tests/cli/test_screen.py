"""Numbers as texts, and consoles that know whether a person looks."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from aioflows import ScanStats
from aioflows.cli.screen import account, console_on, is_terminal, shown_duration


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (0.4, "0s"),
        (59, "59s"),
        (60, "1m 00s"),
        (185, "3m 05s"),
        (3_600, "1h 00m"),
        (86_399, "23h 59m"),
        (93_600, "1d 02h"),
        (-5, "-5s"),
    ],
)
def test_a_duration_shows_its_two_largest_units(seconds: float, shown: str) -> None:
    assert shown_duration(timedelta(seconds=seconds)) == shown


def test_no_duration_is_a_dash() -> None:
    assert shown_duration(None) == "–"


def test_the_account_tells_rows_requests_and_rate() -> None:
    stats = ScanStats(requests=12, rows_yielded=5_000, elapsed=2.0)
    assert account(stats) == "5,000 rows · 12 requests · 2,500 rows/s"


def test_the_account_tells_of_retries_only_if_there_were_any() -> None:
    assert account(ScanStats(retries=3)).endswith("3 retries")


def test_a_file_gets_no_colour() -> None:
    file = io.StringIO()
    console_on(file).print("red", style="red")
    assert file.getvalue() == "red\n"


def test_a_console_takes_no_text_for_markup() -> None:
    file = io.StringIO()
    console_on(file).print("[red]x[/red] :smile:")
    assert file.getvalue() == "[red]x[/red] :smile:\n"


def test_a_stream_that_is_closed_is_no_terminal() -> None:
    assert not is_terminal(None)
