"""Progress meters of a scan: a bar on a terminal, lines in a log, JSON objects for programs, or nothing.

A meter never stops the scan: if the terminal was closed, the meter prints nothing more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, Self

from aioflows import Event, FlowScan, Paused
from aioflows.cli.exit_codes import json_record, print_message, print_to_stderr
from aioflows.cli.output.progress import Progress, delay_text
from aioflows.cli.output.wait_notice import WaitNotice, json_notice, plain_notice

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Meter", "json_meter", "live_meter", "meter_of", "no_meter", "plain_meter"]

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_RECORDS = 1.0


class Meter(AbstractContextManager["Meter"], Protocol):
    """A progress meter of a scan."""

    def show(self, scan: FlowScan) -> None:
        """Show the progress of a scan."""

    def on_event(self, event: Event) -> None:
        """Process an event of the session; this method is the session's observer."""


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


class _LogMeter(_SilentMeter):
    """A meter that shows only waits for the service, as lines."""

    def __init__(self, notice: WaitNotice) -> None:
        self._notice = notice

    def __exit__(self, *_: object) -> None:
        self._notice.__exit__()

    def on_event(self, event: Event) -> None:
        self._notice.on_event(event)


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
    """A meter that writes a JSON object at intervals, one for each pause, and others while there is no answer."""

    def __init__(
        self, write: Callable[[str], None], interval: float, progress: Progress, clock: Callable[[], float]
    ) -> None:
        super().__init__(write, interval, progress, clock)
        self._notice = json_notice(write, clock)

    def __exit__(self, *_: object) -> None:
        self._notice.__exit__()

    def _write_snapshot(self) -> None:
        snapshot = self._progress.snapshot
        if snapshot is not None:
            self._write(json_record("progress", **snapshot.to_dict(), waiting=self._progress.waiting or None))

    def on_event(self, event: Event) -> None:
        self._progress.on_event(event)
        self._notice.on_event(event)
        if isinstance(event, Paused):
            self._write(json_record("waiting", seconds=round(event.seconds, 3), reason=delay_text(event)))


def meter_of(console: Console | None, progress: Progress | None, *, quiet: bool, as_json: bool) -> Meter:
    """Return the meter for the options of a command.

    Args:
        console: the terminal for a bar. None means that there is no bar.
        progress: progress of the scan. None means that only waits for the service are shown, as lines.
        quiet: True to show nothing.
        as_json: True to write JSON objects.
    """
    if quiet:
        return no_meter()
    if progress is not None and as_json:
        return json_meter(print_to_stderr, progress)
    if progress is not None and console is not None:
        return live_meter(console, progress)
    return _LogMeter(json_notice(print_to_stderr) if as_json else plain_notice(print_message))


def live_meter(console: Console, progress: Progress | None = None) -> Meter:
    """Return a meter that shows a bar on a terminal."""
    from aioflows.cli.output.live_meters import BarMeter

    return BarMeter(console, progress or Progress())


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
