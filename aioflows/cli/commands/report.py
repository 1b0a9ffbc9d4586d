"""``aioflows report``: reports on the instances of a query, as an HTML page or on one terminal screen."""

from __future__ import annotations

import sys
from datetime import date, tzinfo

import attrs

from aioflows import AioflowsError, FlowQuery, Limits, QueryError
from aioflows._display.text import printable
from aioflows.cli.exit_codes import print_message, print_to_stderr
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.console import console_on, stats_line
from aioflows.cli.output.meters import meter_of
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.scan_summary import ScanSummary
from aioflows.cli.output.standard_output import standard_output
from aioflows.cli.output.terminal_report import print_report
from aioflows.report import Facts, RunAudit, Tally, report_target
from aioflows.report import report as page_of

__all__ = ["ReportJob", "report"]


@attrs.frozen
class ReportJob:
    """The settings of ``aioflows report``.

    Args:
        query: query that selects the instances.
        limit: largest number of instances. None means every instance.
        limits: limits of the session.
        output: path of the page; "-" means standard output. None means a report on the terminal.
        zone: zone of days and hours. None means the service's zone.
        day: day whose runs the page shows. None means each of the newest days.
        overwrite: True if an existing file may be replaced.
        quiet: True to print nothing but errors.
        as_json: True to print progress, the summary and errors as JSON objects.

    Raises:
        QueryError: the page cannot be written to that path, or a setting needs a page.
    """

    query: FlowQuery
    limit: int | None
    limits: Limits
    output: str | None
    zone: tzinfo | None
    day: date | None
    overwrite: bool
    quiet: bool
    as_json: bool = False

    def __attrs_post_init__(self) -> None:
        if self.output is not None:
            report_target(self.output, overwrite=self.overwrite)  # before the terminal asks for a secret key
        elif self.day is not None or self.overwrite:
            raise QueryError("--day and --overwrite need a page; add -o report.html")


async def report(connection: ConnectionOptions, job: ReportJob) -> None:
    """Read all instances of a job, and write or print the report."""
    console = console_on(sys.stderr)
    if job.output is None:
        standard_output()  # it may be closed, which a user wants to know before the scan
    meter = meter_of(
        console if console.is_terminal else None,
        Progress.of(job.query, job.limit),
        quiet=job.quiet,
        as_json=job.as_json,
    )
    opened = open_session(connection, job.limits, meter)
    tally = Tally(job.zone, job.day)
    try:
        async with opened as session, session.scan(job.query, limit=job.limit) as scan:
            runs = RunAudit(scan)
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
                    runs.add(rows)
                    meter.show(scan)
            facts = Facts.of(scan)
    except AioflowsError as error:
        if job.output not in (None, "-"):
            error.add_note(f"{job.output} was not written")
        raise
    if job.output is None:
        print_report(tally, facts, runs.finish(), console_on(standard_output()))
    elif not job.quiet and not job.as_json and (console.is_terminal or job.output != "-"):
        print_message(" · ".join([facts.verdict, printable(job.output), stats_line(scan.stats)]))
    if job.as_json and not job.quiet:
        summary = ScanSummary(
            job.query,
            scan.stats,
            scan.stats.rows_yielded,
            limit=job.limit,
            page_size=job.limits.page_size,
            output=None if job.output == "-" else job.output,
        )
        print_to_stderr(summary.json())
