"""Text files, JSON lines and CSV: a draft that grows, and that is cut to the length in its journal entry.

A text file may be compressed (`compression`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.formats.compression import Compression, compressor
from aioflows.export.journal import JournalEntry
from aioflows.export.sink import Sink
from aioflows.models import FlowInstance

__all__ = ["Encoder", "TextSink"]


class Encoder(Protocol):
    """An encoder of instances as lines that can be concatenated."""

    head: bytes
    """The first bytes of a file, such as the header of CSV."""

    def encode(self, instances: Sequence[FlowInstance], /) -> bytes:
        """Return the lines of these instances."""


class TextSink(Sink[Draft]):
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

    def finished(self, entry: JournalEntry) -> bool:
        return self._draft.target.is_file() and self._draft.target.stat().st_size == entry.length

    def open(self, entry: JournalEntry) -> None:
        files = self._draft.files
        self._descriptor = files.open(self._draft.rows)
        if files.size(self._descriptor) < entry.length:
            raise SinkError(
                f"the unfinished export of {self._draft.name} cannot be resumed: "
                "the file is shorter than its journal says; give overwrite=True (--overwrite) to begin again"
            )
        files.truncate(self._descriptor, entry.length)
        self._length = entry.length
        self._compressor = compressor(self._compression, entry)
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
