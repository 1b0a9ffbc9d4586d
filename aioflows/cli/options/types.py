"""The options of the commands, as the types of their parameters: names, help, and the panel they are shown in."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_which = partial(typer.Option, rich_help_panel="Which instances")
_service = partial(typer.Option, rich_help_panel="Which service")
_speed = partial(typer.Option, rich_help_panel="How fast")
_pace = partial(typer.Option, rich_help_panel="How often")
_output = partial(typer.Option, rich_help_panel="Output")

# Which instances

From: TypeAlias = Annotated[str, _which("--from", help="First trigger time, as in 2024-01-01T00:00+08:00.")]
To: TypeAlias = Annotated[str, _which(help="First trigger time left out.")]
LocalZone: TypeAlias = Annotated[
    str | None, _which(help="What times without a zone, and dates, are in: Asia/Shanghai.")
]
Kind: TypeAlias = Annotated[str, _which(help="manual, periodic, temporary or all.")]
Status: TypeAlias = Annotated[
    list[str] | None, _which(help="SUCCESS, FAIL, TIMEOUT, …; several with commas, or again.")
]
Owner: TypeAlias = Annotated[str, _which(help="User name of the owner.")]
Expression: TypeAlias = Annotated[str, _which(help="Part of the instance's id or the flow's name.")]
OrderBy: TypeAlias = Annotated[str, _which(help="trigger_time, -trigger_time, or none.")]
Limit: TypeAlias = Annotated[int | None, _which(help="Instances in all.", show_default="every one")]

# Which service

Url: TypeAlias = Annotated[str | None, _service(help="Address of the API gateway, or AIOFLOWS_URL.")]
UserId: TypeAlias = Annotated[str | None, _service(help="Who asks, or AIOFLOWS_USER_ID.")]
OrgId: TypeAlias = Annotated[str | None, _service(help="The organization, or AIOFLOWS_ORG_ID.")]
SecretFile: TypeAlias = Annotated[
    Path | None,
    _service(
        help="File with the secret key, in place of AIOFLOWS_SECRET_KEY; without either it is asked for. "
        "The access key is AIOFLOWS_ACCESS_KEY."
    ),
]
ServerZone: TypeAlias = Annotated[
    str | None, _service(help="Zone of the service's times.", show_default="it is asked")
]
FirstPage: TypeAlias = Annotated[
    int | None, _service(help="Number of its first page, 0 or 1.", show_default="found out")
]
AllowHttp: TypeAlias = Annotated[bool, _service("--allow-http", help="Trust a network without encryption.")]

# How fast

PageSize: TypeAlias = Annotated[int, _speed(help="Instances in one request.")]
Concurrency: TypeAlias = Annotated[int, _speed(help="Requests under way at once.")]
Rate: TypeAlias = Annotated[float | None, _speed(help="Requests per second.", show_default="no limit")]

# Output

Output: TypeAlias = Annotated[
    str | None,
    _output(
        "--output",
        "-o",
        help="File to write, whose ending tells the format: .jsonl, .csv, .parquet, .sqlite, .duckdb; with / at its end "
        "a folder of Parquet files by day; or - for standard output.",
        show_default="a table on a terminal, JSON lines elsewhere",
    ),
]
FileFormat: TypeAlias = Annotated[
    str | None,
    _output("--format", help="jsonl, csv, parquet, sqlite, duckdb.", show_default="the ending tells"),
]
Columns: TypeAlias = Annotated[
    list[str] | None,
    _output(help="instance_id, flow_name, …; several with commas, or again.", show_default="every one"),
]
Tasks: TypeAlias = Annotated[bool, _output("--tasks", help="A row for each task of the graph.")]
Raw: TypeAlias = Annotated[bool, _output("--raw", help="Leave texts that look like formulas as they are.")]
Resume: TypeAlias = Annotated[bool, _output("--resume", help="Go on with what an earlier run left.")]
Overwrite: TypeAlias = Annotated[bool, _output("--overwrite", help="Replace what exists.")]
Quiet: TypeAlias = Annotated[bool, _output("--quiet", "-q", help="Say nothing but errors.")]
Json: TypeAlias = Annotated[
    bool,
    _output(
        "--json", help="Say progress, the account and errors as JSON, one object a line, on standard error."
    ),
]

Page: TypeAlias = Annotated[
    str | None,
    _output(
        "--output",
        "-o",
        help="HTML page to write; or - for standard output.",
        show_default="a summary on the terminal",
    ),
]
Day: TypeAlias = Annotated[
    str | None,
    _output(help="Day whose runs the page shows one by one: 2024-01-31.", show_default="the newest seven"),
]

# What is followed, and how often it is asked for

Since: TypeAlias = Annotated[
    str | None,
    _which(help="First trigger time, as in 2024-01-01T00:00+08:00.", show_default="the service's now"),
]
Until: TypeAlias = Annotated[str | None, _which(help="First trigger time left out.", show_default="none")]
Changes: TypeAlias = Annotated[
    bool,
    _which("--changes", help="Show an instance again when its status has changed, until it is finished."),
]
Settle: TypeAlias = Annotated[
    float,
    _pace("--settle-time", "--settle", help="Seconds after its trigger time within which an instance shows."),
]
Watch: TypeAlias = Annotated[
    float, _pace("--watch-time", "--watch", help="Seconds for which an unfinished instance is watched.")
]
Least: TypeAlias = Annotated[
    float, _pace("--min-wait", "--least", help="Shortest wait between two polls, in seconds.")
]
Most: TypeAlias = Annotated[
    float, _pace("--max-wait", "--most", help="Longest wait between two polls, in seconds.")
]
Mark: TypeAlias = Annotated[
    Path | None,
    _output(
        "--checkpoint",
        help="File that keeps where it stands; if it is there, following goes on from it.",
        show_default="none",
    ),
]

# The emulated deployment

Instances: TypeAlias = Annotated[int, typer.Option(help="How many instances it has.")]
Seed: TypeAlias = Annotated[int, typer.Option(help="Another number gives other instances.")]
Profile: TypeAlias = Annotated[
    str,
    typer.Option(
        help="How they lie in time: cron, uniform, bursty, midnight, sparse-then-dense, one-second."
    ),
]
Latency: TypeAlias = Annotated[float, typer.Option(help="Milliseconds that it takes for an answer.")]
Faults: TypeAlias = Annotated[float, typer.Option(help="Share of the requests that fail, as in 0.05.")]
Port: TypeAlias = Annotated[int, typer.Option(help="Port on 127.0.0.1.", show_default="any that is free")]
Keep: TypeAlias = Annotated[
    Path | None, typer.Option(help="File that keeps the instances.", show_default="none")
]
PageCap: TypeAlias = Annotated[
    int | None, typer.Option(help="Rows that no answer exceeds, without a word.", show_default="none")
]
FirstPageIs: TypeAlias = Annotated[int, typer.Option(help="Number of the first page, 0 or 1.")]
OwnZone: TypeAlias = Annotated[str, typer.Option(help="Zone of its times.")]
Switches: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Any other switch, as in ties=unstable; python -m aioflows.emulator --help lists them."
    ),
]
