"""Which service a board shows, who may see it, and what its command refuses."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aioflows import FlowQuery, Limits, QueryError
from aioflows.cli.commands.board import BoardJob, board_duration, with_url
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import ServerOptions


def job(host: str) -> BoardJob:
    hour = timedelta(hours=1)
    return BoardJob(FlowQuery(0, 0), hour, hour, server=ServerOptions(host=host), limits=Limits())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.0.1"])
def test_a_board_for_this_machine_alone_needs_no_token(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIOFLOWS_BOARD_TOKEN", raising=False)
    assert job(host).is_local
    assert job(host).token() == ""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "board.example.com"])
def test_a_board_for_others_has_a_token_that_nobody_guesses(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIOFLOWS_BOARD_TOKEN", raising=False)
    assert not job(host).is_local
    assert len(job(host).token()) >= 32
    assert job(host).token() != job(host).token()
    monkeypatch.setenv("AIOFLOWS_BOARD_TOKEN", "a-token-that-stays-the-same")
    assert job(host).token() == "a-token-that-stays-the-same"
    monkeypatch.setenv("AIOFLOWS_BOARD_TOKEN", "short")
    with pytest.raises(QueryError, match="AIOFLOWS_BOARD_TOKEN must have"):
        job(host).token()


@pytest.mark.parametrize("number", [0.0, -1.0, float("nan"), float("inf")])
def test_a_wait_is_a_number_above_0(number: float) -> None:
    with pytest.raises(QueryError, match="--min-wait must be a number of seconds above 0"):
        board_duration(number, "--min-wait", "seconds")


def test_an_address_is_given_once() -> None:
    given = ConnectionOptions(url="https://one.example")
    assert with_url(ConnectionOptions(), "https://one.example") == given
    assert with_url(given, None) is given
    with pytest.raises(QueryError, match="remove one"):
        with_url(given, "https://other.example")


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.2", "127.0.0.2"), ("::1", "[::1]")])
def test_an_address_has_the_host_that_was_asked_for(host: str, shown: str) -> None:
    assert job(host).shown_host == shown
    assert shown in (job(host).hosts or ())


def test_a_board_for_others_is_asked_by_any_name() -> None:
    assert job("0.0.0.0").hosts is None
