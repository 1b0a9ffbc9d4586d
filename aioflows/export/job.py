"""An export under way: rows are taken from a scan on the loop, and written beside it.

A mark is made of what was taken until then, before anything more is taken; so it tells the truth, however far the writing is.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs

from aioflows._tables.raw_rows import RawRows
from aioflows.checkpoint import Checkpoint
from aioflows.errors import AioflowsError
from aioflows.export.draft import Draft
from aioflows.export.formats.text import Encoder
from aioflows.export.journal import JournalEntry
from aioflows.export.resume import Sink, begun
from aioflows.export.stream import Stream
from aioflows.export.task_queue import TaskQueue
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery

__all__ = ["Exported", "Job", "S", "ScanSource", "Session"]

_SLICE = 500  # instances that are encoded before others get their turn on the loop


class ScanSource(Protocol):
    """What is needed of a scan."""

    def pages(self) -> AsyncIterator[list[FlowInstance]]:
        """Iterate lists of instances."""

    def undecoded(self) -> AsyncIterator[list[FlowInstance] | RawRows]:
        """Iterate the same, but some of them as the answer they stand in."""

    def checkpoint(self) -> Checkpoint:
        """Tell where it stands."""

    async def aclose(self) -> None:
        """Stop it."""


S = TypeVar("S", bound=ScanSource)
S_co = TypeVar("S_co", bound=ScanSource, covariant=True)


class Session(Protocol[S_co]):
    """What is needed of a session."""

    def scan(
        self,
        query: FlowQuery,
        *,
        limit: int | None = None,
        resume: Checkpoint | None = None,
        proven: bool = False,
    ) -> S_co:
        """Make a scan."""


@attrs.frozen
class Exported:
    """What came of an export.

    Args:
        instances: *instances* in the target.
        before: those of the *instances* that an earlier run had written.
    """

    instances: int
    before: int = 0


@attrs.frozen
class Job:
    """What is to be exported, whatever the format.

    Args:
        session: makes the *scan*.
        query: *what*.
        limit: *instances* in all; None: every one.
        proven: as for a scan.
        resumable: whether a checkpoint of this query is good for anything.
        every: *instances* after which what was written counts.
        watch: called with the *scan* whenever rows were taken from it.
        kept: called with the *instances* that a later run can go on behind.
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
        """Write to where nothing can be taken back."""
        instances = 0
        scan = self.session.scan(self.query, limit=self.limit, proven=self.proven)
        try:
            await stream.open()
            if encoder.head:
                await stream.write(encoder.head)
            async for rows in scan.pages():
                for some in _slices(rows):
                    await stream.write(encoder.encode(some))
                instances += len(rows)
                self.watch(scan)
        finally:
            stream.close()
            await scan.aclose()
        return Exported(instances)

    async def export(self, sink: Sink, draft: Draft, fresh: JournalEntry, *, resume: bool) -> Exported:
        """Write to a draft, and make it the target."""
        beside, counted = (
            TaskQueue(draft.name),
            _Counted(fresh, self.kept if self.resumable else lambda _: None),
        )
        try:
            await beside.begin(partial(counted.begin, sink, draft, resume=resume))
            await beside.ended()
            before = counted.mark.instances
            if not counted.mark.done:
                await self._copy(sink, counted, beside)
            await beside.begin(lambda: sink.finish(counted.mark))
            await beside.ended()
        except AioflowsError as error:
            if counted.opened and counted.mark.instances and self.resumable:
                kept = f"{counted.mark.instances:,} instances are kept"
                error.add_note(f"{kept}; go on with resume=True (--resume)")
            raise
        finally:
            await beside.close(partial(_leave, sink, draft, counted, keep=self.resumable))
        return Exported(counted.mark.instances, before)

    async def _copy(self, sink: Sink, counted: _Counted, beside: TaskQueue) -> None:
        mark, loop = counted.mark, asyncio.get_running_loop()
        left = self.limit
        if left is not None and mark.instances:
            left = max(0, left - mark.instances)
        scan = self.session.scan(self.query, limit=left, resume=mark.checkpoint, proven=self.proven)
        where = scan.checkpoint if self.resumable else lambda: None
        chunks: list[Any] = []
        held, since, weight, due = 0, 0, 0.0, loop.time() + sink.patience
        try:
            pages = scan.undecoded() if sink.takes_answers else scan.pages()
            while True:
                error = None
                try:
                    rows = await anext(pages, None)
                except AioflowsError as caught:
                    rows, error = None, caught
                for chunk in _chunks(sink, rows or ()):
                    chunks.append(chunk)
                    weight += sink.weight(chunk)
                    await asyncio.sleep(0)
                added = len(rows or ())
                mark = attrs.evolve(mark, instances=mark.instances + added)
                held, since = held + added, since + added
                if rows is None or since >= self.every or loop.time() >= due or weight >= 1:
                    done = rows is None and error is None
                    mark = attrs.evolve(mark, checkpoint=where(), done=done)
                    await beside.begin(partial(counted.commit, sink, chunks, mark))
                    chunks, held, since, weight, due = [], 0, 0, 0.0, loop.time() + sink.patience
                elif held >= sink.worth:
                    await beside.begin(partial(sink.write, chunks))
                    chunks, held = [], 0
                self.watch(scan)
                if rows is None:
                    await beside.ended()
                    if error is not None:
                        raise error
                    return
        finally:
            await scan.aclose()


class _Counted:
    """What counts, as the thread that writes knows it."""

    def __init__(self, mark: JournalEntry, kept: Callable[[int], object]) -> None:
        self.mark = mark
        self._kept = kept
        self.opened = False

    def begin(self, sink: Sink, draft: Draft, *, resume: bool) -> None:
        draft.enter()
        self.mark = begun(sink, draft, self.mark, resume=resume)
        self.opened = True
        self._kept(self.mark.instances)

    def commit(self, sink: Sink, chunks: Sequence[Any], mark: JournalEntry) -> None:
        sink.write(chunks)
        self.mark = sink.commit(mark)
        self._kept(mark.instances)


def _chunks(sink: Sink, rows: Sequence[FlowInstance] | RawRows) -> Iterable[Any]:
    return (rows,) if isinstance(rows, RawRows) else map(sink.encode, _slices(rows))


def _slices(rows: Sequence[FlowInstance]) -> list[Sequence[FlowInstance]]:
    return [rows[at : at + _SLICE] for at in range(0, len(rows), _SLICE)]


def _leave(sink: Sink, draft: Draft, counted: _Counted, *, keep: bool) -> None:
    """Let go of everything; a draft that nobody can go on with goes too."""
    try:
        sink.close()
        if counted.opened and not counted.mark.done and not (keep and counted.mark.instances):
            draft.begin_again()
    finally:
        draft.leave()
