"""Meters that move on a terminal: a bar for a scan, and a line for tasks. Both are erased at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.progress import Progress as Bar
from rich.spinner import Spinner
from rich.table import Column
from rich.text import Text

from aioflows import Event, FlowScan
from aioflows.cli.output.console import bar_on
from aioflows.cli.output.progress import Progress
from aioflows.cli.output.service_wait import ServiceWait

__all__ = ["BarMeter", "CountMeter"]

_WIDE = 100  # columns of a terminal with room for a long bar
_SPINNER_AND_SHARE = 8  # columns of the spinner, of the percentage, and of the spaces between all four


class _TextColumn(ProgressColumn):
    """The text beside the bar: the reason for a wait, or else the progress of the scan."""

    def __init__(self, progress: Progress, console: Console, beside: int) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self._progress = progress
        self._console = console
        self._beside = beside

    def render(self, task: Task) -> Text:
        snapshot, width = self._progress.snapshot, self._console.width - self._beside
        return Text(
            self._progress.waiting or (task.description if snapshot is None else snapshot.line(width))
        )


class BarMeter:
    """A progress bar on a terminal, which is erased at the end."""

    def __init__(self, console: Console, progress: Progress) -> None:
        self._progress = progress
        self._console = console
        self._shown = ExitStack()
        bar = 16 if console.width >= _WIDE else 8
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=bar),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            _TextColumn(progress, console, bar + _SPINNER_AND_SHARE),
            console=console,
            transient=True,
            refresh_per_second=5,
            # The redirection of rich would read printed rows as markup.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("waiting for the service", total=1.0)

    def __enter__(self) -> Self:
        self._shown.enter_context(bar_on(self._console))
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()
        with suppress(OSError):  # the terminal was closed
            self._bar.stop()

    def show(self, scan: FlowScan) -> None:
        if (snapshot := self._progress.show(scan)) is not None:
            self._bar.update(self._task, completed=snapshot.share)

    def on_event(self, event: Event) -> None:
        self._progress.on_event(event)


class CountMeter:
    """A line on a terminal that counts tasks, and shows the wait for the service. It is erased at the end.

    Args:
        console: the terminal.
        total: number of tasks.
    """

    def __init__(self, console: Console, total: int) -> None:
        self._tasks: Sequence[asyncio.Task[object]] = ()
        self._total = total
        self._service = ServiceWait()
        self._console = console
        self._shown = ExitStack()
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._line,
            console=console,
            transient=True,
            refresh_per_second=5,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def count(self, tasks: Sequence[asyncio.Task[object]]) -> None:
        """Count the tasks that are done."""
        self._tasks = tasks

    def _line(self) -> RenderableType:
        count = f"{sum(task.done() for task in self._tasks):,} of {self._total:,} finished"
        text = Text(" · ".join(filter(None, (count, self._service.text()))))
        text.truncate(max(1, self._console.width - 2), overflow="ellipsis")
        self._spinner.text = text
        return self._spinner

    def __enter__(self) -> Self:
        self._shown.enter_context(bar_on(self._console))
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.close()
        with suppress(OSError):  # the terminal was closed
            self._live.stop()

    def show(self, scan: FlowScan) -> None:
        """Do nothing. Tasks are counted, not rows."""

    def on_event(self, event: Event) -> None:
        """Process an event of the session."""
        self._service.on_event(event)
