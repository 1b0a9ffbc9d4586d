"""The commands and their options; what they do is in the modules beside this one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from aioflows import Limits, __version__
from aioflows._display.text import printable
from aioflows.cli.command import command
from aioflows.cli.commands.demo import Demo, demo
from aioflows.cli.commands.emulate import emulate, settings
from aioflows.cli.commands.follow import FollowJob, PollOptions, follow
from aioflows.cli.commands.report import ReportJob, report
from aioflows.cli.commands.scan import Output, ScanJob, scan
from aioflows.cli.exit_codes import EPILOG, Exit, complain
from aioflows.cli.options import parsing as options
from aioflows.cli.options import types as flags
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import LimitOptions, QueryOptions
from aioflows.cli.output.console import console_on
from aioflows.emulator import Emulator

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


@command(app, "demo")
async def demo_command(
    *,
    instances: flags.Instances = 100_000,
    seed: flags.Seed = 1,
    profile: flags.Profile = "cron",
    latency: flags.Latency = 20.0,
    faults: flags.Faults = 0.0,
    order: flags.OrderBy = "trigger_time",
    page_size: flags.PageSize = 500,
    concurrency: flags.Concurrency = 16,
) -> Exit:
    """Read an emulated deployment to its end, and check that nothing is missing."""
    # Nobody here is slow to take what was read, so the scan may read far ahead.
    ahead = min(max(20_000, 8 * concurrency * page_size), 1_000_000)
    limits = Limits(concurrency=concurrency, page_size=page_size, buffer=ahead)
    show = Demo(instances, seed, profile, latency / 1000, faults, limits, options.order(order))
    return await demo(show, console_on(sys.stdout))


@command(app, "scan")
async def scan_command(
    *,
    context: typer.Context,
    from_: flags.From,
    to: flags.To,
    which: QueryOptions,
    order_by: flags.OrderBy = "trigger_time",
    limit: flags.Limit = None,
    access: ConnectionOptions,
    speed: LimitOptions,
    output: Output,
    quiet: flags.Quiet = False,
    as_json: flags.Json = False,
) -> Exit:
    """Read every instance that matches, to the terminal, a pipe or a file."""
    zone = options.zone(which.zone)
    query = which.query(options.time(from_, "--from", zone), options.time(to, "--to", zone), order_by)
    job = ScanJob(
        query,
        limit=limit,
        limits=speed.limits(),
        output=output,
        quiet=quiet,
        as_json=as_json,
        words=context.obj,
    )
    await scan(access, job)
    return Exit.COMPLETE


@command(app, "report")
async def report_command(
    *,
    from_: flags.From,
    to: flags.To,
    which: QueryOptions,
    limit: flags.Limit = None,
    access: ConnectionOptions,
    speed: LimitOptions,
    output: flags.Page = None,
    day: flags.Day = None,
    overwrite: flags.Overwrite = False,
    quiet: flags.Quiet = False,
) -> Exit:
    """Show what ran when, how it ended and how long it took: on the terminal, or as a page that needs no network."""
    zone = options.zone(which.zone)
    query = which.query(options.time(from_, "--from", zone), options.time(to, "--to", zone))
    job = ReportJob(
        query,
        limit=limit,
        limits=speed.limits(),
        output=output,
        zone=zone,
        day=options.day(day),
        overwrite=overwrite,
        quiet=quiet,
    )
    await report(access, job)
    return Exit.COMPLETE


@command(app, "follow")
async def follow_command(
    *,
    context: typer.Context,
    since: flags.Since = None,
    until: flags.Until = None,
    which: QueryOptions,
    changes: flags.Changes = False,
    access: ConnectionOptions,
    pace: PollOptions,
    speed: LimitOptions,
    checkpoint: flags.Mark = None,
) -> Exit:
    """Show instances as they appear, and go on until Ctrl-C."""
    zone = options.zone(which.zone)
    first = None if since is None else options.time(since, "--since", zone)
    last = _NEVER if until is None else options.time(until, "--until", zone)
    query = which.query(first or 0, last)
    job = FollowJob(
        query,
        since=first,
        changes=changes,
        pace=pace,
        mark=checkpoint,
        limits=speed.limits(),
        words=context.obj,
    )
    await follow(access, job)
    return Exit.COMPLETE


@command(app, "emulate", interruptible=False)
async def emulate_command(
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
) -> Exit:
    """Serve an emulated deployment until Ctrl-C."""
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
            # A terminal that is not UTF-8 gets no traceback for a name.
            stream.reconfigure(errors="backslashreplace")
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
