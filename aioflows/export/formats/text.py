"""JSON lines and comma-separated values in a file: a draft that grows, and is cut to what its mark counts."""

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
    """Turns instances into bytes that can be put one behind the other."""

    head: bytes

    def encode(self, instances: Sequence[FlowInstance], /) -> bytes:
        """Give the bytes of these instances."""


class TextSink:
    """Writes what an encoder gives.

    Args:
        draft: where.
        encoder: what a *row* looks like.
    """

    patience = 1.0
    takes_answers = False
    worth = 2_000

    def __init__(self, draft: Draft, encoder: Encoder) -> None:
        self.encode = encoder.encode
        self._draft = draft
        self._head = encoder.head
        self._descriptor: int | None = None

    def weight(self, _: bytes) -> float:
        """Nothing stays in memory."""
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Give the mark of what was written before."""
        return self._draft.kept()

    def finished(self, mark: JournalEntry) -> bool:
        """Tell whether the target is what this mark is the account of."""
        return self._draft.target.is_file() and self._draft.target.stat().st_size == mark.length

    def open(self, mark: JournalEntry) -> None:
        """Go on behind what a mark counts.

        Raises:
            SinkError: there is less than it counts.
        """
        files = self._draft.files
        self._descriptor = files.open(self._draft.rows)
        if files.size(self._descriptor) < mark.length:
            raise SinkError(
                f"the unfinished export of {self._draft.name} is shorter than its account says; "
                "give overwrite=True (--overwrite) to begin again"
            )
        files.truncate(self._descriptor, mark.length)
        self._length = mark.length
        if not mark.length:
            self.write([self._head])

    def write(self, chunks: Sequence[bytes]) -> None:
        """Add rows."""
        assert self._descriptor is not None
        content = b"".join(chunks)
        self._draft.files.write(self._descriptor, content)
        self._length += len(content)

    def commit(self, mark: JournalEntry) -> JournalEntry:
        """Keep what was written until now, together with a mark."""
        assert self._descriptor is not None
        self._draft.files.sync(self._descriptor)
        mark = attrs.evolve(mark, length=self._length)
        self._draft.keep(mark)
        return mark

    def finish(self, mark: JournalEntry) -> None:
        """Make all of it the target."""
        self.close()
        self._draft.publish(mark)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            self._draft.files.close(self._descriptor)
            self._descriptor = None
