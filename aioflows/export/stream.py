"""Rows on standard output, in a pipe or to a device: written as they come, and gone.

A write may take as long as somebody reads. It happens in a thread that nobody waits for, so that requests go on while a
pager stands still, their time-outs stay true, and Ctrl-C ends it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from aioflows.export.errors import SinkError, told
from aioflows.export.filesystem import FileSystem
from aioflows.export.worker import aside

__all__ = ["Stream"]


class Stream:
    """Writes to what is open already, or to a device.

    Args:
        path: the *device* or pipe; None: standard output.
        files: the file *system*.
    """

    def __init__(self, path: Path | None, files: FileSystem) -> None:
        self._path = path
        self._name = "standard output" if path is None else str(path)
        self._files = files
        self._descriptor = -1
        self._writing = False

    async def open(self) -> None:
        """Open it, which may wait for somebody to read."""
        path = self._path
        if path is None:
            if sys.stdout is None:
                raise SinkError("standard output is closed")
            with told(self._name):
                sys.stdout.flush()
                self._descriptor = sys.stdout.fileno()
        else:
            with told(self._name):
                self._descriptor = await aside(lambda: os.open(path, os.O_WRONLY))

    async def write(self, content: bytes) -> None:
        """Write, and return when the system has taken all of it."""
        self._writing = True
        with told(self._name):
            await aside(self._taken(content))

    def _taken(self, content: bytes) -> Callable[[], None]:
        def write() -> None:
            try:
                self._files.write(self._descriptor, content)
            finally:
                self._writing = False

        return write

    def close(self) -> None:
        """Close what was opened here, unless a thread still writes there, as it may after Ctrl-C: it goes with the program."""
        if self._path is not None and self._descriptor >= 0 and not self._writing:
            self._files.close(self._descriptor)
            self._descriptor = -1
