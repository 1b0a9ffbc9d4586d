"""The draft of an export: a hidden folder beside the target, which one rename publishes.

Rules:
1. The target stays unchanged until one rename puts the whole export in its place.
2. Only the rows that the journal entry counts belong to the draft. Rows behind them are cut off when the
   export resumes.
3. A draft belongs to one process at a time. The operating system releases the lock when the process ends.

The folder lies beside the target, because a rename is atomic only within one file system. Only its owner can
enter the folder, so the log files of a database are protected too. After publishing, the folder is removed, and the
target carries the journal as an extended attribute: a run with ``resume=True`` compares it with the target, which may
be the same export. On a file system without such attributes the journal stays in the folder.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

import attrs

from aioflows.errors import QueryError
from aioflows.export.errors import SinkError
from aioflows.export.filesystem import FileSystem, write_atomically
from aioflows.export.journal import JournalEntry
from aioflows.export.permissions import set_modes

__all__ = ["Draft"]

_JOURNAL = "journal.json"
_LOCK = "lock"
_OLD = "old"


class Draft:
    """An export that is not complete yet.

    Args:
        target: the path of the finished export.
        name: the target's name in messages.
        files: the file system.
        mode: mode bits of the files of the target. Default: its owner may read and write.
    """

    def __init__(self, target: Path, name: str, files: FileSystem, *, mode: int = 0o600) -> None:
        self.target = target
        self.name = name
        self.files = files
        self._mode = mode
        self.folder = target.with_name(f".{target.name}.aioflows")
        self.rows = self.folder / "rows"
        self._journal = self.folder / _JOURNAL
        self._lock: int | None = None

    def enter(self) -> None:
        """Lock the folder for this process. Make the folder if it does not exist.

        Raises:
            SinkError: another process holds the lock.
        """
        while self._lock is None:
            self.files.folder(self.folder)
            try:
                descriptor = self.files.open(self.folder / _LOCK)
            except FileNotFoundError:
                continue  # another process has removed the folder since it was made
            if not self.files.lock(descriptor):
                self.files.close(descriptor)
                raise SinkError(
                    f"{self.name} is being written by another export; wait for its end, or use another name"
                )
            # Another process may have replaced the folder, so the lock must be on the file at the path.
            if _is_same_file(self.folder / _LOCK, descriptor):
                self._lock = descriptor
                self.files.sync_folder(self.folder.parent)
            else:
                self.files.close(descriptor)

    # Journal

    def kept(self) -> JournalEntry | None:
        """Return the journal entry of an earlier run, or None if there is no journal."""
        try:
            text = self._journal.read_bytes()
        except FileNotFoundError:
            # Rows without a journal do not count, and the target's entry says nothing about them.
            return None if self.rows.exists() else self.published()
        return JournalEntry.from_json(text)

    def published(self) -> JournalEntry | None:
        """Return the journal entry that the target carries, or None if it carries none."""
        text = self.files.read_mark(self.target)
        try:
            return None if text is None else JournalEntry.from_json(text)
        except QueryError:
            return None  # the mark of a later release

    def keep(self, entry: JournalEntry) -> None:
        """Replace the journal entry. The rows that the entry counts must be on the disk already."""
        write_atomically(self.files, self._journal, entry.to_json().encode())
        self.files.sync_folder(self.folder)

    # Clearing, publishing and leaving

    def target_exists(self) -> bool:
        """Return True if the target exists."""
        return self.target.exists()

    def state(self) -> str:
        """Return a text that changes whenever the target is replaced."""
        found = self.target.stat()
        size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
        return f"{found.st_ino}-{size}-{found.st_mtime_ns}"

    def may_publish(self, entry: JournalEntry) -> bool:
        """Return True if complete rows fit the present target. A draft holds the target that it began with."""
        return not self.target.exists() or entry.base == self.state()

    def has_rows(self) -> bool:
        """Return True if rows wait to be published."""
        return self.rows.exists()

    def keep_mode(self) -> None:
        """Give the next target the mode bits of the present one."""
        one = self.target
        if one.is_dir():
            one = next(one.rglob("*.*"), one)
        self._mode = stat.S_IMODE(one.stat().st_mode) & 0o666 | 0o600

    def begin_again(self) -> None:
        """Remove everything that was written before."""
        # Rows without a journal are ignored, but a journal without its rows is an error. So the journal goes
        # first.
        self.files.remove(self._journal)
        self.files.sync_folder(self.folder)
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                self.files.remove(path)

    def check_alone(self, endings: Sequence[str]) -> None:
        """Check that no database log lies beside the target, which a database would apply to the new file.

        Args:
            endings: the endings that a database appends to its path for logs.

        Raises:
            SinkError: a log lies beside the target.
        """
        for ending in endings:
            if os.path.lexists(f"{self.target}{ending}"):
                raise SinkError(
                    f"{self.name} cannot be replaced: {self.target.name}{ending} lies beside it, "
                    "so the database is in use or was not closed; close it, or remove both files"
                )

    def publish(self, *, overwrite: bool) -> None:
        """Rename the rows to the target, unless an earlier run did.

        Raises:
            SinkError: the target was made by another program meanwhile, and *overwrite* is False.
        """
        if self.rows.exists():
            if self.target.exists() and not overwrite:
                raise SinkError(
                    f"{self.name} has appeared since the export began; "
                    "give overwrite=True (--overwrite) to replace it"
                )
            if self._mode != 0o600:
                set_modes(self.files, self.rows, self._mode)
            entry = self.kept()
            if entry is not None:
                self.files.mark(self.rows, attrs.evolve(entry, checkpoint=None).to_json())
            if self.target.is_dir():
                self.files.rename(self.target, self.folder / _OLD)
            self.files.rename(self.rows, self.target)
            self.files.sync_folder(self.target.parent)
            self.files.sync_folder(self.folder)
        needed = (_LOCK, _JOURNAL) if self.files.read_mark(self.target) is None else (_LOCK,)
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name == _JOURNAL):
            if path.name not in needed:
                self.files.remove(path)

    def leave(self) -> None:
        """Release the lock. Remove the folder if it contains only the lock."""
        if self._lock is None:
            return
        try:
            if [path.name for path in self.folder.iterdir()] == [_LOCK]:
                self.files.remove(self.folder)
        finally:
            self.files.close(self._lock)
            self._lock = None


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
