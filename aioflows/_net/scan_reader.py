"""The reader of one scan: it fills a `Handout` from the engine, and reports how the scan stands.

Both doors to a scan own one: `aioflows.FlowScan` calls it on the event loop, and `aioflows.sync.FlowScan` from
another thread.
"""

from __future__ import annotations

import math
import warnings
from asyncio import _get_running_loop, get_running_loop, to_thread
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs

from aioflows._core.filters.seen_filters import SeenFilters
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.handout import Handout
from aioflows._core.scans.machine import Waiting
from aioflows._core.scans.partitions import PartitionedScan
from aioflows._core.strategy import make_machine, page_size_for
from aioflows._core.wire.zone import Zone
from aioflows._display.html import facts
from aioflows._net.async_calls import or_none
from aioflows._net.call import CallRules
from aioflows._net.call_options import in_time
from aioflows._net.clock_questions import ClockQuestions
from aioflows._net.engine import Engine
from aioflows._net.gate import Gate
from aioflows._net.loop_slices import LoopSlices
from aioflows._net.memory_budget import MemoryBudget, MemoryShare
from aioflows._net.observers import Observers, ScanWatch
from aioflows._net.operations import Operations
from aioflows._net.retrying import CallTally
from aioflows._net.session_bound import SessionBound
from aioflows._net.zones import ScanZone, Zones
from aioflows._tables.columns import Layout
from aioflows._tables.raw_rows import RawRows, encoded_rows
from aioflows.checkpoint import Checkpoint, fingerprint
from aioflows.errors import AioflowsError
from aioflows.events import ScanOutcome
from aioflows.models import FlowInstance, ScheduleType
from aioflows.query import FlowQuery
from aioflows.settings import Limits
from aioflows.stats import ScanPlan, ScanStats

if TYPE_CHECKING:
    import pyarrow as pa

    from aioflows._net.governed_gate import GovernedGate
    from aioflows.arrow import BatchForm, Names

__all__ = ["ScanReader", "SessionParts"]

_BATCH = 1_000  # instances per record batch that is made from decoded instances
_LINES = 500  # instances whose lines are made at once

_BY_TRIGGER_TIME = (None, "trigger_time", "-trigger_time")
_LATE = "resume with session.scan(query, resume=error.checkpoint), or give a later deadline"

_T = TypeVar("_T")
_R = TypeVar("_R", bound="list[FlowInstance] | RawRows")


@attrs.frozen(eq=False)
class SessionParts:
    """The parts of a session that its scans and follows share."""

    service: ServiceFacts
    filters: SeenFilters
    limits: Limits
    gate: Gate
    operations: Operations
    zones: Zones
    clocks: ClockQuestions
    turns: LoopSlices
    watch: Observers
    memory: MemoryBudget
    gateway: str
    governed: GovernedGate | None = None


class ScanReader(SessionBound):
    """A scan, without the form in which its rows are handed out. It sends nothing before the first row is read.

    Args:
        parts: the parts of the session.
        query: the query.
        limit: the greatest number of rows in all. None means every row. Default: None.
        resume: the checkpoint of an earlier scan of the same query. Default: None.
        proven: True to prove completeness while the data changes, at any cost. Default: False.
        confirm: True to request ends without a known row again. Default: True.
        growing: the zone of a window in which rows still appear. None means the usual scan. Default: None.
        rules: the rules for its requests. None means those of the session. Default: None.
        deadline: the longest time from the first read to the last (seconds). None means that there is none.
            Default: None.

    Raises:
        QueryError: the order is not possible, or the checkpoint was made in another zone.
    """

    _NAME = "scan"

    def __init__(
        self,
        parts: SessionParts,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
        confirm: bool = True,
        growing: Zone | None = None,
        rules: CallRules | None = None,
        deadline: float | None = None,
    ) -> None:
        self._make_machine = partial(
            make_machine,
            query,
            parts.service,
            seen=parts.filters,
            limit=limit,
            resume=resume,
            proven=proven,
            confirm=confirm,
            growing=growing is not None,
        )
        self._machine = self._make_machine(parts.limits)
        self._parts = parts
        self.query = query
        self._is_whole = limit is None and resume is None and growing is None and confirm
        self._zone = ScanZone(parts.zones, query.from_ms, query.to_ms, resume)
        if growing is not None:
            self._zone.take(growing)
        self._watch = ScanWatch(parts.watch, query, resumed=resume is not None)
        self._share = parts.turns.share()
        self._tally = CallTally(self._watch.number, rules=rules, share=self._share)
        self._engine = self._make_engine()
        self.handout = Handout(limit)
        self._deadline = deadline
        self._began = self._ended = 0.0
        self._busy = self._over = False
        self._error: AioflowsError | None = None
        self._unlisted: Checkpoint | None = None

    def _make_engine(self) -> Engine:
        parts, machine = self._parts, self._machine
        if self._zone.zone is not None:
            machine.set_zone(self._zone.zone)
        slots = parts.limits.concurrency + max(1, parts.limits.concurrency // 8)
        return Engine(
            machine,
            partial(parts.clocks.search, self.query, self._tally, self._zone.find),
            self._zone.find,
            self._zone.find_none,
            slots,
            parts.turns,
            self._share,
            MemoryShare(parts.memory, parts.limits.memory, parts.limits.page_size),
            self._watch.news,
        )

    def read_ahead_at_most(self, rows: int) -> None:
        """Lower the number of rows that are read ahead of the consumer, if nothing was read yet.

        Pages and requests in flight are lowered with it, since their rows are held as well. Orders by other
        times than the trigger time keep theirs, because it decides how they are read.
        """
        limits = self._parts.limits
        if self._loop is None and self.query.order_by in _BY_TRIGGER_TIME and rows < limits.buffer:
            limits = attrs.evolve(limits, buffer=rows)
            page_size = page_size_for(limits, self.query)
            concurrency = min(limits.concurrency, max(2, rows // page_size))
            limits = attrs.evolve(limits, page_size=page_size, concurrency=concurrency)
            self._parts = attrs.evolve(self._parts, limits=limits)
            self._machine = self._make_machine(limits)
            self._engine = self._make_engine()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "done" if self._over else f"{self.progress:.0%} done"
        requests = f"{self._engine.under_way} requests under way"
        return f"<FlowScan {state}, {self.handout.taken} instances handed out, {requests}>"

    def _repr_html_(self) -> str:
        return facts(repr(self), attrs.asdict(self.stats, recurse=False).items())

    def note_types(self, noted: Callable[[Sequence[FlowInstance], ScheduleType], None]) -> None:
        """Call a function with the rows of each page and their schedule type, before the page is handed out.

        Rows do not show their type. Only a scan by trigger time knows it.
        """
        assert isinstance(self._machine, PartitionedScan)
        self._machine.noted = noted

    # Reading

    async def next_row(self) -> FlowInstance:
        """Return the next row."""
        handout = self.handout
        if handout.at >= handout.end or _get_running_loop() is not self._loop:
            await self.refill()
        return handout.take()

    async def next_page(self, most: int | None = None) -> list[FlowInstance]:
        """Return the next rows, at most *most*."""
        if not self.handout.held or _get_running_loop() is not self._loop:
            await self.refill()
        return self.handout.take_page(most)

    async def next_as(
        self, convert: Callable[[RawRows], _T | list[FlowInstance]], most: int | None = None
    ) -> _T | list[FlowInstance]:
        """Return the next rows: converted from the bytes of an answer, or as at most *most* instances.

        The function may return instances as well.
        """
        handout = self.handout
        if handout.at < handout.end or handout.limited:
            return await self.next_page(most)
        rows: list[FlowInstance] | RawRows = await self._read(self._machine.next_raw)
        if isinstance(rows, RawRows):
            try:
                made = convert(rows)
            except AioflowsError as error:
                handout.miss()
                await self._fail(error)
                raise
            if not isinstance(made, list):
                handout.count(rows)
                return made
            rows = made
        handout.fill(rows)
        return handout.take_page(most)

    def lines(self, *, nested: bool, utf8: bool) -> Callable[[], Coroutine[Any, Any, bytes]]:
        """Return a function that returns the next rows as JSON lines.

        Args:
            nested: True to write the graph, the parameters and ``extra`` as JSON values, not as texts.
            utf8: True for UTF-8, False for ASCII.
        """
        from aioflows._tables.json_lines import line_encoder  # noqa: PLC0415  (few scans write lines)

        encoder = line_encoder(nested=nested, utf8=utf8)
        convert = encoded_rows(encoder.convert)

        async def next_lines() -> bytes:
            rows = await self.next_as(convert, _LINES)
            return encoder.encode(rows) if isinstance(rows, list) else rows.chunk

        return next_lines

    def batches(
        self, columns: Iterable[str] | None, *, tasks: bool, names: Names | None
    ) -> tuple[Callable[[], Coroutine[Any, Any, pa.RecordBatch]], BatchForm]:
        """Return a function that returns the next rows as a record batch, and the form of these batches.

        Batches are small, so that the event loop stays responsive.

        Args:
            columns: the names of the columns. None means every column.
            tasks: True for one row per task of an instance's graph.
            names: the type of names.

        Raises:
            QueryError: a column or the type of names is unknown, or pyarrow is not installed.
        """
        from aioflows.arrow import (  # noqa: PLC0415  (few scans make tables)
            AnswerColumns,
            BatchForm,
            is_imported,
            pyarrow,
            text_batch,
        )

        layout = Layout(columns, tasks=tasks)
        form, answer_columns = BatchForm(layout, names), AnswerColumns(layout)

        async def next_batch() -> pa.RecordBatch:
            if not is_imported():  # the event loop goes on meanwhile
                await to_thread(pyarrow)
            rows = await self.next_as(answer_columns.batch, _BATCH)
            return form.batch(text_batch(layout, rows) if isinstance(rows, list) else rows)

        return next_batch, form

    async def read_table(
        self, columns: Iterable[str] | None, *, tasks: bool, names: Names | None
    ) -> pa.Table:
        """Return all rows that were not handed out yet as a table, and close the scan.

        Raises:
            QueryError: a column or the type of names is unknown, or pyarrow is not installed.
        """
        next_batch, form = self.batches(columns, tasks=tasks, names=names)

        async def collect() -> pa.Table:
            batches = []
            while (batch := await or_none(next_batch)) is not None:
                batches.append(batch)
            return form.table(batches)

        return await self._read_and_close(collect)

    async def read_frame(
        self,
        library: Literal["polars", "pandas"],
        columns: Iterable[str] | None,
        *,
        tasks: bool,
        names: Names | None,
    ) -> Any:
        """Return all rows that were not handed out yet as a data frame, and close the scan.

        Raises:
            QueryError: a column or the type of names is unknown, or pyarrow or the library is not installed.
        """
        from aioflows.arrow import frame_maker  # noqa: PLC0415

        make = frame_maker(library)
        return await to_thread(make, await self.read_table(columns, tasks=tasks, names=names))

    async def refill(self) -> None:
        """Read more rows into the handout. Raise StopAsyncIteration if there are none."""
        self.handout.fill(await self._read(self._machine.next_rows))
        if self.handout.full:
            await self._stop()  # its end is reported when the last of these rows was taken

    async def _read(self, next_rows: Callable[[], _R | Waiting]) -> _R:
        self._check()
        if self._error is not None:
            raise self._error
        if self._over or self.handout.full:
            self._report_end(ScanOutcome.LIMIT)
            raise StopAsyncIteration
        self.handout.clear()
        self._busy = True
        try:
            read = self._engine.next(next_rows)
            rows = await (
                read if self._deadline is None else in_time(read, self._deadline, _LATE, began=self._began)
            )
        except AioflowsError as error:
            await self._fail(error)
            raise
        except RuntimeError:
            if self._outlived:
                raise self._session_closed() from None
            raise
        finally:
            self._busy = False
        if rows is None:
            self._over = True
            await self._finish(ScanOutcome.COMPLETE)
            self._report_window()
            raise StopAsyncIteration
        return rows

    async def read_all(self) -> list[FlowInstance]:
        """Return all rows that were not handed out yet, and close the scan."""
        return await self._read_and_close(self._collect)

    async def read_first(self) -> FlowInstance | None:
        """Return the next row, or None if there is none, and close the scan."""
        return await self._read_and_close(partial(or_none, self.next_row))

    async def _collect(self) -> list[FlowInstance]:
        rows: list[FlowInstance] = []
        while (page := await or_none(self.next_page)) is not None:
            rows += page
        return rows

    async def _read_and_close(self, read: Callable[[], Awaitable[_T]]) -> _T:
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

    async def _fail(self, error: AioflowsError) -> None:
        self.mark(error)
        self._error = error
        await self._finish(ScanOutcome.FAILED)

    def _check(self) -> None:
        if self._outlived and not self._over:
            raise self._session_closed()
        if self._closed:
            raise RuntimeError("this scan was closed; make a new one with session.scan(query)")
        if self._busy:
            raise RuntimeError("this scan is being iterated by another task; make a scan for each consumer")
        if self._begin(self._parts.operations.check_usable):
            self._began = get_running_loop().time()
            self._watch.began()

    # Ending

    def mark(self, error: AioflowsError) -> None:
        error.checkpoint = self.checkpoint()

    def close_in_background(self) -> None:
        ended = self._over or self.handout.full or self._error is not None
        if not ended:  # its tasks are over, too
            super().close_in_background()

    def _abandon(self) -> None:
        self._close()
        self._engine.cancel()

    async def aclose(self) -> None:
        """Cancel the requests and wait for their end. Safe to call more than once."""
        if self._loop is not None and self._loop.is_closed():
            self._abandon()
            return
        self._check_loop_to_close()
        self._close()
        await self._finish(ScanOutcome.LIMIT if self.handout.spent else ScanOutcome.CLOSED)

    def _close(self) -> None:
        self._closed = True
        self.handout.close()

    async def _finish(self, outcome: ScanOutcome) -> None:
        try:
            await self._stop()
        finally:
            self._report_end(outcome)

    async def _stop(self) -> None:
        if self._loop is not None and not self._ended:
            self._ended = self._loop.time()
        await self._engine.aclose()

    def _report_window(self) -> None:
        """Report to the governor, if there is one, that the whole range of the query was read."""
        if self._parts.governed is not None and self._is_whole:
            self._parts.governed.report(self.query, self.stats)

    def _report_end(self, outcome: ScanOutcome) -> None:
        self._watch.ended(outcome, self.handout.taken, self._tally.requests, self._elapsed, self._error)

    def __del__(self) -> None:
        if getattr(self, "handout", None) is None or self._is_forked:
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

    # State, as `aioflows.FlowScan` describes it

    @property
    def number(self) -> int:
        return self._watch.number

    @property
    def progress(self) -> float:
        return 1.0 if self._over else self._machine.progress

    @property
    def stats(self) -> ScanStats:
        zone, account, tally, service = (
            self._zone.zone,
            self._machine.account(),
            self._tally,
            self._parts.service,
        )
        return ScanStats(
            requests=tally.requests,
            retries=tally.retries,
            throttled=tally.throttled,
            rows_received=account.rows_received,
            rows_yielded=self.handout.taken,
            duplicates=account.duplicates,
            windows=account.windows,
            elapsed=self._elapsed,
            waited=tally.waited,
            proofs=account.proofs,
            counted=tuple(sorted(account.counted, key=lambda one: one.from_ms)),
            time_zone=None if zone is None else str(zone.tzinfo),
            other_clocks={} if zone is None or zone.clocks is None else zone.clocks.shown(),
            page_cap=service.cap,
            first_page=service.first_page,
            rate=self._parts.gate.rate,
            undated=account.undated,
        )

    @property
    def _elapsed(self) -> float:
        return 0.0 if self._loop is None else (self._ended or self._loop.time()) - self._began

    @property
    def gateway(self) -> str:
        """The URL of the gateway that is asked."""
        return self._parts.gateway

    def plan(self) -> ScanPlan:
        left, page_size = self.checkpoint().remaining, self._parts.limits.page_size
        pages = math.ceil(self._machine.account().expected / page_size)
        return ScanPlan(
            from_ms=self.query.from_ms,
            to_ms=self.query.to_ms,
            order_by=self.query.order_by,
            page_size=page_size,
            windows=left,
            fewest_requests=max(len(left), pages),
        )

    def checkpoint(self) -> Checkpoint:
        if self._unlisted is not None:
            return self._unlisted
        if self._over:
            return Checkpoint(fingerprint(self.query), (), zone=self._zone.used)
        return Checkpoint(
            fingerprint(self.query),
            tuple(self._machine.remaining(*self.handout.mark)),
            self._machine.position(self.handout.last),
            self._zone.used,
        )
