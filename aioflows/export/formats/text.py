"""Text files, JSON lines and CSV: a draft that grows, and that is cut to the length in its journal entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import attrs

from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.journal import JournalEntry
from aioflows.models import FlowInstance

__all__ = ["Encoder", "TextSink"]


class Encoder(Protocol):
    """An encoder of instances as lines that can be concatenated."""

    head: bytes
    """The first bytes of a file, such as the header of CSV."""

    def encode(self, instances: Sequence[FlowInstance], /) -> bytes:
        """Return the lines of these instances."""


class TextSink:
    """A sink that writes the lines of an encoder to a file.

    Args:
        draft: the draft that holds the file.
        encoder: the encoder of the rows.
    """

    commit_interval = 1.0
    accepts_raw_rows = False
    write_threshold = 2_000

    def __init__(self, draft: Draft, encoder: Encoder) -> None:
        self.encode = encoder.encode
        self._draft = draft
        self._head = encoder.head
        self._descriptor: int | None = None

    def weight(self, _: bytes) -> float:
        """Return 0, since written rows do not stay in memory."""
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Return the journal entry of an earlier run."""
        return self._draft.kept()

    def finished(self, entry: JournalEntry) -> bool:
        """Return True if the target is the export of this entry."""
        return self._draft.target.is_file() and self._draft.target.stat().st_size == entry.length

    def open(self, entry: JournalEntry) -> None:
        """Open the file, and cut it to the length that an entry counts.

        Raises:
            SinkError: the file is shorter.
        """
        files = self._draft.files
        self._descriptor = files.open(self._draft.rows)
        if files.size(self._descriptor) < entry.length:
            raise SinkError(
                f"the unfinished export of {self._draft.name} cannot be resumed: "
                "it is shorter than its journal says; give overwrite=True (--overwrite) to begin again"
            )
        files.truncate(self._descriptor, entry.length)
        self._length = entry.length
        if not entry.length:
            self.write([self._head])

    def write(self, chunks: Sequence[bytes]) -> None:
        """Add rows."""
        assert self._descriptor is not None
        content = b"".join(chunks)
        self._draft.files.write(self._descriptor, content)
        self._length += len(content)

    def commit(self, entry: JournalEntry) -> JournalEntry:
        """Commit the rows added so far, together with their journal entry."""
        assert self._descriptor is not None
        self._draft.files.sync(self._descriptor)
        entry = attrs.evolve(entry, length=self._length)
        self._draft.keep(entry)
        return entry

    def finish(self, entry: JournalEntry) -> None:
        """Publish the file as the target."""
        self.close()
        self._draft.publish(entry)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            self._draft.files.close(self._descriptor)
            self._descriptor = None
