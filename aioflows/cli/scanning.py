"""``aioflows scan``: one question, its rows on a terminal, in a pipe or in a file."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import attrs

from aioflows import AioflowsError, FlowInstance, FlowQuery, FlowScan, FlowSession, Limits
from aioflows.cli.exits import complain
from aioflows.cli.screen import Meter, account, console_on, is_terminal, live_meter, no_meter
from aioflows.cli.service import Service
from aioflows.cli.sink import json_lines
from aioflows.cli.table import RowTable
from aioflows.printable import printable

__all__ = ["ScanJob", "scan"]


class _Sink(Protocol):
    async def write(self, rows: Sequence[FlowInstance], /) -> None: ...


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
        output: a *path*; "-": JSON lines on standard output; None: the same, or a table if that is a terminal.
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
    overwrite: bool = False
    quiet: bool = False


async def scan(service: Service, job: ScanJob) -> None:
    """Read all that a job asks for, and write it."""
    to_screen = job.output is None and is_terminal(sys.stdout)
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
    reading = session.scan(job.query, limit=job.limit)
    try:
        async with _sink(RowTable(console) if to_screen else None, job) as sink, session, reading:
            with meter:
                await _copy(reading, sink, meter, job.limit)
    except AioflowsError as error:
        error.add_note(_left_behind(reading, job, to_screen=to_screen))
        raise
    if watched:
        complain(_closing(reading, job))


async def _copy(reading: FlowScan, sink: _Sink, meter: Meter, limit: int | None) -> None:
    async for rows in reading.pages():
        await sink.write(rows)
        counted = reading.stats.rows_yielded / limit if limit else 0.0
        meter.show(reading, max(reading.progress, counted))


@asynccontextmanager
async def _sink(table: RowTable | None, job: ScanJob) -> AsyncIterator[_Sink]:
    if table is not None:
        yield table
    else:
        async with json_lines(job.output, overwrite=job.overwrite) as lines:
            yield lines


def _left_behind(reading: FlowScan, job: ScanJob, *, to_screen: bool) -> str:
    rows = reading.stats.rows_yielded
    if job.output not in (None, "-"):
        return f"{job.output} was not written"
    shown = "shown" if to_screen else "written"
    return f"the first {rows:,} instances were {shown} before" if rows else ""


def _closing(reading: FlowScan, job: ScanJob) -> str:
    stats = reading.stats
    cut = job.limit is not None and stats.rows_yielded == job.limit
    parts = ["as many as asked for" if cut else "complete" if stats.rows_yielded else "nothing matches"]
    if job.output not in (None, "-"):
        parts.append(printable(str(job.output)))
    return " · ".join((*parts, account(stats), f"{stats.elapsed:.1f} s"))
