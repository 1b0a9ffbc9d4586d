"""The scan of `aioflows.sync`, without ``await``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from aioflows._net.async_calls import or_none
from aioflows._net.scan_reader import ScanReader
from aioflows.arrow import Names
from aioflows.checkpoint import Checkpoint
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery
from aioflows.stats import ScanPlan, ScanStats
from aioflows.sync.loop_thread import LoopThread
from aioflows.sync.pull import Puller

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["FlowScan"]

_T = TypeVar("_T")
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

    def json_lines(self, *, nested: bool = True, utf8: bool = False) -> Iterator[bytes]:
        """Return an iterator of JSON lines, those of many instances at a time; see `aioflows.FlowScan.json_lines`."""
        read = self._reader.lines(nested=nested, utf8=utf8)
        return self._calls(lambda: self._next_made(read))

    def record_batches(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Return an iterator of Arrow record batches; see `aioflows.FlowScan.record_batches`."""
        read, _ = self._reader.batches(columns, tasks=tasks, names=names)
        return self._calls(lambda: self._next_made(read))

    def to_arrow(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> pa.Table:
        """Return the rest as an Arrow table, and close the scan; see `aioflows.FlowScan.to_arrow`."""
        with self._one_at_a_time:
            return self._on_loop(partial(self._reader.read_table, columns, tasks=tasks, names=names))

    def to_polars(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> pl.DataFrame:
        """Return the rest as a data frame of Polars, and close the scan; see `aioflows.FlowScan.to_polars`."""
        return self._read_frame("polars", columns, tasks=tasks, names=names)

    def to_pandas(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> pd.DataFrame:
        """Return the rest as a data frame of pandas, and close the scan; see `aioflows.FlowScan.to_pandas`."""
        return self._read_frame("pandas", columns, tasks=tasks, names=names)

    def _read_frame(self, library: Literal["polars", "pandas"], *columns: Any, **how: Any) -> Any:
        with self._one_at_a_time:
            return self._on_loop(partial(self._reader.read_frame, library, *columns, **how))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the rest as a stream of the Arrow PyCapsule interface, with every column.

        So a scan can be given to ``pyarrow.table``, ``polars.DataFrame`` or DuckDB as it is. Instances are read as the
        consumer takes them. An error of the scan is one of the consumer's errors, with the same text.
        """
        read, form = self._reader.batches(None, tasks=False, names=None)
        batches = self._calls(lambda: self._next_made(read))
        return form.stream(batches).__arrow_c_stream__(requested_schema)

    def list(self) -> _Rows:
        """Return all instances that were not handed out yet as a list, and close the scan."""
        with self._one_at_a_time:
            return self._on_loop(self._reader.read_all)

    def first(self) -> FlowInstance | None:
        """Return the next instance, or None if there is none, and close the scan."""
        with self._one_at_a_time:
            return self._on_loop(self._reader.read_first)

    def _next_made(self, read: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        with self._one_at_a_time:
            made = self._on_loop(partial(or_none, read))
        if made is None:
            raise StopIteration
        return made

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
