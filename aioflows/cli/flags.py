"""The options of the commands, as the types of their parameters: names, help, and the panel they are shown in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_WHICH, _SERVICE, _SPEED = "Which instances", "Which service", "How fast"
_PACE, _OUTPUT = "How often", "Output"

# Which instances

From: TypeAlias = Annotated[
    str,
    typer.Option("--from", help="First trigger time, as in 2024-01-01T00:00+08:00.", rich_help_panel=_WHICH),
]
To: TypeAlias = Annotated[str, typer.Option(help="First trigger time left out.", rich_help_panel=_WHICH)]
LocalZone: TypeAlias = Annotated[
    str | None,
    typer.Option(help="What times without a zone, and dates, are in: Asia/Shanghai.", rich_help_panel=_WHICH),
]
Kind: TypeAlias = Annotated[
    str, typer.Option(help="manual, periodic, temporary or all.", rich_help_panel=_WHICH)
]
Status: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(help="SUCCESS, FAIL, TIMEOUT, …; several with commas, or again.", rich_help_panel=_WHICH),
]
Owner: TypeAlias = Annotated[str, typer.Option(help="User name of the owner.", rich_help_panel=_WHICH)]
Expression: TypeAlias = Annotated[
    str, typer.Option(help="Part of the instance's id or the flow's name.", rich_help_panel=_WHICH)
]
OrderBy: TypeAlias = Annotated[
    str, typer.Option(help="trigger_time, -trigger_time, or none.", rich_help_panel=_WHICH)
]
Limit: TypeAlias = Annotated[
    int | None, typer.Option(help="Instances in all.", show_default="every one", rich_help_panel=_WHICH)
]

# Which service

Url: TypeAlias = Annotated[
    str | None, typer.Option(help="Address of the API gateway, or AIOFLOWS_URL.", rich_help_panel=_SERVICE)
]
UserId: TypeAlias = Annotated[
    str | None, typer.Option(help="Who asks, or AIOFLOWS_USER_ID.", rich_help_panel=_SERVICE)
]
OrgId: TypeAlias = Annotated[
    str | None, typer.Option(help="The organization, or AIOFLOWS_ORG_ID.", rich_help_panel=_SERVICE)
]
SecretFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        help="File with the secret key, in place of AIOFLOWS_SECRET_KEY; without either it is asked for. "
        "The access key is AIOFLOWS_ACCESS_KEY.",
        rich_help_panel=_SERVICE,
    ),
]
ServerZone: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Zone of the service's times.", show_default="it is asked", rich_help_panel=_SERVICE),
]
FirstPage: TypeAlias = Annotated[
    int | None,
    typer.Option(
        help="Number of its first page, 0 or 1.", show_default="found out", rich_help_panel=_SERVICE
    ),
]
AllowHttp: TypeAlias = Annotated[
    bool, typer.Option("--allow-http", help="Trust a network without encryption.", rich_help_panel=_SERVICE)
]

# How fast

PageSize: TypeAlias = Annotated[int, typer.Option(help="Instances in one request.", rich_help_panel=_SPEED)]
Concurrency: TypeAlias = Annotated[
    int, typer.Option(help="Requests under way at once.", rich_help_panel=_SPEED)
]
Rate: TypeAlias = Annotated[
    float | None,
    typer.Option(help="Requests per second.", show_default="no limit", rich_help_panel=_SPEED),
]

# Output

Output: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="File to write, whose ending tells the format: .jsonl, .csv, .parquet, .sqlite, .duckdb; with / at its end "
        "a folder of Parquet files by day; or - for standard output.",
        show_default="a table on a terminal, JSON lines elsewhere",
        rich_help_panel=_OUTPUT,
    ),
]
FileFormat: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="jsonl, csv, parquet, sqlite, duckdb.",
        show_default="the ending tells",
        rich_help_panel=_OUTPUT,
    ),
]
Columns: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        help="instance_id, flow_name, …; several with commas, or again.",
        show_default="every one",
        rich_help_panel=_OUTPUT,
    ),
]
Tasks: TypeAlias = Annotated[
    bool, typer.Option("--tasks", help="A row for each task of the graph.", rich_help_panel=_OUTPUT)
]
Raw: TypeAlias = Annotated[
    bool,
    typer.Option("--raw", help="Leave texts that look like formulas as they are.", rich_help_panel=_OUTPUT),
]
Resume: TypeAlias = Annotated[
    bool,
    typer.Option("--resume", help="Go on with what an earlier run left.", rich_help_panel=_OUTPUT),
]
Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace what exists.", rich_help_panel=_OUTPUT)
]
Quiet: TypeAlias = Annotated[
    bool, typer.Option("--quiet", "-q", help="Say nothing but errors.", rich_help_panel=_OUTPUT)
]
Json: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Say progress, the account and errors as JSON, one object a line, on standard error.",
        rich_help_panel=_OUTPUT,
    ),
]

Page: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        help="HTML page to write; or - for standard output.",
        show_default="a summary on the terminal",
        rich_help_panel=_OUTPUT,
    ),
]
Day: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="Day whose runs the page shows one by one: 2024-01-31.",
        show_default="the newest seven",
        rich_help_panel=_OUTPUT,
    ),
]

# What is followed, and how often it is asked for

Since: TypeAlias = Annotated[
    str | None,
    typer.Option(
        help="First trigger time, as in 2024-01-01T00:00+08:00.",
        show_default="the service's now",
        rich_help_panel=_WHICH,
    ),
]
Until: TypeAlias = Annotated[
    str | None,
    typer.Option(help="First trigger time left out.", show_default="none", rich_help_panel=_WHICH),
]
Changes: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--changes",
        help="Show an instance again when its status has changed, until it is finished.",
        rich_help_panel=_WHICH,
    ),
]
Settle: TypeAlias = Annotated[
    float,
    typer.Option(
        help="Seconds after its trigger time within which an instance shows.", rich_help_panel=_PACE
    ),
]
Watch: TypeAlias = Annotated[
    float,
    typer.Option(help="Seconds for which an unfinished instance is watched.", rich_help_panel=_PACE),
]
Least: TypeAlias = Annotated[
    float, typer.Option(help="Shortest wait between two polls, in seconds.", rich_help_panel=_PACE)
]
Most: TypeAlias = Annotated[
    float, typer.Option(help="Longest wait between two polls, in seconds.", rich_help_panel=_PACE)
]
Mark: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--checkpoint",
        help="File that keeps where it stands; if it is there, following goes on from it.",
        show_default="none",
        rich_help_panel=_OUTPUT,
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
        "--set",
        help="Any other switch, as in ties=unstable; python -m aioflows.emulator --help lists them.",
    ),
]
