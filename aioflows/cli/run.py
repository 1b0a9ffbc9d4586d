"""From a command's start to its exit code: signals, a reader that went away, and every error in one line.

The first signal stops the work where it is, and lets it keep what it has. A second Ctrl-C ends the process at once, whatever
that is about: what was kept before stays kept, as after a kill.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any

from aioflows._display.text import printable
from aioflows.cli.exit_codes import Exit, complain, judged
from aioflows.export import ReaderGone

__all__ = ["ended"]

_SIGNALS = {
    name: (code, word)
    for name, code, word in (
        ("SIGINT", Exit.INTERRUPTED, "interrupted"),
        ("SIGTERM", Exit.TERMINATED, "terminated"),
        ("SIGHUP", Exit.HUNG_UP, "hung up"),  # the terminal was closed, or the connection to it
    )
}
_LONGEST = 10_000
_SHOW_CURSOR = b"\x1b[?25h\n"


class _Stopped(Exception):
    """Somebody sent a signal."""

    def __init__(self, name: str, notes: Sequence[str]) -> None:
        super().__init__(name)
        self.code, word = _SIGNALS[name]
        self.words = printable("; ".join((word, *filter(None, notes))), _LONGEST)


def ended(
    work: Callable[[], Coroutine[Any, Any, Exit]], *, interruptible: bool = True, as_json: bool = False
) -> Exit:
    """Run a command's work on a loop of its own, and turn however it ends into an exit code and at most one line.

    Args:
        work: what is *done*.
        interruptible: whether to be interrupted is worth a word, and a code of its own.
        as_json: whether that line is for a *machine*.
    """
    try:
        return asyncio.run(_stoppable(work))
    except KeyboardInterrupt:
        code, line = Exit.INTERRUPTED, "interrupted"
    except _Stopped as stopped:
        code, line = stopped.code, stopped.words
    except (ReaderGone, BrokenPipeError):
        _forget_output()
        return Exit.COMPLETE
    except Exception as error:
        verdict = judged(error)
        if verdict is None:
            raise
        code, line = verdict[0], verdict[1] if as_json else f"error: {verdict[1]}"
    if not interruptible and code in {code for code, _ in _SIGNALS.values()}:
        return Exit.COMPLETE
    complain(line, code if as_json else None)
    return code


async def _stoppable(work: Callable[[], Coroutine[Any, Any, Exit]]) -> Exit:
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    told: list[str] = []

    def stop(name: str) -> None:
        told.append(name)
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, _at_once)  # not by the loop, which may stand still
        if task is not None and len(told) == 1:
            task.cancel()

    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is None or signal.getsignal(number) is signal.SIG_IGN:
            continue  # whoever started us, as nohup does, wants it to be ignored
        with suppress(NotImplementedError, ValueError):  # not on every platform, and only in the main thread
            loop.add_signal_handler(number, stop, name)
    try:
        return await work()
    except asyncio.CancelledError as error:
        if told:
            raise _Stopped(told[0], getattr(error, "__notes__", ())) from None
        raise


def _at_once(*_: object) -> None:
    with suppress(OSError):
        os.write(2, _SHOW_CURSOR if os.isatty(2) else b"")
    os._exit(Exit.INTERRUPTED)


def _forget_output() -> None:
    """Point standard output nowhere, so that flushing it at exit does not complain that the reader is gone."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
