"""``aioflows follow``: what appears from now on, as it appears, on a terminal or in a pipe.

1. Rows are written before the checkpoint that counts them is: after a crash in between they come again, and none is missing.
2. However it ends otherwise, by a signal or by an error, the checkpoint is kept once more, of exactly what was written.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol

import attrs

from aioflows import (
    AioflowsError,
    FlowFollow,
    FlowInstance,
    FlowQuery,
    FollowCheckpoint,
    Limits,
    QueryError,
)
from aioflows.cli.commands.scan import again
from aioflows.cli.options import types as flags
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.console import console_on, is_terminal
from aioflows.cli.output.row_table import RowTable
from aioflows.export import SinkError, json_line
from aioflows.export.filesystem import FileSystem
from aioflows.export.stream import Stream

__all__ = ["FollowJob", "PollOptions", "follow"]

_SAVE_EVERY = 30.0
"""Seconds; so often is the checkpoint kept even if nothing appears, so that little is to be read again."""
_LARGEST_FILE = 100_000_000
_LAST_WRITE = 5.0
"""Seconds; so long may what is being written take once a signal has come: a reader that stands still keeps nobody."""


class _Sink(Protocol):
    async def write(self, rows: Sequence[FlowInstance], /) -> None: ...


class _Lines:
    """Rows as lines of JSON."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def write(self, rows: Sequence[FlowInstance], /) -> None:
        await self._stream.write(b"".join(map(json_line, rows)))


@attrs.frozen
class PollOptions:
    """How often a follow asks, and for what."""

    settle: flags.Settle = 60.0
    watch: flags.Watch = 86_400.0
    least: flags.Least = 2.0
    most: flags.Most = 60.0


@attrs.frozen
class FollowJob:
    """Everything that ``aioflows follow`` was told.

    Args:
        query: *what* to follow.
        since: the first *trigger time* that counts; None: the service's now.
        changes: whether changes of status are shown.
        pace: how *often* it is asked for.
        mark: the *file* that keeps the checkpoint.
        limits: how much at a time.
        words: the *words* of the command line, without the program.
    """

    query: FlowQuery
    since: datetime | None
    changes: bool
    pace: PollOptions
    mark: Path | None
    limits: Limits
    words: tuple[str, ...]


async def follow(access: ConnectionOptions, job: FollowJob) -> None:
    """Write what appears, until the query's range is over."""
    resume = _kept(job.mark)  # before a secret is asked for
    session = access.session(job.limits)
    following = session.follow(
        job.query,
        since=job.since,
        changes=job.changes,
        settle_time=job.pace.settle,
        watch_time=job.pace.watch,
        min_wait=job.pace.least,
        max_wait=job.pace.most,
        resume=resume,
    )
    async with _sink() as sink, session, following:
        copy = _Copy(following, sink, job.mark)
        try:
            await copy.run()
        except (AioflowsError, asyncio.CancelledError) as error:
            for note in copy.left(job.words):
                error.add_note(note)
            raise


class _Copy:
    """Writes what a follow gives, and keeps its checkpoint."""

    def __init__(self, following: FlowFollow, sink: _Sink, mark: Path | None) -> None:
        self._following = following
        self._batches = following.batches()
        self._sink = sink
        self._mark = mark
        self._written = 0
        self._exact = True
        """Whether all that was taken from the follow was written."""

    async def run(self) -> None:
        more = True
        while more:
            waiting = asyncio.ensure_future(anext(self._batches, None))
            try:
                while not (await asyncio.wait([waiting], timeout=_SAVE_EVERY))[0]:
                    self._keep()
            except asyncio.CancelledError:
                waiting.cancel()
                await asyncio.wait([waiting])
                if not waiting.cancelled() and waiting.exception() is None:  # it has come at the same moment
                    await self._write(waiting.result() or ())
                raise
            rows = waiting.result()
            await self._write(rows or ())
            self._keep()
            more = rows is not None

    async def _write(self, rows: Sequence[FlowInstance]) -> None:
        """Write rows, to their end even where a signal comes meanwhile."""
        self._exact = False
        writing = asyncio.ensure_future(self._sink.write(rows))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing], timeout=_LAST_WRITE)
            if writing.cancel():
                raise
            writing.result()
            self._wrote(rows)
            raise
        self._wrote(rows)

    def _wrote(self, rows: Sequence[FlowInstance]) -> None:
        self._written += len(rows)
        self._exact = True

    def _keep(self) -> None:
        if self._mark is not None:
            # Not aside: a thread that the program does not wait for would leave its draft behind.
            _replace(self._mark, self._following.checkpoint().to_json())

    def left(self, words: tuple[str, ...]) -> list[str]:
        """Keep the checkpoint of what was written, and say how much that is and how to go on."""
        said = [f"{self._written:,} instances were written"] if self._written or self._mark else []
        if self._mark is None:
            return said
        if self._exact:
            try:
                self._keep()
            except SinkError as error:
                said.append(str(error))
                self._exact = False
        if self._mark.exists():
            counted = [] if self._exact else ["the last of them come again"]
            return [*said, *counted, f"to go on: {again(words)}"]
        return said


@asynccontextmanager
async def _sink() -> AsyncIterator[_Sink]:
    if is_terminal(sys.stdout):
        yield RowTable(console_on(sys.stdout))
    else:
        stream = Stream(None, FileSystem())
        await stream.open()
        yield _Lines(stream)


def _kept(mark: Path | None) -> FollowCheckpoint | None:
    """Read a checkpoint, if there is one.

    Raises:
        QueryError: it cannot be read, or it could not be written.
    """
    if mark is None:
        return None
    if not mark.parent.is_dir():
        raise QueryError(f"--checkpoint {str(mark)!r}: there is no folder {str(mark.parent)!r}")
    try:
        with mark.open(encoding="utf-8") as file:
            return FollowCheckpoint.from_json(file.read(_LARGEST_FILE))
    except FileNotFoundError:
        return None
    except QueryError as error:
        raise QueryError(f"--checkpoint {str(mark)!r}: {error}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise QueryError(f"--checkpoint {str(mark)!r} cannot be read: {reason}") from None


def _replace(mark: Path, text: str) -> None:
    """Put a text in a file's place: it holds the one before or this one, whole, whatever happens."""
    try:
        descriptor, draft = tempfile.mkstemp(prefix=".aioflows-", suffix=".part", dir=mark.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            Path(draft).replace(mark)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{mark} cannot be written: {error.strerror}") from error
