"""What shows how far a scan is: a bar for a person, a line now and then for a log, JSON for a machine, or nothing.

None of them stands in the way of the scan: where the terminal has gone, a meter falls silent.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from aioflows import Event, FlowScan, Paused
from aioflows.cli.exit_codes import record
from aioflows.cli.output.progress import Progress, hitch

__all__ = ["Meter", "json_meter", "live_meter", "no_meter", "plain_meter"]

_SECONDS_BETWEEN_LINES = 5.0
_SECONDS_BETWEEN_RECORDS = 1.0


class Meter(AbstractContextManager["Meter"], Protocol):
    """Shows how far a scan is."""

    def show(self, scan: FlowScan) -> None:
        """Show a scan that has gone on."""

    def heard(self, event: Event) -> None:
        """Take an event of the session: its observer."""


class _Words(ProgressColumn):
    """What the scan waits for, and if it does not wait, where it stands."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._progress = progress

    def render(self, task: Task) -> Text:
        return Text(self._progress.waiting or task.description)


class _Live:
    """A bar that moves; it wipes itself at the end."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._progress = progress
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=16),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            _Words(progress),
            console=console,
            transient=True,
            refresh_per_second=5,
            # What others print would be read as markup otherwise, and nobody prints beside us.
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
        if (standing := self._progress.show(scan)) is not None:
            self._bar.update(self._task, completed=standing.share, description=standing.words())

    def heard(self, event: Event) -> None:
        self._progress.heard(event)


class _Silent:
    """Nothing at all."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def show(self, scan: FlowScan) -> None:
        pass

    def heard(self, event: Event) -> None:
        pass


class _Plain(_Silent):
    """A line now and then."""

    def __init__(
        self, say: Callable[[str], None], between: float, progress: Progress, clock: Callable[[], float]
    ) -> None:
        self._say = say
        self._between = between
        self._clock = clock
        self._next = clock() + between
        self._progress = progress

    def show(self, scan: FlowScan) -> None:
        # Looked at between the lines too: what is left is told from how it went.
        self._progress.show(scan)
        if self._clock() >= self._next and self._progress.standing is not None:
            self._next = self._clock() + self._between
            self._line()

    def _line(self) -> None:
        standing = self._progress.standing
        if standing is not None:
            self._say(f"{standing.share:.0%} · {standing.words()}")

    def heard(self, event: Event) -> None:
        self._progress.heard(event)
        if isinstance(event, Paused):  # retries are in the account
            self._say(hitch(event))


class _Json(_Plain):
    """A JSON object now and then."""

    def _line(self) -> None:
        standing = self._progress.standing
        if standing is not None:
            self._say(record("progress", **standing.facts(), waiting=self._progress.waiting or None))

    def heard(self, event: Event) -> None:
        self._progress.heard(event)
        if isinstance(event, Paused):
            self._say(record("waiting", seconds=round(event.seconds, 3), reason=hitch(event)))


def live_meter(console: Console, progress: Progress | None = None) -> Meter:
    """Make a bar on a terminal."""
    return _Live(console, progress or Progress())


def plain_meter(say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> Meter:
    """Make a meter that says a line every few seconds."""
    return _Plain(say, _SECONDS_BETWEEN_LINES, Progress(clock=clock), clock)


def json_meter(
    say: Callable[[str], None], progress: Progress, clock: Callable[[], float] = time.monotonic
) -> Meter:
    """Make a meter that says a JSON object every second."""
    return _Json(say, _SECONDS_BETWEEN_RECORDS, progress, clock)


def no_meter() -> Meter:
    """Make a meter that shows nothing."""
    return _Silent()
