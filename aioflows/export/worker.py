"""Blocking work in a daemon thread, so that Ctrl-C does not wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

__all__ = ["run_in_thread"]

T = TypeVar("T")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a daemon thread, and return its result.

    `asyncio.to_thread` does the same, but Python waits for its threads when the program ends.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not done.cancelled():
            set_outcome()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  (the error is raised by `await done`)
            set_outcome = partial(done.set_exception, error)
        else:
            set_outcome = partial(done.set_result, result)
        with suppress(RuntimeError):  # the loop was closed, so no task waits for the result
            loop.call_soon_threadsafe(settle, set_outcome)

    threading.Thread(target=run, daemon=True, name="aioflows-export").start()
    return await done
