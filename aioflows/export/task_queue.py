"""A queue that runs one task at a time in a thread: rows are written while the next ones are read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from aioflows.export.errors import as_sink_error
from aioflows.export.worker import run_in_thread

__all__ = ["TaskQueue"]


class TaskQueue:
    """A queue of at most one task. The next task waits until the one before has ended.

    Args:
        name: the target's name in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._lock = threading.Lock()

    async def start(self, work: Callable[[], None]) -> None:
        """Wait for the task before, raise its error if it failed, and start this one."""
        await self.wait()
        self._task = asyncio.create_task(run_in_thread(lambda: self._run(work)))

    async def wait(self) -> None:
        """Wait for the running task, and raise its error."""
        task, self._task = self._task, None
        if task is not None:
            await task

    async def close(self, work: Callable[[], None]) -> None:
        """Run the last task on the event loop, after the running one has ended.

        If the wait for the running task was cancelled, its thread goes on, and the lock makes the last task
        wait for it.
        """
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._run(work)

    def _run(self, work: Callable[[], None]) -> None:
        # A cancelled task leaves its thread running, so the lock keeps the order.
        with self._lock, as_sink_error(self._name):
            work()
