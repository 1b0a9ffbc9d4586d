"""The terminal: consoles that never take data for markup, and texts for numbers."""

from __future__ import annotations

import io
import os
from datetime import timedelta
from typing import TextIO

from rich.console import Console

from aioflows import ScanStats

__all__ = ["account", "console_on", "is_terminal", "rows_per_second", "shown_duration"]


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person looks at a stream."""
    return stream is not None and not stream.closed and stream.isatty()


def console_on(stream: TextIO | None) -> Console:
    """Make a console on a stream; on anything but a terminal it writes no control codes, whatever FORCE_COLOR says."""
    return Console(
        file=io.StringIO() if stream is None else stream,
        force_terminal=is_terminal(stream),
        no_color=bool(os.environ.get("NO_COLOR")),
        markup=False,
        emoji=False,
        highlight=False,
    )


def shown_duration(duration: timedelta | None) -> str:
    """Give a duration in its two largest units, as in ``3m 05s``."""
    if duration is None:
        return "–"
    seconds = round(abs(duration.total_seconds()))
    sign = "-" if duration < timedelta() and seconds else ""
    for unit, smaller, size, part in (("d", "h", 86_400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if seconds >= size:
            return f"{sign}{seconds // size}{unit} {seconds % size // part:02}{smaller}"
    return f"{sign}{seconds}s"


def account(stats: ScanStats) -> str:
    """Give the figures of a scan in a line."""
    rate = rows_per_second(stats)
    text = f"{stats.rows_yielded:,} rows · {stats.requests:,} requests · {rate:,.0f} rows/s"
    return f"{text} · {stats.retries:,} retries" if stats.retries else text


def rows_per_second(stats: ScanStats) -> float:
    """Give the rate at which a scan has handed out its rows."""
    return stats.rows_yielded / stats.elapsed if stats.elapsed > 0 else 0.0
