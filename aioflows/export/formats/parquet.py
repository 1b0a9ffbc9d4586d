"""Parquet: rows are collected into parts, and the journal entry says which parts count.

A single file consists of its parts, one behind the other. A folder holds its parts as files, partitioned by
the date of the trigger time, in UTC unless another zone is asked for: ``date=2024-01-01/part-000000.parquet``. Hive, Spark, DuckDB, Polars and
pandas read this layout. Nothing else lies in the folder: Polars refuses one that holds files of another
ending. An export without rows leaves one part without rows, so that readers find its columns. The metadata of
each file names the export.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from aioflows._extras import pa, pc, pq
from aioflows._tables.columns import Layout
from aioflows._tables.raw_rows import RawRows
from aioflows.arrow import AnswerColumns, arrow_schema, joined, text_batch
from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.errors import DraftDamaged
from aioflows.export.filesystem import write_atomically
from aioflows.export.formats.parquet_file import (
    GROUP,
    GROUP_BYTES,
    add_part,
    memory_pool,
    merged_groups,
    read_footers,
    read_job,
    read_last,
    read_names,
    read_parts,
    write_file,
    write_final_footer,
)
from aioflows.export.journal import JournalEntry
from aioflows.export.sink import D, GrowingSink, Sink, Tail
from aioflows.models import FlowInstance

__all__ = ["DayParts", "FileSink", "FolderSink", "GrowingPartSink", "PartSink", "part_number"]

_TOO_MANY_GROUPS = 4  # as a multiple of the row groups needed; more groups are written again
_DAY, _ID = _ENDS = "trigger_time", "instance_id"
_PART = re.compile(r"part-(\d+)\.parquet")
_NO_DAY = "__HIVE_DEFAULT_PARTITION__"  # Hive's name for the partition of null


class PartSink(Sink[D]):
    """A sink that collects batches, and writes a part of them at each commit.

    Args:
        draft: the draft that holds the parts.
        layout: the columns.
        job: the identity of the export.
        series: the identity of all exports that may be appended to each other.
    """

    accepts_raw_rows = True

    def __init__(self, draft: D, layout: Layout, job: str, series: str) -> None:
        super().__init__(draft)
        self._layout = layout
        self._schema: pa.Schema = arrow_schema(layout, "dictionary")
        self._job = {"aioflows": job, "aioflows.series": series}
        self._columns = AnswerColumns(layout, memory_pool())
        self._batches: list[pa.RecordBatch] = []
        self._length = 0

    def encode(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        return text_batch(self._layout, instances, memory_pool())

    def weight(self, chunk: pa.RecordBatch | RawRows) -> float:
        size: int = chunk.size if isinstance(chunk, RawRows) else chunk.get_total_buffer_size()
        return size / GROUP_BYTES

    def write(self, chunks: Sequence[pa.RecordBatch | RawRows]) -> None:
        self._batches += self._columns.batches(chunks)

    def close(self) -> None:
        self._batches = []

    def _take_table(self) -> pa.Table:
        table = joined(self._batches, self._schema, memory_pool())
        self.close()
        return table

    def _missing_parts(self) -> DraftDamaged:
        return DraftDamaged(self._draft.name, "some of its parts are missing")


class GrowingPartSink(PartSink[D], GrowingSink[D]):
    """A sink that writes Parquet files, whose metadata names the exports that may be appended."""

    def published(self) -> JournalEntry | None:
        """Return the journal entry of the target. If it is unknown, it has what the metadata of a file says."""
        return self._draft.published() or self._as_metadata_says()

    def _as_metadata_says(self) -> JournalEntry | None:
        files = self._target_files()
        if not files:
            return None
        with closing(files[-1]()) as file:
            names = read_names(file)
        return None if names is None else JournalEntry(job=names[0], series=names[1], done=True)

    @abstractmethod
    def _target_files(self) -> list[Callable[[], Any]]:
        """Return functions that open the files of the target, in the order of their rows."""

    def _tail_of(self, names: Sequence[str]) -> Tail | None:
        try:
            for opened in reversed(self._target_files()):
                with closing(opened()) as file:
                    row = read_last(file, _ENDS, names)
                if row is not None:
                    return Tail(int(row[_DAY].timestamp()), row[_ID])
        except (ValueError, AttributeError) as error:  # AttributeError: a row without trigger time
            raise QueryError(
                f"nothing can be appended to {self._draft.name!r}: {error}; "
                "give the columns of its first export, or name another target"
            ) from error
        return None


class FileSink(GrowingPartSink[Draft]):
    """A sink that writes one Parquet file, which grows part by part."""

    commit_interval = 5.0

    def __init__(self, draft: Draft, layout: Layout, job: str, series: str) -> None:
        super().__init__(draft, layout, job, series)
        self._schema = self._schema.with_metadata(self._job)
        self._footers: list[pq.FileMetaData] = []

    @property
    def _path(self) -> Path:
        return self._draft.folder / "parts"

    def finished(self, entry: JournalEntry) -> bool:
        return self._draft.target.is_file() and read_job(self._draft.target) == entry.job

    def _target_files(self) -> list[Callable[[], Any]]:
        return [partial(self._draft.target.open, "rb")]

    def tail(self) -> Tail | None:
        return self._tail_of(self._layout.names)

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        files, target = self._draft.files, self._draft.target
        if not pq.read_metadata(target).num_rows:
            return entry  # the new rows begin the file anew
        write_atomically(files, self._path, lambda part: files.copy(target, part))
        length = self._path.stat().st_size
        return attrs.evolve(entry, length=length, adopted=length)

    def open(self, entry: JournalEntry) -> None:
        if self._draft.rows.exists() and not self._path.exists():
            # An earlier run died between the rename of the parts and its last journal entry.
            self._draft.files.rename(self._draft.rows, self._path)
        try:
            self._footers = read_footers(self._path, entry.length) if entry.length else []
        except (OSError, ValueError) as error:
            raise self._missing_parts() from error
        self._length = entry.length

    def commit(self, entry: JournalEntry) -> JournalEntry:
        """Commit the rows added so far, together with their journal entry.

        The last commit makes one file of all parts.
        """
        table, files = self._take_table(), self._draft.files
        if table.num_rows:
            footer, self._length = add_part(files, self._path, self._length, self._schema, [table])
            self._footers.append(footer)
        entry = attrs.evolve(entry, length=self._length)
        if entry.done:
            # A process may die here. So the entry is not `done` before the rows lie where `publish` expects
            # them.
            self._draft.keep(attrs.evolve(entry, done=False))
            self._assemble()
        self._draft.keep(entry)
        return entry

    def _assemble(self) -> None:
        files, rows = self._draft.files, self._draft.rows
        if self._footers and not self._has_small_groups:
            write_final_footer(files, self._path, self._length, self._footers)
            files.rename(self._path, rows)
        else:
            write_file(files, rows, self._schema, merged_groups(read_parts(self._path, self._footers)))
        files.sync_folder(self._draft.folder)

    @property
    def _has_small_groups(self) -> bool:
        """True if the rows of the parts must be written again in larger row groups.

        A slow service leads to small parts, and each row group costs a reader time.
        """
        groups = [one.row_group(number) for one in self._footers for number in range(one.num_row_groups)]
        needed: float = max(
            sum(group.num_rows for group in groups) / GROUP,
            sum(group.total_byte_size for group in groups) / GROUP_BYTES,
        )
        small: bool = len(groups) > _TOO_MANY_GROUPS * (1 + needed)
        return small


class DayParts:
    """The rows of each day.

    Args:
        layout: the columns to write.
        start: start of the range (epoch ms), whose day gets a part without rows.
        zone: the zone of days.
    """

    def __init__(self, layout: Layout, *, start: int, zone: tzinfo) -> None:
        self._start, self._zone = start, zone
        self.names = list(layout.names)
        if _DAY not in layout.names:
            layout = Layout((*layout.names, _DAY), tasks=layout.tasks)
        self.layout = layout
        """The columns to collect: those to write, and the one that names the day."""

    def split(self, table: pa.Table, *, keep_empty: bool) -> Iterator[tuple[str, pa.Table]]:
        """Yield each day with its rows.

        Args:
            table: rows with the columns of `layout`.
            keep_empty: True to yield a part without rows if there are no rows.
        """
        if keep_empty and not table.num_rows:
            yield _day(self._start, self._zone), table.select(self.names)
        for day, rows in _by_day(table, self._zone):
            yield day, rows.select(self.names)


class FolderSink(GrowingPartSink[Draft]):
    """A sink that writes a folder of Parquet files, partitioned by day.

    Args:
        draft: the draft that holds the parts.
        layout: the columns.
        job: the identity of the export.
        series: the identity of all exports that may be appended to each other.
        start: start of the range (epoch ms), whose day gets the part of an export without rows.
        zone: the zone of days.
    """

    commit_interval = 60.0  # each commit adds at least one file to the folder

    def __init__(
        self, draft: Draft, layout: Layout, job: str, series: str, *, start: int, zone: tzinfo
    ) -> None:
        self._days = DayParts(layout, start=start, zone=zone)
        super().__init__(draft, self._days.layout, job, series)

    def _target_files(self) -> list[Callable[[], Any]]:
        return [partial(path.open, "rb") for path in self._target_paths()]

    def _target_paths(self) -> list[Path]:
        # Later rows are in parts with greater numbers, and within a number on later days.
        return sorted(self._draft.target.glob("date=*/*"), key=lambda path: (path.name, path.parent.name))

    def tail(self) -> Tail | None:
        return self._tail_of(self._days.names)

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        files, rows = self._draft.files, self._draft.rows
        files.folder(rows)
        last = ""
        for path in self._target_paths():
            files.folder(rows / path.parent.name)
            files.link(path, rows / path.parent.name / path.name)
            last = path.name
        length = part_number(last) + 1
        return attrs.evolve(entry, length=length, adopted=length)

    def finished(self, entry: JournalEntry) -> bool:
        part = next(self._draft.target.glob("date=*/*"), None)  # the folder was renamed as a whole
        return part is not None and read_job(part) == entry.job

    def open(self, entry: JournalEntry) -> None:
        files, rows, self._length = self._draft.files, self._draft.rows, entry.length
        counted = set(map(_name, range(entry.length)))
        needed = set(
            map(_name, range(entry.adopted, entry.length))
        )  # a day may have been removed from the target
        if entry.length and not rows.is_dir():
            raise self._missing_parts()
        files.folder(rows)
        found = list(rows.glob("date=*/*"))
        if needed - {path.name for path in found}:
            raise self._missing_parts()
        for path in found:
            if path.name not in counted:
                files.remove(path)

    def commit(self, entry: JournalEntry) -> JournalEntry:
        table, files, rows = self._take_table(), self._draft.files, self._draft.rows
        parts = list(self._days.split(table, keep_empty=entry.done and not self._length))
        for day, of_day in parts:
            part = of_day.replace_schema_metadata(self._job)
            files.folder(rows / f"date={day}")
            write_file(files, rows / f"date={day}" / _name(self._length), part.schema, [part])
            files.sync_folder(rows / f"date={day}")
        if parts:
            self._length += 1
        files.sync_folder(rows)
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry


def _by_day(table: pa.Table, zone: tzinfo) -> Iterator[tuple[str, pa.Table]]:
    # Since 2012 no day begins inside a quarter of an hour, so few times have to be read in the zone.
    quarters = pc.floor_temporal(table.column(_DAY), 15, "minute").cast(pa.int64())
    found = pc.unique(quarters)
    names = [_NO_DAY if one is None else _day(one // 1000, zone) for one in found.to_pylist()]
    days = pc.take(pa.array(names, pa.string()), pc.index_in(quarters, found))
    for day in pc.unique(days).to_pylist():
        yield day, table.filter(pc.equal(days, day))


def _day(ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(ms / 1000, zone).date().isoformat()


def part_number(name: str) -> int:
    """Return the number in the name of a part in a folder, or -1 if another program gave the name."""
    found = _PART.fullmatch(name)
    return -1 if found is None else int(found[1])


def _name(number: int) -> str:
    return f"part-{number:06}.parquet"
