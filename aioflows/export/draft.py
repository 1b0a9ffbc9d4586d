"""What there is of an export before it is whole: a hidden folder beside the target, and the way from there to it.

Rules:
1. The target is as it was until one rename puts all of the export in its place.
2. What counts in the draft is what its mark says, and nothing else: whatever lies behind it is cut off when it is gone on with.
3. A draft belongs to one process at a time; the lock on it goes with the process, however that ends.

It lies beside its target because only within one file system a rename is atomic. Its folder can be entered by its owner
alone, so that what a database puts beside its file is as safe as the file. When the target is there, a small account of it
stays in the folder: a run that is told to resume, and finds all done, must be able to tell the target from another's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from aioflows.export.errors import SinkError
from aioflows.export.filesystem import FileSystem
from aioflows.export.journal import JournalEntry

__all__ = ["Draft"]

_JOURNAL = "journal.json"
_LOCK = "lock"
_OLD = "old"


class Draft:
    """An export that is not yet whole.

    Args:
        target: the *path* that it will have.
        name: what the target is called in messages.
        files: the file *system*.
    """

    def __init__(self, target: Path, name: str, files: FileSystem) -> None:
        self.target = target
        self.name = name
        self.files = files
        self.folder = target.with_name(f".{target.name}.aioflows")
        self.rows = self.folder / "rows"
        self._journal = self.folder / _JOURNAL
        self._lock: int | None = None

    def enter(self) -> None:
        """Make the folder, or take the one that is there, for this process alone.

        Raises:
            SinkError: another process has it.
        """
        while self._lock is None:
            self.files.folder(self.folder)
            try:
                descriptor = self.files.open(self.folder / _LOCK)
            except FileNotFoundError:
                continue  # whoever had it has just removed it
            if not self.files.lock(descriptor):
                self.files.close(descriptor)
                raise SinkError(f"{self.name} is being written by another export")
            if _is(self.folder / _LOCK, descriptor):
                self._lock = descriptor
                self.files.sync_folder(self.folder.parent)
            else:
                self.files.close(descriptor)

    # What is known of it

    def kept(self) -> JournalEntry | None:
        """Give the mark of what was written before; None: nothing was."""
        try:
            text = self._journal.read_bytes()
        except FileNotFoundError:
            return None
        return JournalEntry.from_json(text)

    def keep(self, mark: JournalEntry) -> None:
        """Replace the mark; the rows that it counts lie on the disk already."""
        self.write(self._journal, mark.to_json().encode())
        self.files.sync_folder(self.folder)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file that is there whole, or not at all, whenever this ends."""
        part = path.with_name(f"{path.name}.part")
        descriptor = self.files.open(part)
        try:
            self.files.truncate(descriptor, 0)
            self.files.write(descriptor, content)
            self.files.sync(descriptor)
        finally:
            self.files.close(descriptor)
        self.files.rename(part, path)

    # What becomes of it

    def begin_again(self) -> None:
        """Remove all that was written before."""
        # The mark first: without it nothing else counts, and with it all has to be there.
        self.files.remove(self._journal)
        self.files.sync_folder(self.folder)
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                self.files.remove(path)

    def check_alone(self, endings: Sequence[str]) -> None:
        """Refuse a target beside which lies what a database would take for a part of the new one.

        Args:
            endings: what the *names* of such files have more than the target's.
        """
        for ending in endings:
            if os.path.lexists(f"{self.target}{ending}"):
                raise SinkError(
                    f"{self.name} is in use, or was not closed: {self.target.name}{ending} lies beside it; remove both"
                )

    def publish(self, mark: JournalEntry) -> None:
        """Put the rows in the target's place, if they are not there already.

        Raises:
            SinkError: somebody else put something there, which may not be replaced.
        """
        if self.rows.exists():
            if self.target.exists() and not mark.overwrite:
                raise SinkError(
                    f"{self.name} has appeared meanwhile; give overwrite=True (--overwrite) to replace it"
                )
            if self.target.is_dir():
                self.files.rename(self.target, self.folder / _OLD)
            self.files.rename(self.rows, self.target)
            self.files.sync_folder(self.target.parent)
            self.files.sync_folder(self.folder)
        for path in self.folder.iterdir():
            if path.name not in (_LOCK, _JOURNAL):
                self.files.remove(path)

    def leave(self) -> None:
        """Give it free for others; a folder in which nothing is left goes."""
        if self._lock is None:
            return
        try:
            if [path.name for path in self.folder.iterdir()] == [_LOCK]:
                self.files.remove(self.folder)
        finally:
            self.files.close(self._lock)
            self._lock = None


def _is(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
