"""Where rows go: standard output, a device, or a file that appears only when it is whole."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from aioflows import FlowInstance, QueryError
from aioflows.cli.aside import aside
from aioflows.export import json_line

__all__ = ["JsonLines", "ReaderGone", "SinkError", "checked_target", "json_lines"]

_OWN_OUTPUT = "-"


class SinkError(Exception):
    """The output cannot be written."""


class ReaderGone(Exception):
    """Whoever read our output has closed the pipe, as ``head`` does when it has enough."""


class JsonLines:
    """Writes flow instances to an open file, one line of JSON each.

    Args:
        descriptor: the *file descriptor*; it stays the caller's.
        name: what to call it in messages.
        patient: whether a write may take as long as somebody reads, as on a pipe: it happens in a thread then, so that
            requests go on while a pager stands still, and their time-outs stay true.
    """

    def __init__(self, descriptor: int, name: str, *, patient: bool) -> None:
        self.descriptor = descriptor
        self._name = name
        self._patient = patient

    async def write(self, rows: Iterable[FlowInstance]) -> None:
        """Write instances, and return when the system has taken all of it."""
        content = b"".join(map(json_line, rows))
        with _told(self._name):
            if self._patient:
                await aside(lambda: _write_all(self.descriptor, content))
            else:
                _write_all(self.descriptor, content)


@asynccontextmanager
async def json_lines(target: str | None, *, overwrite: bool = False) -> AsyncIterator[JsonLines]:
    """Open a target, and bring it to its end: a file is there, whole, or it is as it was.

    Args:
        target: a *path*; "-" or None: standard output.
        overwrite: whether a file that exists may be replaced.
    """
    path = checked_target(target, overwrite=overwrite)
    if path is None:
        yield JsonLines(_own_output(), "standard output", patient=True)
    elif _is_special(path):
        with _told(str(path)):
            # Never closed here: after Ctrl-C a thread may still be writing, and the program ends anyway.
            descriptor = await aside(lambda: os.open(path, os.O_WRONLY))
        yield JsonLines(descriptor, str(path), patient=True)
    else:
        with _whole_file(path, overwrite=overwrite) as descriptor:
            yield JsonLines(descriptor, str(path), patient=False)


def checked_target(target: str | None, *, overwrite: bool) -> Path | None:
    """Give the path to write to, or None for standard output; refuse what cannot or must not be written.

    Raises:
        QueryError: it exists and may not be replaced, or there is no folder for it.
    """
    if target is None or target == _OWN_OUTPUT:
        return None
    try:
        path = Path(target).resolve()  # a link keeps pointing where it points
        exists, special, parent = path.exists(), _is_special(path), path.parent.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise QueryError(f"--output {target!r} is no path: {_reason(error)}") from None
    if path.is_dir():
        raise QueryError(f"--output {target!r} is a folder; name a file in it")
    if not parent:
        raise QueryError(f"--output {target!r}: there is no folder {str(path.parent)!r}")
    if exists and not special and not overwrite:
        raise QueryError(f"--output {target!r} exists; give --overwrite to replace it")
    return path


def _is_special(path: Path) -> bool:
    """Tell whether it is a pipe or a device, in whose place nothing can be put."""
    return path.exists() and not path.is_file()


@contextmanager
def _whole_file(path: Path, *, overwrite: bool) -> Iterator[int]:
    with _told(str(path)):
        # Beside its target, since only within a file system a rename is atomic; readable by its owner alone.
        descriptor, draft = tempfile.mkstemp(prefix=".aioflows-", suffix=".part", dir=path.parent)
    try:
        try:
            yield descriptor
            with _told(str(path)):
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if path.exists() and not overwrite:
            raise SinkError(f"{path} has appeared meanwhile; give --overwrite to replace it")
        with _told(str(path)):
            Path(draft).replace(path)
            _sync_folder(path.parent)
    finally:
        Path(draft).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # a folder cannot be opened there
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _own_output() -> int:
    if sys.stdout is None:
        raise SinkError("standard output is closed")
    with _told("standard output"):
        sys.stdout.flush()
        return sys.stdout.fileno()


def _write_all(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


@contextmanager
def _told(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGone from error
    except OSError as error:
        raise SinkError(f"{name} cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
