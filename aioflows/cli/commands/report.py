"""``aioflows report``: one question, its answer as a page, or in one screen of the terminal."""

from __future__ import annotations

import sys
from datetime import date, tzinfo

import attrs

from aioflows import AioflowsError, FlowQuery, Limits, QueryError
from aioflows._display.text import printable
from aioflows.cli.exit_codes import complain
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.console import account, console_on
from aioflows.cli.output.flow_totals import Summary
from aioflows.cli.output.meters import live_meter, no_meter
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.terminal_report import print_brief
from aioflows.report import Facts, Tally, report_target
from aioflows.report import report as page_of

__all__ = ["ReportJob", "report"]


@attrs.frozen
class ReportJob:
    """Everything that ``aioflows report`` was told.

    Args:
        query: *what* to read.
        limit: *instances* in all; None: every one.
        limits: how much at a time.
        output: a *path*; "-": standard output; None: a summary for a person in place of a page.
        zone: what days and hours are told *in*; None: the service's zone.
        day: the *day* whose runs the page shows; None: each of the newest ones.
        overwrite: whether a file that exists may be replaced.
        quiet: whether to say nothing but errors.

    Raises:
        QueryError: the page cannot be written there, or there is no page for what was asked for.
    """

    query: FlowQuery
    limit: int | None
    limits: Limits
    output: str | None
    zone: tzinfo | None
    day: date | None
    overwrite: bool
    quiet: bool

    def __attrs_post_init__(self) -> None:
        if self.output is not None:
            report_target(self.output, overwrite=self.overwrite)  # before a secret is asked for
        elif self.day is not None or self.overwrite:
            raise QueryError("--day and --overwrite are about a page; give -o report.html")


async def report(access: ConnectionOptions, job: ReportJob) -> None:
    """Read all that a job asks for, and show what it comes to."""
    console = console_on(sys.stderr)
    watched = not job.quiet and console.is_terminal
    meter = live_meter(console, Progress.of(job.query, job.limit)) if watched else no_meter()
    session = access.session(job.limits, meter.heard)
    tally, summary = Tally(job.zone, job.day), Summary()
    try:
        async with session, session.scan(job.query, limit=job.limit) as scan:
            with meter:
                if job.output is not None:
                    await page_of(
                        scan,
                        job.output,
                        zone=job.zone,
                        day=job.day,
                        overwrite=job.overwrite,
                        watch=meter.show,
                    )
                else:
                    async for rows in scan.pages():
                        tally.add(rows)
                        summary.add(rows)
                        meter.show(scan)
            facts = Facts.of(scan.plan(), scan.stats)
    except AioflowsError as error:
        if job.output not in (None, "-"):
            error.add_note(f"{job.output} was not written")
        raise
    if job.output is None:
        print_brief(tally, summary, facts, console_on(sys.stdout))
    elif watched:
        complain(" · ".join([facts.verdict, printable(job.output), account(scan.stats)]))
