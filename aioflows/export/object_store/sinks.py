"""The sinks of object stores: each commit stores a part, and the target is made of the parts at the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from functools import partial
from typing import Any

import attrs

from aioflows._extras import pa, pq
from aioflows._tables.columns import Layout
from aioflows.export.formats.compression import Compression, compressor
from aioflows.export.formats.parquet import DayParts, PartSink
from aioflows.export.formats.parquet_file import memory_pool, merged_groups, write_parquet
from aioflows.export.formats.text import Encoder
from aioflows.export.journal import JournalEntry
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.sink import Sink
from aioflows.models import FlowInstance

__all__ = ["ObjectFileSink", "ObjectFolderSink", "ObjectTextSink"]

_COMMIT_INTERVAL = 30.0  # seconds; a commit costs three requests to the store
_PART_BYTES = 16_000_000  # bytes of text in memory before a commit
_PARQUET = ".parquet"


class ObjectTextSink(Sink[ObjectDraft]):
    """A sink that writes the lines of an encoder to an object.

    Args:
        draft: the draft that holds the parts.
        encoder: the encoder of the rows.
        compression: how the object is compressed.
    """

    commit_interval = _COMMIT_INTERVAL

    def __init__(self, draft: ObjectDraft, encoder: Encoder, compression: Compression) -> None:
        super().__init__(draft)
        self._encoder = encoder
        self._compression = compression
        self._pieces: list[bytes] = []

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        return self._encoder.encode(instances)

    def weight(self, chunk: bytes) -> float:
        return len(chunk) / _PART_BYTES

    def finished(self, entry: JournalEntry) -> bool:  # noqa: ARG002
        return self._draft.is_published()

    def open(self, entry: JournalEntry) -> None:
        self._draft.parts(entry.length)
        self._draft.continue_after(entry.length)
        self._length = entry.length
        self._compressor = compressor(self._compression, entry)
        if not entry.length:
            self.write([self._encoder.head])

    def write(self, chunks: Sequence[bytes]) -> None:
        self._pieces.append(self._compressor.add(b"".join(chunks)))

    def commit(self, entry: JournalEntry) -> JournalEntry:
        end, entry = self._compressor.commit(entry)
        content = b"".join([*self._pieces, end])
        self.close()
        if content:
            self._draft.put_part(self._length, content)
            self._length += 1
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry

    def finish(self, entry: JournalEntry) -> None:
        self._draft.publish_with(partial(_join, self._draft, entry), overwrite=entry.overwrite)

    def close(self) -> None:
        self._pieces = []


class ObjectFileSink(PartSink[ObjectDraft]):
    """A sink that writes one Parquet object. Its parts are Parquet objects of fewer rows."""

    commit_interval = _COMMIT_INTERVAL

    def __init__(self, draft: ObjectDraft, layout: Layout, job: str, series: str) -> None:
        super().__init__(draft, layout, job, series)
        self._schema = self._schema.with_metadata(self._job)

    def finished(self, entry: JournalEntry) -> bool:  # noqa: ARG002
        return self._draft.is_published()

    def open(self, entry: JournalEntry) -> None:
        self._draft.parts(entry.length)
        self._draft.continue_after(entry.length)
        self._length = entry.length

    def commit(self, entry: JournalEntry) -> JournalEntry:
        table = self._take_table()
        if table.num_rows:
            self._draft.put_part(self._length, _parquet(self._schema, table))
            self._length += 1
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry

    def finish(self, entry: JournalEntry) -> None:
        self.close()
        self._draft.publish_with(partial(self._write_target, entry), overwrite=entry.overwrite)

    def _write_target(self, entry: JournalEntry) -> None:
        parts = self._draft.parts(entry.length)

        def fill(file: Any) -> None:
            tables = (pq.read_table(pa.BufferReader(one)) for one in self._draft.contents(parts))
            write_parquet(file, self._schema, merged_groups(tables))

        self._draft.store.write(self._draft.target, sum(parts.values()), fill)


class ObjectFolderSink(PartSink[ObjectDraft]):
    """A sink that writes a folder of Parquet objects, partitioned by day.

    Args:
        draft: the draft that holds the parts.
        layout: the columns.
        job: the identity of the export.
        series: the identity of all exports of this kind.
        start: start of the range (epoch ms), whose day gets the part of an export without rows.
        zone: the zone of days.
    """

    commit_interval = 60.0  # each commit adds at least one object to the folder

    def __init__(
        self, draft: ObjectDraft, layout: Layout, job: str, series: str, *, start: int, zone: tzinfo
    ) -> None:
        self._days = DayParts(layout, start=start, zone=zone)
        super().__init__(draft, self._days.layout, job, series)

    def finished(self, entry: JournalEntry) -> bool:  # noqa: ARG002
        return self._draft.is_published()

    def open(self, entry: JournalEntry) -> None:
        self._draft.parts(entry.length)
        self._draft.continue_after(entry.length)
        self._length = entry.length

    def commit(self, entry: JournalEntry) -> JournalEntry:
        table, written = self._take_table(), False
        for day, of_day in self._days.split(table, keep_empty=entry.done and not self._length):
            part = of_day.replace_schema_metadata(self._job)
            content = _parquet(part.schema, part)
            self._draft.put_part(self._length, content, folder=f"date={day}/", ending=_PARQUET)
            written = True
        self._length += written
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry

    def finish(self, entry: JournalEntry) -> None:
        self.close()
        self._draft.publish_with(partial(self._copy_parts, entry), overwrite=entry.overwrite)

    def _copy_parts(self, entry: JournalEntry) -> None:
        draft, store = self._draft, self._draft.store
        named = {one: f"{draft.target}/{_published_name(one)}" for one in draft.parts(entry.length)}
        old = {f"{draft.target}/{path}" for path in store.sizes(draft.target)} - set(named.values())
        store.copy(list(named), list(named.values()))
        store.remove(sorted(old))


def _join(draft: ObjectDraft, entry: JournalEntry) -> None:
    parts = draft.parts(entry.length)

    def fill(file: Any) -> None:
        for content in draft.contents(parts):
            file.write(content)

    draft.store.write(draft.target, sum(parts.values()), fill)


def _parquet(schema: pa.Schema, table: pa.Table) -> bytes:
    out = pa.BufferOutputStream(memory_pool())
    write_parquet(out, schema, [table])
    content: bytes = out.getvalue().to_pybytes()
    return content


def _published_name(path: str) -> str:
    """Return the path in the target of a part at this path in the draft."""
    folder, _, name = path.rpartition("/")
    return f"{folder.rpartition('/')[2]}/part-{name.partition('-')[0]}{_PARQUET}"
