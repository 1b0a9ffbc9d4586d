"""``aioflows scan``: one question, its rows on a terminal, in a pipe or in a file."""

from __future__ import annotations

import sys

import attrs

from aioflows import AioflowsError, FlowQuery, FlowScan, FlowSession, Limits
from aioflows.cli.exits import complain
from aioflows.cli.screen import Meter, account, console_on, is_terminal, live_meter, no_meter
from aioflows.cli.service import Service
from aioflows.cli.table import RowTable
from aioflows.export import Exported, export
from aioflows.printable import printable

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
    meter = live_meter(console) if watched else no_meter()
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
    seen = _Seen(meter, job.limit)
    try:
        async with session:
            with meter:
                exported = await (
                    _show(session, job, RowTable(console), seen) if to_screen else _export(session, job, seen)
                )
    except AioflowsError as error:
        error.add_note(_left_behind(seen, job, to_screen=to_screen))
        raise
    if watched:
        complain(_closing(exported, seen, job))


class _Seen:
    """The scan, as soon as there is one."""

    def __init__(self, meter: Meter, limit: int | None) -> None:
        self.reading: FlowScan | None = None
        self._meter = meter
        self._limit = limit

    @property
    def rows(self) -> int:
        return 0 if self.reading is None else self.reading.stats.rows_yielded

    def took(self, reading: FlowScan) -> None:
        self.reading = reading
        counted = reading.stats.rows_yielded / self._limit if self._limit else 0.0
        self._meter.show(reading, max(reading.progress, counted))


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
    )


def _left_behind(seen: _Seen, job: ScanJob, *, to_screen: bool) -> str:
    if job.output in (None, "-"):
        shown = "shown" if to_screen else "written"
        return f"the first {seen.rows:,} instances were {shown} before" if seen.rows else ""
    return f"{job.output} was not written"


def _closing(exported: Exported, seen: _Seen, job: ScanJob) -> str:
    total = exported.instances
    cut = job.limit is not None and total == job.limit
    parts = ["as many as asked for" if cut else "complete" if total else "nothing matches"]
    if job.output not in (None, "-"):
        parts.append(printable(str(job.output)))
    if exported.before:
        parts.append(f"{exported.before:,} of {total:,} instances were there before")
    if seen.reading is not None:
        stats = seen.reading.stats
        parts += [account(stats), f"{stats.elapsed:.1f} s"]
    return " · ".join(parts)
