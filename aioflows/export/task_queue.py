"""One piece of work at a time in a thread, while the loop goes on: rows are written while the next ones are read."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from aioflows.export.errors import told
from aioflows.export.worker import aside

__all__ = ["TaskQueue"]


class TaskQueue:
    """Does what it is given one after the other, and is at most one piece behind.

    Args:
        name: what is *written*, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._turn = threading.Lock()

    async def begin(self, work: Callable[[], None]) -> None:
        """Wait for the piece before, and begin this one; an error of the one before is raised here."""
        await self.ended()
        self._task = asyncio.create_task(aside(lambda: self._in_turn(work)))

    async def ended(self) -> None:
        """Wait for what is under way, and raise its error."""
        task, self._task = self._task, None
        if task is not None:
            await task

    async def close(self, work: Callable[[], None]) -> None:
        """Do the last piece, when nothing is under way any more: also where waiting for that was cancelled."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._in_turn(work)

    def _in_turn(self, work: Callable[[], None]) -> None:
        # A thread cannot be cancelled, only waited for.
        with self._turn, told(self._name):
            work()
