"""Single flight: work that is done once while several tasks wait for it.

The work runs until it finishes or its last waiter is cancelled. Each waiter gets a copy of its error, because
a scan writes its checkpoint into the error that it raises.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """One piece of work, and the number of its waiters.

    Args:
        work: the work. It starts at once.
        name: the name of its task.
    """

    def __init__(self, work: Coroutine[Any, Any, T], name: str) -> None:
        self._task = asyncio.create_task(work, name=name)
        self._task.add_done_callback(_seen)
        self._waiting = 0
        self._abandoned = False

    @property
    def over(self) -> bool:
        """True if the work is done or was cancelled. A new waiter must start new work."""
        return self._abandoned or self._task.done()

    async def wait(self) -> T:
        """Wait for the result. If the last waiter is cancelled, cancel the work."""
        self._waiting += 1
        try:
            await asyncio.wait([self._task])  # `asyncio.wait` does not cancel the task
        finally:
            self._waiting -= 1
            if not self._waiting and not self._task.done():
                self._abandoned = True
                self._task.cancel()
                await asyncio.wait([self._task])
        error = self._task.exception()
        if error is not None:
            raise copy.copy(error)
        return self._task.result()


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()  # otherwise asyncio logs an error whose waiters were all cancelled
