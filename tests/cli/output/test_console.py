"""Numbers as texts, and consoles that know whether a person looks."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest

from aioflows import ConnectFailed, DriftFound, Event, Paused, Retried, ScanStats, ScheduleType, Throttled
from aioflows.cli.output.console import console_on, format_duration, is_terminal, stats_line
from aioflows.cli.output.meters import plain_meter
from aioflows.cli.output.progress import delay_text


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
    assert format_duration(timedelta(seconds=seconds)) == shown


def test_no_duration_is_a_dash() -> None:
    assert format_duration(None) == "–"


def test_the_account_tells_rows_requests_and_rate() -> None:
    stats = ScanStats(requests=12, rows_yielded=5_000, elapsed=2.0)
    assert stats_line(stats) == "5,000 rows · 12 requests · 2,500 rows/s"


def test_the_account_tells_of_retries_only_if_there_were_any() -> None:
    assert stats_line(ScanStats(retries=3)).endswith("3 retries")


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


def retried(wait: float, reason: str = "no connection") -> Retried:
    error = ConnectFailed(reason)
    return Retried(scan=1, request=1, operation="search", attempt=1, wait=wait, error=error)


PAUSED = Paused(seconds=12.3, error=Throttled(429, "busy", 12.3))


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (PAUSED, "throttled: waiting 12 s"),
        (retried(3.2), "retry in 3 s: no connection"),
        (retried(0.4), ""),
        (
            DriftFound(scan=1, type=ScheduleType.PERIODIC, from_ms=0, to_ms=1, reason="torn"),
            "rows have moved; a window is read again",
        ),
        (Event(), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_makes_a_scan_wait_is_said_in_words(event: Event, words: str) -> None:
    assert delay_text(event) == words


def test_what_the_service_says_cannot_move_the_cursor() -> None:
    assert delay_text(retried(5, "\x1b[2J" + "x" * 500)).startswith(r"retry in 5 s: \x1b[2Jxxx")
    assert len(delay_text(retried(5, "\x1b[2J" + "x" * 500))) < 100


def test_a_log_has_a_line_for_each_pause() -> None:
    said: list[str] = []
    meter = plain_meter(said.append, lambda: 0.0)
    for event in (PAUSED, retried(5), Event(), PAUSED):
        meter.on_event(event)
    assert said == ["throttled: waiting 12 s"] * 2
