"""Standard output, whose failures end a command as those of a file do: one line, and the exit code for outputs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, TextIO, cast

from aioflows.export import SinkError
from aioflows.export.errors import as_sink_error

__all__ = ["checked_standard_output", "discard_output", "standard_output"]

_NAME = "standard output"


class _CheckedStream:
    """A text stream that raises `SinkError` where the system refuses to write.

    Args:
        stream: the stream that is written to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._checked():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._checked():
            self._stream.flush()

    @contextmanager
    def _checked(self) -> Iterator[None]:
        try:
            with as_sink_error(_NAME):
                yield
        except SinkError:
            discard_output()
            raise


@contextmanager
def checked_standard_output() -> Iterator[None]:
    """Check everything that the block prints. At its end, what Python still holds back is written.

    Raises:
        SinkError: standard output cannot be written.
    """
    if sys.stdout is None:  # closed: a command that needs it says so before it begins, see `standard_output`
        yield
        return
    with redirect_stdout(cast("TextIO", _CheckedStream(sys.stdout))):
        yield
        sys.stdout.flush()


def standard_output() -> TextIO:
    """Return standard output, for a command whose result goes there.

    Raises:
        SinkError: standard output is closed.
    """
    if sys.stdout is None:
        raise SinkError(f"{_NAME} is closed; open it, or name a file to write to")
    return sys.stdout


def discard_output() -> None:
    """Redirect standard output to the null device. Otherwise Python's flush at exit fails, and prints a traceback."""
    with suppress(OSError, ValueError):  # a stream without a descriptor, which nobody flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
