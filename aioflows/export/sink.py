"""The base of all sinks: one class per format, which writes rows to a draft."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import attrs

from aioflows._tables.raw_rows import EncodedRows, RawRows
from aioflows.export.journal import JournalEntry
from aioflows.export.unfinished import Unfinished
from aioflows.models import FlowInstance

__all__ = ["D", "GrowingSink", "Sink", "Tail"]

D = TypeVar("D", bound=Unfinished)


@attrs.frozen
class Tail:
    """The last row of a target.

    Args:
        second: its trigger time (whole seconds since 1970-01-01 UTC).
        id: the id of its instance.
    """

    second: int
    id: str


class Sink(ABC, Generic[D]):
    """A destination of rows and of the journal entry that counts them.

    Only `encode`, `convert` and `weight` are called on the event loop. All other methods are called in a thread.

    Args:
        draft: the draft that holds the rows.
    """

    commit_interval = 1.0
    """Seconds after which added rows are committed, even if they are few."""
    accepts_raw_rows = False
    """True if `write` accepts `RawRows` too."""
    write_threshold = 2_000
    """Instances that are collected before a thread writes them."""

    def __init__(self, draft: D) -> None:
        self._draft = draft

    @abstractmethod
    def encode(self, instances: Sequence[FlowInstance], /) -> Any:
        """Return instances as a chunk for `write`."""

    @property
    def convert(self) -> Callable[[RawRows], EncodedRows | list[FlowInstance]] | None:
        """A function that makes a chunk for `write` from rows that are bytes of answers.

        Default: None, which means that they are decoded before.
        """
        return None

    def weight(self, chunk: Any, /) -> float:  # noqa: ARG002
        """Return the memory of a chunk, as a share of the limit before a commit.

        Default: 0, since written rows do not stay in memory.
        """
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Return the journal entry of an earlier run. Default: the journal entry of the draft."""
        return self._draft.kept()

    @abstractmethod
    def finished(self, entry: JournalEntry, /) -> bool:
        """Return True if the target is the export of this entry."""

    @abstractmethod
    def open(self, entry: JournalEntry, /) -> None:
        """Open the draft with exactly the rows that an entry counts.

        Raises:
            SinkError: rows that the entry counts are missing.
        """

    @abstractmethod
    def write(self, chunks: Sequence[Any], /) -> None:
        """Add rows, which do not count before `commit`."""

    @abstractmethod
    def commit(self, entry: JournalEntry, /) -> JournalEntry:
        """Wait until all added rows and the entry are on the disk. Return the entry, completed."""

    def finish(self, entry: JournalEntry, /) -> None:
        """Publish the rows as the target."""
        self.close()
        self._draft.publish(overwrite=entry.overwrite)

    @abstractmethod
    def close(self) -> None:
        """Close all files. Rows that were not committed are dropped. Safe to call more than once."""


class GrowingSink(Sink[D]):
    """A sink whose target can be appended to."""

    replaces = False
    """True if rows that a target holds already can be written to it again, in place of the earlier ones."""

    def published(self) -> JournalEntry | None:
        """Return the journal entry of the target, or None if it is unknown. Default: the one that the draft knows."""
        return self._draft.published()

    @abstractmethod
    def tail(self) -> Tail | None:
        """Return the last row of the target, or None if the target has no rows.

        Raises:
            QueryError: the target has other columns, or its last row cannot be read.
        """

    @abstractmethod
    def adopt(self, entry: JournalEntry, /) -> JournalEntry:
        """Begin a draft with the rows of the target. Return the entry, which then counts those that were copied."""
