"""Parquet: nothing can be added to such a file, so that rows are collected in part files, and a mark says how many count.

A single file is put together from its parts, which are Arrow streams, when all of them are there; a folder is the parts, laid out by day: the UTC date of
the trigger time, ``date=2024-01-01/part-000000.parquet``, as Hive, Spark, DuckDB, Polars and pandas read it. Either says in its
metadata which export it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from aioflows.arrow import arrow_schema, record_batch
from aioflows.columns import Layout
from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.mark import Mark
from aioflows.export.parts import GROUP, fill_arrow, fill_parquet, job_of, write_whole
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["COMMON", "FileSink", "FolderSink"]

COMMON = "_common_metadata"
"""The name that Parquet's own tools give to a file that holds nothing but a schema."""

_HEAVY = 16_000_000  # bytes of columns that are worth a part file, or a row group
_DAY = "trigger_time"
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"


class _Parts:
    """Collects batches, and writes part files of them when they shall count.

    Args:
        draft: where.
        layout: the *columns*.
        job: which *export* it is.
    """

    def __init__(self, draft: Draft, layout: Layout, job: str) -> None:
        self._draft = draft
        self._layout = layout
        self._schema: pa.Schema = arrow_schema(layout)
        self._job = {"aioflows": job}
        self._batches: list[pa.RecordBatch] = []
        self._bytes = 0
        self._length = 0

    @property
    def heavy(self) -> bool:
        """Whether it holds so much that it should be committed."""
        return self._bytes > _HEAVY

    def encode(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        """Give these instances as columns."""
        return record_batch(self._layout, instances)

    def kept(self) -> Mark | None:
        """Give the mark of what was written before."""
        return self._draft.kept()

    def write(self, chunk: pa.RecordBatch) -> None:
        """Add rows."""
        self._batches.append(chunk)
        self._bytes += chunk.nbytes

    def finish(self, mark: Mark) -> None:
        """Make all of it the target."""
        self._draft.publish(mark)

    def close(self) -> None:
        """Forget what does not count."""
        self._batches, self._bytes = [], 0

    def _collected(self) -> pa.Table:
        import pyarrow as pa  # noqa: PLC0415

        table = pa.Table.from_batches(self._batches, schema=self._schema)
        self.close()
        pa.default_memory_pool().release_unused()
        return table

    def _damaged(self) -> SinkError:
        return SinkError(
            f"parts of the unfinished export of {self._draft.name} are missing; "
            "give overwrite=True (--overwrite) to begin again"
        )


class FileSink(_Parts):
    """Writes one Parquet file."""

    patience = 5.0

    @property
    def _folder(self) -> Path:
        return self._draft.folder / "parts"

    def finished(self, mark: Mark) -> bool:
        """Tell whether the target is what this mark is the account of."""
        return self._draft.target.is_file() and job_of(self._draft.target) == mark.job

    def open(self, mark: Mark) -> None:
        """Go on behind the parts that a mark counts."""
        files, self._length = self._draft.files, mark.length
        files.folder(self._folder)
        there = {path.name for path in self._folder.iterdir()}
        counted = set(map(_part, range(mark.length)))
        if counted - there:
            raise self._damaged()
        for name in there - counted:
            files.remove(self._folder / name)

    def commit(self, mark: Mark) -> Mark:
        """Keep what was written until now, together with a mark; with the last one all parts become one file."""
        table, files = self._collected(), self._draft.files
        if table.num_rows:
            write_whole(files, self._folder / _part(self._length), partial(fill_arrow, table=table))
            files.sync_folder(self._folder)
            self._length += 1
        mark = attrs.evolve(mark, length=self._length)
        if mark.done:
            # Done is what has its rows where `publish` looks for them.
            self._draft.keep(attrs.evolve(mark, done=False))
            schema = self._schema.with_metadata(self._job)
            write_whole(files, self._draft.rows, partial(fill_parquet, schema=schema, tables=self._groups()))
        self._draft.keep(mark)
        return mark

    def _groups(self) -> Iterator[pa.Table]:
        """Give all rows, in pieces that make good row groups."""
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.ipc  # noqa: PLC0415

        tables: list[pa.Table] = []
        for number in range(self._length):
            with (self._folder / _part(number)).open("rb") as file:
                tables.append(pyarrow.ipc.open_stream(file).read_all())
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

    def finished(self, mark: Mark) -> bool:
        """Tell whether the target is what this mark is the account of."""
        return self._draft.target.is_dir() and job_of(self._draft.target / COMMON) == mark.job

    def open(self, mark: Mark) -> None:
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

    def commit(self, mark: Mark) -> Mark:
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


def _part(number: int) -> str:
    return f"part-{number:06}.arrow"


def _name(number: int) -> str:
    return f"part-{number:06}.parquet"
