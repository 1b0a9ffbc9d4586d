"""What is refused before anything is sent: with exit code 2 and one line."""

from __future__ import annotations

import socket

import pytest

from aioflows import __version__
from aioflows.cli.app import run
from aioflows.cli.exit_codes import Exit

FROM_TO = ["--from", "2024-01-01T00:00Z", "--to", "2025-01-01T00:00Z"]
# Port 1 of this machine: nobody listens there, and nobody should be asked.
WHERE = ["--url", "http://127.0.0.1:1", "--user-id", "u", "--org-id", "o"]
SCAN = ["scan", *FROM_TO, *WHERE]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "frobnicate"),
        (["scan"], "--from"),
        (["scan", "--from"], "--from"),
        ([*SCAN, "--frobnicate"], "--frobnicate"),
        ([*SCAN, "--secret-key=canary"], "--secret-key"),
        ([*SCAN, "--limit", "many"], "--limit"),
        ([*SCAN, "--limit", "-1"], "limit"),
        ([*SCAN, "--page-size", "0"], "error: --page-size must be a whole number from 1"),
        ([*SCAN, "--concurrency", "1000000"], "concurrency must be"),
        ([*SCAN, "--rate", "nan"], "rate must be"),
        ([*SCAN, "--first-page", "2"], "error: --first-page must be 0, 1"),
        ([*SCAN, "--server-timezone", "UTC8"], "GMT+8"),
        ([*SCAN, "--status", "SUCCES"], "did you mean SUCCESS?"),
        ([*SCAN, "--type", "weekly"], "--type 'weekly' is not one of"),
        ([*SCAN, "--order-by", "triggerTime"], "did you mean 'trigger_time'?"),
        ([*SCAN, "--owner", "a\nb"], "control character"),
        ([*SCAN, "-o", "/nowhere/at/all.jsonl"], "there is no folder"),
        ([*SCAN, "-o", "out.xlsx"], "use one of the endings .jsonl"),
        ([*SCAN, "-o", "/tmp"], "is a folder"),
        ([*SCAN, "-o", "out.jsonl/"], "is a folder"),
        ([*SCAN, "-o", "out\0.jsonl"], "is not a path"),
        ([*SCAN, "-o", "-", "--resume"], "cannot be resumed"),
        ([*SCAN, "-o", "-", "--format", "parquet"], "use jsonl or csv"),
        ([*SCAN, "--format", "xml"], "unknown format 'xml'; known formats: jsonl"),
        ([*SCAN, "--columns", "instance_id,statsu"], "did you mean 'status'?"),
        ([*SCAN, "--columns", "task_id"], "needs one row for each task"),
        (
            ["scan", *WHERE, "--from", "2024-02-30", "--to", "2025-01-01T00:00Z"],
            "--from '2024-02-30' is not a time",
        ),
        (["scan", *WHERE, "--last", "7 fortnights"], "give it as in 30m, 24h, 7d or 2w"),
        (["scan", *WHERE, "--last", "7d", "--to", "now"], "--last cannot be used with"),
        (["count", *WHERE, "--last", "7d", "--by", "colour"], "is not one of status, flow, day, owner"),
        (["get", *WHERE], "ID..."),
        (["scan", *WHERE, "--from", "2025-01-01T00:00Z", "--to", "2024-01-01T00:00Z"], "is after"),
        (["scan", *FROM_TO, "--url", "ftp://x", "--user-id", "u", "--org-id", "o"], "https://"),
        (
            ["scan", *FROM_TO, "--url", "http://example.com", "--user-id", "u", "--org-id", "o"],
            "not encrypted",
        ),
        (["scan", *FROM_TO, "--url", "http://127.0.0.1:1", "--org-id", "o"], "set AIOFLOWS_USER_ID"),
        (["demo", "--order", "start_time"], "--order must be"),
        (["demo", "--instances", "-5"], "instances"),
        (["demo", "--profile", "weekly"], "profile"),
        (["demo", "--page-size", "0"], "--page-size must be"),
        (["emulate", "--set", "ties"], "name=value"),
        (["emulate", "--set", "tise=unstable"], "did you mean ties?"),
        (["emulate", "--zone", "Middle/Earth"], "Middle/Earth"),
        (["emulate", "--port", "99999999"], "port"),
    ],
    ids=lambda one: " ".join(one[-2:]) if isinstance(one, list) else "",
)
def test_it_is_refused_with_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == Exit.USAGE
    out, err = capsys.readouterr()
    assert not out
    assert words in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert err.rstrip("\n").isprintable()


def test_a_secret_on_the_command_line_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    run([*SCAN, "--secret-key=canary"])
    assert "canary" not in capsys.readouterr().err


def test_a_port_in_use_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code = run(["emulate", "--instances", "10", "--port", str(taken.getsockname()[1])])
    assert code == Exit.USAGE
    assert "address already in use" in capsys.readouterr().err.lower()


@pytest.mark.parametrize(
    "command", [[], ["scan"], ["audit"], ["count"], ["demo"], ["emulate"], ["get"], ["wait"]], ids=str
)
def test_the_help_lists_the_exit_codes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == Exit.COMPLETE
    words = capsys.readouterr().out.split()
    assert [word for word in words if word in {str(code.value) for code in Exit}][-14:] == [
        *("0", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "129", "130", "143"),
    ]


def test_no_command_at_all_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == Exit.USAGE
    assert "Usage: aioflows" in capsys.readouterr().out


def test_the_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == Exit.COMPLETE
    assert capsys.readouterr().out == f"aioflows {__version__}\n"
