"""The options of the commands, as types of parameters: name, help, and panel of the help."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from aioflows.cli.options.profiles import ProfileFile, use_profile

_query = partial(typer.Option, rich_help_panel="Instances")
_connection = partial(typer.Option, rich_help_panel="Service and credentials")
_limits = partial(typer.Option, rich_help_panel="Limits")
_polling = partial(typer.Option, rich_help_panel="Polling")
_output = partial(typer.Option, rich_help_panel="Output")


def _one_of(*words: str) -> Callable[[str], list[str]]:
    """Return the words that a shell may complete a text to."""

    def complete(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return complete


def _types(incomplete: str) -> list[str]:
    from aioflows import ScheduleType

    return _one_of("all", *(kind.name.lower() for kind in ScheduleType))(incomplete)


def _statuses(incomplete: str) -> list[str]:
    from aioflows import FlowStatus

    return _one_of(*(status.name for status in FlowStatus))(incomplete)


def _orders(incomplete: str) -> list[str]:
    from aioflows.query import SORT_FIELDS

    return _one_of("none", *SORT_FIELDS, *(f"-{field}" for field in SORT_FIELDS))(incomplete)


# Instances

From: TypeAlias = Annotated[
    str | None,
    _query(
        "--from",
        help="First trigger time: 2024-01-01T00:00+08:00, 2024-01-01, today, yesterday, 7d (seven days ago), or "
        "epoch seconds or milliseconds.",
        show_default=False,
    ),
]
To: TypeAlias = Annotated[
    str | None,
    _query("--to", help="End of the range of trigger times, exclusive. As --from.", show_default="now"),
]
Last: TypeAlias = Annotated[
    str | None,
    _query(
        "--last",
        help="Range of trigger times that ends now, instead of --from and --to: 30m, 24h, 7d, 2w, today; or "
        "yesterday, the whole day.",
        show_default=False,
    ),
]
LocalZone: TypeAlias = Annotated[
    str | None,
    _query(
        "--zone",
        help="Zone of dates and of times without a zone, as in Asia/Shanghai. Times are written in it too.",
        show_default="that of the service; written times: UTC, but on a terminal that of the service",
    ),
]
TypeName: TypeAlias = Annotated[
    str,
    _query(
        help="Schedule type: manual, periodic, temporary or all.",
        autocompletion=_types,
    ),
]
Status: TypeAlias = Annotated[
    list[str] | None,
    _query(
        help="SUCCESS, FAIL, TIMEOUT, …; separate several by commas, or repeat the option.",
        show_default="every status",
        autocompletion=_statuses,
    ),
]
Owner: TypeAlias = Annotated[str, _query(help="User name of the owner.", show_default="every owner")]
Expression: TypeAlias = Annotated[
    str, _query(help="Part of the instance's id or the flow's name.", show_default="every one")
]
OrderBy: TypeAlias = Annotated[
    str,
    _query(
        help="trigger_time, start_time, end_time, create_time or update_time; with a leading - the latest comes "
        "first. In the order none, rows come sooner.",
        autocompletion=_orders,
    ),
]
DemoOrder: TypeAlias = Annotated[
    str,
    _query(
        help="trigger_time, -trigger_time, or none.",
        autocompletion=_one_of("trigger_time", "-trigger_time", "none"),
    ),
]
Limit: TypeAlias = Annotated[int | None, _query(help="Largest number of instances.", show_default="no limit")]

# Service and credentials


def _use_profile(context: typer.Context, value: str | None) -> str | None:
    return use_profile(context, value, os.environ)


def _profile_names(incomplete: str) -> list[str]:
    return [name for name in ProfileFile.of(os.environ).names() if name.startswith(incomplete)]


ProfileName: TypeAlias = Annotated[
    str | None,
    _connection(
        "--profile",
        help="Profile in the file of profiles, or AIOFLOWS_PROFILE. Its values are the defaults of other options.",
        show_default="none",
        callback=_use_profile,
        autocompletion=_profile_names,
        is_eager=True,
    ),
]
Url: TypeAlias = Annotated[
    str | None,
    _connection(help="Address of the API gateway. Required: here, in AIOFLOWS_URL or in a profile."),
]
UserId: TypeAlias = Annotated[
    str | None, _connection(help="User that sends the requests. Required, or AIOFLOWS_USER_ID.")
]
OrgId: TypeAlias = Annotated[
    str | None, _connection(help="Organization of the user. Required, or AIOFLOWS_ORG_ID.")
]
SecretFile: TypeAlias = Annotated[
    Path | None,
    _connection(
        help="File with the secret key, instead of AIOFLOWS_SECRET_KEY. Without both, a terminal asks for "
        "the key. The access key is in AIOFLOWS_ACCESS_KEY.",
        show_default="none",
    ),
]
ServerTimezone: TypeAlias = Annotated[
    str | None, _connection(help="Zone of the service's times.", show_default="ask the service")
]
OtherTimezone: TypeAlias = Annotated[
    str | None,
    _connection(
        help="Zone of start, end and creation times, if it differs from that of trigger times.",
        show_default="find out",
    ),
]
FirstPage: TypeAlias = Annotated[
    int | None, _connection(help="Number of the service's first page, 0 or 1.", show_default="detect")
]
AllowHttp: TypeAlias = Annotated[
    bool, _connection("--allow-http", help="Allow an http:// address, whose traffic is not encrypted.")
]
Proxy: TypeAlias = Annotated[
    str | None,
    _connection(
        help="HTTP proxy, as in http://proxy:3128. If it has a password, set HTTPS_PROXY and give "
        "--trust-env.",
        show_default="none",
    ),
]
TrustEnv: TypeAlias = Annotated[
    bool,
    _connection("--trust-env", help="Use the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY; NO_PROXY too."),
]
CaCert: TypeAlias = Annotated[
    Path | None,
    _connection(
        "--cacert",
        help="PEM file with the certificate authorities to trust.",
        show_default="those of the system",
    ),
]
Header: TypeAlias = Annotated[
    list[str] | None,
    _connection(
        "--header",
        help="Header of each request, as in 'X-Team: data', or @FILE with one a line, which other users of "
        "the machine cannot see. Repeat the option for several.",
        show_default="none",
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    _connection(help="Time for one attempt at a request, in seconds.", show_default="60, for doctor 10"),
]

# Limits

PageSize: TypeAlias = Annotated[int, _limits(help="Instances per request.")]
Concurrency: TypeAlias = Annotated[int, _limits(help="Largest number of requests in flight.")]
Rate: TypeAlias = Annotated[
    float | None, _limits(help="Largest number of requests per second.", show_default="no limit")
]

# Output

Output: TypeAlias = Annotated[
    str | None,
    _output(
        "--output",
        "-o",
        help="File to write, or an object as s3://bucket/runs.csv. Its suffix selects the format: .jsonl, .csv, .parquet, .sqlite or .duckdb. "
        "A name that ends in / is a folder with one Parquet file per day; - is standard output.",
        show_default="a table on a terminal, JSON lines elsewhere",
    ),
]
FileFormat: TypeAlias = Annotated[
    str | None,
    _output(
        "--format",
        help="jsonl, csv, parquet, sqlite or duckdb.",
        show_default="by the suffix",
        autocompletion=_one_of("jsonl", "csv", "parquet", "sqlite", "duckdb"),
    ),
]
Columns: TypeAlias = Annotated[
    list[str] | None,
    _output(
        help="instance_id, flow_name, …; separate several by commas, or repeat the option.",
        show_default="all columns",
    ),
]
Tasks: TypeAlias = Annotated[bool, _output("--tasks", help="Write one row per task of the graph.")]
Raw: TypeAlias = Annotated[bool, _output("--raw", help="Do not escape texts that look like formulas.")]
Nested: TypeAlias = Annotated[
    bool, _output("--nested", help="Write graphs in JSON lines as JSON values, not as texts.")
]
Utf8: TypeAlias = Annotated[bool, _output("--utf8", help="Write JSON lines in UTF-8, without \\u escapes.")]
Mode: TypeAlias = Annotated[
    str | None,
    _output(
        "--mode",
        help="Permissions of the file, as 640; umask: as other new files.",
        show_default="owner only",
    ),
]
Resume: TypeAlias = Annotated[bool, _output("--resume", help="Continue an unfinished export.")]
Overwrite: TypeAlias = Annotated[bool, _output("--overwrite", help="Replace an existing file or folder.")]
Append: TypeAlias = Annotated[
    bool, _output("--append", help="Add what the file lacks, from its last row to the end of the range.")
]
Quiet: TypeAlias = Annotated[bool, _output("--quiet", "-q", help="Print nothing but errors.")]
Json: TypeAlias = Annotated[
    bool,
    _output(
        "--json",
        help="Print progress, waits, the summary and errors to standard error as JSON, one object per line.",
    ),
]

ReportPage: TypeAlias = Annotated[
    str | None,
    _output(
        "--output",
        "-o",
        help="HTML page to write, or - for standard output.",
        show_default="a summary on the terminal",
    ),
]
Day: TypeAlias = Annotated[
    str | None,
    _output(
        help="Day whose runs the page shows one by one, as in 2024-01-31.",
        show_default="the newest seven days",
    ),
]

# Audit

LateMinutes: TypeAlias = Annotated[
    float, _query("--late", help="Minutes from trigger time to start after which a run is late.")
]
WholeRange: TypeAlias = Annotated[
    bool,
    _query(
        "--whole-range",
        help="All flows existed all the time, so runs before a flow's first instance and after its last are missing too.",
    ),
]
MissingFile: TypeAlias = Annotated[
    str | None,
    _output(
        "--output",
        "-o",
        help="File to write the missing runs to, as in missing.parquet or missing.csv; - is standard output.",
        show_default="none",
    ),
]
AuditJson: TypeAlias = Annotated[
    bool, _output("--json", help="Print findings as JSON, one object per line, and errors too.")
]

# Follow: range and polling

Since: TypeAlias = Annotated[
    str | None,
    _query(
        "--since",
        help="First trigger time: 2024-01-01T00:00+08:00, 2024-01-01, today, yesterday, 24h (24 hours ago), or "
        "epoch seconds or milliseconds.",
        show_default="now",
    ),
]
Until: TypeAlias = Annotated[
    str | None,
    _query("--until", help="End of the range of trigger times, exclusive. As --since.", show_default="none"),
]
Changes: TypeAlias = Annotated[
    bool,
    _query("--changes", help="Show an instance again after each change of its status, until it is finished."),
]
SettleTime: TypeAlias = Annotated[
    float,
    _polling(
        "--settle-time",
        "--settle",
        help="Longest delay between trigger time and appearance of an instance, in seconds.",
    ),
]
WatchTime: TypeAlias = Annotated[
    float,
    _polling("--watch-time", "--watch", help="Time for which an unfinished instance is watched, in seconds."),
]
MinWait: TypeAlias = Annotated[
    float, _polling("--min-wait", "--least", help="Shortest wait between two polls, in seconds.")
]
MaxWait: TypeAlias = Annotated[
    float, _polling("--max-wait", "--most", help="Longest wait between two polls, in seconds.")
]
CheckpointFile: TypeAlias = Annotated[
    Path | None,
    _output(
        "--checkpoint",
        help="File for the checkpoint. If it exists, the follow continues from it.",
        show_default="none",
    ),
]

FollowJson: TypeAlias = Annotated[
    bool,
    _output("--json", help="Print waits and errors to standard error as JSON, one object per line."),
]

# Wait

InstanceIds: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="ID...", help="Ids of instances.", show_default=False)
]
UntilStatus: TypeAlias = Annotated[
    list[str] | None,
    _query(
        help="Statuses that end the wait; separate several by commas, or repeat the option.",
        show_default="every final status",
    ),
]
Within: TypeAlias = Annotated[
    float | None, _polling("--within", help="Longest wait, in seconds.", show_default="no limit")
]
PollInterval: TypeAlias = Annotated[
    float, _polling("--poll", help="Longest interval between two polls, in seconds.")
]
Grace: TypeAlias = Annotated[
    float, _polling(help="Time for which an instance may be unknown to the service, in seconds.")
]
WaitJson: TypeAlias = Annotated[
    bool, _output("--json", help="Print instances as JSON, one object per line, and errors too.")
]

# Get and count

WrittenZone: TypeAlias = Annotated[
    str | None,
    _output(
        "--zone",
        help="Zone of the times that are written, as in Asia/Shanghai.",
        show_default="UTC, and on a terminal that of the service",
    ),
]
GetJson: TypeAlias = Annotated[
    bool,
    _output(
        "--json",
        help="Print instances as JSON, one object per line, on a terminal as well, and errors too.",
    ),
]
CountBy: TypeAlias = Annotated[
    str | None,
    _output(
        "--by",
        help="Count apart: status, flow, day or owner.",
        show_default="one number for all",
        autocompletion=_one_of("status", "flow", "day", "owner"),
    ),
]
CountJson: TypeAlias = Annotated[
    bool, _output("--json", help="Print one JSON object, and errors as JSON too.")
]

DoctorJson: TypeAlias = Annotated[
    bool, _output("--json", help="Print each check as JSON, one object per line, and errors too.")
]

# The emulated deployment

Instances: TypeAlias = Annotated[int, typer.Option(help="Number of instances.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Seed of the random instances.")]
Profile: TypeAlias = Annotated[
    str,
    typer.Option(
        help="Distribution in time: cron, uniform, bursty, midnight, sparse-then-dense or one-second."
    ),
]
Latency: TypeAlias = Annotated[
    str, typer.Option(metavar="SECONDS", help="Time until an answer, in seconds or as in 20ms.")
]
Faults: TypeAlias = Annotated[float, typer.Option(help="Share of the requests that fail, as in 0.05.")]
Port: TypeAlias = Annotated[int, typer.Option(help="Port on 127.0.0.1.", show_default="a free port")]
InstancesFile: TypeAlias = Annotated[
    Path | None, typer.Option(help="File that stores the instances.", show_default="none")
]
PageCap: TypeAlias = Annotated[
    int | None,
    typer.Option(help="Largest number of rows in an answer, applied silently.", show_default="none"),
]
EmulatedFirstPage: TypeAlias = Annotated[int, typer.Option(help="Number of the first page, 0 or 1.")]
EmulatedZone: TypeAlias = Annotated[str, typer.Option(help="Zone of the service's times.")]
Live: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--live",
        help="Let flows run by their schedules as time goes on, after a past that ended at midnight.",
    ),
]
Switches: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Another switch, as in ties=unstable; python -m aioflows.emulator --help lists them."
    ),
]

BoardUrl: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="URL", help="Address of the API gateway, as --url.", show_default="an emulated service"
    ),
]
BoardLast: TypeAlias = Annotated[
    str, _query("--last", help="How far back the board looks: 6h, 24h, 7d. At most 31 days.")
]
BoardHost: TypeAlias = Annotated[
    str,
    typer.Option(
        "--host",
        help="Address to listen at. Beyond this machine, the board's own address begins with a token, which "
        "AIOFLOWS_BOARD_TOKEN may set.",
    ),
]
BoardPort: TypeAlias = Annotated[int, typer.Option("--port", help="Port.", show_default="a free port")]
BoardCheckpoint: TypeAlias = Annotated[
    Path | None,
    _output("--checkpoint", help="File from which the board goes on after a restart.", show_default="none"),
]
