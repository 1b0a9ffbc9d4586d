"""How a command ends: the exit code, and the one line that says why and what to do."""

from __future__ import annotations

import enum
import json
import sys
from contextlib import suppress

from aioflows import (
    AioflowsError,
    BadCredentials,
    CompletenessError,
    ConnectFailed,
    Denied,
    QueryError,
    ServerFault,
    Throttled,
    TokenExpired,
    TransportError,
)
from aioflows._display.text import printable
from aioflows.export import SinkError

__all__ = ["EPILOG", "Exit", "complain", "judged", "record"]


class Exit(enum.IntEnum):
    """The exit codes of every command."""

    COMPLETE = 0
    USAGE = 2
    AUTH = 3
    INCOMPLETE = 4
    INCONSISTENT = 5
    SINK = 6
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_MEANINGS = {
    Exit.COMPLETE: "complete and proven",
    Exit.USAGE: "wrong usage, nothing was sent",
    Exit.AUTH: "the service refuses this key or this user",
    Exit.INCOMPLETE: "the service failed; what was written is right but incomplete",
    Exit.INCONSISTENT: "it cannot be proven that nothing is missing",
    Exit.SINK: "the output cannot be written",
    Exit.HUNG_UP: "the terminal was closed",
    Exit.INTERRUPTED: "interrupted",
    Exit.TERMINATED: "terminated",
}
EPILOG = "Exit codes: " + "; ".join(f"{code.value} {meaning}" for code, meaning in _MEANINGS.items()) + "."

# The first that fits counts, so the particular stand before the general.
_VERDICTS: tuple[tuple[type[Exception], Exit, str], ...] = (
    (QueryError, Exit.USAGE, ""),
    (BadCredentials, Exit.AUTH, "check AIOFLOWS_ACCESS_KEY and the secret key"),
    (Denied, Exit.AUTH, "check --user-id and --org-id, and what this user may read"),
    (TokenExpired, Exit.AUTH, "a new token did not help; check this machine's clock"),
    (CompletenessError, Exit.INCONSISTENT, ""),
    (SinkError, Exit.SINK, ""),
    (ConnectFailed, Exit.INCOMPLETE, "check --url and the network, then run it again"),
    (Throttled, Exit.INCOMPLETE, "run it again later, or with a lower --rate"),
    (ServerFault, Exit.INCOMPLETE, "run it again later, or with a lower --concurrency"),
    (TransportError, Exit.INCOMPLETE, "run it again, perhaps with a lower --concurrency"),
    (AioflowsError, Exit.INCOMPLETE, "check that --url is the API gateway's"),
)


def judged(error: Exception) -> tuple[Exit, str] | None:
    """Give the exit code for an error and the line to show; None for one that is a fault of this program."""
    for kind, code, advice in _VERDICTS:
        if isinstance(error, kind):
            parts = [str(error) or kind.__name__, advice, *getattr(error, "__notes__", ())]
            return code, printable("; ".join(part for part in parts if part))
    return None


def complain(line: str, code: Exit | None = None) -> None:
    """Show a line on standard error, if there is one.

    Args:
        line: what to *say*.
        code: with which *exit code* the command ends, where a machine is to read it; None: a person reads.
    """
    if code is not None:
        line = record("error", exit=int(code), meaning=_MEANINGS[code], message=line)
    if sys.stderr is not None:  # print() would take standard output instead
        with suppress(OSError):  # the terminal may be gone
            print(line, file=sys.stderr, flush=True)


def record(kind: str, **facts: object) -> str:
    """Give a line for a machine: one JSON object, ASCII only."""
    return json.dumps({"kind": kind, **facts}, allow_nan=False)
