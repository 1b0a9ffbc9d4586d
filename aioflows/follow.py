"""The follow for users: an async iterator of new instances, which polls only while its consumer waits."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Coroutine, Sequence
from typing import Any, Self

from aioflows._net.async_calls import AsyncCalls
from aioflows._net.follow_reader import FollowReader
from aioflows.checkpoint import FollowCheckpoint
from aioflows.errors import QueryError
from aioflows.models import FlowInstance
from aioflows.stats import FollowStats

__all__ = ["FlowFollow", "timing_of"]

_TIMING = {"settle_time": 60.0, "watch_time": 86_400.0, "min_wait": 2.0, "max_wait": 60.0}
"""The defaults of a follow, in seconds."""
_RENAMED = {"settle": "settle_time", "watch": "watch_time", "least": "min_wait", "most": "max_wait"}


def timing_of(given: Sequence[float | None], by_old_names: Sequence[float | None]) -> dict[str, float]:
    """Return the timing of a follow by its new names. Warnings point to the caller of the calling method.

    Args:
        given: the values (seconds) in the order of `_TIMING`. None means the default.
        by_old_names: the values that were given under their old names, in the same order.

    Raises:
        QueryError: a value was given under its old name and its new name.
    """
    timing = {name: value for name, value in zip(_TIMING, given, strict=True) if value is not None}
    for (old, new), value in zip(_RENAMED.items(), by_old_names, strict=True):
        if value is None:
            continue
        if new in timing:
            raise QueryError(f"{old}= and {new}= mean the same, and both were given; drop {old}=")
        warnings.warn(f"{old}= is now called {new}=; use {new}=", DeprecationWarning, stacklevel=3)
        timing[new] = value
    return _TIMING | timing


class FlowFollow(AsyncIterator[FlowInstance]):
    """A follow: the instances of a query as they appear.

    `FlowSession.follow` makes a follow, which sends nothing before iteration.

    Iterate either the follow (``async for instance in follow``) or its `batches`, from one task. As an async
    context manager, the follow leaves no request under way. Otherwise call `aclose`. A cancelled ``__anext__``, for
    instance by ``asyncio.timeout``, loses no instance. An error ends the iteration but not the follow: iterate
    the follow again to continue.

    Raises:
        AioflowsError: while iterating. Its ``followed`` is the checkpoint.
        RuntimeError: two tasks iterate the follow at once, the follow was closed, or it is used on another
            event loop.
    """

    def __init__(self, reader: FollowReader) -> None:
        self.reader = reader

    def __repr__(self) -> str:
        return repr(self.reader)

    def _repr_html_(self) -> str:
        return self.reader._repr_html_()

    # Iterating

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, FlowInstance]:
        """Return the next instance. Wait until an instance appears."""
        return self.reader.next_row()

    def batches(self) -> AsyncIterator[list[FlowInstance]]:
        """Return an iterator of lists of new instances. A checkpoint between two lists is small."""
        return AsyncCalls(self.reader.next_batch)

    # Ending

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the follow: cancel its requests and wait for their end. Safe to call more than once.

        Raises:
            RuntimeError: the follow belongs to another event loop that still runs. Close it there.
        """
        await self.reader.aclose()

    # State

    @property
    def stats(self) -> FollowStats:
        """The statistics so far."""
        return self.reader.stats

    def checkpoint(self) -> FollowCheckpoint:
        """Return a checkpoint of the instances handed out, for ``session.follow(query, resume=...)``."""
        return self.reader.checkpoint()
