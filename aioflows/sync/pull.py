"""What a scan and a follow without ``await`` have in common: rows that come from a loop in another thread.

What has come stays in the scan or the follow until it is taken in the consumer's own thread, so a wait that is interrupted
loses nothing.
"""

# ruff: noqa: SLF001  (two doors of one scan, or one follow)

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

import aioflows
from aioflows.models import FlowInstance
from aioflows.sync.loop_thread import LoopThread

__all__ = ["Each", "Puller"]

S = TypeVar("S", aioflows.FlowScan, aioflows.FlowFollow)
T = TypeVar("T")


class Puller(Iterator[FlowInstance], Generic[S]):
    """Instances, pulled from where they come.

    Args:
        thread: whose *loop* they come from.
        source: *what* gives them there.
    """

    def __init__(self, thread: LoopThread, source: S) -> None:
        self._thread = thread
        self._source: S = source
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        return f"<sync {self._source!r}>"

    def _repr_html_(self) -> str:
        return self._thread.ask(self._source._repr_html_)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop: cancel what is under way, and wait until it is over. Twice is fine."""
        if self._thread.alive:
            self._thread.run(self._source.aclose)

    def __del__(self) -> None:
        if hasattr(self, "_source"):
            self._thread.soon(self._source.aclose)

    def __next__(self) -> FlowInstance:
        """Give the next instance; wait until there is one."""
        with self._one_at_a_time:  # not by `_next_of`, whose call would make a row a sixth dearer
            self._need_rows()
            return self._source._take()

    def _next_of(self, take: Callable[[], T]) -> T:
        with self._one_at_a_time:
            self._need_rows()
            return take()

    def _need_rows(self) -> None:
        if not self._thread.run(self._more):
            raise StopIteration

    async def _more(self) -> bool:
        try:
            await self._source._refill()
        except StopAsyncIteration:
            return False
        return True


class Each(Iterator[T]):
    """Something by its parts. Not a generator: one that is interrupted while it waits would be over."""

    def __init__(self, take: Callable[[], T]) -> None:
        self._take = take

    def __next__(self) -> T:
        return self._take()
