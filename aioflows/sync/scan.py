"""The scan of `aioflows.sync`, without ``await``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from aioflows._net.async_calls import or_none
from aioflows._net.scan_reader import ScanReader
from aioflows.checkpoint import Checkpoint
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery
from aioflows.stats import ScanPlan, ScanStats
from aioflows.sync.loop_thread import LoopThread
from aioflows.sync.pull import Puller

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FlowScan"]

# Within the class, `list` is a method.
_Rows: TypeAlias = list[FlowInstance]


class FlowScan(Puller[ScanReader]):
    """A scan: all flow instances of a query, as an iterator. `FlowSession.scan` makes it.

    It is `aioflows.FlowScan` without ``await``. A scan without references, as after ``break``, stops in the
    background. To wait for its end, use ``with`` or `close`. Threads may share a scan: each instance goes to
    one of them.

    Raises:
        AioflowsError: while iterating, the specific error, after all rows before it were handed out. Its
            ``checkpoint`` holds the windows that are left.
        RuntimeError: the scan or its session was closed.
    """

    def __init__(self, thread: LoopThread, reader: ScanReader) -> None:
        super().__init__(thread, reader, reader.handout.take)

    def pages(self) -> Iterator[_Rows]:
        """Return an iterator of lists of instances, in the same order. It is faster for bulk work.

        The length of the lists varies.
        """
        return self._calls(lambda: self._next_of(self._reader.handout.take_page))

    def record_batches(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False
    ) -> Iterator[pa.RecordBatch]:
        """Return an iterator of Arrow record batches; see `aioflows.FlowScan.record_batches`."""
        read = self._reader.batches(columns, tasks=tasks)
        return self._calls(lambda: self._next_batch(read))

    def list(self) -> _Rows:
        """Return all instances that were not handed out yet as a list, and close the scan."""
        with self._one_at_a_time:
            return self._thread.run(self._reader.read_all)

    def first(self) -> FlowInstance | None:
        """Return the next instance, or None if there is none, and close the scan."""
        with self._one_at_a_time:
            return self._thread.run(self._reader.read_first)

    def _next_batch(self, read: Callable[[], Coroutine[Any, Any, pa.RecordBatch]]) -> pa.RecordBatch:
        with self._one_at_a_time:
            batch = self._thread.run(partial(or_none, read))
        if batch is None:
            raise StopIteration
        return batch

    def _need_rows(self) -> None:
        if not self._reader.handout.held:
            super()._need_rows()

    @property
    def query(self) -> FlowQuery:
        """The query of the scan."""
        return self._reader.query

    @property
    def number(self) -> int:
        """The number of the scan, unique in this process: the ``scan`` of its events."""
        return self._reader.number

    @property
    def progress(self) -> float:
        """The share of the time range that was handed out, from 0 to 1."""
        return self._thread.ask(lambda: self._reader.progress)

    @property
    def stats(self) -> ScanStats:
        """The statistics so far."""
        return self._thread.ask(lambda: self._reader.stats)

    def plan(self) -> ScanPlan:
        """Return the windows that are left and the least number of requests for them. Nothing is sent."""
        return self._thread.ask(self._reader.plan)

    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint of the remaining rows, for ``session.scan(query, resume=...)``."""
        return self._thread.ask(self._reader.checkpoint)
