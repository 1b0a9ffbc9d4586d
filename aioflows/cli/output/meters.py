"""Progress meters of a scan: a bar on a terminal, lines in a log, JSON objects for programs, or nothing.

A meter never stops the scan: if the terminal was closed, the meter prints nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from aioflows import Event, FlowScan, Paused
from aioflows.cli.exit_codes import json_record
from aioflows.cli.output.progress import Progress, delay_text

__all__ = ["Meter", "json_meter", "live_meter", "no_meter", "plain_meter"]

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_RECORDS = 1.0


class Meter(AbstractContextManager["Meter"], Protocol):
    """A progress meter of a scan."""

    def show(self, scan: FlowScan) -> None:
        """Show the progress of a scan."""

    def on_event(self, event: Event) -> None:
        """Process an event of the session; this method is the session's observer."""


class _TextColumn(ProgressColumn):
    """The text beside the bar: the reason for a wait, or else the progress of the scan."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._progress = progress

    def render(self, task: Task) -> Text:
        return Text(self._progress.waiting or task.description)


class _LiveMeter:
    """A progress bar on a terminal, which is erased at the end."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._progress = progress
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            _TextColumn(progress),
            console=console,
            transient=True,
            refresh_per_second=5,
            # The redirection of rich would read printed rows as markup.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("connecting", total=1.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal was closed
            self._bar.stop()

    def show(self, scan: FlowScan) -> None:
        if (snapshot := self._progress.show(scan)) is not None:
            self._bar.update(self._task, completed=snapshot.share, description=snapshot.line())

    def on_event(self, event: Event) -> None:
        self._progress.on_event(event)


class _SilentMeter:
    """A meter that shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, scan: FlowScan) -> None:
        pass

    def on_event(self, event: Event) -> None:
        pass


class _PlainMeter(_SilentMeter):
    """A meter that writes a line at intervals, and a line for each pause."""

    def __init__(
        self, write: Callable[[str], None], interval: float, progress: Progress, clock: Callable[[], float]
    ) -> None:
        self._write = write
        self._interval = interval
        self._clock = clock
        self._next = clock() + interval
        self._progress = progress

    def show(self, scan: FlowScan) -> None:
        # Also between the lines, since the estimate of the time left needs frequent samples.
        self._progress.show(scan)
        if self._clock() >= self._next and self._progress.snapshot is not None:
            self._next = self._clock() + self._interval
            self._write_snapshot()

    def _write_snapshot(self) -> None:
        snapshot = self._progress.snapshot
        if snapshot is not None:
            self._write(f"{snapshot.share:.0%} · {snapshot.line()}")

    def on_event(self, event: Event) -> None:
        self._progress.on_event(event)
        if isinstance(event, Paused):  # retries are counted in the line
            self._write(delay_text(event))


class _JsonMeter(_PlainMeter):
    """A meter that writes a JSON object at intervals, and one for each pause."""

    def _write_snapshot(self) -> None:
        snapshot = self._progress.snapshot
        if snapshot is not None:
            self._write(json_record("progress", **snapshot.to_dict(), waiting=self._progress.waiting or None))

    def on_event(self, event: Event) -> None:
        self._progress.on_event(event)
        if isinstance(event, Paused):
            self._write(json_record("waiting", seconds=round(event.seconds, 3), reason=delay_text(event)))


def live_meter(console: Console, progress: Progress | None = None) -> Meter:
    """Return a meter that shows a bar on a terminal."""
    return _LiveMeter(console, progress or Progress())


def plain_meter(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Meter:
    """Return a meter that writes a line every five seconds."""
    return _PlainMeter(write, _SECONDS_BETWEEN_LINES, Progress(clock=clock), clock)


def json_meter(
    write: Callable[[str], None], progress: Progress, clock: Callable[[], float] = time.monotonic
) -> Meter:
    """Return a meter that writes a JSON object every second."""
    return _JsonMeter(write, _SECONDS_BETWEEN_RECORDS, progress, clock)


def no_meter() -> Meter:
    """Return a meter that shows nothing."""
    return _SilentMeter()
