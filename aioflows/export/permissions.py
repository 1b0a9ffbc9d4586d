"""The permissions of a finished target. A draft is always its owner's alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

from aioflows.errors import QueryError
from aioflows.export.filesystem import FileSystem

__all__ = ["file_mode", "set_modes"]

_OCTAL = re.compile("0?o?[0-7]{3}")
_UMASK = "umask"


def file_mode(value: int | str | None) -> int:
    """Return the mode bits of a file.

    Args:
        value: mode bits, three octal digits ("640"), or "umask", which means what a new file of this process gets.
            None means that only the owner may read and write.

    Raises:
        QueryError: the value is none of these, or the owner could not read and write the file.
    """
    if value is None:
        return 0o600
    if value == _UMASK:
        mask = os.umask(0o077)  # reading it means setting it
        os.umask(mask)
        return 0o666 & ~mask | 0o600
    mode = int(value, 8) if isinstance(value, str) and _OCTAL.fullmatch(value) else value
    if isinstance(mode, bool) or not isinstance(mode, int) or not 0o600 <= mode <= 0o777:
        shown = f"{value:#o}" if isinstance(value, int) and not isinstance(value, bool) else repr(value)
        raise QueryError(
            f"mode must be three octal digits of which the first lets the owner read and write, as 640, "
            f"or {_UMASK!r}, not {shown}"
        )
    return mode


def set_modes(files: FileSystem, path: Path, mode: int) -> None:
    """Set the mode bits of a file, or of a folder and all files in it. Users who can read a folder can enter it.

    Args:
        files: the file system.
        path: the file or the folder.
        mode: mode bits of a file.
    """
    if path.is_dir():
        for one in path.iterdir():
            set_modes(files, one, mode)
        mode |= (mode & 0o444) >> 2
    files.set_mode(path, mode)
