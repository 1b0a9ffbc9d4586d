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

import attrs

from aioflows._sealed import digest
from aioflows._tables.columns import Layout
from aioflows._time_zones import time_zone
from aioflows._worker import run_in_thread
from aioflows.checkpoint import fingerprint
from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.filesystem import FileSystem
from aioflows.export.formats.csv import CsvEncoder
from aioflows.export.formats.duckdb import DuckSink
from aioflows.export.formats.encoder import Encoder
from aioflows.export.formats.json_lines import JsonLinesEncoder
from aioflows.export.formats.parquet import FileSink, FolderSink
from aioflows.export.formats.sqlite import SqliteSink
from aioflows.export.formats.text import TextSink
from aioflows.export.increment import check_appendable, series_of
from aioflows.export.job import Exported, Job, S, Session
from aioflows.export.journal import JournalEntry
from aioflows.export.object_store.database import ObjectDatabaseSink
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.object_store.sinks import ObjectFileSink, ObjectFolderSink, ObjectTextSink
from aioflows.export.permissions import file_mode
from aioflows.export.sink import GrowingSink
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
    nested: bool = False,
    utf8: bool = False,
    zone: str | tzinfo = UTC,
    mode: int | str | None = None,
    limit: int | None = None,
    proven: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    append: bool = False,
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
        nested: True to write graphs, parameters and other JSON of the service as values in JSON lines. Default:
            False, which means as texts, so that each column has one type.
        utf8: True to write JSON lines in UTF-8. Default: False, which means ASCII with escapes.
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
        append: True to add the rows that the target lacks, up to the end of the range. The target goes on where it
            ends, so a day that was missed is made up for. Databases read the range again, also where it overlaps with
            what they hold, and the later state of an instance counts. In other formats, rows stay as they were
            written, and rows that the service got later, before the last row, are not added. A target that does
            not exist begins with the range. An increment that died is resumed by the same call. Rows must be in the
            order of trigger times. Default: False.
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
    check = partial(destination.check, resume=resume, overwrite=overwrite, append=append)
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
    shown, bits = _Texts(time_zone(zone), raw=raw, nested=nested, utf8=utf8), file_mode(mode)
    layout = Layout(columns, tasks=tasks)
    if append:
        check_appendable(query, layout.names, destination.name)
    job = Job(
        session, query, limit, proven, resumable, every, watch or (lambda _: None), kept or (lambda _: None)
    )
    files = files or FileSystem()
    if destination.special:
        return await job.stream(Stream(destination.path, files), _encoder(destination.format, layout, shown))
    layout_of = [destination.format, destination.folder, layout.names, tasks, raw]
    differences = _differences(destination, shown)
    identity = [fingerprint(query), *layout_of, limit, *differences]
    series = series_of(query, [*layout_of, *differences])
    fresh = JournalEntry(job=digest(identity), overwrite=overwrite, series=series, first_ms=query.from_ms)
    if destination.store is not None:
        stored = ObjectDraft(destination.store, destination.name, folder=destination.folder)
        object_sink = _object_sink(destination, stored, layout, fresh, query, shown, files)
        if append:
            return await job.append(object_sink, stored, fresh)
        return await job.export(object_sink, stored, fresh, resume=resume)
    assert destination.path is not None
    draft = Draft(destination.path, destination.name, files, mode=bits)
    if append and mode is None and destination.path.exists():
        draft.keep_mode()
    sink = _sink(destination, draft, layout, fresh, query, shown)
    if append:
        return await job.append(sink, draft, fresh)
    return await job.export(sink, draft, fresh, resume=resume)


_TEXTS = (Format.CSV, Format.JSONL, Format.SQLITE)


@attrs.frozen
class _Texts:
    """How values are written as texts: the arguments of `export` with these names."""

    zone: tzinfo
    raw: bool = attrs.field(kw_only=True)
    nested: bool = attrs.field(kw_only=True)
    utf8: bool = attrs.field(kw_only=True)


def _differences(destination: Target, texts: _Texts) -> list[object]:
    """Return what makes the rows of two exports differ besides their queries and columns."""
    # Earlier releases wrote times in the service's zone, and graphs as values. Such an unfinished export must not
    # be continued.
    if destination.format in _TEXTS or (destination.folder and texts.zone is not UTC):
        found: list[object] = [str(texts.zone)]
    else:
        found = []
    if destination.format is Format.JSONL:
        found += ["nested" if texts.nested else "texts", texts.utf8]
    return [*found, destination.compression] if destination.compression else found


def _encoder(format: Format, layout: Layout, texts: _Texts) -> Encoder:
    if format is Format.CSV:
        return CsvEncoder(layout, raw=texts.raw, zone=texts.zone)
    return JsonLinesEncoder(layout, zone=texts.zone, nested=texts.nested, utf8=texts.utf8)


def _sink(
    destination: Target, draft: Draft, layout: Layout, fresh: JournalEntry, query: FlowQuery, texts: _Texts
) -> GrowingSink[Draft]:
    job, series = fresh.job, fresh.series
    match destination.format:
        case Format.PARQUET:
            if not destination.folder:
                return FileSink(draft, layout, job, series)
            return FolderSink(draft, layout, job, series, start=query.from_ms, zone=texts.zone)
        case Format.SQLITE:
            return SqliteSink(draft, layout, zone=texts.zone)
        case Format.DUCKDB:
            return DuckSink(draft, layout)
        case _:
            return TextSink(draft, _encoder(destination.format, layout, texts), destination.compression)


def _object_sink(
    destination: Target,
    draft: ObjectDraft,
    layout: Layout,
    fresh: JournalEntry,
    query: FlowQuery,
    texts: _Texts,
    files: FileSystem,
) -> GrowingSink[ObjectDraft]:
    if destination.format is Format.SQLITE:
        return ObjectDatabaseSink(draft, lambda local: SqliteSink(local, layout, zone=texts.zone), files)
    if destination.format is Format.DUCKDB:
        return ObjectDatabaseSink(draft, lambda local: DuckSink(local, layout), files)
    if destination.format is not Format.PARQUET:
        return ObjectTextSink(draft, _encoder(destination.format, layout, texts), destination.compression)
    if not destination.folder:
        return ObjectFileSink(draft, layout, fresh.job, fresh.series)
    return ObjectFolderSink(draft, layout, fresh.job, fresh.series, start=query.from_ms, zone=texts.zone)
