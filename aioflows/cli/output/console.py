"""Consoles that never read data as markup, and texts for durations and statistics."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from aioflows import ScanStats

__all__ = [
    "bar_on",
    "console_of_bar",
    "console_on",
    "fold_line",
    "format_duration",
    "is_terminal",
    "rows_per_second",
    "stats_line",
]


def is_terminal(stream: TextIO | None) -> bool:
    """Return True if a stream is open and is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def console_on(stream: TextIO | None) -> Console:
    """Return a console on a stream. It writes control codes only to a terminal, even with FORCE_COLOR."""
    from rich.console import Console

    return Console(
        file=io.StringIO() if stream is None else stream,
        force_terminal=is_terminal(stream),
        no_color=bool(os.environ.get("NO_COLOR")),
        markup=False,
        emoji=False,
        highlight=False,
    )


_bars: list[Console] = []
"""The consoles on which something moves at the bottom. Other lines must go through the same console."""


@contextmanager
def bar_on(console: Console) -> Iterator[None]:
    """Mark a console as one on which something moves within the block."""
    _bars.append(console)
    try:
        yield
    finally:
        _bars.remove(console)


def console_of_bar() -> Console | None:
    """Return the console on which something moves. None means that there is none."""
    return _bars[-1] if _bars else None


def fold_line(line: Text, console: Console, indent: int = 0) -> list[Text]:
    """Return a line as lines that fit a console, broken between words.

    Args:
        line: text whose first *indent* characters are a label.
        console: console that the lines must fit.
        indent: columns by which further lines are indented. Default: 0.
    """
    if line.cell_len <= console.width:
        return [line]
    from rich.text import Text

    pieces = line[indent:].wrap(console, max(10, console.width - indent))
    for piece in pieces:
        piece.rstrip()
    return [
        Text.assemble(" " * indent if place else line[:indent], piece) for place, piece in enumerate(pieces)
    ]


def format_duration(duration: timedelta | None) -> str:
    """Return a duration in its two largest units, as in ``3m 05s``."""
    if duration is None:
        return "–"
    seconds = round(abs(duration.total_seconds()))
    sign = "-" if duration < timedelta() and seconds else ""
    for unit, smaller, size, part in (("d", "h", 86_400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if seconds >= size:
            return f"{sign}{seconds // size}{unit} {seconds % size // part:02}{smaller}"
    return f"{sign}{seconds}s"


def stats_line(stats: ScanStats) -> str:
    """Return rows, requests, rate and retries of a scan in one line."""
    rate = rows_per_second(stats)
    text = f"{stats.rows_yielded:,} rows · {stats.requests:,} requests · {rate:,.0f} rows/s"
    return f"{text} · {stats.retries:,} retries" if stats.retries else text


def rows_per_second(stats: ScanStats) -> float:
    """Return the rows per second that a scan has handed out."""
    return stats.rows_yielded / stats.elapsed if stats.elapsed > 0 else 0.0
