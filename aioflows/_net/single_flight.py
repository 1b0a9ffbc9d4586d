"""Work that several wait for, and that is done once.

It belongs to all who wait: it ends when it is done, or when nobody waits any more. An error of it reaches each of them
as a copy, since a scan writes its checkpoint into the error it raises.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["SingleFlight"]

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """One piece of work and how many wait for it.

    Args:
        work: what is to be done, begun at once.
        name: of its task.
    """

    def __init__(self, work: Coroutine[Any, Any, T], name: str) -> None:
        self._task = asyncio.create_task(work, name=name)
        self._task.add_done_callback(_seen)
        self._waiting = 0
        self._abandoned = False

    @property
    def over(self) -> bool:
        """Whether it is done, or given up, so that who comes now has to begin anew."""
        return self._abandoned or self._task.done()

    async def wait(self) -> T:
        """Wait for its end; the last one to be cancelled takes the work along."""
        self._waiting += 1
        try:
            await asyncio.wait([self._task])  # which leaves the task alone when it is cancelled itself
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
        task.exception()  # even if all who waited are gone
