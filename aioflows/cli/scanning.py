"""``aioflows scan``: one question, its rows on a terminal, in a pipe or in a file."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

import attrs
from rich.console import Console

from aioflows import AioflowsError, FlowQuery, FlowScan, FlowSession, Limits, ScanStats, ScheduleType
from aioflows.cli.closing import Closing
from aioflows.cli.exits import complain
from aioflows.cli.meters import Meter, json_meter, live_meter, no_meter
from aioflows.cli.progress import Progress
from aioflows.cli.screen import console_on, is_terminal
from aioflows.cli.service import Service
from aioflows.cli.table import RowTable
from aioflows.export import Exported, export

__all__ = ["ScanJob", "scan"]


@attrs.frozen
class ScanJob:
    """Everything that ``aioflows scan`` was told.

    Args:
        query: *what* to read.
        limit: *instances* in all; None: every one.
        limits: how much at a time.
        server_timezone: the *zone* of the service; None: it is asked.
        first_page: the *number* of its first page; None: it is found out.
        allow_http: whether plain HTTP to another machine is fine.
        output: a *path*; "-": standard output; None: the same, or a table if that is a terminal.
        format: the *format* of the output; None: the path tells.
        columns: the *columns* of the output; None: every one.
        tasks: whether an instance becomes a row for each *task*.
        raw: whether what looks like a formula stays as it is in a CSV file.
        resume: whether to go on with what an earlier run left.
        overwrite: whether a file that exists may be replaced.
        quiet: whether to say nothing but errors.
        as_json: whether a machine reads what is said.
        words: the *words* of the command line, without the program.
    """

    query: FlowQuery
    limit: int | None = None
    limits: Limits = attrs.field(factory=Limits)
    server_timezone: str | None = None
    first_page: int | None = None
    allow_http: bool = False
    output: str | None = None
    format: str | None = None
    columns: tuple[str, ...] | None = None
    tasks: bool = False
    raw: bool = False
    resume: bool = False
    overwrite: bool = False
    quiet: bool = False
    as_json: bool = False
    words: tuple[str, ...] = ()

    @property
    def shaped(self) -> bool:
        """Whether anything was said of what the output looks like, so that it is no table for a person."""
        return self.format is not None or self.columns is not None or self.tasks or self.raw


async def scan(service: Service, job: ScanJob) -> None:
    """Read all that a job asks for, and write it."""
    to_screen = job.output is None and is_terminal(sys.stdout) and not job.shaped
    console = console_on(sys.stdout if to_screen else sys.stderr)
    # JSON and a bar on one terminal would write into each other.
    beside_json = not to_screen and job.output in (None, "-") and is_terminal(sys.stdout)
    watched = not job.quiet and not beside_json and console.is_terminal
    meter = _meter(job, console if watched else None)
    session = FlowSession(
        service.url,
        user_id=service.user_id,
        org_id=service.org_id,
        auth=service.auth,
        limits=job.limits,
        server_timezone=job.server_timezone,
        first_page=job.first_page,
        observer=meter.heard,
        allow_http=job.allow_http,
    )
    seen = _Seen(meter)
    try:
        async with session:
            with meter:
                exported = await (
                    _show(session, job, RowTable(console), seen) if to_screen else _export(session, job, seen)
                )
    except (AioflowsError, asyncio.CancelledError) as error:
        if seen.kept and isinstance(error, asyncio.CancelledError):  # other errors say so themselves
            error.add_note(f"{seen.kept:,} instances are kept")
        error.add_note(_left_behind(seen, job, to_screen=to_screen))
        if seen.kept:
            error.add_note(f"to go on: {again(job.words, '--resume')}")
        raise
    closing = _closing(exported, seen, job)
    if job.as_json and not job.quiet:
        complain(closing.json())
    elif watched:
        complain(closing.line())


def again(words: tuple[str, ...], *more: str) -> str:
    """Give the command that goes on where one with these words has stopped: the same, with more words."""
    # As "python -m aioflows" the program may have no name that a shell finds.
    own = [sys.executable, "-m", "aioflows"] if Path(sys.argv[0]).name == "__main__.py" else ["aioflows"]
    return shlex.join([*own, *words, *(one for one in more if one not in words)])


def _meter(job: ScanJob, console: Console | None) -> Meter:
    progress = Progress(job.limit, 1 if job.query.type is not None else len(ScheduleType))
    if job.as_json and not job.quiet:
        return json_meter(complain, progress)
    return no_meter() if console is None else live_meter(console, progress)


class _Seen:
    """The scan, as soon as there is one, and how many instances are safe on the disk."""

    def __init__(self, meter: Meter) -> None:
        self.reading: FlowScan | None = None
        self.kept = 0
        self._meter = meter

    @property
    def rows(self) -> int:
        return 0 if self.reading is None else self.reading.stats.rows_yielded

    def took(self, reading: FlowScan) -> None:
        self.reading = reading
        self._meter.show(reading)

    def keeps(self, instances: int) -> None:
        self.kept = instances


async def _show(session: FlowSession, job: ScanJob, table: RowTable, seen: _Seen) -> Exported:
    async with session.scan(job.query, limit=job.limit) as reading:
        async for rows in reading.pages():
            await table.write(rows)
            seen.took(reading)
    return Exported(reading.stats.rows_yielded)


async def _export(session: FlowSession, job: ScanJob, seen: _Seen) -> Exported:
    return await export(
        session,
        job.query,
        job.output or "-",
        format=job.format,
        columns=job.columns,
        tasks=job.tasks,
        raw=job.raw,
        limit=job.limit,
        resume=job.resume,
        overwrite=job.overwrite,
        watch=seen.took,
        kept=seen.keeps,
    )


def _left_behind(seen: _Seen, job: ScanJob, *, to_screen: bool) -> str:
    if job.output in (None, "-"):
        shown = "shown" if to_screen else "written"
        return f"the first {seen.rows:,} instances were {shown} before" if seen.rows else ""
    return f"{job.output} was not written"


def _closing(exported: Exported, seen: _Seen, job: ScanJob) -> Closing:
    return Closing(
        job.query,
        ScanStats() if seen.reading is None else seen.reading.stats,
        exported.instances,
        exported.before,
        job.limit,
        job.limits.page_size,
        None if job.output in (None, "-") else job.output,
    )
