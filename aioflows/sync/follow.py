"""The follow of `aioflows.sync`, without ``await``. It polls only while its consumer waits."""

from __future__ import annotations

from collections.abc import Iterator

from aioflows._net.follow_reader import FollowReader
from aioflows.checkpoint import FollowCheckpoint
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats
from aioflows.sync.loop_thread import LoopThread
from aioflows.sync.pull import Puller

__all__ = ["FlowFollow"]


class FlowFollow(Puller[FollowReader]):
    """A follow: the instances of a query as they appear, as an iterator. `FlowSession.follow` makes it.

    It is `aioflows.FlowFollow` without ``await``. A follow without references stops in the background. To
    wait for its end, use ``with`` or `close`. Threads may share a follow: each instance goes to one of them.

    Raises:
        AioflowsError: while iterating. Its ``followed`` is the checkpoint.
        RuntimeError: the follow or its session was closed.
    """

    def __init__(self, thread: LoopThread, reader: FollowReader) -> None:
        super().__init__(thread, reader, reader.take)

    def batches(self) -> Iterator[list[FlowInstance]]:
        """Return an iterator of lists of new instances. A checkpoint between two lists is small."""
        return self._calls(lambda: self._next_of(self._reader.take_page))

    @property
    def stats(self) -> FollowStats:
        """The statistics so far."""
        return self._thread.ask(lambda: self._reader.stats)

    def checkpoint(self) -> FollowCheckpoint:
        """Return a checkpoint of the instances handed out, for ``session.follow(query, resume=...)``."""
        return self._thread.ask(self._reader.checkpoint)
