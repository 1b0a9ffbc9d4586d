"""What belongs to one event loop, since its tasks, timers and connections live there."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar, Self

__all__ = ["LoopBound"]


class LoopBound(ABC):
    """Takes the event loop that it is first used on for its own, and is closed where its ``async with`` ends."""

    _NAME: ClassVar[str]
    _loop: asyncio.AbstractEventLoop | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None:
        """Close it. Twice is fine.

        Raises:
            RuntimeError: it belongs to another event loop, which still runs.
        """

    def _check_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            # In a process that was forked off, what it holds is the other process's.
            raise RuntimeError(
                f"this {self._NAME} belongs to another event loop; make a new one on this loop"
            )

    def _check_loop_to_close(self) -> bool:
        """Check it unless there is nothing left that only this loop could stop; tell whether there is."""
        if self._loop is None or self._loop.is_closed():
            return False
        self._check_loop()
        return True
