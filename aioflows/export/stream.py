"""A stream: standard output, a pipe or a device, to which rows are written as they come.

A write blocks until the reader, such as a pager, reads. So each write runs in a daemon thread. Meanwhile
requests keep their time-outs, and Ctrl-C ends the program at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from aioflows._worker import run_in_thread
from aioflows.export.errors import SinkError, as_sink_error
from aioflows.export.filesystem import FileSystem

__all__ = ["Stream"]


class Stream:
    """An output whose bytes cannot be taken back.

    Args:
        path: the path of a device or a pipe. None means standard output.
        files: the file system.
    """

    def __init__(self, path: Path | None, files: FileSystem) -> None:
        self._path = path
        self._name = "standard output" if path is None else str(path)
        self._files = files
        self._descriptor = -1
        self._writing = False

    async def open(self) -> None:
        """Open the output. Opening a pipe waits until another program reads from it."""
        path = self._path
        if path is None:
            if sys.stdout is None:
                raise SinkError("standard output is closed; open it, or name a file to write to")
            with as_sink_error(self._name):
                sys.stdout.flush()
                self._descriptor = sys.stdout.fileno()
        else:
            with as_sink_error(self._name):
                self._descriptor = await run_in_thread(lambda: os.open(path, os.O_WRONLY))

    async def write(self, content: bytes) -> None:
        """Write all bytes, and wait until the system has accepted them."""
        self._writing = True
        with as_sink_error(self._name):
            await run_in_thread(self._writer_of(content))

    def _writer_of(self, content: bytes) -> Callable[[], None]:
        def write() -> None:
            try:
                self._files.write(self._descriptor, content)
            finally:
                self._writing = False

        return write

    def close(self) -> None:
        """Close the device or pipe. If a thread still writes after Ctrl-C, leave that to the system."""
        if self._path is not None and self._descriptor >= 0 and not self._writing:
            self._files.close(self._descriptor)
            self._descriptor = -1
