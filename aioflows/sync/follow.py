"""The follow of `aioflows.sync`, without ``await``. It polls only while its consumer waits."""

# ruff: noqa: SLF001  (it wraps a follow of this package)

from __future__ import annotations

from collections.abc import Iterator

import aioflows
from aioflows.checkpoint import FollowCheckpoint
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats
from aioflows.sync.pull import CallIterator, Puller

__all__ = ["FlowFollow"]


class FlowFollow(Puller[aioflows.FlowFollow]):
    """A follow: the instances of a query as they appear, as an iterator. `FlowSession.follow` makes it.

    It is `aioflows.FlowFollow` without ``await``. A follow without references stops in the background. To
    wait for its end, use ``with`` or `close`. Threads may share a follow: each instance goes to one of them.

    Raises:
        AioflowsError: while iterating. Its ``followed`` is the checkpoint.
        RuntimeError: the follow or its session was closed.
    """

    def batches(self) -> Iterator[list[FlowInstance]]:
        """Return an iterator of lists of new instances. A checkpoint between two lists is small."""
        return CallIterator(lambda: self._next_of(self._source._take_batch))

    @property
    def stats(self) -> FollowStats:
        """The statistics so far."""
        return self._thread.ask(lambda: self._source.stats)

    def checkpoint(self) -> FollowCheckpoint:
        """Return a checkpoint of the instances handed out, for ``session.follow(query, resume=...)``."""
        return self._thread.ask(self._source.checkpoint)
