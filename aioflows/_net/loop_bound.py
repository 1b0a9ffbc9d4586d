"""Objects that belong to one event loop, because their tasks, timers and connections do."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar, Self

__all__ = ["LoopBound"]


class LoopBound(ABC):
    """An object that binds to the event loop of its first use and closes at the end of ``async with``."""

    _NAME: ClassVar[str]
    _loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None:
        """Close the object. Safe to call more than once.

        Raises:
            RuntimeError: the object belongs to another event loop that still runs.
        """

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            # A forked process must not use the connections of its parent.
            raise RuntimeError(
                f"this {self._NAME} belongs to another event loop; make a new one on this loop"
            )

    def _check_loop_to_close(self) -> bool:
        """Check the loop before closing. Return True if the object has tasks on a loop that still runs."""
        if self._loop is None or self._loop.is_closed():
            return False
        self._check_loop()
        return True
