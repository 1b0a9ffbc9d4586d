"""A running export: the event loop takes rows from a scan, and a thread writes them.

A journal entry counts the rows that were taken from the scan, and is made before more rows are taken. So the
checkpoint of the entry fits its rows, even if the thread writes the rows later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs

from aioflows._tables.raw_rows import EncodedRows, RawRows, encoded_rows
from aioflows.checkpoint import Checkpoint
from aioflows.errors import AioflowsError
from aioflows.export.formats.encoder import Encoder
from aioflows.export.increment import open_increment
from aioflows.export.journal import JournalEntry
from aioflows.export.resume import open_or_resume
from aioflows.export.sink import GrowingSink, Sink, Tail
from aioflows.export.stream import Stream
from aioflows.export.tail_check import check_tail
from aioflows.export.task_queue import TaskQueue
from aioflows.export.unfinished import Unfinished
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery

__all__ = ["Exported", "Job", "S", "ScanSource", "Session"]

_RESUME, _REPEAT = "resume=True (--resume)", "the same command"
_SLICE = 500  # instances that are encoded at once; then other tasks of the event loop run


class ScanSource(Protocol):
    """The part of a scan that an export uses."""

    def pages(self) -> AsyncIterator[list[FlowInstance]]:
        """Yield lists of instances."""

    def undecoded(self) -> AsyncIterator[list[FlowInstance] | RawRows]:
        """Yield lists of instances, or rows that are still undecoded."""

    def checkpoint(self) -> Checkpoint:
        """Return a checkpoint behind the rows that were taken."""

    async def aclose(self) -> None:
        """Stop the scan."""


S = TypeVar("S", bound=ScanSource)
S_co = TypeVar("S_co", bound=ScanSource, covariant=True)


class Session(Protocol[S_co]):
    """The part of a session that an export uses."""

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
    ) -> S_co:
        """Return a scan."""


@attrs.frozen
class Exported:
    """The result of an export.

    Args:
        instances: the instances in the target, or with ``append=True`` those that were written to it now.
        before: how many of these an earlier run had written. Default: 0.
    """

    instances: int
    before: int = 0


@attrs.frozen
class Job:
    """The part of an export that does not depend on the format.

    Args:
        session: the session that makes the scan.
        query: the instances to export.
        limit: the most instances to export. None means every instance.
        proven: as for `FlowSession.scan`.
        resumable: True if a scan of this query can be resumed from a checkpoint.
        every: instances after which rows are committed.
        watch: called with the scan whenever rows were taken from it.
        kept: called after each commit with the number of instances that a later run can resume after.
    """

    session: Session[Any]
    query: FlowQuery
    limit: int | None
    proven: bool
    resumable: bool
    every: int
    watch: Callable[[Any], object]
    kept: Callable[[int], object]

    async def stream(self, stream: Stream, encoder: Encoder) -> Exported:
        """Write all rows to a stream."""
        instances = 0
        scan = self.session.scan(self.query, limit=self.limit, proven=self.proven)
        try:
            await stream.open()
            if encoder.head:
                await stream.write(encoder.head)
            convert = encoded_rows(encoder.convert) if encoder.accepts_raw_rows else None
            async for rows in _pages(scan, convert):
                for chunk in _chunks(encoder.encode, rows):
                    await stream.write(chunk)
                instances += len(rows)
                self.watch(scan)
        finally:
            stream.close()
            await scan.aclose()
        return Exported(instances)

    async def export(
        self, sink: Sink[Any], draft: Unfinished, fresh: JournalEntry, *, resume: bool
    ) -> Exported:
        """Write all rows to a draft, and publish the draft as the target."""
        committed = self._committed(fresh)
        return await self._write(sink, draft, committed, partial(committed.open, sink, draft, resume=resume))

    async def append(self, sink: GrowingSink[Any], draft: Unfinished, fresh: JournalEntry) -> Exported:
        """Write the rows that the target lacks to a draft, and publish the draft as the target."""
        committed = self._committed(fresh)
        return await self._write(
            sink, draft, committed, partial(committed.open_increment, sink, draft), _REPEAT
        )

    def _committed(self, fresh: JournalEntry) -> _Committed:
        return _Committed(fresh, self.query, self.kept if self.resumable else lambda _: None)

    async def _write(
        self,
        sink: Sink[Any],
        draft: Unfinished,
        committed: _Committed,
        begin: Callable[[], None],
        again: str = _RESUME,
    ) -> Exported:
        tasks = TaskQueue(draft.name)
        try:
            await tasks.start(begin)
            await tasks.wait()
            before = committed.entry.instances
            if not committed.entry.done:
                if committed.tail is not None:
                    await check_tail(self.session, committed.query, committed.tail, draft.name)
                await self._copy(sink, committed, tasks)
            adds = committed.entry.instances or not committed.entry.base
            await tasks.start(partial(sink.finish, committed.entry) if adds else partial(_drop, sink, draft))
            await tasks.wait()
        except AioflowsError as error:
            if committed.opened and committed.entry.instances and self.resumable:
                kept = f"{committed.entry.instances:,} instances are kept"
                error.add_note(f"{kept}; go on with {again}")
            raise
        finally:
            await tasks.close(partial(_close, sink, draft, committed, keep=self.resumable))
        return Exported(committed.entry.instances, before)

    async def _copy(self, sink: Sink[Any], committed: _Committed, tasks: TaskQueue) -> None:
        entry, loop = committed.entry, asyncio.get_running_loop()
        left = self.limit
        if left is not None and entry.instances:
            left = max(0, left - entry.instances)
        scan = self.session.scan(committed.query, limit=left, resume=entry.checkpoint, proven=self.proven)
        checkpoint = scan.checkpoint if self.resumable else lambda: None
        chunks: list[Any] = []
        # held: instances in `chunks`; since, weight: instances and memory since the last commit; due: the time
        # of the next commit at the latest.
        held, since, weight, due = 0, 0, 0.0, loop.time() + sink.commit_interval
        try:
            pages = scan.undecoded() if sink.accepts_raw_rows else _pages(scan, sink.convert)
            while True:
                error = None
                try:
                    rows = await anext(pages, None)
                except AioflowsError as caught:
                    rows, error = None, caught
                for chunk in _chunks(sink.encode, rows or ()):
                    chunks.append(chunk)
                    weight += sink.weight(chunk)
                    await asyncio.sleep(0)
                added = len(rows or ())
                entry = attrs.evolve(entry, instances=entry.instances + added)
                held, since = held + added, since + added
                if rows is None or since >= self.every or loop.time() >= due or weight >= 1:
                    done = rows is None and error is None
                    entry = attrs.evolve(entry, checkpoint=checkpoint(), done=done)
                    await tasks.start(partial(committed.commit, sink, chunks, entry))
                    chunks, held, since, weight, due = [], 0, 0, 0.0, loop.time() + sink.commit_interval
                elif held >= sink.write_threshold:
                    await tasks.start(partial(sink.write, chunks))
                    chunks, held = [], 0
                self.watch(scan)
                if rows is None:
                    await tasks.wait()
                    if error is not None:
                        raise error
                    return
        finally:
            await scan.aclose()


class _Committed:
    """The last journal entry on the disk, which the writing thread replaces."""

    def __init__(self, entry: JournalEntry, query: FlowQuery, kept: Callable[[int], object]) -> None:
        self.entry = entry
        self.query = query
        self.tail: Tail | None = None
        self._kept = kept
        self.opened = False

    def open(self, sink: Sink[Any], draft: Unfinished, *, resume: bool) -> None:
        draft.enter()
        self.entry = open_or_resume(sink, draft, self.entry, resume=resume)
        self.opened = True
        self._kept(self.entry.instances)

    def open_increment(self, sink: GrowingSink[Any], draft: Unfinished) -> None:
        draft.enter()
        opened = open_increment(sink, draft, self.entry, self.query)
        self.entry, self.query, self.tail = opened.entry, opened.query, opened.tail
        self.opened = True
        self._kept(self.entry.instances)

    def commit(self, sink: Sink[Any], chunks: Sequence[Any], entry: JournalEntry) -> None:
        sink.write(chunks)
        self.entry = sink.commit(entry)
        self._kept(entry.instances)


def _pages(
    scan: Any, convert: Callable[[RawRows], EncodedRows | list[FlowInstance]] | None
) -> AsyncIterator[list[FlowInstance] | EncodedRows]:
    """Return the rows of a scan, encoded from the bytes of answers where that is possible."""
    reader = None if convert is None else getattr(scan, "reader", None)
    pages: AsyncIterator[list[FlowInstance]] = scan.pages()
    return pages if reader is None else _encoded(partial(reader.next_as, convert))


async def _encoded(
    read: Callable[[], Awaitable[list[FlowInstance] | EncodedRows]],
) -> AsyncIterator[list[FlowInstance] | EncodedRows]:
    while True:
        try:
            rows = await read()
        except StopAsyncIteration:
            return
        yield rows


def _chunks(
    encode: Callable[[Sequence[FlowInstance]], Any], rows: Sequence[FlowInstance] | RawRows | EncodedRows
) -> Iterable[Any]:
    if isinstance(rows, EncodedRows):
        return (rows.chunk,)
    return (rows,) if isinstance(rows, RawRows) else map(encode, _slices(rows))


def _slices(rows: Sequence[FlowInstance]) -> list[Sequence[FlowInstance]]:
    return [rows[at : at + _SLICE] for at in range(0, len(rows), _SLICE)]


def _drop(sink: Sink[Any], draft: Unfinished) -> None:
    """Leave the target alone, since it has all rows."""
    sink.close()
    draft.begin_again()


def _close(sink: Sink[Any], draft: Unfinished, committed: _Committed, *, keep: bool) -> None:
    """Close the sink and release the draft. Remove the draft's content if no later run can resume it."""
    try:
        sink.close()
        if committed.opened and not committed.entry.done and not (keep and committed.entry.instances):
            draft.begin_again()
    finally:
        draft.leave()
