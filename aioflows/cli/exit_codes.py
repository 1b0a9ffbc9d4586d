"""Exit codes of the commands, and the one line on standard error that says what happened and what to do."""

from __future__ import annotations

import enum
import json
import re
import sys
import textwrap
from contextlib import suppress

from aioflows._display.text import printable
from aioflows.cli.output.console import console_of_bar, console_on, is_terminal
from aioflows.errors import (
    AioflowsError,
    BadCredentials,
    CompletenessError,
    ConnectFailed,
    Denied,
    NotFound,
    QueryError,
    ServerFault,
    Throttled,
    TokenExpired,
    TransportError,
    WaitTimeout,
)
from aioflows.export import SinkError

__all__ = [
    "EPILOG",
    "Exit",
    "broken",
    "exit_for",
    "json_record",
    "print_error",
    "print_message",
    "print_to_stderr",
    "with_options",
]


class Exit(enum.IntEnum):
    """The exit codes of every command."""

    COMPLETE = 0
    USAGE = 2
    AUTH = 3
    INCOMPLETE = 4
    INCONSISTENT = 5
    SINK = 6
    MISSING = 7
    FAILED = 8
    CANCELLED = 9
    TIMED_OUT = 10
    NOT_FOUND = 11
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_MEANINGS = {
    Exit.COMPLETE: "complete and proven",
    Exit.USAGE: "wrong usage, nothing was sent",
    Exit.AUTH: "the service refuses this key or this user",
    Exit.INCOMPLETE: "the service failed, the output is correct but incomplete",
    Exit.INCONSISTENT: "completeness cannot be proven",
    Exit.SINK: "the output cannot be written",
    Exit.MISSING: "scheduled runs are missing",
    Exit.FAILED: "an instance failed",
    Exit.CANCELLED: "an instance was cancelled or skipped",
    Exit.TIMED_OUT: "an instance was not finished in time",
    Exit.NOT_FOUND: "the service does not know an instance",
    Exit.HUNG_UP: "the terminal was closed",
    Exit.INTERRUPTED: "interrupted",
    Exit.TERMINATED: "terminated",
}
EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in _MEANINGS.items()) + "."

_OPTIONS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"FlowSession\((server_timezone|other_timezone)=\.\.\.\)", r"\1"),
        (r"^base_url\b", "--url"),
        (r"^ssl\b", "--cacert"),
        (r"\bpass allow_http=True\b", "give --allow-http"),
        (r"\b(?:pass|give) auth=AppKey\(\.\.\.\)", "set AIOFLOWS_ACCESS_KEY and AIOFLOWS_SECRET_KEY"),
        (r", or as a tzinfo\b", ""),
        (r"\bwithout resume=", "without --resume"),
        (r"\bwith a longer timeout\b", "with a longer --within"),
    )
)
"""Words of the library's errors, and what a command line has instead."""
_NAMED = re.compile(
    r"\b(?:server|other)_timezone\b|^(?:user_id|org_id|page_size|concurrency|rate|first_page|timeout|proxy|limit)\b"
)
_COMMAND = "to resume, run: "

# The first match counts, so subclasses stand before their base classes.
_VERDICTS: tuple[tuple[type[Exception], Exit, str], ...] = (
    (QueryError, Exit.USAGE, ""),
    (BadCredentials, Exit.AUTH, "check AIOFLOWS_ACCESS_KEY and the secret key"),
    (Denied, Exit.AUTH, "check --user-id and --org-id, and what this user may read"),
    (TokenExpired, Exit.AUTH, "a new token did not help; check this machine's clock"),
    (NotFound, Exit.NOT_FOUND, ""),
    (WaitTimeout, Exit.TIMED_OUT, ""),
    (CompletenessError, Exit.INCONSISTENT, ""),
    (SinkError, Exit.SINK, ""),
    (ConnectFailed, Exit.INCOMPLETE, "check --url and the network, then run the command again"),
    (Throttled, Exit.INCOMPLETE, "run the command again later, or with a lower --rate"),
    (ServerFault, Exit.INCOMPLETE, "run the command again later, or with a lower --concurrency"),
    (TransportError, Exit.INCOMPLETE, "run the command again, perhaps with a lower --concurrency"),
    (AioflowsError, Exit.INCOMPLETE, "check that --url is the address of the API gateway"),
)


def exit_for(error: Exception) -> tuple[Exit, str] | None:
    """Return the exit code and the line for an error. None means that the error is a bug of this program."""
    for kind, code, advice in _VERDICTS:
        if isinstance(error, kind):
            parts = [str(error) or kind.__name__, advice, *getattr(error, "__notes__", ())]
            return code, printable(with_options("; ".join(part for part in parts if part)))
    return None


def with_options(text: str) -> str:
    """Return a text of the library with the options of the command line, instead of the library's arguments."""
    for pattern, words in _OPTIONS:
        text = pattern.sub(words, text)
    return _NAMED.sub(lambda found: "--" + found[0].replace("_", "-"), text)


def print_error(line: str, code: Exit | None = None) -> None:
    """Print an error on standard error.

    Args:
        line: text of the error.
        code: exit code of the command; with a code, the error is printed as a JSON object. Default: None.
    """
    if code is None:
        print_message(line)
    else:
        print_to_stderr(json_record("error", exit=int(code), meaning=_MEANINGS[code], message=line))


def print_message(line: str) -> None:
    """Print a line for people on standard error. Break it between words on a terminal that is too narrow for it.

    A line goes above a bar that is shown.
    """
    if (console := console_of_bar()) is not None:
        with suppress(OSError):  # the terminal was closed
            console.print(broken(line, console.width), soft_wrap=True)
        return
    if is_terminal(sys.stderr):
        line = broken(line, console_on(sys.stderr).width)
    print_to_stderr(line)


def broken(line: str, width: int) -> str:
    """Return a line with line breaks between words. A command to copy begins a line, and is not broken."""
    text, command, rest = line.partition(_COMMAND)
    lines = textwrap.wrap(text.rstrip("; "), width, break_long_words=False, break_on_hyphens=False)
    return "\n".join([*lines, *([command.strip(), rest] if command else [])])


def print_to_stderr(line: str) -> None:
    """Print a line on standard error. Do nothing if standard error is closed."""
    if sys.stderr is not None:  # print(file=None) would write to standard output
        with suppress(OSError):  # the terminal was closed
            print(line, file=sys.stderr, flush=True)


def json_record(kind: str, **facts: object) -> str:
    """Return one JSON object on one line, in ASCII."""
    return json.dumps({"kind": kind, **facts}, allow_nan=False)
