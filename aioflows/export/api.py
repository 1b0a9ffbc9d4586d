"""``export()``, which writes every instance of a query to a file, exactly once.

Rows and the scan's checkpoint are committed together: either both are on the disk, or neither counts. So a
killed export can be continued with ``resume=True``, and has the same content in the end as an export that was
not interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, tzinfo
from functools import partial
from typing import Any

from aioflows._sealed import digest
from aioflows._tables.columns import COLUMNS, FIELDS, Layout
from aioflows._time_zones import time_zone
from aioflows._worker import run_in_thread
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
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.object_store.sinks import ObjectFileSink, ObjectFolderSink, ObjectTextSink
from aioflows.export.permissions import file_mode
from aioflows.export.sink import Sink
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
    zone: str | tzinfo = UTC,
    mode: int | str | None = None,
    limit: int | None = None,
    proven: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    every: int = 20_000,
    watch: Callable[[S], object] | None = None,
    kept: Callable[[int], object] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    files: FileSystem | None = None,
) -> Exported:
    """Write every instance of a query to a file. The file is either complete or unchanged.

    Args:
        session: an open `FlowSession`.
        query: the instances to export. Rows are written in the order of the query.
        target: a path, the URL of an object such as "s3://bucket/runs.parquet", or "-" for standard output.
        format: the name of a `Format`. Default: None, which means that the ending of the path names the
            format.
        columns: names of columns, in the order wanted. Default: None, which means every column.
        tasks: True to write one row for each task of an instance's graph. Default: False.
        raw: True to leave texts that look like formulas unchanged in a CSV file. Default: False.
        zone: the zone of times in CSV, JSON lines and SQLite. Texts with one offset compare as their instants
            do, so a zone with daylight saving time is only for readers. Arrow, Parquet and DuckDB hold
            instants. Default: UTC.
            In a folder of Parquet files, the days are days of this zone.
        mode: who may read and write the target: mode bits (0o640) or three octal digits ("640"), or "umask" for
            the mode of other new files. Default: None, which means its owner alone.
        limit: the most instances to export. Default: None, which means every instance.
        proven: as for `FlowSession.scan`. Default: False.
        resume: True to continue an unfinished export, or to begin if no export is unfinished. Default: False.
        overwrite: True to replace a target that exists. Default: False.
        every: instances after which the rows are committed. A resumed export does not read committed rows
            again. Default: 20,000.
        watch: called with the scan whenever rows were taken from it. Default: None, which means no call.
        kept: called after each commit, in another thread, with the number of instances that a later run can
            resume after. Default: None, which means no call.
        storage_options: options of the object store, as `fsspec` takes them, such as credentials. Default: None,
            which means those of the environment.
        files: the file system. Default: None, which means the real file system.

    Raises:
        QueryError: an argument is not valid, or the target cannot be replaced. Nothing was sent.
        SinkError: the target cannot be written. If an object store refuses it from the start, nothing was sent
            to the service.
        AioflowsError: the scan failed. The rows before the error are kept for ``resume``.
    """
    destination = Target.named(target, format, storage_options)
    resumable = all(field != "update_time" for field, _ in query.sorters)
    check = partial(destination.check, resume=resume, overwrite=overwrite)
    if destination.store is None:
        check()
    else:
        if mode is not None:
            raise QueryError("mode= (--mode) is for files, and an object has no mode; leave it out")
        await run_in_thread(check)
    if resume and not resumable:
        raise QueryError(
            "an export by update_time cannot be resumed, because its scan cannot; "
            "leave resume=True (--resume) out"
        )
    shown, bits = time_zone(zone), file_mode(mode)
    layout = Layout(columns, tasks=tasks, default=FIELDS if destination.format is Format.JSONL else COLUMNS)
    job = Job(
        session, query, limit, proven, resumable, every, watch or (lambda _: None), kept or (lambda _: None)
    )
    files = files or FileSystem()
    if destination.special:
        return await job.stream(
            Stream(destination.path, files), _encoder(destination.format, layout, shown, raw=raw)
        )
    # Earlier releases wrote times in the service's zone. Such an unfinished export must not be continued in
    # UTC.
    texts = [str(shown)] if destination.format in _TEXTS else []
    if destination.folder and shown is not UTC:
        texts = [str(shown)]
    layout_of = [destination.format, destination.folder, layout.names, tasks, raw, limit]
    texts += [destination.compression] if destination.compression else []
    fresh = JournalEntry(job=digest([fingerprint(query), *layout_of, *texts]), overwrite=overwrite)
    if destination.store is not None:
        stored = ObjectDraft(destination.store, destination.name, folder=destination.folder)
        object_sink = _object_sink(destination, stored, layout, fresh.job, query, shown, raw=raw)
        return await job.export(object_sink, stored, fresh, resume=resume)
    assert destination.path is not None
    draft = Draft(destination.path, destination.name, files, mode=bits)
    sink = _sink(destination, draft, layout, fresh.job, query, shown, raw=raw)
    return await job.export(sink, draft, fresh, resume=resume)


_TEXTS = (Format.CSV, Format.JSONL, Format.SQLITE)


def _encoder(format: Format, layout: Layout, zone: tzinfo, *, raw: bool) -> Encoder:
    if format is Format.CSV:
        return CsvEncoder(layout, raw=raw, zone=zone)
    return JsonLinesEncoder(layout, zone=zone)


def _sink(
    destination: Target, draft: Draft, layout: Layout, job: str, query: FlowQuery, zone: tzinfo, *, raw: bool
) -> Sink[Draft]:
    match destination.format:
        case Format.PARQUET:
            if not destination.folder:
                return FileSink(draft, layout, job)
            return FolderSink(draft, layout, job, start=query.from_ms, zone=zone)
        case Format.SQLITE:
            return SqliteSink(draft, layout, zone=zone)
        case Format.DUCKDB:
            return DuckSink(draft, layout)
        case _:
            encoder = _encoder(destination.format, layout, zone, raw=raw)
            return TextSink(draft, encoder, destination.compression)


def _object_sink(
    destination: Target,
    draft: ObjectDraft,
    layout: Layout,
    job: str,
    query: FlowQuery,
    zone: tzinfo,
    *,
    raw: bool,
) -> Sink[ObjectDraft]:
    if destination.format is not Format.PARQUET:
        encoder = _encoder(destination.format, layout, zone, raw=raw)
        return ObjectTextSink(draft, encoder, destination.compression)
    if not destination.folder:
        return ObjectFileSink(draft, layout, job)
    return ObjectFolderSink(draft, layout, job, start=query.from_ms, zone=zone)
