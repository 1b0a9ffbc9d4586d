"""The progress of a scan, from its events and statistics.

1. A snapshot is taken at most four times a second, however many pages arrive.
2. Snapshots take at most a fiftieth of the time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Self

import attrs

from aioflows import (
    DriftFound,
    Event,
    FlowQuery,
    FlowScan,
    Paused,
    RequestEnded,
    RequestSent,
    Retried,
    ScanBegan,
    ScanStats,
    ScheduleType,
    WindowDone,
)
from aioflows._display.text import printable
from aioflows.cli.output.console import format_duration, rows_per_second
from aioflows.cli.output.service_wait import ServiceWait
from aioflows.cli.output.time_left import DensityEstimate, RowsLeft, TimeLeft

__all__ = ["Progress", "ProgressSnapshot", "delay_text"]

_MIN_INTERVAL = 0.25  # seconds between snapshots
_COST_RATIO = 50  # a snapshot is followed by a pause of this many times its duration
_LONG_WAIT = 1.0  # seconds; shorter waits for a retry are not shown
_LONGEST_REASON = 60  # characters of an error


@attrs.frozen
class ProgressSnapshot:
    """The progress of a scan at one moment.

    Args:
        share: share of the query's time range that is done, including earlier runs (0 to 1).
        stats: statistics of the scan.
        in_flight: number of requests in flight.
        left: estimated time left (seconds). None means that there is no estimate.
    """

    share: float
    stats: ScanStats
    in_flight: int
    left: float | None

    def line(self, width: int | None = None) -> str:
        """Return the progress as one line. If *width* columns are too few, leave out the least important parts."""
        stats = self.stats
        ranked = [(0, f"{stats.rows_yielded:,} rows"), (5, f"{stats.requests:,} requests")]
        ranked.append((2, f"{rows_per_second(stats):,.0f} rows/s"))
        if stats.retries:
            ranked.append((4, f"{stats.retries:,} retries"))
        ranked.append((6, f"{self.in_flight} in flight"))
        if stats.rate is not None:
            ranked.append((3, f"throttled to {stats.rate:,.0f} requests/s"))
        if self.left is not None:
            ranked.append((1, f"about {format_duration(timedelta(seconds=self.left))} left"))
        while width is not None and len(ranked) > 1 and len(_joined(ranked)) > width:
            ranked.remove(max(ranked))
        return _joined(ranked)

    def to_dict(self) -> dict[str, object]:
        """Return the progress as the members of a JSON object."""
        stats = self.stats
        return {
            "share": round(self.share, 4),
            "rows": stats.rows_yielded,
            "rows_per_second": round(rows_per_second(stats), 1),
            "requests": stats.requests,
            "in_flight": self.in_flight,
            "requests_per_second": stats.rate,
            "retries": stats.retries,
            "throttled": stats.throttled,
            "elapsed": round(stats.elapsed, 3),
            "left": None if self.left is None else round(self.left, 1),
        }


def _joined(ranked: Iterable[tuple[int, str]]) -> str:
    return " · ".join(text for _, text in ranked)


class Progress:
    """The progress of a scan.

    Args:
        limit: largest number of instances. Default: None, every instance.
        kinds: number of schedule types that the query selects. Default: 3, all types.
        clock: returns the time (seconds). Default: `time.monotonic`.
    """

    def __init__(
        self, limit: int | None = None, kinds: int = 3, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._kinds = kinds
        self._clock = clock
        self._windows: list[WindowDone] = []
        self._density: DensityEstimate | None = None
        self._time_left = TimeLeft()
        self._in_flight = 0
        self._resumed = False
        self._earlier_share = 0.0
        self._next = 0.0
        self._until = 0.0
        self._delay: Event | None = None
        self._service = ServiceWait(clock=clock)
        self.snapshot: ProgressSnapshot | None = None

    @classmethod
    def of(cls, query: FlowQuery, limit: int | None) -> Self:
        """Return the progress of a scan of a query."""
        return cls(limit, 1 if query.type is not None else len(ScheduleType))

    def on_event(self, event: Event) -> None:
        """Process an event of the session."""
        self._service.on_event(event)
        match event:
            case RequestSent():
                self._in_flight += 1
            case RequestEnded():
                self._in_flight -= 1
            case WindowDone():
                self._windows.append(event)
            case ScanBegan(resumed=resumed):
                self._resumed = resumed
            case Paused(seconds=seconds) | Retried(wait=seconds) if delay_text(event):
                if (until := self._clock() + seconds) > self._until:
                    self._until, self._delay = until, event

    @property
    def waiting(self) -> str:
        """Text for the present wait and its seconds, or "" if the scan does not wait."""
        left = self._until - self._clock()
        delayed = self._delay if left > 0 else None
        if isinstance(delayed, Paused):  # the service answers, so its own word is better
            return delay_text(delayed, left)
        return self._service.text() or (delay_text(delayed, left) if delayed else "")

    def show(self, scan: FlowScan) -> ProgressSnapshot | None:
        """Return a snapshot of the scan's progress, or None if the last snapshot is too recent."""
        began = self._clock()
        if began < self._next:
            return None
        stats = scan.stats
        density = self._density = self._density or self._start_density(scan)
        for window in self._windows:
            density.add_window(int(window.type), window.from_ms, window.to_ms, window.rows)
        self._windows.clear()
        rows_left = density.rows_left()
        taken = stats.rows_received - stats.duplicates
        if self._limit is not None:
            missing = max(0, self._limit - stats.rows_yielded)
            rows_left = RowsLeft(missing, 1.0) if missing < rows_left.rows else rows_left
        left = self._time_left.update(stats.elapsed, taken, rows_left)
        share = self._earlier_share + (1 - self._earlier_share) * scan.progress
        if self._limit:
            share = max(share, stats.rows_yielded / self._limit)
        self.snapshot = ProgressSnapshot(share, stats, max(0, self._in_flight), left)
        now = self._clock()
        self._next = now + max(_MIN_INTERVAL, _COST_RATIO * (now - began))
        return self.snapshot

    def _start_density(self, scan: FlowScan) -> DensityEstimate:
        plan = scan.plan()
        spans = [(int(window.type), window.from_ms, window.to_ms) for window in plan.windows]
        whole = self._kinds * (plan.to_ms - plan.from_ms)
        open_, done = sum(until - first for _, first, until in spans), scan.progress
        if self._resumed and whole and done < 1:
            # The open windows were larger at the start of this run, by the part that this run has read.
            self._earlier_share = max(0.0, 1 - open_ / (whole * (1 - done)))
        return DensityEstimate(spans)


def delay_text(event: Event, left: float | None = None) -> str:
    """Return a text for an event that delays a scan, or "" for any other event.

    Args:
        event: event of the session.
        left: remaining time of the wait (seconds). Default: None, the whole wait.
    """
    match event:
        case Paused(seconds=seconds):
            return f"throttled: waiting {seconds if left is None else left:.0f} s"
        case Retried(wait=wait, error=error) if wait >= _LONG_WAIT:
            reason = printable(str(error), _LONGEST_REASON)
            return f"retry in {wait if left is None else left:.0f} s: {reason}"
        case DriftFound():
            return "rows have moved; a window is read again"
    return ""
