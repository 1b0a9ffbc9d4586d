"""``export()``: all that a query asks for, in a file, exactly once, whatever dies meanwhile.

Rows and the scan's checkpoint move together: both are on the disk, or neither counts. So an export that was killed, wherever
that was, goes on with ``resume=True`` and ends with what it would have ended with.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import attrs

from aioflows.checkpoint import Checkpoint, fingerprint
from aioflows.columns import COLUMNS, FIELDS, Layout
from aioflows.errors import AioflowsError, QueryError
from aioflows.export.beside import Beside
from aioflows.export.cells import Cells
from aioflows.export.draft import Draft
from aioflows.export.duck import DuckSink
from aioflows.export.files import Files
from aioflows.export.lines import Lines
from aioflows.export.mark import Mark
from aioflows.export.opening import Sink, begun
from aioflows.export.parquet import FileSink, FolderSink
from aioflows.export.sqlite import SqliteSink
from aioflows.export.stream import Stream
from aioflows.export.target import Format, Target
from aioflows.export.text import Encoder, TextSink
from aioflows.models import FlowInstance
from aioflows.query import FlowQuery

__all__ = ["Exported", "export"]

_SLICE = 500  # instances that are encoded before others get their turn on the loop
_CHUNK = 2_000  # instances that are worth a thread
_PATIENCE = 1.0  # seconds after which what there is counts


class Scan(Protocol):
    """What is needed of a scan."""

    def pages(self) -> AsyncIterator[list[FlowInstance]]:
        """Iterate lists of instances."""

    def checkpoint(self) -> Checkpoint:
        """Tell where it stands."""

    async def aclose(self) -> None:
        """Stop it."""


S = TypeVar("S", bound=Scan)
S_co = TypeVar("S_co", bound=Scan, covariant=True)


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


async def export(
    session: Session[S],
    query: FlowQuery,
    target: str | os.PathLike[str],
    *,
    format: str | None = None,
    columns: Iterable[str] | None = None,
    tasks: bool = False,
    raw: bool = False,
    limit: int | None = None,
    proven: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    every: int = 20_000,
    watch: Callable[[S], object] | None = None,
    files: Files | None = None,
) -> Exported:
    """Write every instance that a query asks for to a file, which is there whole or as it was.

    Args:
        session: an open `FlowSession`.
        query: *what* to export; its order is the order of the rows.
        target: a *path*, whose ending tells the format; "-": standard output.
        format: the *format*; None: the path's ending tells.
        columns: the *columns* wanted, in this order; None: every one.
        tasks: whether an instance becomes a row for each *task* of its graph.
        raw: whether texts that look like formulas stay as they are in a CSV file.
        limit: *instances* in all; None: every one.
        proven: as for `FlowSession.scan`.
        resume: whether to go on with what an earlier run left, if it left something.
        overwrite: whether a target that exists is replaced.
        every: *instances* after which what was written counts, and is not read again.
        watch: called with the *scan* whenever rows were taken from it.
        files: the file *system*.

    Raises:
        QueryError: it cannot be asked for, or something is in the way; nothing was sent.
        SinkError: it cannot be written.
        AioflowsError: as a scan raises it. What was handed out before is kept, for ``resume``.
    """
    place = Target.named(target, format)
    resumable = all(field != "update_time" for field, _ in query.sorters)
    place.check(resume=resume, overwrite=overwrite)
    if resume and not resumable:
        raise QueryError("a scan by update_time cannot be resumed, so an export of it cannot either")
    layout = Layout(columns, tasks=tasks, default=FIELDS if place.format is Format.JSONL else COLUMNS)
    job = _Job(session, query, limit, proven, resumable, every, watch or (lambda _: None))
    files = files or Files()
    if place.path is None or place.special:
        return await job.stream(Stream(place.path, files), _encoder(place.format, layout, raw=raw))
    told_apart = [fingerprint(query), place.format, place.folder, layout.names, tasks, raw, limit]
    fresh = Mark(job=hashlib.sha256(json.dumps(told_apart).encode()).hexdigest()[:32], overwrite=overwrite)
    draft = Draft(place.path, place.name, files)
    sink = _sink(place, draft, layout, fresh.job, raw=raw)
    return await job.export(sink, draft, fresh, resume=resume)


def _encoder(format: Format, layout: Layout, *, raw: bool) -> Encoder:
    return Cells(layout, raw=raw) if format is Format.CSV else Lines(layout)


def _sink(place: Target, draft: Draft, layout: Layout, job: str, *, raw: bool) -> Sink:
    match place.format:
        case Format.PARQUET:
            return FolderSink(draft, layout, job) if place.folder else FileSink(draft, layout, job)
        case Format.SQLITE:
            return SqliteSink(draft, layout)
        case Format.DUCKDB:
            return DuckSink(draft, layout)
        case _:
            return TextSink(draft, _encoder(place.format, layout, raw=raw))


@attrs.frozen
class _Job:
    session: Session[Any]
    query: FlowQuery
    limit: int | None
    proven: bool
    resumable: bool
    every: int
    watch: Callable[[Any], object]

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

    async def export(self, sink: Sink, draft: Draft, fresh: Mark, *, resume: bool) -> Exported:
        """Write to a draft, and make it the target."""
        beside, counted = Beside(draft.name), _Counted(fresh)
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

    async def _copy(self, sink: Sink, counted: _Counted, beside: Beside) -> None:
        mark, loop = counted.mark, asyncio.get_running_loop()
        left = self.limit
        if left is not None and mark.instances:
            left = max(0, left - mark.instances)
        scan = self.session.scan(self.query, limit=left, resume=mark.checkpoint, proven=self.proven)
        where = scan.checkpoint if self.resumable else lambda: None
        chunks, held, since, due = [], 0, 0, loop.time() + _PATIENCE
        try:
            pages = scan.pages()
            while True:
                error = None
                try:
                    rows = await anext(pages, None)
                except AioflowsError as caught:
                    rows, error = None, caught
                for some in _slices(rows or ()):
                    chunks.append(sink.encode(some))
                    await asyncio.sleep(0)
                added = len(rows or ())
                mark = attrs.evolve(mark, instances=mark.instances + added)
                held, since = held + added, since + added
                if rows is None or since >= self.every or loop.time() >= due or sink.heavy:
                    done = rows is None and error is None
                    mark = attrs.evolve(mark, checkpoint=where(), done=done)
                    await beside.begin(partial(counted.commit, sink, chunks, mark))
                    chunks, held, since, due = [], 0, 0, loop.time() + _PATIENCE
                elif held >= _CHUNK:
                    await beside.begin(partial(counted.write, sink, chunks))
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

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.opened = False

    def begin(self, sink: Sink, draft: Draft, *, resume: bool) -> None:
        draft.enter()
        self.mark = begun(sink, draft, self.mark, resume=resume)
        self.opened = True

    def write(self, sink: Sink, chunks: Sequence[Any]) -> None:
        for chunk in chunks:
            sink.write(chunk)

    def commit(self, sink: Sink, chunks: Sequence[Any], mark: Mark) -> None:
        self.write(sink, chunks)
        self.mark = sink.commit(mark)


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
