"""The scan for users: an async iterator that can be stopped, timed out and resumed at any row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from aioflows._net.async_calls import AsyncCalls
from aioflows._net.scan_reader import ScanReader
from aioflows._tables.raw_rows import RawRows
from aioflows.checkpoint import Checkpoint
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery
from aioflows.stats import ScanPlan, ScanStats

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from aioflows.arrow import Names

__all__ = ["FlowScan"]

# Within the class, `list` is a method.
_Rows: TypeAlias = list[FlowInstance]


class FlowScan(AsyncIterator[FlowInstance]):
    """A scan: all flow instances of a query.

    `FlowSession.scan` makes it. It sends nothing before iteration.

    Iterate it (``async for instance in scan``), or its `pages`, once and from one task. As an async context
    manager it leaves no request under way. Otherwise call `aclose`. A cancelled ``__anext__``, for instance
    by ``asyncio.timeout``, loses no row: the next call continues at the same row.

    Raises:
        AioflowsError: while iterating, the specific error, after all rows before it were handed out. Its
            ``checkpoint`` holds the windows that are left.
        RuntimeError: two tasks iterate the scan at once, it was closed, or it is used on another event loop.
    """

    def __init__(self, reader: ScanReader) -> None:
        self.reader = reader

    def __repr__(self) -> str:
        return repr(self.reader)

    def _repr_html_(self) -> str:
        return self.reader._repr_html_()

    # Iterating

    def __aiter__(self) -> Self:
        return self

    def __iter__(self) -> None:
        raise TypeError("a FlowScan is asynchronous: use 'async for instance in scan'")

    def __await__(self) -> None:
        raise TypeError("a FlowScan is not awaited: use 'async for instance in scan', or 'await scan.list()'")

    def __anext__(self) -> Coroutine[Any, Any, FlowInstance]:
        """Return the next instance."""
        return self.reader.next_row()

    def pages(self) -> AsyncIterator[_Rows]:
        """Return an iterator of lists of instances, in the same order. It is faster for bulk work.

        The length of the lists varies.
        """
        return AsyncCalls(self.reader.next_page)

    def json_lines(self, *, nested: bool = True, utf8: bool = False) -> AsyncIterator[bytes]:
        """Return an iterator of JSON lines, in the same order: the lines of many instances at a time.

        The lines are those of `FlowInstance.to_json`, each with its line feed. They are made from the bytes of answers,
        at a fraction of the cost of making each line from its instance.

        Args:
            nested: True to write the graph, the parameters and ``extra`` as JSON values. False means texts that hold
                JSON, as in an export. Default: True.
            utf8: True for UTF-8. Default: False, which means ASCII.
        """
        return AsyncCalls(self.reader.lines(nested=nested, utf8=utf8))

    def undecoded(self) -> AsyncIterator[_Rows | RawRows]:
        """Return an iterator of lists of instances, or of `RawRows` for rows that need not be decoded.

        It is for code that makes columns from the bytes of answers.
        """
        return AsyncCalls(partial(self.reader.next_as, lambda rows: rows))

    def record_batches(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> AsyncIterator[pa.RecordBatch]:
        """Return an iterator of Arrow record batches, in the same order, with the schema of `aioflows.arrow`.

        Args:
            columns: the names of the columns, in this order. None means every column.
            tasks: True for one row per task of an instance's graph. Default: False, one row per instance.
            names: the type of texts that many rows share, such as ``flow_name``. "text" means strings.
                "dictionary" means dictionaries, each of which begins with that of the batch before. None means that
                ``status_name`` is one dictionary, and others are strings. Default: None.

        Raises:
            QueryError: a column or the type of names is unknown, or pyarrow is not installed.
        """
        read, _ = self.reader.batches(columns, tasks=tasks, names=names)
        return AsyncCalls(read)

    async def to_arrow(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> pa.Table:
        """Return all instances that were not handed out yet as an Arrow table, and close the scan.

        If the call fails or is cancelled, none of them counts as handed out, as with `list`.

        Args:
            columns: as for `record_batches`.
            tasks: as for `record_batches`.
            names: as for `record_batches`. With "dictionary" the table has one dictionary for each column.

        Raises:
            QueryError: a column or the type of names is unknown, or pyarrow is not installed.
        """
        return await self.reader.read_table(columns, tasks=tasks, names=names)

    async def to_polars(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> pl.DataFrame:
        """Return all instances that were not handed out yet as a data frame of Polars, and close the scan.

        The arguments and errors are those of `to_arrow`. Polars has to be installed.
        """
        return await self.reader.read_frame("polars", columns, tasks=tasks, names=names)

    async def to_pandas(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False, names: Names | None = None
    ) -> pd.DataFrame:
        """Return all instances that were not handed out yet as a data frame of pandas, and close the scan.

        Integers are ``Int64`` and truth values ``boolean``, so that missing ones do not make them numbers with a
        fraction. The arguments and errors are those of `to_arrow`. pandas has to be installed.
        """
        return await self.reader.read_frame("pandas", columns, tasks=tasks, names=names)

    async def list(self) -> _Rows:
        """Return all instances that were not handed out yet as a list, and close the scan.

        If the call fails or is cancelled, none of them counts as handed out. The checkpoint stays as before
        the call.
        """
        return await self.reader.read_all()

    async def first(self) -> FlowInstance | None:
        """Return the next instance, or None if there is none, and close the scan."""
        return await self.reader.read_first()

    # Ending

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the scan: cancel its requests and wait for their end. Safe to call more than once.

        Raises:
            RuntimeError: the scan belongs to another event loop that still runs. Close it there.
        """
        await self.reader.aclose()

    # State

    @property
    def query(self) -> FlowQuery:
        """The query of the scan."""
        return self.reader.query

    @property
    def number(self) -> int:
        """The number of the scan, unique in this process: the ``scan`` of its events."""
        return self.reader.number

    @property
    def progress(self) -> float:
        """The share of the time range that was handed out, from 0 to 1.

        The number of rows is not known in advance.
        """
        return self.reader.progress

    @property
    def stats(self) -> ScanStats:
        """The statistics so far."""
        return self.reader.stats

    def plan(self) -> ScanPlan:
        """Return the windows that are left and the least number of requests for them. Nothing is sent."""
        return self.reader.plan()

    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint of the remaining rows, for ``session.scan(query, resume=...)``."""
        return self.reader.checkpoint()
