"""The scan for users: an async iterator that can be stopped, timed out and resumed at any row."""

from __future__ import annotations

import math
import warnings
from asyncio import get_running_loop
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

import attrs

from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.machine import Machine
from aioflows._display.html import facts
from aioflows._net.engine import Engine
from aioflows._net.loop_bound import LoopBound
from aioflows._net.observers import ScanWatch
from aioflows._net.retrying import CallTally
from aioflows._net.zones import ScanZone
from aioflows._tables.columns import Layout
from aioflows._tables.raw_rows import RawRows
from aioflows.arrow import AnswerColumns, arrow_schema, record_batch, with_names
from aioflows.checkpoint import Checkpoint, fingerprint
from aioflows.errors import AioflowsError
from aioflows.events import ScanOutcome
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery
from aioflows.stats import ScanPlan, ScanStats

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FlowScan"]

_BATCH = 1_000  # instances per record batch that is made from decoded instances

_T = TypeVar("_T")
# Within the class, `list` is a method.
_Rows: TypeAlias = list[FlowInstance]


class FlowScan(LoopBound, AsyncIterator[FlowInstance]):
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

    _NAME = "scan"

    def __init__(
        self,
        engine: Engine,
        machine: Machine,
        service: ServiceFacts,
        zone: ScanZone,
        rate: Callable[[], float | None],
        tally: CallTally,
        query: FlowQuery,
        page_size: int,
        limit: int | None,
        watch: ScanWatch,
    ) -> None:
        self._engine = engine
        self._machine = machine
        self._service = service
        self._zone = zone
        self._rate = rate
        self._tally = tally
        self._query = query
        self._page_size = page_size
        self._left = limit
        self._rows: _Rows = []
        self._at = 0
        self._handed = 0
        self._last: FlowInstance | None = None
        self._began = self._ended = 0.0
        self._busy = self._cut = self._over = self._closed = False
        self._error: AioflowsError | None = None
        self._unlisted: Checkpoint | None = None
        self._watch = watch

    def __repr__(self) -> str:
        state = "closed" if self._closed else "done" if self._over else f"{self.progress:.0%} done"
        return f"<FlowScan {state}, {self._handed} instances handed out, {self._engine.under_way} requests under way>"

    def _repr_html_(self) -> str:
        return facts(repr(self), attrs.asdict(self.stats, recurse=False).items())

    # Iterating

    def __aiter__(self) -> Self:
        return self

    def __iter__(self) -> None:
        raise TypeError("a FlowScan is asynchronous: use 'async for instance in scan'")

    def __await__(self) -> None:
        raise TypeError("a FlowScan is not awaited: use 'async for instance in scan', or 'await scan.list()'")

    async def __anext__(self) -> FlowInstance:
        """Return the next instance."""
        at = self._at
        if at >= len(self._rows) or self._closed or self._busy or get_running_loop() is not self._loop:
            await self._refill()
            at = self._at
        row = self._rows[at]
        self._at = at + 1
        self._last = row
        self._handed += 1
        return row

    def pages(self) -> AsyncIterator[_Rows]:
        """Return an iterator of lists of instances, in the same order. It is faster for bulk work.

        The length of the lists varies.
        """
        return _Pages(self)

    def undecoded(self) -> AsyncIterator[_Rows | RawRows]:
        """Return an iterator of lists of instances, or of `RawRows` for rows that need not be decoded.

        It is for code that makes columns from the bytes of answers.
        """
        return _Answers(self)

    def record_batches(
        self, columns: Iterable[str] | None = None, *, tasks: bool = False
    ) -> AsyncIterator[pa.RecordBatch]:
        """Return an iterator of Arrow record batches, in the same order, with the schema of `aioflows.arrow`.

        Args:
            columns: the names of the columns, in this order. None means every column.
            tasks: True for one row per task of an instance's graph. Default: False, one row per instance.

        Raises:
            QueryError: a column is unknown, or pyarrow is not installed.
        """
        layout = Layout(columns, tasks=tasks)
        arrow_schema(layout)
        return _Batches(self, layout)

    async def list(self) -> _Rows:
        """Return all instances that were not handed out yet as a list, and close the scan.

        If the call fails or is cancelled, none of them counts as handed out. The checkpoint stays as before
        the call.
        """
        return await self._to_its_end(self._collect)

    async def first(self) -> FlowInstance | None:
        """Return the next instance, or None if there is none, and close the scan."""
        return await self._to_its_end(lambda: anext(self, None))

    async def _collect(self) -> _Rows:
        rows: _Rows = []
        async for page in self.pages():
            rows += page
        return rows

    async def _to_its_end(self, read: Callable[[], Awaitable[_T]]) -> _T:
        self._check()
        before = self.checkpoint()
        try:
            try:
                return await read()
            finally:
                await self.aclose()
        except BaseException as error:
            self._unlisted = before  # the caller gets no result, so no row was handed out
            if isinstance(error, AioflowsError):
                error.checkpoint = before
            raise

    async def _next_page(self, most: int | None = None) -> _Rows:
        if self._at >= len(self._rows) or self._closed or self._busy or get_running_loop() is not self._loop:
            await self._refill()
        return self._take_page(most)

    async def _next_as(self, convert: Callable[[RawRows], _T], most: int | None = None) -> _T | _Rows:
        """Return the next rows: converted from the bytes of an answer, or as decoded instances."""
        if self._at < len(self._rows) or self._left is not None:
            return await self._next_page(most)
        rows: _Rows | RawRows = await self._more(self._engine.next_raw)
        if not isinstance(rows, RawRows):
            self._rows = rows
            return self._take_page(most)
        try:
            made = convert(rows)
        except AioflowsError as error:
            self._cut = True  # nothing of them was handed out
            await self._fail(error)
            raise
        self._last = rows.last
        self._handed += len(rows)
        return made

    @property
    def _held(self) -> bool:
        """True if rows can be taken without the event loop.

        Any thread may read it while no refill is under way.
        """
        return self._at < len(self._rows) and not self._closed

    def _take(self) -> FlowInstance:
        row = self._last = self._rows[self._at]
        self._at += 1
        self._handed += 1
        return row

    def _take_page(self, most: int | None = None) -> _Rows:
        end = len(self._rows) if most is None else min(len(self._rows), self._at + most)
        rows = self._rows[self._at : end] if self._at or end < len(self._rows) else self._rows
        self._at = end
        self._last = rows[-1]
        self._handed += len(rows)
        return rows

    async def _refill(self) -> None:
        """Read more rows. Raise StopAsyncIteration if there are none."""
        rows = await self._more(self._engine.next_rows)
        self._rows = rows
        if self._left is not None:
            self._rows = rows[: self._left]
            self._left -= len(self._rows)
            self._cut = len(self._rows) < len(rows)
            if not self._left:
                await self._stop()  # its end is reported when the last of these rows was taken

    async def _more(self, get: Callable[[], Awaitable[_T | None]]) -> _T:
        self._check()
        if self._error is not None:
            raise self._error
        if self._over or self._left == 0:
            self._report_end(ScanOutcome.LIMIT)
            raise StopAsyncIteration
        self._rows, self._at = [], 0  # dropped before the wait, so that they are freed while they are young
        self._busy = True
        try:
            rows = await get()
        except AioflowsError as error:
            await self._fail(error)
            raise
        finally:
            self._busy = False
        if rows is None:
            self._over = True
            await self._finish(ScanOutcome.COMPLETE)
            raise StopAsyncIteration
        return rows

    async def _fail(self, error: AioflowsError) -> None:
        error.checkpoint = self.checkpoint()
        self._error = error
        await self._finish(ScanOutcome.FAILED)

    def _check(self) -> None:
        if self._closed:
            raise RuntimeError("this scan was closed; make a new one with session.scan(query)")
        if self._busy:
            raise RuntimeError("this scan is being iterated by another task; make a scan for each consumer")
        begins = self._loop is None
        self._check_loop()
        if begins:
            self._began = get_running_loop().time()
            self._watch.began()

    # Ending

    async def aclose(self) -> None:
        """Close the scan: cancel its requests and wait for their end. Safe to call more than once.

        Raises:
            RuntimeError: the scan belongs to another event loop that still runs. Close it there.
        """
        if self._loop is not None and self._loop.is_closed():
            self._closed = True
            self._engine.cancel()  # no task can be awaited on a closed loop
            return
        self._check_loop_to_close()
        self._closed = True
        taken = self._left == 0 and self._at >= len(self._rows)
        await self._finish(ScanOutcome.LIMIT if taken else ScanOutcome.CLOSED)

    async def _finish(self, outcome: ScanOutcome) -> None:
        try:
            await self._stop()
        finally:
            self._report_end(outcome)

    async def _stop(self) -> None:
        if self._loop is not None and not self._ended:
            self._ended = self._loop.time()
        await self._engine.aclose()

    def _report_end(self, outcome: ScanOutcome) -> None:
        self._watch.ended(outcome, self._handed, self._tally.requests, self._elapsed, self._error)

    def __del__(self) -> None:
        if getattr(self, "_watch", None) is None:
            return
        if self._engine.under_way:
            warnings.warn(
                f"{self!r} was never closed; use 'async with session.scan(...)'",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )
            self._engine.cancel()
        self._report_end(ScanOutcome.CLOSED)

    # State

    @property
    def query(self) -> FlowQuery:
        """The query of the scan."""
        return self._query

    @property
    def number(self) -> int:
        """The number of the scan, unique in this process: the ``scan`` of its events."""
        return self._watch.number

    @property
    def progress(self) -> float:
        """The share of the time range that was handed out, from 0 to 1.

        The number of rows is not known in advance.
        """
        return 1.0 if self._over else self._machine.progress

    @property
    def stats(self) -> ScanStats:
        """The statistics so far."""
        zone, account = self._zone.zone, self._machine.account()
        return ScanStats(
            requests=self._tally.requests,
            retries=self._tally.retries,
            throttled=self._tally.throttled,
            rows_received=account.rows_received,
            rows_yielded=self._handed,
            duplicates=account.duplicates,
            windows=account.windows,
            elapsed=self._elapsed,
            waited=self._tally.waited,
            proofs=account.proofs,
            counted=tuple(sorted(account.counted, key=lambda one: one.from_ms)),
            time_zone=None if zone is None else str(zone.tzinfo),
            page_cap=self._service.cap,
            first_page=self._service.first_page,
            rate=self._rate(),
            undated=account.undated,
        )

    @property
    def _elapsed(self) -> float:
        return 0.0 if self._loop is None else (self._ended or self._loop.time()) - self._began

    def plan(self) -> ScanPlan:
        """Return the windows that are left and the least number of requests for them. Nothing is sent."""
        left = self.checkpoint().remaining
        pages = math.ceil(self._machine.account().expected / self._page_size)
        return ScanPlan(
            from_ms=self._query.from_ms,
            to_ms=self._query.to_ms,
            order_by=self._query.order_by,
            page_size=self._page_size,
            windows=left,
            fewest_requests=max(len(left), pages),
        )

    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint of the remaining rows, for ``session.scan(query, resume=...)``."""
        if self._unlisted is not None:
            return self._unlisted
        if self._over:
            return Checkpoint(fingerprint(self._query), (), zone=self._zone.used)
        begun, all_handed = self._at > 0, self._at >= len(self._rows) and not self._cut
        return Checkpoint(
            fingerprint(self._query),
            tuple(self._machine.remaining(self._last, begun, all_handed)),
            self._machine.position(self._last),
            self._zone.used,
        )


class _Pages(AsyncIterator[_Rows]):
    """A scan by lists. It is not an async generator, because a generator ends when it is cancelled."""

    def __init__(self, scan: FlowScan) -> None:
        self._scan = scan

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Rows:
        return await self._scan._next_page()  # noqa: SLF001  (an iterator over the same scan)


class _Answers(AsyncIterator["_Rows | RawRows"]):
    """A scan by lists of instances or raw rows."""

    def __init__(self, scan: FlowScan) -> None:
        self._scan = scan

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _Rows | RawRows:
        return await self._scan._next_as(lambda answer: answer)  # noqa: SLF001  (an iterator over the same scan)


class _Batches(AsyncIterator["pa.RecordBatch"]):
    """A scan by record batches. Each batch is small, so that the event loop stays responsive."""

    def __init__(self, scan: FlowScan, layout: Layout) -> None:
        self._scan = scan
        self._layout = layout
        self._columns = AnswerColumns(layout)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pa.RecordBatch:
        rows = await self._scan._next_as(self._columns.batch, _BATCH)  # noqa: SLF001  (an iterator over the same scan)
        if isinstance(rows, list):
            return record_batch(self._layout, rows)
        return with_names(rows, arrow_schema(self._layout))
