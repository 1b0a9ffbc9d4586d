"""The sink of a database in an object store: the database is made on the disk, and stored as one object.

Each part is a small database with the rows of one commit. So a later run on any machine can continue. At the end, the rows of
all parts are added to a copy of the old object, or to a new database.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from aioflows._tables.raw_rows import EncodedRows, RawRows
from aioflows.export.draft import Draft
from aioflows.export.filesystem import FileSystem
from aioflows.export.formats.database import DatabaseSink
from aioflows.export.journal import JournalEntry
from aioflows.export.object_store.draft import ObjectDraft
from aioflows.export.sink import GrowingSink, Tail
from aioflows.models import FlowInstance

__all__ = ["ObjectDatabaseSink"]

_BLOCK = 1_000_000
_PART_ROWS = 50_000  # a part is read into memory when it is stored
_FRESH = JournalEntry(job="", overwrite=True)


class ObjectDatabaseSink(GrowingSink[ObjectDraft]):
    """A sink that writes a database to an object.

    Args:
        draft: the draft that holds the parts.
        sink_of: returns the sink of a database on the disk.
        files: the file system of the disk.
    """

    commit_interval = 30.0  # seconds; a commit costs three requests to the store
    replaces = True

    def __init__(
        self, draft: ObjectDraft, sink_of: Callable[[Draft], DatabaseSink], files: FileSystem
    ) -> None:
        super().__init__(draft)
        self._sink_of, self._files = sink_of, files
        self._encoder = sink_of(self._local(Path("-")))
        self.accepts_raw_rows = self._encoder.accepts_raw_rows
        self.write_threshold = self._encoder.write_threshold
        self._scratch: Path | None = None
        self._part: _LocalDatabase | None = None

    def encode(self, instances: Sequence[FlowInstance]) -> Any:
        return self._encoder.encode(instances)

    @property
    def convert(self) -> Callable[[RawRows], EncodedRows | list[FlowInstance]] | None:
        return self._encoder.convert

    def weight(self, chunk: Any) -> float:
        return len(chunk) / _PART_ROWS

    def finished(self, entry: JournalEntry) -> bool:  # noqa: ARG002
        return self._draft.is_published()

    # The present target

    def published(self) -> JournalEntry | None:
        return self._sink_of(self._local(self._copy_of_target())).published()

    def tail(self) -> Tail | None:
        return self._sink_of(self._local(self._copy_of_target())).tail()

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        return entry

    def _copy_of_target(self) -> Path:
        copy = self._folder / "target"
        if not copy.exists():
            self._draft.store.download(self._draft.target, copy)
        return copy

    # Parts

    def open(self, entry: JournalEntry) -> None:
        self._draft.parts(entry.length)
        self._draft.continue_after(entry.length)
        self._length = entry.length

    def write(self, chunks: Sequence[Any]) -> None:
        if not chunks:
            return
        if self._part is None:
            self._part = self._begun("part", _FRESH)
        self._part.sink.write(chunks)

    def commit(self, entry: JournalEntry) -> JournalEntry:
        part, self._part = self._part, None
        if part is not None:
            path = part.completed(_FRESH)
            self._draft.put_part(self._length, path.read_bytes())
            self._files.remove(path)
            self._length += 1
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry

    # The next target

    def finish(self, entry: JournalEntry) -> None:
        self._draft.publish_with(partial(self._write_target, entry), overwrite=entry.overwrite)

    def _write_target(self, entry: JournalEntry) -> None:
        whole = self._merged(entry)

        def fill(file: Any) -> None:
            with whole.open("rb") as content:
                shutil.copyfileobj(content, file, _BLOCK)

        self._draft.write_target(entry, whole.stat().st_size, fill)

    def _merged(self, entry: JournalEntry) -> Path:
        """Return the path of a database with the rows of the target, in an increment, and of all parts."""
        parts = self._draft.parts(entry.length)
        whole = self._begun("whole", entry if entry.base else attrs.evolve(entry, checkpoint=None))
        for path in parts:
            part = self._folder / "one"
            self._draft.store.download(path, part)
            whole.sink.add_rows_of(part)
            self._files.remove(part)
        return whole.completed(attrs.evolve(entry, overwrite=True))

    def _begun(self, name: str, entry: JournalEntry) -> _LocalDatabase:
        """Open a database on the disk, which begins as a copy of the target in an increment."""
        draft = self._local(self._folder / name)
        draft.enter()
        if entry.base:
            self._files.rename(self._copy_of_target(), draft.rows)
        database = _LocalDatabase(draft, self._sink_of(draft))
        database.sink.open(entry)
        return database

    # The folder on the disk

    @property
    def _folder(self) -> Path:
        if self._scratch is None:
            self._scratch = Path(tempfile.mkdtemp(prefix="aioflows-"))
        return self._scratch

    def _local(self, path: Path) -> Draft:
        return Draft(path, self._draft.name, self._files)

    def close(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            part.close()
        scratch, self._scratch = self._scratch, None
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)


@attrs.frozen
class _LocalDatabase:
    """A database on the disk that is written.

    Args:
        draft: its draft.
        sink: its sink.
    """

    draft: Draft
    sink: DatabaseSink

    def completed(self, entry: JournalEntry) -> Path:
        """Complete the database, and return its path."""
        try:
            self.sink.commit(entry)
            self.sink.finish(entry)
        finally:
            self.close()
        return self.draft.target

    def close(self) -> None:
        """Close all files."""
        self.sink.close()
        self.draft.leave()
