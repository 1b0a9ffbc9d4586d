"""The calls to the file system: one class, so that a test can make any single call fail.

Only the owner can read the files. A symbolic link at the path of a file is never followed.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from aioflows._extras import import_extra, pa

__all__ = ["FileSystem", "write_atomically"]

_OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_DUCKDB_STORAGE = "v1.0.0"
_MARK = "user.aioflows"  # https://man7.org/linux/man-pages/man7/xattr.7.html


class FileSystem:
    """The calls that an export makes to the file system."""

    def open(self, path: Path) -> int:
        """Open a file for writing, and return its descriptor. Make the file if it does not exist."""
        return os.open(path, os.O_RDWR | os.O_CREAT | _OPEN_FLAGS, 0o600)

    def append(self, path: Path) -> Any:
        """Open a file that pyarrow appends to. The caller closes it."""
        return pa.OSFile(str(path), "ab")

    def write(self, descriptor: int, content: bytes | bytearray) -> None:
        """Write all bytes."""
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file to a length (bytes), and move the write position there."""
        os.ftruncate(descriptor, length)
        os.lseek(descriptor, length, os.SEEK_SET)

    def size(self, descriptor: int) -> int:
        """Return the size of a file (bytes)."""
        return os.fstat(descriptor).st_size

    def sync(self, descriptor: int) -> None:
        """Wait until the content of a file is on the disk."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a file."""
        os.close(descriptor)

    def folder(self, path: Path) -> None:
        """Make a folder if it does not exist."""
        path.mkdir(mode=0o700, exist_ok=True)

    def set_mode(self, path: Path, mode: int) -> None:
        """Set the mode bits of a file or a folder."""
        path.chmod(mode)

    def rename(self, path: Path, target: Path) -> None:
        """Rename a file or a folder atomically."""
        path.replace(target)

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in a folder are on the disk."""
        if os.name == "nt":
            return  # Windows cannot open a folder as a file
        descriptor = os.open(path, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder with its content. Do nothing if the path does not exist."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def copy(self, path: Path, target: Path) -> None:
        """Copy the content of a file, and wait until it is on the disk."""
        self.close(self.open(target))  # only its owner can read it
        shutil.copyfile(path, target, follow_symlinks=False)
        descriptor = self.open(target)
        try:
            self.sync(descriptor)
        finally:
            self.close(descriptor)

    def link(self, path: Path, target: Path) -> None:
        """Give a file another name. Copy the file where the file system has one name a file."""
        try:
            os.link(path, target)
        except OSError:
            self.copy(path, target)

    def mark(self, path: Path, text: str) -> bool:
        """Attach a text to a file or a folder. Return False if the file system cannot do that."""
        try:
            os.setxattr(path, _MARK, text.encode())
        except (AttributeError, OSError):  # Windows and macOS have no such function
            return False
        return True

    def read_mark(self, path: Path) -> bytes | None:
        """Return the text that `mark` attached to a file or a folder, or None if there is none."""
        try:
            return os.getxattr(path, _MARK)
        except (AttributeError, OSError):
            return None

    def sqlite(self, path: str) -> sqlite3.Connection:
        """Open a SQLite database, without implicit transactions."""
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def duckdb(self, path: Path) -> Any:
        """Open a DuckDB database. A new one can be opened by every DuckDB from 1.0 on.

        DuckDB 2 writes another storage version if it is not told: https://duckdb.org/docs/internals/storage
        """
        return import_extra("duckdb").connect(
            str(path), config={"storage_compatibility_version": _DUCKDB_STORAGE}
        )

    def lock(self, descriptor: int) -> bool:
        """Lock a file until it is closed. Return False if another process holds the lock."""
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


def write_atomically(files: FileSystem, path: Path, content: bytes | Callable[[Path], object]) -> None:
    """Replace a file in one step: a crash leaves the old file or the new one.

    Args:
        files: the file system.
        path: the path of the file.
        content: the new content, or a function that writes and syncs the content of a path.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        if callable(content):
            content(part)
        else:
            _write_synced(files, part, content)
        files.rename(part, path)
    except OSError:
        with suppress(OSError):
            files.remove(part)
        raise


def _write_synced(files: FileSystem, path: Path, content: bytes) -> None:
    descriptor = files.open(path)
    try:
        files.truncate(descriptor, 0)
        files.write(descriptor, content)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
