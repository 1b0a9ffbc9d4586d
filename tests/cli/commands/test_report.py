"""``aioflows report``, run as people run it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from aioflows.cli.options.parsing import day
from aioflows.emulator import EmulatorProcess
from aioflows.errors import QueryError
from tests.support.commands import Ended, run, run_here

RANGE = ("--from", "2024-01-01T00:00+08:00", "--to", "2024-01-31T00:00+08:00")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with EmulatorProcess(instances=3_000, seed=1, days=30) as emulator:
        yield emulator.url


def report(url: str, *more: str, by: Callable[..., Ended] = run_here, **env: str) -> Ended:
    given = {"AIOFLOWS_URL": url, "AIOFLOWS_USER_ID": "u", "AIOFLOWS_ORG_ID": "o", **env}
    return by("report", *RANGE, *more, env=given)


def test_the_terminal_version_fits_a_screen_and_says_how_many_there_are(url: str) -> None:
    ended = report(url, COLUMNS="80", by=run)
    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert lines[0].startswith("3,000 instances · ")
    assert "2024-01-01 to 2024-01-30 (UTC+08:00); complete and proven" in lines[1]
    assert len(lines) <= 24
    assert max(map(cell_len, lines)) <= 80
    assert "\x1b" not in ended.out
    for word in ("failures, by hour", "failures in time", "durations", "slowest", "failing"):
        assert any(line.startswith(word) for line in lines), word


def test_times_are_in_the_zone_that_was_asked_for(url: str) -> None:
    ended = report(url, "--zone", "UTC")
    assert "2023-12-31 to 2024-01-30 (UTC)" in ended.out


def test_nothing_that_matches_is_a_line(url: str) -> None:
    ended = report(url, "--owner", "nobody-at-all")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("0 instances")
    assert "nothing matches" in ended.out


def test_a_page_is_written_and_not_written_over(url: str, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    ended = report(url, "-o", str(path), "--day", "2024-01-02")
    assert (ended.code, ended.out, ended.err.count("\n")) == (0, "", 1)
    assert f" · {path} · " in ended.err
    before = path.read_bytes()
    assert before.startswith(b"<!DOCTYPE html>")
    again = report(url, "-o", str(path))
    assert again.code == 2
    assert "--overwrite" in again.err
    assert path.read_bytes() == before
    piped = report(url, "-o", "-", by=run)
    assert piped.out.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("more", [("--day", "2024-01-02"), ("--overwrite",)])
def test_what_is_about_a_page_wants_one(url: str, more: tuple[str, ...]) -> None:
    ended = report(url, *more)
    assert ended.code == 2
    assert "-o report.html" in ended.err


def test_a_day_is_a_date() -> None:
    assert day(None) is None
    with pytest.raises(QueryError, match="2024-02-30"):
        day("2024-02-30")
