"""``aioflows scan``: writes the instances of a query to a terminal, a pipe or a file."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, tzinfo
from pathlib import Path

import attrs

from aioflows import AioflowsError, FlowQuery, FlowScan, FlowSession, Limits, ScanStats
from aioflows._display.secret import STARS
from aioflows.cli.exit_codes import print_message, print_to_stderr
from aioflows.cli.first_contact import open_session
from aioflows.cli.options import parsing
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import OutputOptions
from aioflows.cli.output.console import console_on, is_terminal
from aioflows.cli.output.meters import Meter, meter_of
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.row_table import RowTable
from aioflows.cli.output.scan_summary import ScanSummary
from aioflows.export import Exported, Target, export

__all__ = ["ScanJob", "resume_command", "scan"]


@attrs.frozen
class ScanJob:
    """The settings of ``aioflows scan``.

    Args:
        query: query that selects the instances.
        limit: largest number of instances. None means every instance.
        limits: limits of the session.
        output: target and format of the rows.
        quiet: True to print nothing but errors.
        as_json: True to print progress and summary as JSON objects.
        arguments: arguments of the command line, without the program.
        zone: zone of the times that are written. Default: None, which means UTC, and on a terminal the zone
            of the service.

    Raises:
        QueryError: the rows cannot be written to the target.
    """

    query: FlowQuery
    limit: int | None
    limits: Limits
    output: OutputOptions
    quiet: bool
    as_json: bool
    arguments: tuple[str, ...]
    zone: tzinfo | None = None

    def __attrs_post_init__(self) -> None:
        output = self.output
        if output.path is not None:
            # Here, so that an invalid target is refused before the terminal asks for a secret key.
            Target.named(output.path, output.format).check(
                resume=output.resume, overwrite=output.overwrite, append=output.append
            )


async def scan(connection: ConnectionOptions, job: ScanJob) -> None:
    """Read all instances of a job, write them, and print the summary."""
    as_table = job.output.path is None and is_terminal(sys.stdout) and not job.output.has_format_options
    console = console_on(sys.stdout if as_table else sys.stderr)
    # Rows on the same terminal would break the bar.
    rows_on_terminal = not as_table and job.output.file is None and is_terminal(sys.stdout)
    show_meter = not job.quiet and not rows_on_terminal and console.is_terminal
    meter = meter_of(
        console if show_meter else None,
        Progress.of(job.query, job.limit),
        quiet=job.quiet,
        as_json=job.as_json,
    )
    opened = open_session(connection, job.limits, meter)
    state = _ScanState(meter)
    try:
        async with opened as session:
            exported = await (
                _show(session, job, RowTable(console, job.zone), state)
                if as_table
                else _export(session, job, state)
            )
    except (AioflowsError, asyncio.CancelledError) as error:
        if state.saved and isinstance(
            error, asyncio.CancelledError
        ):  # export() adds such a note to other errors
            error.add_note(f"{state.saved:,} instances are kept")
        error.add_note(_unfinished_note(state, job, as_table=as_table))
        if state.saved:
            error.add_note(f"to resume, run: {resume_command(job.arguments, '--resume')}")
        raise
    summary = _summary(exported, state, job)
    if job.as_json and not job.quiet:
        print_to_stderr(summary.json())
    elif not job.quiet and (show_meter or summary.is_kept):
        print_message(summary.line())


def resume_command(arguments: tuple[str, ...], *more: str) -> str:
    """Return the command line that resumes a command.

    Args:
        arguments: arguments of the stopped command.
        more: options to add, unless `arguments` has them.
    """
    # After "python -m aioflows" the shell may not find a program "aioflows".
    program = [sys.executable, "-m", "aioflows"] if Path(sys.argv[0]).name == "__main__.py" else ["aioflows"]
    return shlex.join([*program, *_shown(arguments), *(option for option in more if option not in arguments)])


def _shown(arguments: Sequence[str]) -> Iterator[str]:
    """Yield arguments without the values of headers, which may be secret."""
    before = ""
    for argument in arguments:
        option, _, text = ("", "", argument) if before == "--header" else argument.partition("=")
        if "--header" in (before, option) and text and not text.startswith("@"):
            name = text.partition(":")[0]
            yield f"{option}={name}: {STARS}" if option else f"{name}: {STARS}"
        else:
            yield argument
        before = argument


class _ScanState:
    """The state of a scan: the scan once it has begun, and the number of instances saved on disk."""

    def __init__(self, meter: Meter) -> None:
        self.scan: FlowScan | None = None
        self.saved = 0
        self._meter = meter

    @property
    def rows(self) -> int:
        return 0 if self.scan is None else self.scan.stats.rows_yielded

    def on_rows(self, scan: FlowScan) -> None:
        self.scan = scan
        self._meter.show(scan)

    def on_saved(self, instances: int) -> None:
        self.saved = instances


async def _show(session: FlowSession, job: ScanJob, table: RowTable, state: _ScanState) -> Exported:
    async with session.scan(job.query, limit=job.limit) as scan:
        async for rows in scan.pages():
            await table.write(rows)
            state.on_rows(scan)
    return Exported(scan.stats.rows_yielded)


async def _export(session: FlowSession, job: ScanJob, state: _ScanState) -> Exported:
    output = job.output
    return await export(
        session,
        job.query,
        output.path or "-",
        format=output.format,
        columns=parsing.names(output.columns),
        tasks=output.tasks,
        raw=output.raw,
        nested=output.nested,
        utf8=output.utf8,
        mode=output.mode,
        zone=job.zone or UTC,
        limit=job.limit,
        resume=output.resume,
        overwrite=output.overwrite,
        append=output.append,
        watch=state.on_rows,
        kept=state.on_saved,
    )


def _unfinished_note(state: _ScanState, job: ScanJob, *, as_table: bool) -> str:
    if job.output.file is None:
        shown = "shown" if as_table else "written"
        return f"the first {state.rows:,} instances were {shown}" if state.rows else ""
    return f"{job.output.file} was not {'changed' if job.output.append else 'written'}"


def _summary(exported: Exported, state: _ScanState, job: ScanJob) -> ScanSummary:
    return ScanSummary(
        job.query,
        ScanStats() if state.scan is None else state.scan.stats,
        exported.instances,
        exported.before,
        job.limit,
        job.limits.page_size,
        job.output.file,
        job.zone,
    )
