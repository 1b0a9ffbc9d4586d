"""The base of scans and follows without ``await``: they get rows from a loop in another thread.

Rows stay in the scan or the follow until the consumer's own thread takes them. So an interrupted wait loses
no row.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Generic, NoReturn, Self, TypeVar

from aioflows._net.follow_reader import FollowReader
from aioflows._net.loop_bound import not_copied
from aioflows._net.scan_reader import ScanReader
from aioflows.errors import SessionClosed
from aioflows.models import FlowInstance
from aioflows.sync.loop_thread import LoopThread

__all__ = ["Puller"]

R = TypeVar("R", ScanReader, FollowReader)
T = TypeVar("T")


class Puller(Iterator[FlowInstance], Generic[R]):
    """An iterator that pulls instances from a loop in another thread.

    Args:
        thread: the thread with the loop.
        reader: reads the scan or the follow on that loop.
        take: takes an instance that the reader has ready.
    """

    def __init__(self, thread: LoopThread, reader: R, take: Callable[[], FlowInstance]) -> None:
        self._thread = thread
        self._reader: R = reader
        self._take = take
        self._one_at_a_time = threading.Lock()

    def __reduce__(self) -> NoReturn:
        not_copied(self._reader._NAME)  # noqa: SLF001

    def __repr__(self) -> str:
        return f"<sync {self._reader!r}>"

    def _repr_html_(self) -> str:
        return self._thread.ask(self._reader._repr_html_)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel requests under way and wait for their end. Safe to call more than once."""
        if self._thread.alive:
            self._thread.run(self._reader.aclose)

    def __del__(self) -> None:
        if hasattr(self, "_reader"):
            self._thread.start_in_background(self._reader.aclose)

    def __next__(self) -> FlowInstance:
        """Return the next instance. Wait until there is one."""
        with self._one_at_a_time:  # inline, because a call of `_next_of` would make a row a sixth slower
            self._need_rows()
            return self._take()

    def _next_of(self, take: Callable[[], T]) -> T:
        with self._one_at_a_time:
            self._need_rows()
            return take()

    def _calls(self, take: Callable[[], T]) -> Iterator[T]:
        """Return an iterator that calls a function for each item. A generator would end when it is interrupted."""
        return iter(take, None)

    def _need_rows(self) -> None:
        if not self._on_loop(self._more):
            raise StopIteration

    def _on_loop(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do work in the thread. If the session is closed, the error carries the checkpoint."""
        try:
            return self._thread.run(ask)
        except SessionClosed as error:
            if error.checkpoint is None and error.followed is None:
                self._reader.mark(error)
            raise

    async def _more(self) -> bool:
        try:
            await self._reader.refill()
        except StopAsyncIteration:
            return False
        return True
