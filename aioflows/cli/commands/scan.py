"""``aioflows scan``: one question, its rows on a terminal, in a pipe or in a file."""

from __future__ import annotations

import asyncio
import shlex
import sys
from pathlib import Path

import attrs
from rich.console import Console

from aioflows import AioflowsError, FlowQuery, FlowScan, FlowSession, Limits, ScanStats
from aioflows.cli.exit_codes import complain
from aioflows.cli.options import parsing as options
from aioflows.cli.options import types as flags
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.console import console_on, is_terminal
from aioflows.cli.output.meters import Meter, json_meter, live_meter, no_meter
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.row_table import RowTable
from aioflows.cli.output.scan_summary import ScanSummary
from aioflows.export import Exported, Target, export

__all__ = ["Output", "ScanJob", "scan"]


@attrs.frozen
class Output:
    """Where rows go, and how."""

    path: flags.Output = None
    format: flags.FileFormat = None
    columns: flags.Columns = None
    tasks: flags.Tasks = False
    raw: flags.Raw = False
    resume: flags.Resume = False
    overwrite: flags.Overwrite = False

    @property
    def shaped(self) -> bool:
        """Whether anything was said of what it looks like, so that it is no table for a person."""
        return self.format is not None or bool(self.columns) or self.tasks or self.raw

    @property
    def file(self) -> str | None:
        """What is written by name; None: standard output, in one way or another."""
        return None if self.path == "-" else self.path


@attrs.frozen
class ScanJob:
    """Everything that ``aioflows scan`` was told.

    Args:
        query: *what* to read.
        limit: *instances* in all; None: every one.
        limits: how much at a time.
        output: *where* the rows go, and how.
        quiet: whether to say nothing but errors.
        as_json: whether a machine reads what is said.
        words: the *words* of the command line, without the program.

    Raises:
        QueryError: the rows cannot be written there.
    """

    query: FlowQuery
    limit: int | None
    limits: Limits
    output: Output
    quiet: bool
    as_json: bool
    words: tuple[str, ...]

    def __attrs_post_init__(self) -> None:
        to = self.output
        if to.path is not None:
            # Before a secret is asked for.
            Target.named(to.path, to.format).check(resume=to.resume, overwrite=to.overwrite)


async def scan(access: ConnectionOptions, job: ScanJob) -> None:
    """Read all that a job asks for, and write it."""
    to_screen = job.output.path is None and is_terminal(sys.stdout) and not job.output.shaped
    console = console_on(sys.stdout if to_screen else sys.stderr)
    # JSON and a bar on one terminal would write into each other.
    beside_json = not to_screen and job.output.file is None and is_terminal(sys.stdout)
    watched = not job.quiet and not beside_json and console.is_terminal
    meter = _meter(job, console if watched else None)
    session = access.session(job.limits, meter.heard)
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
    progress = Progress.of(job.query, job.limit)
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
    to = job.output
    return await export(
        session,
        job.query,
        to.path or "-",
        format=to.format,
        columns=options.names(to.columns),
        tasks=to.tasks,
        raw=to.raw,
        limit=job.limit,
        resume=to.resume,
        overwrite=to.overwrite,
        watch=seen.took,
        kept=seen.keeps,
    )


def _left_behind(seen: _Seen, job: ScanJob, *, to_screen: bool) -> str:
    if job.output.file is None:
        shown = "shown" if to_screen else "written"
        return f"the first {seen.rows:,} instances were {shown} before" if seen.rows else ""
    return f"{job.output.file} was not written"


def _closing(exported: Exported, seen: _Seen, job: ScanJob) -> ScanSummary:
    return ScanSummary(
        job.query,
        ScanStats() if seen.reading is None else seen.reading.stats,
        exported.instances,
        exported.before,
        job.limit,
        job.limits.page_size,
        job.output.file,
    )
