"""``aioflows follow``: writes new instances to a terminal or a pipe, as they appear.

1. Once the first poll has succeeded, errors that may pass do not end the follow. It polls again, at first
   after the shortest wait between polls, and later after the longest.
2. Rows are written before the checkpoint that counts them. After a crash in between, these rows are written
   again, and none is missing.
3. After a signal or an error, a last checkpoint is saved. It counts exactly the rows that were written.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, tzinfo
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
from aioflows.cli.commands.scan import resume_command
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import PollOptions
from aioflows.cli.options.parsing import read_text
from aioflows.cli.output.console import console_on, is_terminal
from aioflows.cli.output.meters import meter_of
from aioflows.cli.output.row_table import RowTable
from aioflows.cli.output.service_wait import OUTAGES
from aioflows.export import SinkError
from aioflows.export.errors import as_sink_error
from aioflows.export.filesystem import FileSystem, write_atomically
from aioflows.export.formats.json_lines import line_encoder
from aioflows.export.stream import Stream

__all__ = ["BatchSink", "FollowJob", "FollowWriter", "follow"]

_SAVE_INTERVAL = 30.0
"""Seconds between checkpoints while nothing appears. A resumed follow then has less to read again."""
_LARGEST_FILE = 100_000_000
"""Bytes of a checkpoint file that are read."""
_LAST_WRITE_TIMEOUT = 5.0
"""Seconds that a write may take after a signal. So a stopped reader of the pipe cannot block the exit."""


class BatchSink(Protocol):
    """A target for the rows of a follow."""

    async def write(self, rows: Sequence[FlowInstance], /) -> None: ...


class _JsonLinesSink:
    """A sink that writes rows as JSON lines, with times in a zone."""

    def __init__(self, stream: Stream, zone: tzinfo) -> None:
        self._stream = stream
        self._encode = line_encoder(zone).encode

    async def write(self, rows: Sequence[FlowInstance], /) -> None:
        await self._stream.write(self._encode(rows))


@attrs.frozen
class FollowJob:
    """The settings of ``aioflows follow``.

    Args:
        query: query that selects the instances.
        since: first trigger time. None means the present time of the service.
        changes: True to show an instance again after each change of its status.
        polling: times of the polls.
        checkpoint_file: file for the checkpoint. None means no checkpoint.
        limits: limits of the session.
        arguments: arguments of the command line, without the program.
        zone: zone of the times that are written. Default: None, which means UTC, and on a terminal the zone
            of the service.
        as_json: True to print waits and errors as JSON objects. Default: False.
    """

    query: FlowQuery
    since: datetime | None
    changes: bool
    polling: PollOptions
    checkpoint_file: Path | None
    limits: Limits
    arguments: tuple[str, ...]
    zone: tzinfo | None = None
    as_json: bool = False


async def follow(connection: ConnectionOptions, job: FollowJob) -> None:
    """Write instances as they appear, until the query's range is over."""
    resume = _read_checkpoint(job.checkpoint_file)  # before the terminal asks for a secret key
    meter = meter_of(None, None, quiet=False, as_json=job.as_json)
    opened = open_session(connection, job.limits, meter)
    async with (
        _open_sink(job.zone) as sink,
        opened as session,
        session.follow(
            job.query,
            since=job.since,
            changes=job.changes,
            settle_time=job.polling.settle,
            watch_time=job.polling.watch,
            min_wait=job.polling.least,
            max_wait=job.polling.most,
            resume=resume,
        ) as flow_follow,
    ):
        writer = FollowWriter(flow_follow, sink, job.checkpoint_file, job.polling)
        try:
            await writer.run()
        except (AioflowsError, asyncio.CancelledError) as error:
            for note in writer.final_notes(job.arguments):
                error.add_note(note)
            raise


class FollowWriter:
    """A writer of the rows of a follow, which also saves the follow's checkpoint.

    Args:
        flow_follow: the follow.
        sink: gets the rows.
        path: file for the checkpoint. None means no checkpoint.
        polling: times of the polls.
    """

    def __init__(
        self, flow_follow: FlowFollow, sink: BatchSink, path: Path | None, polling: PollOptions
    ) -> None:
        self._follow = flow_follow
        self._polling = polling
        self._batches = flow_follow.batches()
        self._sink = sink
        self._path = path
        self._written = 0
        self._all_written = True
        """True if every row taken from the follow was written."""

    async def run(self) -> None:
        """Write rows until the follow ends, or raises an error that does not pass."""
        pause = self._polling.least
        while True:
            try:
                rows = await self._next_rows()
            except OUTAGES:
                if not self._follow.stats.polls:  # the service may never have worked
                    raise
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._polling.most)
                continue
            pause = self._polling.least
            await self._write(rows or ())
            self._save_checkpoint()
            if rows is None:
                return

    async def _next_rows(self) -> list[FlowInstance] | None:
        """Return the next rows, or None at the end. Save the checkpoint at intervals meanwhile."""
        waiting = asyncio.ensure_future(anext(self._batches, None))
        try:
            while not (await asyncio.wait([waiting], timeout=_SAVE_INTERVAL))[0]:
                self._save_checkpoint()
        except asyncio.CancelledError:
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled() and waiting.exception() is None:  # rows came with the signal
                await self._write(waiting.result() or ())
            raise
        return waiting.result()

    async def _write(self, rows: Sequence[FlowInstance]) -> None:
        """Write all of some rows, even if a signal comes meanwhile."""
        self._all_written = False
        writing = asyncio.ensure_future(self._sink.write(rows))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing], timeout=_LAST_WRITE_TIMEOUT)
            if writing.cancel():
                raise
            writing.result()
            self._count_written(rows)
            raise
        self._count_written(rows)

    def _count_written(self, rows: Sequence[FlowInstance]) -> None:
        self._written += len(rows)
        self._all_written = True

    def _save_checkpoint(self) -> None:
        if self._path is not None:
            # In this thread: a daemon thread that ends with the program would leave its draft behind.
            with as_sink_error(str(self._path)):
                write_atomically(FileSystem(), self._path, self._follow.checkpoint().to_json().encode())

    def final_notes(self, arguments: tuple[str, ...]) -> list[str]:
        """Save the checkpoint of the written rows, and return notes on the rows and on how to resume."""
        notes = [f"{self._written:,} instances were written"] if self._written or self._path else []
        if self._path is None:
            return notes
        if self._all_written:
            try:
                self._save_checkpoint()
            except SinkError as error:
                notes.append(str(error))
                self._all_written = False
        if self._path.exists():
            repeated = [] if self._all_written else ["the last of them will be written again"]
            return [*notes, *repeated, f"to resume, run: {resume_command(arguments)}"]
        return notes


@asynccontextmanager
async def _open_sink(zone: tzinfo | None) -> AsyncIterator[BatchSink]:
    if is_terminal(sys.stdout):
        yield RowTable(console_on(sys.stdout), zone)
    else:
        stream = Stream(None, FileSystem())
        await stream.open()
        yield _JsonLinesSink(stream, zone or UTC)


def _read_checkpoint(path: Path | None) -> FollowCheckpoint | None:
    """Return the checkpoint of a file, or None if there is no file.

    Raises:
        QueryError: the file cannot be read, is not a checkpoint, or lies in a folder that does not exist.
    """
    if path is None:
        return None
    if not path.parent.is_dir():
        raise QueryError(
            f"--checkpoint {str(path)!r}: there is no folder {str(path.parent)!r}; make it first"
        )
    try:
        text = read_text("--checkpoint", path, _LARGEST_FILE)
    except QueryError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
    try:
        return FollowCheckpoint.from_json(text)
    except QueryError as error:
        raise QueryError(f"--checkpoint {str(path)!r}: {error}") from None
