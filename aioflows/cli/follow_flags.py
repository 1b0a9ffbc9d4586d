"""The options that ``aioflows follow`` has alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

__all__ = ["Changes", "Least", "Mark", "Most", "Settle", "Since", "Until", "Watch"]

_WHICH, _PACE, _OUTPUT = "Which instances", "How often", "Output"

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
