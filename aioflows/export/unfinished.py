"""The interface of an unfinished export, on a disk or in an object store."""

from __future__ import annotations

from typing import Protocol

from aioflows.export.journal import JournalEntry

__all__ = ["Unfinished"]


class Unfinished(Protocol):
    """The rows of an export that is not published yet, and their journal."""

    name: str
    """The target's name in messages."""

    def enter(self) -> None:
        """Claim the unfinished export for this process. Safe to call more than once."""

    def kept(self) -> JournalEntry | None:
        """Return the journal entry of an earlier run, or None if there is no journal."""

    def published(self) -> JournalEntry | None:
        """Return the journal entry of the target, or None if it is unknown."""

    def keep(self, entry: JournalEntry, /) -> None:
        """Replace the journal entry. The rows that the entry counts must be stored already."""

    def target_exists(self) -> bool:
        """Return True if the target exists."""

    def state(self) -> str:
        """Return a text that changes whenever the target is replaced."""

    def may_publish(self, entry: JournalEntry, /) -> bool:
        """Return True if complete rows fit the present target: it is the one that they began with."""

    def has_rows(self) -> bool:
        """Return True if rows wait to be published."""

    def begin_again(self) -> None:
        """Remove everything that was written before."""

    def publish(self, *, overwrite: bool) -> None:
        """Make the rows the target, unless an earlier run did."""

    def leave(self) -> None:
        """Release the unfinished export."""
