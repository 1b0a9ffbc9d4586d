"""The commands and their options; what they do is in the modules beside this one."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from aioflows import FlowQuery, Limits, __version__
from aioflows.cli import flags, follow_flags, options
from aioflows.cli.demo import Demo, demo
from aioflows.cli.emulate import emulate, settings
from aioflows.cli.ending import ended
from aioflows.cli.exits import EPILOG, Exit, complain
from aioflows.cli.following import FollowJob, follow, kept
from aioflows.cli.reporting import ReportJob, report
from aioflows.cli.scanning import ScanJob, scan
from aioflows.cli.screen import console_on, is_terminal
from aioflows.cli.service import Service
from aioflows.emulator import Emulator
from aioflows.export import Target
from aioflows.printable import printable
from aioflows.query import epoch_ms

__all__ = ["run"]

_NEVER = 9_999_999_999_000
"""Milliseconds; in the year 2286."""

app = typer.Typer(
    name="aioflows",
    help="Reads every EnOS flow instance, exactly once, in order.",
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command("demo", epilog=EPILOG)
def demo_command(
    *,
    instances: flags.Instances = 100_000,
    seed: flags.Seed = 1,
    profile: flags.Profile = "cron",
    latency: flags.Latency = 20.0,
    faults: flags.Faults = 0.0,
    order: flags.OrderBy = "trigger_time",
    page_size: flags.PageSize = 500,
    concurrency: flags.Concurrency = 16,
) -> None:
    """Read an emulated deployment to its end, and check that nothing is missing."""

    async def work() -> Exit:
        # Nobody here is slow to take what was read, so the scan may read far ahead.
        ahead = min(max(20_000, 8 * concurrency * page_size), 1_000_000)
        limits = Limits(concurrency=concurrency, page_size=page_size, buffer=ahead)
        show = Demo(instances, seed, profile, latency / 1000, faults, limits, options.order(order))
        return await demo(show, console_on(sys.stdout))

    raise typer.Exit(ended(work))


@app.command("scan", epilog=EPILOG)
def scan_command(
    *,
    context: typer.Context,
    from_: flags.From,
    to: flags.To,
    zone: flags.LocalZone = None,
    type: flags.Kind = "all",
    status: flags.Status = None,
    owner: flags.Owner = "",
    expression: flags.Expression = "",
    order_by: flags.OrderBy = "trigger_time",
    limit: flags.Limit = None,
    url: flags.Url = None,
    user_id: flags.UserId = None,
    org_id: flags.OrgId = None,
    secret_file: flags.SecretFile = None,
    server_timezone: flags.ServerZone = None,
    first_page: flags.FirstPage = None,
    allow_http: flags.AllowHttp = False,
    page_size: flags.PageSize = 500,
    concurrency: flags.Concurrency = 16,
    rate: flags.Rate = None,
    output: flags.Output = None,
    format: flags.FileFormat = None,
    columns: flags.Columns = None,
    tasks: flags.Tasks = False,
    raw: flags.Raw = False,
    resume: flags.Resume = False,
    overwrite: flags.Overwrite = False,
    quiet: flags.Quiet = False,
    as_json: flags.Json = False,
) -> None:
    """Read every instance that matches, to the terminal, a pipe or a file."""

    async def work() -> Exit:
        local = options.zone(zone)
        query = FlowQuery(
            options.time(from_, "--from", local),
            options.time(to, "--to", local),
            type=options.schedule_type(type),
            status=options.statuses(status or ()),
            owner=owner,
            expression=expression,
            order_by=options.order(order_by),
        )
        job = ScanJob(
            query,
            limit=limit,
            limits=Limits(concurrency=concurrency, rate=rate, page_size=page_size),
            server_timezone=server_timezone,
            first_page=first_page,
            allow_http=allow_http,
            output=output,
            format=format,
            columns=options.names(columns),
            tasks=tasks,
            raw=raw,
            resume=resume,
            overwrite=overwrite,
            quiet=quiet,
            as_json=as_json,
            words=context.obj,
        )
        if output is not None:
            Target.named(output, format).check(
                resume=resume, overwrite=overwrite
            )  # before a secret is asked for
        service = Service.found(
            os.environ, url=url, user_id=user_id, org_id=org_id, secret_file=secret_file, ask=_asker()
        )
        await scan(service, job)
        return Exit.COMPLETE

    raise typer.Exit(ended(work, as_json=as_json))


@app.command("report", epilog=EPILOG)
def report_command(
    *,
    from_: flags.From,
    to: flags.To,
    zone: flags.LocalZone = None,
    type: flags.Kind = "all",
    status: flags.Status = None,
    owner: flags.Owner = "",
    expression: flags.Expression = "",
    limit: flags.Limit = None,
    url: flags.Url = None,
    user_id: flags.UserId = None,
    org_id: flags.OrgId = None,
    secret_file: flags.SecretFile = None,
    server_timezone: flags.ServerZone = None,
    first_page: flags.FirstPage = None,
    allow_http: flags.AllowHttp = False,
    page_size: flags.PageSize = 500,
    concurrency: flags.Concurrency = 16,
    rate: flags.Rate = None,
    output: flags.Page = None,
    day: flags.Day = None,
    overwrite: flags.Overwrite = False,
    quiet: flags.Quiet = False,
) -> None:
    """Show what ran when, how it ended and how long it took: on the terminal, or as a page that needs no network."""

    async def work() -> Exit:
        local = options.zone(zone)
        query = FlowQuery(
            options.time(from_, "--from", local),
            options.time(to, "--to", local),
            type=options.schedule_type(type),
            status=options.statuses(status or ()),
            owner=owner,
            expression=expression,
        )
        job = ReportJob(
            query,
            limit=limit,
            limits=Limits(concurrency=concurrency, rate=rate, page_size=page_size),
            server_timezone=server_timezone,
            first_page=first_page,
            allow_http=allow_http,
            output=output,
            zone=local,
            day=options.day(day),
            overwrite=overwrite,
            quiet=quiet,
        )
        service = Service.found(
            os.environ, url=url, user_id=user_id, org_id=org_id, secret_file=secret_file, ask=_asker()
        )
        await report(service, job)
        return Exit.COMPLETE

    raise typer.Exit(ended(work))


@app.command("follow", epilog=EPILOG)
def follow_command(
    context: typer.Context,
    *,
    since: follow_flags.Since = None,
    until: follow_flags.Until = None,
    zone: flags.LocalZone = None,
    type: flags.Kind = "all",
    status: flags.Status = None,
    owner: flags.Owner = "",
    expression: flags.Expression = "",
    changes: follow_flags.Changes = False,
    url: flags.Url = None,
    user_id: flags.UserId = None,
    org_id: flags.OrgId = None,
    secret_file: flags.SecretFile = None,
    server_timezone: flags.ServerZone = None,
    first_page: flags.FirstPage = None,
    allow_http: flags.AllowHttp = False,
    settle: follow_flags.Settle = 60.0,
    watch: follow_flags.Watch = 86_400.0,
    least: follow_flags.Least = 2.0,
    most: follow_flags.Most = 60.0,
    page_size: flags.PageSize = 500,
    concurrency: flags.Concurrency = 16,
    rate: flags.Rate = None,
    checkpoint: follow_flags.Mark = None,
) -> None:
    """Show instances as they appear, and go on until Ctrl-C."""

    async def work() -> Exit:
        local = options.zone(zone)
        first = None if since is None else epoch_ms(options.time(since, "--since", local))
        last = _NEVER if until is None else epoch_ms(options.time(until, "--until", local))
        query = FlowQuery(
            first or 0,
            last,
            type=options.schedule_type(type),
            status=options.statuses(status or ()),
            owner=owner,
            expression=expression,
        )
        job = FollowJob(
            query,
            since_ms=first,
            changes=changes,
            settle=settle,
            watch=watch,
            least=least,
            most=most,
            mark=checkpoint,
            words=context.obj,
            limits=Limits(concurrency=concurrency, rate=rate, page_size=page_size),
            server_timezone=server_timezone,
            first_page=first_page,
            allow_http=allow_http,
        )
        kept(checkpoint)
        service = Service.found(
            os.environ, url=url, user_id=user_id, org_id=org_id, secret_file=secret_file, ask=_asker()
        )
        await follow(service, job)
        return Exit.COMPLETE

    raise typer.Exit(ended(work))


@app.command("emulate", epilog=EPILOG)
def emulate_command(
    *,
    instances: flags.Instances = 10_000,
    seed: flags.Seed = 1,
    profile: flags.Profile = "cron",
    latency: flags.Latency = 0.0,
    port: flags.Port = 0,
    path: flags.Keep = None,
    page_cap: flags.PageCap = None,
    first_page: flags.FirstPageIs = 0,
    zone: flags.OwnZone = "+08:00",
    set: flags.Switches = None,
) -> None:
    """Serve an emulated deployment until Ctrl-C."""

    async def work() -> Exit:
        told = settings(set or ())
        given: dict[str, Any] = {
            "instances": instances,
            "seed": seed,
            "profile": profile,
            "latency": latency / 1000,
            "page_cap": page_cap,
            "first_page": first_page,
            "zone": zone,
        }
        emulator = Emulator(**(given | told), port=port, path=path)
        await emulate(emulator, console_on(sys.stdout))
        return Exit.COMPLETE

    code = ended(work, interruptible=False)
    raise typer.Exit(Exit.COMPLETE if code in (Exit.INTERRUPTED, Exit.TERMINATED, Exit.HUNG_UP) else code)


@app.callback(invoke_without_command=True)
def every_command(
    *,
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Look what is to be done at all."""
    if version:
        print(f"aioflows {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(Exit.USAGE)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; give its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a terminal that is not UTF-8 gets no traceback for a name
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    try:
        return app(args=given, prog_name="aioflows", standalone_mode=False, obj=given) or Exit.COMPLETE
    except typer.Abort:
        complain("interrupted")
        return Exit.INTERRUPTED
    except Exception as error:
        # What typer refuses has no common name in all versions of typer, but this method.
        words = getattr(error, "format_message", None)
        if words is None:
            raise
        complain(f"error: {printable(' '.join(words().split()))}; see aioflows --help")
        return Exit.USAGE


def _asker() -> Callable[[str], str] | None:
    return getpass.getpass if is_terminal(sys.stdin) and is_terminal(sys.stderr) else None
