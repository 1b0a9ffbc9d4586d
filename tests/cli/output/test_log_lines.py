"""Warnings of the library on the command line: one line each, above a bar, and never in the way of JSON."""

from __future__ import annotations

import io
import json
import logging

import pytest
from rich.console import Console

from aioflows import Paused, Throttled
from aioflows._net.observers import Observers
from aioflows.cli.output.console import bar_on
from aioflows.cli.output.log_lines import shown_warnings

LIBRARY = logging.getLogger("aioflows")


def test_a_warning_is_printed_once_with_the_option_that_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_warnings():
        for _ in range(2):
            Observers().warn("no row shows the zone.\nGive it as FlowSession(server_timezone=...)")
    Observers().warn("after the command")
    assert capsys.readouterr().err == "warning: no row shows the zone.\\nGive it as --server-timezone\n"


def test_a_program_gets_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_warnings(as_json=True):
        LIBRARY.warning("the observer failed")
    assert json.loads(capsys.readouterr().err) == {"kind": "warning", "message": "the observer failed"}


def test_nothing_is_printed_of_events_or_if_only_errors_are_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shown_warnings():
        Observers().emit(Paused(seconds=2.0, error=Throttled(429, "too many", 2.0)))
    with shown_warnings(quiet=True):
        LIBRARY.warning("the observer failed")
    assert capsys.readouterr().err == ""


def test_a_warning_goes_through_the_console_of_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    screen = io.StringIO()
    with shown_warnings(), bar_on(Console(file=screen, width=40)):
        LIBRARY.warning("one")
    assert (screen.getvalue(), capsys.readouterr().err) == ("warning: one\n", "")
