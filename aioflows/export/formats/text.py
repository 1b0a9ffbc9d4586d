"""Text files, JSON lines and CSV: a draft that grows, and that is cut to the length in its journal entry.

A text file may be compressed (`compression`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import attrs

from aioflows._tables.raw_rows import EncodedRows, RawRows, encoded_rows
from aioflows.export.draft import Draft
from aioflows.export.errors import DraftDamaged
from aioflows.export.filesystem import write_atomically
from aioflows.export.formats.compression import Compression, compressor
from aioflows.export.formats.encoder import Encoder
from aioflows.export.formats.text_tail import opened_text, tail_of
from aioflows.export.journal import JournalEntry
from aioflows.export.sink import GrowingSink, Tail
from aioflows.models import FlowInstance

__all__ = ["TextSink"]

_BLOCK = 1_000_000


class TextSink(GrowingSink[Draft]):
    """A sink that writes the lines of an encoder to a file.

    Args:
        draft: the draft that holds the file.
        encoder: the encoder of the rows.
        compression: how the file is compressed.
    """

    def __init__(self, draft: Draft, encoder: Encoder, compression: Compression) -> None:
        super().__init__(draft)
        self._encoder = encoder
        self._compression = compression
        self._descriptor: int | None = None

    def encode(self, instances: Sequence[FlowInstance]) -> bytes:
        return self._encoder.encode(instances)

    @property
    def convert(self) -> Callable[[RawRows], EncodedRows | list[FlowInstance]] | None:
        return encoded_rows(self._encoder.convert) if self._encoder.accepts_raw_rows else None

    def finished(self, entry: JournalEntry) -> bool:
        return self._draft.target.is_file() and self._draft.target.stat().st_size == entry.length

    def tail(self) -> Tail | None:
        return tail_of(
            partial(self._draft.target.open, "rb"), self._compression, self._encoder, self._draft.name
        )

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        files, target = self._draft.files, self._draft.target
        if self._compression is not Compression.GZIP:
            write_atomically(files, self._draft.rows, lambda part: files.copy(target, part))
            length = self._draft.rows.stat().st_size
            return attrs.evolve(entry, length=length, adopted=length)
        # A gzip member that has ended cannot be continued, and many readers stop behind the first member.
        self.open(entry)
        with opened_text(partial(target.open, "rb"), self._compression) as file:
            file.read(len(self._encoder.head))
            while block := file.read(_BLOCK):
                self.write([block])
        entry = self.commit(entry)
        self.close()
        return attrs.evolve(entry, adopted=entry.length)

    def open(self, entry: JournalEntry) -> None:
        files = self._draft.files
        self._descriptor = files.open(self._draft.rows)
        if files.size(self._descriptor) < entry.length:
            raise DraftDamaged(self._draft.name, "the file is shorter than its journal says")
        files.truncate(self._descriptor, entry.length)
        self._length = entry.length
        self._compressor = compressor(self._compression, entry, begun=bool(entry.length))
        if not entry.length:
            self.write([self._encoder.head])

    def write(self, chunks: Sequence[bytes]) -> None:
        self._append(self._compressor.add(b"".join(chunks)))

    def _append(self, content: bytes) -> None:
        assert self._descriptor is not None
        self._draft.files.write(self._descriptor, content)
        self._length += len(content)

    def commit(self, entry: JournalEntry) -> JournalEntry:
        assert self._descriptor is not None
        end, entry = self._compressor.commit(entry)
        self._append(end)
        self._draft.files.sync(self._descriptor)
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry

    def close(self) -> None:
        if self._descriptor is not None:
            self._draft.files.close(self._descriptor)
            self._descriptor = None
