"""A scan without ``await``: what `aioflows.sync` gives for `FlowSession.scan`."""

# ruff: noqa: SLF001  (two doors of one scan)

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import aioflows
from aioflows.checkpoint import Checkpoint
from aioflows.models import FlowInstance
from aioflows.stats import ScanPlan, ScanStats
from aioflows.sync.pull import Each, Puller

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FlowScan"]

# Within the class, `list` is a method.
_Rows: TypeAlias = list[FlowInstance]


class FlowScan(Puller[aioflows.FlowScan]):
    """Every flow instance that a query asks for, as an iterator; made by `FlowSession.scan`.

    It is `aioflows.FlowScan` without ``await``. One that is dropped before its end, as by ``break``, stops by itself;
    ``with`` or `close` wait for that. Threads may share it: each instance goes to one of them.

    Raises:
        AioflowsError: while iterating, the specific error, after everything before it in the order was handed out; its
            ``checkpoint`` tells what is left.
        RuntimeError: it was closed, or its session was.
    """

    def pages(self) -> Iterator[_Rows]:
        """Iterate lists of instances, in the same order: the fast way for bulk work. Lists have no fixed length."""
        return Each(lambda: self._next_of(self._source._take_page))

    def record_batches(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Iterate Arrow record batches, in the same order; see `aioflows.FlowScan.record_batches`."""
        batches = self._source.record_batches(columns, tasks=tasks)
        return Each(lambda: self._next_batch(batches))

    def list(self) -> _Rows:
        """Read everything that was not handed out yet, as one list, and close."""
        with self._one_at_a_time:
            return self._thread.run(self._source.list)

    def first(self) -> FlowInstance | None:
        """Give the next instance, or None if there is none, and close."""
        with self._one_at_a_time:
            return self._thread.run(self._source.first)

    def _next_batch(self, batches: AsyncIterator[pa.RecordBatch]) -> pa.RecordBatch:
        with self._one_at_a_time:
            batch = self._thread.run(lambda: _next_or_none(batches))
        if batch is None:
            raise StopIteration
        return batch

    def _need_rows(self) -> None:
        if not self._source._held:
            super()._need_rows()

    @property
    def number(self) -> int:
        """Which scan it is, of all in this process: the ``scan`` of its events."""
        return self._source.number

    @property
    def progress(self) -> float:
        """The share of the time range that was read and handed out, from 0 to 1."""
        return self._thread.ask(lambda: self._source.progress)

    @property
    def stats(self) -> ScanStats:
        """The account so far."""
        return self._thread.ask(lambda: self._source.stats)

    def plan(self) -> ScanPlan:
        """Tell what is left to be read, and at how few requests, as far as that is known; nothing is sent for it."""
        return self._thread.ask(self._source.plan)

    def checkpoint(self) -> Checkpoint:
        """Tell what was not handed out yet, to go on there with ``session.scan(query, resume=...)``."""
        return self._thread.ask(self._source.checkpoint)


async def _next_or_none(batches: AsyncIterator[pa.RecordBatch]) -> pa.RecordBatch | None:
    return await anext(batches, None)
