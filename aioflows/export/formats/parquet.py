"""Parquet: rows are collected until they are worth a part, and a mark says which parts count.

A single file is all its parts, one behind the other; a folder has them as files, laid out by day: the UTC date of
the trigger time, ``date=2024-01-01/part-000000.parquet``, as Hive, Spark, DuckDB, Polars and pandas read it. Either says in its
metadata which export it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from aioflows._tables.columns import Layout
from aioflows._tables.raw_rows import RawRows
from aioflows.arrow import AnswerColumns, arrow_schema, joined, text_batch
from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.formats.parquet_file import (
    GROUP,
    add_part,
    end_parts,
    fill_parquet,
    job_of,
    memory,
    parts_of,
    read_parts,
    write_whole,
)
from aioflows.export.journal import JournalEntry
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = ["COMMON", "FileSink", "FolderSink"]

COMMON = "_common_metadata"
"""The name that Parquet's own tools give to a file that holds nothing but a schema."""

_HEAVY = 16_000_000  # bytes of columns that are worth a part, or a row group
_SCATTERED = 4  # times as many row groups as needed are worth new ones
_DAY = "trigger_time"
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"


class _Parts:
    """Collects batches, and writes parts of them when they shall count.

    Args:
        draft: where.
        layout: the *columns*.
        job: which *export* it is.
    """

    worth = 2_000
    takes_answers = True

    def __init__(self, draft: Draft, layout: Layout, job: str) -> None:
        self._draft = draft
        self._layout = layout
        self._schema: pa.Schema = arrow_schema(layout)
        self._job = {"aioflows": job}
        self._columns = AnswerColumns(layout, memory())
        self._batches: list[pa.RecordBatch] = []
        self._length = 0

    def encode(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        """Give these instances as columns."""
        return text_batch(self._layout, instances, memory())

    def weight(self, chunk: pa.RecordBatch | RawRows) -> float:
        """Tell what share of a part it is."""
        size: int = chunk.size if isinstance(chunk, RawRows) else chunk.get_total_buffer_size()
        return size / _HEAVY

    def kept(self) -> JournalEntry | None:
        """Give the mark of what was written before."""
        return self._draft.kept()

    def write(self, chunks: Sequence[pa.RecordBatch | RawRows]) -> None:
        """Add rows."""
        self._batches += self._columns.batches(chunks)

    def finish(self, mark: JournalEntry) -> None:
        """Make all of it the target."""
        self._draft.publish(mark)

    def close(self) -> None:
        """Forget what does not count."""
        self._batches = []

    def _collected(self) -> pa.Table:
        table = joined(self._batches, self._schema, memory())
        self.close()
        return table

    def _damaged(self) -> SinkError:
        return SinkError(
            f"parts of the unfinished export of {self._draft.name} are missing; "
            "give overwrite=True (--overwrite) to begin again"
        )


class FileSink(_Parts):
    """Writes one Parquet file, which grows by parts."""

    patience = 5.0

    def __init__(self, draft: Draft, layout: Layout, job: str) -> None:
        super().__init__(draft, layout, job)
        self._schema = self._schema.with_metadata({"aioflows": job})
        self._footers: list[pq.FileMetaData] = []

    @property
    def _path(self) -> Path:
        return self._draft.folder / "parts"

    def finished(self, mark: JournalEntry) -> bool:
        """Tell whether the target is what this mark is the account of."""
        return self._draft.target.is_file() and job_of(self._draft.target) == mark.job

    def open(self, mark: JournalEntry) -> None:
        """Go on behind the parts that a mark counts."""
        if self._draft.rows.exists() and not self._path.exists():
            # Put there by a run that died before it could say so.
            self._draft.files.rename(self._draft.rows, self._path)
        try:
            self._footers = parts_of(self._path, mark.length) if mark.length else []
        except (OSError, ValueError) as error:
            raise self._damaged() from error
        self._length = mark.length

    def commit(self, mark: JournalEntry) -> JournalEntry:
        """Keep what was written until now, together with a mark; with the last one all parts become one file."""
        table, files = self._collected(), self._draft.files
        if table.num_rows:
            footer, self._length = add_part(files, self._path, self._length, self._schema, [table])
            self._footers.append(footer)
        mark = attrs.evolve(mark, length=self._length)
        if mark.done:
            # Done is what has its rows where `publish` looks for them.
            self._draft.keep(attrs.evolve(mark, done=False))
            self._end()
        self._draft.keep(mark)
        return mark

    def _end(self) -> None:
        files, rows = self._draft.files, self._draft.rows
        if self._footers and not self._scattered:
            end_parts(files, self._path, self._length, self._footers)
            files.rename(self._path, rows)
        else:
            write_whole(files, rows, partial(fill_parquet, schema=self._schema, tables=self._groups()))
        files.sync_folder(self._draft.folder)

    @property
    def _scattered(self) -> bool:
        """Whether the parts are so small, as those of a slow service, that readers are better off with new row groups."""
        groups = [one.row_group(number) for one in self._footers for number in range(one.num_row_groups)]
        most: float = max(
            sum(group.num_rows for group in groups) / GROUP,
            sum(group.total_byte_size for group in groups) / _HEAVY,
        )
        worse: bool = len(groups) > _SCATTERED * (1 + most)
        return worse

    def _groups(self) -> Iterator[pa.Table]:
        """Give all rows, in pieces that make good row groups."""
        import pyarrow as pa  # noqa: PLC0415

        tables: list[pa.Table] = []
        for table in read_parts(self._path, self._footers):
            tables.append(table)
            if sum(one.num_rows for one in tables) >= GROUP or sum(one.nbytes for one in tables) >= _HEAVY:
                yield pa.concat_tables(tables)
                tables = []
                pa.default_memory_pool().release_unused()
        if tables:
            yield pa.concat_tables(tables)


class FolderSink(_Parts):
    """Writes a folder of Parquet files, laid out by day."""

    patience = 60.0  # since each commit leaves a file for good

    def __init__(self, draft: Draft, layout: Layout, job: str) -> None:
        self._kept_names = layout.names
        if _DAY not in layout.names:
            layout = Layout((*layout.names, _DAY), tasks=layout.tasks)
        super().__init__(draft, layout, job)

    def finished(self, mark: JournalEntry) -> bool:
        """Tell whether the target is what this mark is the account of."""
        return self._draft.target.is_dir() and job_of(self._draft.target / COMMON) == mark.job

    def open(self, mark: JournalEntry) -> None:
        """Go on behind the parts that a mark counts."""
        files, rows, self._length = self._draft.files, self._draft.rows, mark.length
        counted = set(map(_name, range(mark.length)))
        if mark.length and not rows.is_dir():
            raise self._damaged()
        files.folder(rows)
        there = list(rows.glob("date=*/*"))
        if counted - {path.name for path in there}:
            raise self._damaged()
        for path in there:
            if path.name not in counted:
                files.remove(path)

    def commit(self, mark: JournalEntry) -> JournalEntry:
        """Keep what was written until now, together with a mark."""
        table, files, rows = self._collected(), self._draft.files, self._draft.rows
        if table.num_rows:
            for day, some in _by_day(table):
                files.folder(rows / f"date={day}")
                part = some.select(list(self._kept_names))
                path = rows / f"date={day}" / _name(self._length)
                write_whole(files, path, partial(fill_parquet, schema=part.schema, tables=[part]))
                files.sync_folder(rows / f"date={day}")
            self._length += 1
        if mark.done:
            schema = self._schema.empty_table().select(list(self._kept_names)).schema
            write_whole(
                files, rows / COMMON, partial(fill_parquet, schema=schema.with_metadata(self._job), tables=[])
            )
        files.sync_folder(rows)
        mark = attrs.evolve(mark, length=self._length)
        self._draft.keep(mark)
        return mark


def _by_day(table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.compute as pc  # noqa: PLC0415

    days = pc.cast(table.column(_DAY), pa.date32())
    for day in pc.unique(days).to_pylist():
        among = pc.is_null(days) if day is None else pc.equal(days, day)
        yield _NO_DAY if day is None else day.isoformat(), table.filter(among)


def _name(number: int) -> str:
    return f"part-{number:06}.parquet"
