"""Which error ends a command with which code, and in which words."""

from __future__ import annotations

import pytest

import aioflows
from aioflows.cli.exit_codes import EPILOG, Exit, broken, exit_for
from aioflows.export import SinkError

CASES = [
    (aioflows.QueryError("x"), Exit.USAGE),
    (aioflows.BadCredentials(1002, "x"), Exit.AUTH),
    (aioflows.Denied(62103, "x"), Exit.AUTH),
    (aioflows.TokenExpired(1203, "x"), Exit.AUTH),
    (aioflows.TransportError("x"), Exit.INCOMPLETE),
    (aioflows.ConnectFailed("x"), Exit.INCOMPLETE),
    (aioflows.TimedOut("x"), Exit.INCOMPLETE),
    (aioflows.DeadlineExceeded("x"), Exit.INCOMPLETE),
    (aioflows.BrokenBody("x"), Exit.INCOMPLETE),
    (aioflows.ServerFault(62109, "x"), Exit.INCOMPLETE),
    (aioflows.Throttled(429, "x"), Exit.INCOMPLETE),
    (aioflows.ServiceError(404, "x"), Exit.INCOMPLETE),
    (aioflows.AnswerError("x", "$.data"), Exit.INCOMPLETE),
    (aioflows.NotFound(62104, "x"), Exit.NOT_FOUND),
    (aioflows.WaitTimeout(5, {"x": None}), Exit.TIMED_OUT),
    (aioflows.CompletenessError("x"), Exit.INCONSISTENT),
    (aioflows.SessionClosed("x"), Exit.INCOMPLETE),
    (SinkError("x"), Exit.SINK),
]


@pytest.mark.parametrize(("error", "code"), CASES, ids=lambda one: type(one).__name__)
def test_each_error_has_its_code(error: Exception, code: Exit) -> None:
    verdict = exit_for(error)
    assert verdict is not None
    assert verdict[0] is code


def test_every_error_of_the_library_has_a_code() -> None:
    kinds = [getattr(aioflows, name) for name in dir(aioflows)]
    errors = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, aioflows.AioflowsError)}
    assert errors - {aioflows.AioflowsError} <= {type(error) for error, _ in CASES}


def test_a_fault_of_the_program_is_none_of_them() -> None:
    assert exit_for(ZeroDivisionError()) is None


def test_the_line_says_what_to_do() -> None:
    verdict = exit_for(aioflows.BadCredentials(1003, "encryption is not legal"))
    assert verdict is not None
    assert verdict[1].startswith("encryption is not legal (code 1003); check AIOFLOWS_ACCESS_KEY")


def test_the_words_of_the_service_stay_on_one_harmless_line() -> None:
    verdict = exit_for(aioflows.ServerFault(62109, "boom\n\x1b]52;c;ZXZpbA==\x07\u202e"))
    assert verdict is not None
    assert verdict[1].isprintable()


def test_notes_follow_the_words() -> None:
    error = aioflows.TimedOut("no answer in 60 s")
    error.add_note("the first 500 instances were written before")
    verdict = exit_for(error)
    assert verdict is not None
    assert verdict[1].endswith("; the first 500 instances were written before")


def test_the_help_lists_every_code() -> None:
    assert all(f"{code.value} " in EPILOG for code in Exit)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base_url 'x' must begin with https://", "--url 'x' must begin with https://"),
        ("use https://, or pass allow_http=True if", "use https://, or give --allow-http if"),
        ("pass auth=AppKey(...)", "set AIOFLOWS_ACCESS_KEY and AIOFLOWS_SECRET_KEY"),
        ('"UTC" or "Asia/Shanghai", or as a tzinfo', '"UTC" or "Asia/Shanghai"'),
        ("page_size must be 1", "--page-size must be 1"),
        ("the page_size of a flow", "the page_size of a flow"),
    ],
)
def test_an_error_of_the_library_names_options_and_variables(text: str, words: str) -> None:
    assert exit_for(aioflows.QueryError(text)) == (Exit.USAGE, words)


@pytest.mark.parametrize("name", ["server_timezone", "other_timezone"])
def test_an_argument_that_an_error_advises_is_named_as_an_option(name: str) -> None:
    verdict = exit_for(aioflows.CompletenessError(f"give it as FlowSession({name}=...), by its name"))
    assert verdict == (Exit.INCONSISTENT, f"give it as --{name.replace('_', '-')}, by its name")


def test_a_line_is_broken_between_words_and_a_command_to_copy_is_not() -> None:
    line = (
        "interrupted; 200 instances are kept; to resume, run: aioflows scan --url https://enos.test --resume"
    )
    assert broken(line, 30).splitlines() == [
        "interrupted; 200 instances are",
        "kept",
        "to resume, run:",
        "aioflows scan --url https://enos.test --resume",
    ]
