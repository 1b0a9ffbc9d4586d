"""Blocking work in daemon threads, so that Ctrl-C does not wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

__all__ = ["Worker", "run_in_thread"]

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

    threading.Thread(target=run, daemon=True, name="aioflows-worker").start()
    return await done


class Worker:
    """A worker that does one piece of work at a time, for any number of callers.

    A thread cannot be cancelled. If a caller is cancelled, its work goes on, and the next piece of work waits
    until this work has ended.

    Args:
        daemon: True if Python does not wait for the work when the program ends.
    """

    def __init__(self, *, daemon: bool) -> None:
        self._daemon = daemon
        self._lock = threading.Lock()
        self._running: set[asyncio.Task[Any]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """Do work in a thread, after the work before it, and return its result."""
        in_turn = partial(self.run_here, work)
        task = asyncio.create_task(run_in_thread(in_turn) if self._daemon else asyncio.to_thread(in_turn))
        self._running.add(task)
        task.add_done_callback(self._finished)
        return await asyncio.shield(task)

    def run_here(self, work: Callable[[], T]) -> T:
        """Do work in the current thread, after the work before it, and return its result."""
        with self._lock:
            return work()

    async def wait(self) -> None:
        """Wait until all work has ended, also work whose caller was cancelled."""
        if self._running:
            await asyncio.wait(self._running)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # otherwise asyncio logs the error if its caller was cancelled
