"""Objects that belong to one event loop, because their tasks, timers and connections do."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, _get_running_loop
from typing import ClassVar, NoReturn, Self

__all__ = ["LoopBound", "not_copied"]

_NO_LOOP = (
    "the {name} needs asyncio, and no event loop of asyncio runs here. Run the program by asyncio.run(main()); "
    "where trio runs, choose the asyncio backend (anyio.run(main, backend='asyncio'), hypercorn -k asyncio), "
    "or use aioflows.sync in a thread"
)
_FORKED = (
    "this {name} belongs to another event loop, which stayed in process {process} when that forked this one; "
    "make a new session in this process, after the fork"
)
_OVER = (
    "this {name} belongs to another event loop, which was closed, as asyncio.run() does at its end; "
    "make a new session within each asyncio.run()"
)
_ELSEWHERE = (
    "this {name} belongs to another event loop, which still runs; make a new one on this loop, or go there by "
    "asyncio.run_coroutine_threadsafe(). Threads without a loop may share an aioflows.sync.FlowSession"
)


def not_copied(name: str) -> NoReturn:
    """Raise the error of an object that is pickled or copied, although it holds connections.

    Args:
        name: the name of the object.
    """
    raise TypeError(
        f"a {name} cannot be pickled or copied, because its connections and tasks belong to this process; "
        "pass the arguments of the session instead, and make a session where it is used"
    )


class LoopBound(ABC):
    """An object that binds to the event loop of its first use and closes at the end of ``async with``."""

    _NAME: ClassVar[str]
    _loop: AbstractEventLoop | None = None
    _process = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __reduce__(self) -> NoReturn:
        not_copied(self._NAME)

    @abstractmethod
    async def aclose(self) -> None:
        """Close the object. Safe to call more than once.

        Raises:
            RuntimeError: the object belongs to another event loop that still runs.
        """

    def _check_loop(self) -> None:
        loop = _get_running_loop()
        if loop is None and not self._is_forked:
            raise RuntimeError(_NO_LOOP.format(name=self._NAME))
        if self._loop is None:
            self._loop, self._process = loop, os.getpid()
        elif self._loop is not loop or self._is_forked:
            # A forked process must not use the connections of its parent.
            text = _FORKED if self._is_forked else _OVER if self._loop.is_closed() else _ELSEWHERE
            raise RuntimeError(text.format(name=self._NAME, process=self._process))

    @property
    def _is_forked(self) -> bool:
        """True if this process was forked after the object was first used."""
        return self._loop is not None and self._process != os.getpid()

    def _check_loop_to_close(self) -> bool:
        """Check the loop before closing. Return True if the object has tasks on a loop that still runs."""
        if self._loop is None or self._loop.is_closed():
            return False
        self._check_loop()
        return True
