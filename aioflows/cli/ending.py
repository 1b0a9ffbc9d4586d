"""From a command's start to its exit code: signals, a reader that went away, and every error in one line."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from aioflows.cli.exits import Exit, complain, judged
from aioflows.export import ReaderGone

__all__ = ["ended"]


class _Terminated(Exception):
    """Somebody sent SIGTERM."""


def ended(work: Callable[[], Coroutine[Any, Any, Exit]], *, interruptible: bool = True) -> Exit:
    """Run a command's work on a loop of its own, and turn however it ends into an exit code and at most one line."""
    try:
        return asyncio.run(_stoppable(work))
    except KeyboardInterrupt:
        code, line = Exit.INTERRUPTED, "interrupted"
    except _Terminated:
        code, line = Exit.TERMINATED, "terminated"
    except (ReaderGone, BrokenPipeError):
        _forget_output()
        return Exit.COMPLETE
    except Exception as error:
        verdict = judged(error)
        if verdict is None:
            raise
        code, line = verdict[0], f"error: {verdict[1]}"
    if interruptible or code not in (Exit.INTERRUPTED, Exit.TERMINATED):
        complain(line)
    return code


async def _stoppable(work: Callable[[], Coroutine[Any, Any, Exit]]) -> Exit:
    task, loop, told = asyncio.current_task(), asyncio.get_running_loop(), []

    def stop() -> None:
        told.append(signal.SIGTERM)
        if task is not None:
            task.cancel()

    with suppress(NotImplementedError, ValueError):  # not on every platform, and only in the main thread
        loop.add_signal_handler(signal.SIGTERM, stop)
    try:
        return await work()
    except asyncio.CancelledError:
        if told:
            raise _Terminated from None
        raise


def _forget_output() -> None:
    """Point standard output nowhere, so that flushing it at exit does not complain that the reader is gone."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
