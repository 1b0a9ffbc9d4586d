"""A follow without ``await``: what `aioflows.sync` gives for `FlowSession.follow`; it polls only while its consumer waits."""

# ruff: noqa: SLF001  (two doors of one follow)

from __future__ import annotations

from collections.abc import Iterator

import aioflows
from aioflows.checkpoint import FollowCheckpoint
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats
from aioflows.sync.pull import Each, Puller

__all__ = ["FlowFollow"]


class FlowFollow(Puller[aioflows.FlowFollow]):
    """The instances of a query as they appear, as an iterator; made by `FlowSession.follow`.

    It is `aioflows.FlowFollow` without ``await``. One that is dropped stops by itself; ``with`` or `close` wait for that.
    Threads may share it: each instance goes to one of them.

    Raises:
        AioflowsError: while iterating; its ``followed`` is the checkpoint.
        RuntimeError: it was closed, or its session was.
    """

    def batches(self) -> Iterator[list[FlowInstance]]:
        """Iterate lists of what has appeared; after each of them everything was handed out, so a checkpoint is small."""
        return Each(lambda: self._next_of(self._source._take_batch))

    @property
    def stats(self) -> FollowStats:
        """The account so far."""
        return self._thread.ask(lambda: self._source.stats)

    def checkpoint(self) -> FollowCheckpoint:
        """Tell what was settled, to go on there with ``session.follow(query, resume=...)``."""
        return self._thread.ask(self._source.checkpoint)
