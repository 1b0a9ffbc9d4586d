"""A queue that runs one task at a time in a thread, so that rows are written while others are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aioflows._worker import Worker
from aioflows.export.errors import as_sink_error

__all__ = ["TaskQueue"]


class TaskQueue:
    """A queue of at most one task. The next task waits until the one before has ended.

    Args:
        name: the target's name in messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._worker = Worker(daemon=True)

    async def start(self, work: Callable[[], None]) -> None:
        """Wait for the last task, raise its error if it failed, and start a new task."""
        await self.wait()
        self._task = asyncio.create_task(self._worker.run(lambda: self._run(work)))

    async def wait(self) -> None:
        """Wait for the running task, and raise its error."""
        task, self._task = self._task, None
        if task is not None:
            await task

    async def close(self, work: Callable[[], None]) -> None:
        """Wait for the running task, whatever its error, and run a last task on the event loop."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._worker.run_here(lambda: self._run(work))

    def _run(self, work: Callable[[], None]) -> None:
        with as_sink_error(self._name):
            work()
