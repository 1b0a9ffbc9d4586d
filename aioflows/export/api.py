"""``export()``: all that a query asks for, in a file, exactly once, whatever dies meanwhile.

Rows and the scan's checkpoint move together: both are on the disk, or neither counts. So an export that was killed, wherever
that was, goes on with ``resume=True`` and ends with what it would have ended with.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable

from aioflows._tables.columns import COLUMNS, FIELDS, Layout
from aioflows.checkpoint import fingerprint
from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.filesystem import FileSystem
from aioflows.export.formats.csv import CsvEncoder
from aioflows.export.formats.duckdb import DuckSink
from aioflows.export.formats.json_lines import JsonLinesEncoder
from aioflows.export.formats.parquet import FileSink, FolderSink
from aioflows.export.formats.sqlite import SqliteSink
from aioflows.export.formats.text import Encoder, TextSink
from aioflows.export.job import Exported, Job, S, Session
from aioflows.export.journal import JournalEntry
from aioflows.export.resume import Sink
from aioflows.export.stream import Stream
from aioflows.export.target import Format, Target
from aioflows.query import FlowQuery

__all__ = ["export"]


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
    kept: Callable[[int], object] | None = None,
    files: FileSystem | None = None,
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
        kept: called, in another thread, with the *instances* that a later run can go on behind, whenever these are more.
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
    job = Job(
        session, query, limit, proven, resumable, every, watch or (lambda _: None), kept or (lambda _: None)
    )
    files = files or FileSystem()
    if place.path is None or place.special:
        return await job.stream(Stream(place.path, files), _encoder(place.format, layout, raw=raw))
    told_apart = [fingerprint(query), place.format, place.folder, layout.names, tasks, raw, limit]
    fresh = JournalEntry(
        job=hashlib.sha256(json.dumps(told_apart).encode()).hexdigest()[:32], overwrite=overwrite
    )
    draft = Draft(place.path, place.name, files)
    sink = _sink(place, draft, layout, fresh.job, raw=raw)
    return await job.export(sink, draft, fresh, resume=resume)


def _encoder(format: Format, layout: Layout, *, raw: bool) -> Encoder:
    return CsvEncoder(layout, raw=raw) if format is Format.CSV else JsonLinesEncoder(layout)


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
