"""The sinks of object stores: each commit stores a part, and the target is made of the parts at the end.

The parts of an increment hold the new rows. At the end, one object is made of the old target and the parts, and a folder
gets the parts beside its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import tzinfo
from functools import partial
from itertools import chain
from typing import Any

import attrs

from aioflows._extras import pa, pq
from aioflows._tables.columns import Layout
from aioflows.export.formats.compression import Compression, compressor
from aioflows.export.formats.encoder import Encoder
from aioflows.export.formats.parquet import DayParts, GrowingPartSink, part_number
from aioflows.export.formats.parquet_file import memory_pool, merged_groups, read_groups, write_parquet
from aioflows.export.formats.text_tail import opened_text, tail_of
from aioflows.export.journal import JournalEntry
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.sink import GrowingSink, Tail
from aioflows.models import FlowInstance

__all__ = ["ObjectFileSink", "ObjectFolderSink", "ObjectTextSink"]

_BLOCK = 1_000_000
_COMMIT_INTERVAL = 30.0  # seconds; a commit costs three requests to the store
_PART_BYTES = 16_000_000  # bytes of text in memory before a commit
_PARQUET = ".parquet"


class ObjectTextSink(GrowingSink[ObjectDraft]):
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

    def tail(self) -> Tail | None:
        return tail_of(self._draft.open_target, self._compression, self._encoder, self._draft.name)

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        if self._compression is not Compression.GZIP:
            return entry
        # The checksum at the end is one of the whole text.
        whole = compressor(self._compression, entry, begun=False)
        for block in self._target_text():
            whole.add(block)
        return whole.commit(entry)[1]

    def _target_text(self) -> Iterator[bytes]:
        with opened_text(self._draft.open_target, self._compression) as text:
            while block := text.read(_BLOCK):
                yield block

    def open(self, entry: JournalEntry) -> None:
        self._draft.parts(entry.length)
        self._draft.continue_after(entry.length)
        self._length = entry.length
        begun = bool(entry.length or entry.base)
        self._compressor = compressor(self._compression, entry, begun=begun)
        if not begun:
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
        self._draft.publish_with(partial(self._join, entry), overwrite=entry.overwrite)

    def _join(self, entry: JournalEntry) -> None:
        parts = self._draft.parts(entry.length)

        def fill(file: Any) -> None:
            if entry.base:
                self._copy_target(file)
            for content in self._draft.contents(parts):
                file.write(content)

        old = self._draft.target_size() if entry.base else 0
        self._draft.write_target(entry, old + sum(parts.values()), fill)

    def _copy_target(self, file: Any) -> None:
        if self._compression is not Compression.GZIP:
            with closing(self._draft.open_target()) as old:
                shutil.copyfileobj(old, file, _BLOCK)
            return
        # A gzip member that has ended cannot be continued, and many readers stop behind the first member.
        whole = compressor(self._compression, JournalEntry(job=""), begun=False)
        for block in self._target_text():
            file.write(whole.add(block))
        file.write(whole.commit(JournalEntry(job=""))[0])

    def close(self) -> None:
        self._pieces = []


class ObjectFileSink(GrowingPartSink[ObjectDraft]):
    """A sink that writes one Parquet object. Its parts are Parquet objects of fewer rows."""

    commit_interval = _COMMIT_INTERVAL

    def __init__(self, draft: ObjectDraft, layout: Layout, job: str, series: str) -> None:
        super().__init__(draft, layout, job, series)
        self._schema = self._schema.with_metadata(self._job)

    def finished(self, entry: JournalEntry) -> bool:  # noqa: ARG002
        return self._draft.is_published()

    def _target_files(self) -> list[Callable[[], Any]]:
        return [self._draft.open_target]

    def tail(self) -> Tail | None:
        return self._tail_of(self._layout.names)

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        return entry

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
            held = self._old_groups() if entry.base else ()
            new = (pq.read_table(pa.BufferReader(one)) for one in self._draft.contents(parts))
            write_parquet(file, self._schema, merged_groups(chain(held, new)))

        old = self._draft.target_size() if entry.base else 0
        self._draft.write_target(entry, old + sum(parts.values()), fill)

    def _old_groups(self) -> Iterator[pa.Table]:
        with closing(self._draft.open_target()) as file:
            for table in read_groups(file):
                yield table.cast(self._schema)


class ObjectFolderSink(GrowingPartSink[ObjectDraft]):
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

    def _target_files(self) -> list[Callable[[], Any]]:
        draft = self._draft
        return [partial(draft.store.open, f"{draft.target}/{path}") for path in self._target_paths()]

    def _target_paths(self) -> list[str]:
        """Return the paths of the objects in the target, in the order of their rows."""
        return sorted(self._draft.store.sizes(self._draft.target), key=_place)

    def tail(self) -> Tail | None:
        return self._tail_of(self._days.names)

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        length = max((part_number(_name(path)) for path in self._target_paths()), default=-1) + 1
        return attrs.evolve(entry, length=length, adopted=length)

    def open(self, entry: JournalEntry) -> None:
        self._draft.parts(entry.length, first=entry.adopted)
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
        parts = draft.parts(entry.length, first=entry.adopted)
        named = {one: _published_name(one) for one in parts}
        old = set(store.sizes(draft.target)) - set(named.values())
        if entry.base:
            # In the order of rows, so that the last row tells at any time which rows are there.
            for one in sorted(named, key=lambda one: _place(named[one])):
                store.copy([one], [f"{draft.target}/{named[one]}"])
            return
        store.copy(list(named), [f"{draft.target}/{name}" for name in named.values()])
        store.remove([f"{draft.target}/{path}" for path in sorted(old)])


def _parquet(schema: pa.Schema, table: pa.Table) -> bytes:
    out = pa.BufferOutputStream(memory_pool())
    write_parquet(out, schema, [table])
    content: bytes = out.getvalue().to_pybytes()
    return content


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _place(path: str) -> tuple[str, str]:
    """Return what sorts the objects of a folder by their rows: parts, and within a part days."""
    return _name(path), path


def _published_name(path: str) -> str:
    """Return the path below the target of a part at this path in the draft."""
    folder, _, name = path.rpartition("/")
    return f"{_name(folder)}/part-{name.partition('-')[0]}{_PARQUET}"
