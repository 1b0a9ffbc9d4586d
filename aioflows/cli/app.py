"""The commands and their options. The package `commands` holds what each command does.

Each function imports what its command does. So help, completion and a wrong option need neither aiohttp nor the planner.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import attrs
import typer

from aioflows import __version__
from aioflows._display.text import printable
from aioflows.cli.command import command
from aioflows.cli.exit_codes import EPILOG, Exit, print_error
from aioflows.cli.options import flags, parsing
from aioflows.cli.options.connection import ConnectionOptions
from aioflows.cli.options.groups import (
    AuditOptions,
    BoardOptions,
    LimitOptions,
    OutputOptions,
    PollOptions,
    QueryOptions,
    RangeOptions,
    ServerOptions,
    WaitOptions,
)
from aioflows.cli.options.moments import duration, moves, time, with_fixed_times
from aioflows.cli.output.console import console_on
from aioflows.cli.output.standard_output import checked_standard_output, standard_output
from aioflows.errors import QueryError
from aioflows.export import ReaderGone, SinkError

__all__ = ["run"]

_FAR_FUTURE_MS = 9_999_999_999_000
"""End of a follow without ``--until``: milliseconds since 1970-01-01 UTC, in the year 2286."""

app = typer.Typer(
    name="aioflows",
    help="Read every EnOS flow instance exactly once, in order.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _now() -> datetime:
    return datetime.now(UTC)


@command(app, "demo")
async def demo_command(
    *,
    instances: flags.Instances = 100_000,
    seed: flags.Seed = 1,
    profile: flags.Profile = "cron",
    latency: flags.Latency = "0.02",
    faults: flags.Faults = 0.0,
    order: flags.DemoOrder = "trigger_time",
    page_size: flags.PageSize = 500,
    concurrency: flags.Concurrency = 16,
) -> Exit:
    """Read an emulated deployment to its end, and check that nothing is missing."""
    from aioflows import Limits
    from aioflows.cli.commands.demo import Demo, demo

    # The demo consumes rows as fast as they come, so the scan may read far ahead.
    ahead = min(max(20_000, 8 * concurrency * page_size), 1_000_000)
    limits = Limits(concurrency=concurrency, page_size=page_size, buffer=ahead)
    job = Demo(instances, seed, profile, parsing.latency(latency), faults, limits, parsing.order(order))
    return await demo(job, console_on(standard_output()))


@command(app, "scan")
async def scan_command(
    *,
    context: typer.Context,
    range_: RangeOptions,
    selection: QueryOptions,
    order_by: flags.OrderBy = "trigger_time",
    limit: flags.Limit = None,
    connection: ConnectionOptions,
    limit_options: LimitOptions,
    output: OutputOptions,
    quiet: flags.Quiet = False,
    as_json: flags.Json = False,
) -> Exit:
    """Write every matching instance to the terminal, a pipe or a file."""
    from aioflows.cli.commands.scan import ScanJob, scan
    from aioflows.cli.service_zone import zone_of_times

    period, zone = range_.period(_now()), parsing.zone(selection.zone)
    job = ScanJob(
        selection.query(0, 0, order_by),
        limit=limit,
        limits=limit_options.limits(),
        output=output,
        quiet=quiet,
        as_json=as_json,
        arguments=context.obj,
        zone=zone,
    )
    times = period.times(
        await zone_of_times(connection, selection.zone, period.texts, quiet=quiet, as_json=as_json)
    )
    query, arguments = selection.query(*times, order_by), period.fixed(job.arguments, times)
    await scan(connection, attrs.evolve(job, query=query, arguments=arguments))
    return Exit.COMPLETE


@command(app, "report")
async def report_command(
    *,
    range_: RangeOptions,
    selection: QueryOptions,
    limit: flags.Limit = None,
    connection: ConnectionOptions,
    limit_options: LimitOptions,
    output: flags.ReportPage = None,
    day: flags.Day = None,
    overwrite: flags.Overwrite = False,
    quiet: flags.Quiet = False,
    as_json: flags.Json = False,
) -> Exit:
    """Report outcomes and durations by day, hour and flow, on the terminal or as an offline HTML page."""
    from aioflows.cli.commands.report import ReportJob, report
    from aioflows.cli.service_zone import zone_of_times

    period, zone = range_.period(_now()), parsing.zone(selection.zone)
    job = ReportJob(
        selection.query(0, 0),
        limit=limit,
        limits=limit_options.limits(),
        output=output,
        zone=zone,
        day=parsing.day(day),
        overwrite=overwrite,
        quiet=quiet,
        as_json=as_json,
    )
    times = period.times(
        await zone_of_times(connection, selection.zone, period.texts, quiet=quiet, as_json=as_json)
    )
    await report(connection, attrs.evolve(job, query=selection.query(*times)))
    return Exit.COMPLETE


@command(app, "audit")
async def audit_command(
    *,
    range_: RangeOptions,
    selection: AuditOptions,
    connection: ConnectionOptions,
    limit_options: LimitOptions,
    output: flags.MissingFile = None,
    overwrite: flags.Overwrite = False,
    quiet: flags.Quiet = False,
    as_json: flags.AuditJson = False,
) -> Exit:
    """List the scheduled runs that have no instance, came twice or came late. Exit with 7 if runs are missing."""
    from aioflows.cli.commands.audit import AuditJob, audit
    from aioflows.cli.service_zone import zone_of_times

    period = range_.period(_now())
    job = AuditJob(
        selection.query(0, 0),
        late=selection.limit,
        whole_range=selection.whole_range,
        limits=limit_options.limits(),
        output=output,
        overwrite=overwrite,
        quiet=quiet,
        as_json=as_json,
    )
    times = period.times(
        await zone_of_times(connection, selection.zone, period.texts, quiet=quiet, as_json=as_json)
    )
    return await audit(connection, attrs.evolve(job, query=selection.query(*times)))


@command(app, "follow")
async def follow_command(
    *,
    context: typer.Context,
    since: flags.Since = None,
    until: flags.Until = None,
    selection: QueryOptions,
    changes: flags.Changes = False,
    connection: ConnectionOptions,
    polling: PollOptions,
    limit_options: LimitOptions,
    checkpoint: flags.CheckpointFile = None,
    as_json: flags.FollowJson = False,
) -> Exit:
    """Show new instances as they appear, until Ctrl-C."""
    from aioflows.cli.commands.follow import FollowJob, follow
    from aioflows.cli.service_zone import zone_of_times

    now, given = _now(), {"--since": since, "--until": until}
    texts = {option: text for option, text in given.items() if text is not None}
    for option, text in texts.items():
        # An invalid time is refused before the service is asked for its zone.
        time(text, option, UTC, now=now)
    zone = await zone_of_times(connection, selection.zone, texts.values(), as_json=as_json)
    times = {option: time(text, option, zone, now=now) for option, text in texts.items()}
    first = times.get("--since")
    query = selection.query(first or 0, times.get("--until", _FAR_FUTURE_MS))
    job = FollowJob(
        query,
        since=first,
        changes=changes,
        polling=polling,
        checkpoint_file=checkpoint,
        limits=limit_options.limits(),
        arguments=with_fixed_times(
            context.obj, {option: times[option] for option, text in texts.items() if moves(text)}
        ),
        zone=parsing.zone(selection.zone),
        as_json=as_json,
    )
    await follow(connection, job)
    return Exit.COMPLETE


@command(app, "wait")
async def wait_command(
    *,
    ids: flags.InstanceIds,
    waiting: WaitOptions,
    connection: ConnectionOptions,
    quiet: flags.Quiet = False,
    as_json: flags.WaitJson = False,
) -> Exit:
    """Wait until instances are finished. Exit with 8 if one failed, and with 9 if one was cancelled or skipped."""
    from aioflows.cli.commands.wait import wait

    return await wait(connection, ids, waiting, quiet=quiet, as_json=as_json)


@command(app, "get")
async def get_command(
    *,
    ids: flags.InstanceIds,
    zone: flags.WrittenZone = None,
    connection: ConnectionOptions,
    as_json: flags.GetJson = False,
) -> Exit:
    """Show instances by their ids. Exit with 11 if the service does not know one of them."""
    from aioflows.cli.commands.get import get

    return await get(connection, ids, zone=parsing.zone(zone), as_json=as_json)


@command(app, "count")
async def count_command(
    *,
    range_: RangeOptions,
    selection: QueryOptions,
    by: flags.CountBy = None,
    connection: ConnectionOptions,
    limit_options: LimitOptions,
    quiet: flags.Quiet = False,
    as_json: flags.CountJson = False,
) -> Exit:
    """Count instances. Each is read, so that the number is exact; a service need not know it."""
    from aioflows.cli.commands.count import CountJob, count
    from aioflows.cli.service_zone import zone_of_times

    period, zone = range_.period(_now()), parsing.zone(selection.zone)
    # Without an order, rows need not wait for each other.
    query = selection.query(0, 0, "none")
    job = CountJob(query, by, limit_options.limits(), zone=zone, quiet=quiet, as_json=as_json)
    times = period.times(
        await zone_of_times(connection, selection.zone, period.texts, quiet=quiet, as_json=as_json)
    )
    await count(connection, attrs.evolve(job, query=selection.query(*times, "none")))
    return Exit.COMPLETE


@command(app, "doctor")
async def doctor_command(
    *,
    connection: ConnectionOptions,
    limit_options: LimitOptions,
    as_json: flags.DoctorJson = False,
) -> Exit:
    """Examine the service and the options for it, and say what is wrong and what to do. It only reads."""
    from aioflows.cli.commands.doctor import doctor

    return await doctor(connection, limit_options.limits(), as_json=as_json)


@command(app, "board", interruptible=False)
async def board_command(
    *,
    address: flags.BoardUrl = None,
    selection: BoardOptions,
    server: ServerOptions,
    connection: ConnectionOptions,
    limit_options: LimitOptions,
    as_json: flags.FollowJson = False,
) -> Exit:
    """Serve a live board: what runs, fails, is late or missing. Without a service, that of an emulated one."""
    from aioflows.cli.commands.board import BoardJob, board, board_duration, with_url

    job = BoardJob(
        selection.query,
        duration(selection.last, "--last"),
        board_duration(selection.late, "--late", "minutes"),
        server=server,
        limits=limit_options.limits(),
        as_json=as_json,
    )
    await board(with_url(connection, address), job, console_on(sys.stdout))
    return Exit.COMPLETE


@command(app, "emulate", interruptible=False)
async def emulate_command(
    *,
    instances: flags.Instances = 10_000,
    seed: flags.Seed = 1,
    profile: flags.Profile = "cron",
    latency: flags.Latency = "0",
    port: flags.Port = 0,
    path: flags.InstancesFile = None,
    page_cap: flags.PageCap = None,
    first_page: flags.EmulatedFirstPage = 0,
    zone: flags.EmulatedZone = "+08:00",
    live: flags.Live = False,
    set: flags.Switches = None,
) -> Exit:
    """Serve an emulated deployment until Ctrl-C."""
    from aioflows.cli.commands.emulate import emulate, parse_switches
    from aioflows.emulator import Emulator

    extra = parse_switches(set or ())
    given: dict[str, Any] = {
        "instances": instances,
        "seed": seed,
        "profile": profile,
        "latency": parsing.latency(latency),
        "page_cap": page_cap,
        "first_page": first_page,
        "zone": zone,
        "live": live,
    }
    emulator = Emulator(**(given | extra), port=port, path=path)
    await emulate(emulator, console_on(sys.stdout))
    return Exit.COMPLETE


@app.callback(invoke_without_command=True)
def root_command(
    *,
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Show the version, or the help if no command is given."""
    if version:
        print(f"aioflows {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit(Exit.USAGE)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            # Without this, a name that the terminal's encoding lacks would raise UnicodeEncodeError.
            stream.reconfigure(errors="backslashreplace")
    given = tuple(sys.argv[1:] if arguments is None else arguments)
    try:
        with checked_standard_output():
            return app(args=given, prog_name="aioflows", standalone_mode=False, obj=given) or Exit.COMPLETE
    except ReaderGone:
        return Exit.COMPLETE
    except QueryError as error:  # of a profile, which is read before its command begins
        print_error(f"error: {printable(str(error), 2000)}")
        return Exit.USAGE
    except SinkError as error:
        print_error(f"error: {error}")
        return Exit.SINK
    except typer.Abort:
        print_error("interrupted")
        return Exit.INTERRUPTED
    except Exception as error:
        # Usage errors of typer have this method in all versions of typer, but not the same base class.
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        problem = printable(" ".join(format_message().split())).rstrip(".")
        print_error(f"error: {problem}{' See' if problem.endswith('?') else '; see'} aioflows --help")
        return Exit.USAGE
