"""``aioflows audit``: tells which scheduled runs have no instance, came twice or came late."""

from __future__ import annotations

import sys
from datetime import timedelta

import attrs

from aioflows import AioflowsError, FlowQuery, Limits, QueryError
from aioflows.audit import audit as audit_of
from aioflows.cli.exit_codes import Exit
from aioflows.cli.first_contact import open_session
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.output.audit_report import json_lines, print_audit
from aioflows.cli.output.console import console_on
from aioflows.cli.output.meters import meter_of
from aioflows.cli.output.missing_runs import write_missing
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.standard_output import standard_output
from aioflows.export import Target

__all__ = ["AuditJob", "audit"]


@attrs.frozen
class AuditJob:
    """The settings of ``aioflows audit``.

    Args:
        query: the range, and the instances in it.
        late: the longest time from trigger to start that is not late.
        whole_range: True if all flows existed all the time.
        limits: limits of the session.
        output: path of the file for missing runs; "-" means standard output. None means no file.
        overwrite: True if an existing file may be replaced.
        quiet: True to print nothing but errors.
        as_json: True to print findings as JSON objects, one per line.

    Raises:
        QueryError: the missing runs cannot be written to that path.
    """

    query: FlowQuery
    late: timedelta
    whole_range: bool
    limits: Limits
    output: str | None
    overwrite: bool
    quiet: bool
    as_json: bool

    def __attrs_post_init__(self) -> None:
        if self.output is not None:  # before the terminal asks for a secret key
            Target.named(self.output).check(resume=False, overwrite=self.overwrite)
            if self.output == "-" and self.as_json:
                raise QueryError("-o - and --json both write to standard output; give -o a file")
        elif self.overwrite:
            raise QueryError("--overwrite needs a file; add -o missing.csv")


async def audit(connection: ConnectionOptions, job: AuditJob) -> Exit:
    """Audit a range, print or write what was found, and return the exit code."""
    console = console_on(sys.stderr)
    screen = standard_output() if job.as_json or not (job.quiet or job.output == "-") else None
    meter = meter_of(
        console if console.is_terminal else None,
        Progress.of(job.query, None),
        quiet=job.quiet,
        as_json=job.as_json,
    )
    opened = open_session(connection, job.limits, meter)
    try:
        async with opened as session:
            report = await audit_of(
                session, job.query, late=job.late, whole_range=job.whole_range, watch=meter.show
            )
    except AioflowsError as error:
        if job.output not in (None, "-"):
            error.add_note(f"{job.output} was not written")
        raise
    if job.output is not None:
        await write_missing(report, job.output, overwrite=job.overwrite)
    if screen is not None and job.as_json:
        for line in json_lines(report):
            print(line, file=screen)
    elif screen is not None:
        print_audit(report, console_on(screen))
    return Exit.MISSING if len(report.missing) else Exit.COMPLETE
