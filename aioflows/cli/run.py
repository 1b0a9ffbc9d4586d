"""Runs a command to its exit code: signals, a closed pipe, and every error as one line.

1. The first signal cancels the command, which then saves what it has read.
2. A second Ctrl-C ends the process at once, as a kill does. What was saved before stays saved.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from aioflows._display.text import printable
from aioflows.cli.exit_codes import Exit, exit_for, print_error
from aioflows.cli.output.log_lines import shown_warnings
from aioflows.cli.output.standard_output import discard_output
from aioflows.export import ReaderGone

__all__ = ["run_command"]

_SIGNALS = {
    name: (code, word)
    for name, code, word in (
        ("SIGINT", Exit.INTERRUPTED, "interrupted"),
        ("SIGTERM", Exit.TERMINATED, "terminated"),
        ("SIGHUP", Exit.HUNG_UP, "hung up"),  # the terminal, or the connection to the terminal, was closed
    )
}
_LONGEST_LINE = 10_000
_SHOW_CURSOR = b"\x1b[?25h\n"


class _Stopped(Exception):
    """A signal stopped the command."""

    def __init__(self, name: str, notes: Sequence[str]) -> None:
        super().__init__(name)
        self.code, word = _SIGNALS[name]
        self.line = printable("; ".join((word, *filter(None, notes))), _LONGEST_LINE)


def run_command(
    work: Callable[[], Coroutine[Any, Any, Exit]],
    *,
    interruptible: bool = True,
    as_json: bool = False,
    quiet: bool = False,
) -> Exit:
    """Run a command on a new event loop, print at most one line about its end, and return its exit code.

    Args:
        work: the command, an async function.
        interruptible: False for a command that ends normally with a signal: the exit code is then 0, and
            nothing is printed. Default: True.
        as_json: True to print the line as a JSON object. Default: False.
        quiet: True to print no warnings of the library. Default: False.
    """
    try:
        with shown_warnings(quiet=quiet, as_json=as_json):
            return asyncio.run(_run_until_signal(work))
    except KeyboardInterrupt:
        code, line = Exit.INTERRUPTED, "interrupted"
    except _Stopped as stopped:
        code, line = stopped.code, stopped.line
    except (ReaderGone, BrokenPipeError):
        discard_output()
        return Exit.COMPLETE
    except Exception as error:
        outcome = exit_for(error)
        if outcome is None:
            raise
        code, line = outcome[0], outcome[1] if as_json else f"error: {outcome[1]}"
    if not interruptible and code in {code for code, _ in _SIGNALS.values()}:
        return Exit.COMPLETE
    print_error(line, code if as_json else None)
    return code


async def _run_until_signal(work: Callable[[], Coroutine[Any, Any, Exit]]) -> Exit:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    received: list[str] = []

    def stop(name: str) -> None:
        received.append(name)
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, _exit_now)  # outside the loop, which may be blocked
        if task is not None and len(received) == 1:
            task.cancel()

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue  # the parent process ignores the signal, as nohup does with SIGHUP
        # add_signal_handler raises these on Windows and outside the main thread.
        with suppress(NotImplementedError, ValueError):
            loop.add_signal_handler(number, stop, name)
    try:
        return await work()
    except asyncio.CancelledError as error:
        if received:
            raise _Stopped(received[0], getattr(error, "__notes__", ())) from None
        raise


def _exit_now(*_: object) -> None:
    with suppress(OSError):
        os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
    os._exit(Exit.INTERRUPTED)
