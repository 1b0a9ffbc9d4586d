"""The terminal: consoles that never take data for markup, texts for numbers, and the live account of a scan."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from types import TracebackType
from typing import Protocol, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from aioflows import DriftFound, Event, FlowScan, Paused, Retried, ScanStats
from aioflows.printable import printable

__all__ = ["Meter", "console_on", "is_terminal", "live_meter", "no_meter", "plain_meter", "shown_duration"]

_SECONDS_BETWEEN_LINES = 5.0
_LONG_WAIT = 1.0
_LONGEST_REASON = 60


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


class Meter(AbstractContextManager["Meter"], Protocol):
    """Shows how far a scan is."""

    def show(self, scan: FlowScan, share: float) -> None:
        """Show a scan that has done this share of its work."""

    def heard(self, event: Event) -> None:
        """Take an event of the session: its observer."""


def account(stats: ScanStats) -> str:
    """Give the figures of a scan in a line."""
    rate = stats.rows_yielded / stats.elapsed if stats.elapsed > 0 else 0.0
    text = f"{stats.rows_yielded:,} rows · {stats.requests:,} requests · {rate:,.0f} rows/s"
    return f"{text} · {stats.retries:,} retries" if stats.retries else text


def hitch(event: Event) -> str:
    """Give words for what makes a scan wait; none for everything else."""
    match event:
        case Paused(seconds=seconds):
            return f"the service asks us to wait {seconds:.0f} s"
        case Retried(wait=wait, error=error) if wait >= _LONG_WAIT:
            return f"again in {wait:.0f} s: {printable(str(error), _LONGEST_REASON)}"
        case DriftFound():
            return "rows have moved, a window is read again"
    return ""


class _Live:
    """A bar that moves; it wipes itself at the end."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
            # What others print would be read as markup otherwise, and nobody prints beside us.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("connecting", total=1.0)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, scan: FlowScan, share: float) -> None:
        self._progress.update(self._task, completed=share, description=account(scan.stats))

    def heard(self, event: Event) -> None:
        if words := hitch(event):
            self._progress.update(self._task, description=words)


class _Plain:
    """A line now and then, for a log."""

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._say = say
        self._clock = clock
        self._next = clock() + _SECONDS_BETWEEN_LINES

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, scan: FlowScan, share: float) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + _SECONDS_BETWEEN_LINES
            self._say(f"{share:.0%} · {account(scan.stats)}")

    def heard(self, event: Event) -> None:
        if isinstance(event, Paused):  # retries are in the account
            self._say(hitch(event))


def live_meter(console: Console) -> Meter:
    """Make a bar on a terminal."""
    return _Live(console)


def plain_meter(say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Meter:
    """Make a meter that says a line every few seconds."""
    return _Plain(say, clock)


def no_meter() -> Meter:
    """Make a meter that shows nothing."""
    return _Plain(lambda _: None, lambda: 0.0)
