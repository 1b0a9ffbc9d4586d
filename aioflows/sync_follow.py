"""A follow without ``await``: what `aioflows.sync` gives for `FlowSession.follow`.

It polls only while its consumer waits. What has appeared stays in the follow until it is taken in the consumer's own thread,
so a wait that is interrupted loses nothing.
"""

# ruff: noqa: SLF001  (two doors of one follow)

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import aioflows
from aioflows._net.thread import Thread
from aioflows.checkpoint import FollowCheckpoint
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats

__all__ = ["FlowFollow"]


class FlowFollow(Iterator[FlowInstance]):
    """The instances of a query as they appear, as an iterator; made by `FlowSession.follow`.

    It is `aioflows.FlowFollow` without ``await``. One that is dropped stops by itself; ``with`` or `close` wait for that.
    Threads may share it: each instance goes to one of them.

    Raises:
        AioflowsError: while iterating; its ``followed`` is the checkpoint.
        RuntimeError: it was closed, or its session was.
    """

    def __init__(self, thread: Thread, follow: aioflows.FlowFollow) -> None:
        self._thread = thread
        self._follow = follow
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        return f"<sync {self._follow!r}>"

    def _repr_html_(self) -> str:
        return self._thread.ask(self._follow._repr_html_)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop: cancel what is under way, and wait until it is over. Twice is fine."""
        if self._thread.alive:
            self._thread.run(self._follow.aclose)

    def __del__(self) -> None:
        if hasattr(self, "_follow"):
            self._thread.soon(self._follow.aclose)

    def __next__(self) -> FlowInstance:
        """Give the next instance; wait until there is one."""
        with self._one_at_a_time:
            self._need_rows()
            return self._follow._take()

    def batches(self) -> Iterator[list[FlowInstance]]:
        """Iterate lists of what has appeared; after each of them everything was handed out, so a checkpoint is small."""
        return _Batches(self)

    def _next_batch(self) -> list[FlowInstance]:
        with self._one_at_a_time:
            self._need_rows()
            return self._follow._take_batch()

    def _need_rows(self) -> None:
        if not self._thread.run(self._more):
            raise StopIteration

    async def _more(self) -> bool:
        try:
            await self._follow._refill()
        except StopAsyncIteration:
            return False
        return True

    @property
    def stats(self) -> FollowStats:
        """The account so far."""
        return self._thread.ask(lambda: self._follow.stats)

    def checkpoint(self) -> FollowCheckpoint:
        """Tell what was settled, to go on there with ``session.follow(query, resume=...)``."""
        return self._thread.ask(self._follow.checkpoint)


class _Batches(Iterator[list[FlowInstance]]):
    """A follow by lists. Not a generator: one that is interrupted while it waits would be over."""

    def __init__(self, follow: FlowFollow) -> None:
        self._follow = follow

    def __next__(self) -> list[FlowInstance]:
        return self._follow._next_batch()
