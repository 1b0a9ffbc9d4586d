"""Lines that say that a command waits for the service, for a log or for a program, and that the wait is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Self

from aioflows import Event
from aioflows.cli.exit_codes import json_record
from aioflows.cli.output.console import format_duration
from aioflows.cli.output.service_wait import ServiceWait

__all__ = ["WaitNotice", "json_notice", "plain_notice"]

_INTERVAL = 0.1
"""Seconds between looks at the wait. No event tells that an answer does not come."""
_LATE = 0.1
"""Seconds by which a look is late if this program was busy, as while it loads a library."""
_SECONDS_BETWEEN_LINES = 60.0
_SECONDS_BETWEEN_RECORDS = 5.0


def _now() -> datetime:
    return datetime.now().astimezone()


class WaitNotice(AbstractContextManager["WaitNotice"]):
    """Writes a line when a command begins to wait, again at intervals, and when the wait is over.

    Args:
        write: writes a line.
        wait: the wait of the command.
        interval: time between two lines (seconds).
        as_json: True to write JSON objects. Default: False.
        now: returns the local time. Default: the system's.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        wait: ServiceWait,
        interval: float,
        *,
        as_json: bool = False,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._write = write
        self._wait = wait
        self._line_interval = interval
        self._as_json = as_json
        self._now = now
        self._timer: asyncio.TimerHandle | None = None
        self._told: float | None = None
        """Seconds of the present wait at the last line. None means that there was no line."""
        self._longest = 0.0
        self._answers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def on_event(self, event: Event) -> None:
        """Process an event of the session."""
        self._wait.on_event(event)
        self.look()

    def look(self) -> None:
        """Write a line if one is due, and look again later if the command waits."""
        seconds, shown = self._wait.seconds, self._wait.shown
        if self._told is not None and (seconds is None or seconds < self._longest):
            if self._wait.answers > self._answers:  # or the command has ended
                self._write(self._over())
            self._told, self._longest = None, 0.0
        if shown is not None:
            self._longest, self._answers = shown, self._wait.answers
            if self._told is None or shown >= self._told + self._line_interval:
                self._told = shown
                self._write(self._waiting(shown))
        if seconds is not None and self._timer is None:
            self._look_later()

    def _look_later(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_INTERVAL, self._look_again)

    def _look_again(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and asyncio.get_running_loop().time() > timer.when() + _LATE:
            self._look_later()  # something kept the loop from reading an answer that may be there
        else:
            self.look()

    def _waiting(self, seconds: float) -> str:
        since, wait = self._now() - timedelta(seconds=seconds), self._wait
        if not self._as_json:
            return f"waiting for the service since {since:%H:%M:%S}: {wait.reason}"
        left = wait.next_try
        return json_record(
            "waiting",
            seconds=None if left is None else round(left, 3),
            waited=round(seconds, 3),
            since=since.isoformat(timespec="seconds"),
            reason=wait.reason,
        )

    def _over(self) -> str:
        if self._as_json:
            return json_record("answered", waited=round(self._longest, 3))
        waited = format_duration(timedelta(seconds=self._longest))
        return f"the service answers again, after {waited}"


def plain_notice(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> WaitNotice:
    """Return a notice that writes lines."""
    return WaitNotice(write, ServiceWait(0.55, at_once=False, clock=clock), _SECONDS_BETWEEN_LINES)


def json_notice(write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> WaitNotice:
    """Return a notice that writes JSON objects."""
    return WaitNotice(write, ServiceWait(clock=clock), _SECONDS_BETWEEN_RECORDS, as_json=True)
