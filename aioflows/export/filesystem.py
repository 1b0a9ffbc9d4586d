"""The file system as an export needs it: one class, so that a test can let any one call of it fail.

Files are readable by their owner alone, and never opened through a link that somebody else put there.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from pathlib import Path
from typing import Any

__all__ = ["FileSystem"]

_EXTRA = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class FileSystem:
    """What is asked of the file system."""

    def open(self, path: Path) -> int:
        """Open a file to be written; it is made if it is not there."""
        return os.open(path, os.O_RDWR | os.O_CREAT | _EXTRA, 0o600)

    def append(self, path: Path) -> Any:
        """Open a file for pyarrow, which writes to its end by itself; close it."""
        import pyarrow as pa  # noqa: PLC0415

        return pa.OSFile(str(path), "ab")

    def write(self, descriptor: int, content: bytes | bytearray) -> None:
        """Write all of it."""
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file to *bytes*, and go on writing there."""
        os.ftruncate(descriptor, length)
        os.lseek(descriptor, length, os.SEEK_SET)

    def size(self, descriptor: int) -> int:
        """Tell how many *bytes* a file has."""
        return os.fstat(descriptor).st_size

    def sync(self, descriptor: int) -> None:
        """Return when what was written lies on the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file."""
        os.close(descriptor)

    def folder(self, path: Path) -> None:
        """Make a folder, unless it is there."""
        path.mkdir(mode=0o700, exist_ok=True)

    def rename(self, path: Path, target: Path) -> None:
        """Put a file or a folder in a place, at once."""
        path.replace(target)

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder lie on the disk."""
        if os.name == "nt":
            return  # a folder cannot be opened there
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder with all it holds; it may be gone."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def sqlite(self, path: str) -> sqlite3.Connection:
        """Open a SQLite database, without transactions that begin by themselves."""
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def duckdb(self, path: Path) -> Any:
        """Open a DuckDB database."""
        import duckdb  # noqa: PLC0415

        return duckdb.connect(str(path))

    def lock(self, descriptor: int) -> bool:
        """Take a file for this process until it is closed; False: another has it."""
        try:
            if sys.platform == "win32":
                import msvcrt  # noqa: PLC0415

                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            else:
                import fcntl  # noqa: PLC0415

                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True
