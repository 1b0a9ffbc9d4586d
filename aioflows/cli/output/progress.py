"""How far a scan is: what its events and its account tell, put together for a person's line or a machine's.

It is asked a few times a second, however many pages come, and so seldom that it costs a fiftieth of the time at most.
"""

from __future__ import annotations

import time
from collections.abc import Callable
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
from aioflows.cli.output.console import account, rows_per_second, shown_duration
from aioflows.cli.output.time_left import Ground, Remaining, Rest

__all__ = ["Progress", "Standing", "hitch"]

_EVERY = 0.25
_COST = 50
_LONG_WAIT = 1.0
_LONGEST_REASON = 60


@attrs.frozen
class Standing:
    """Where a scan stands.

    Args:
        share: the *share* of the query's time range that is done, that of earlier runs included.
        stats: its *account*.
        in_flight: *requests* under way.
        left: *seconds* that are left; None: that cannot be told.
    """

    share: float
    stats: ScanStats
    in_flight: int
    left: float | None

    def words(self) -> str:
        """Give it as a line."""
        parts = [account(self.stats), f"{self.in_flight} in flight"]
        if self.stats.rate is not None:
            parts.append(f"throttled to {self.stats.rate:,.0f} requests/s")
        if self.left is not None:
            parts.append(f"about {shown_duration(timedelta(seconds=self.left))} left")
        return " · ".join(parts)

    def facts(self) -> dict[str, object]:
        """Give it as the members of a JSON object."""
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


class Progress:
    """Follows a scan.

    Args:
        limit: *instances* in all; None: every one.
        kinds: how many *schedule types* the query asks for.
        clock: tells *seconds*.
    """

    def __init__(
        self, limit: int | None = None, kinds: int = 3, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._kinds = kinds
        self._clock = clock
        self._windows: list[WindowDone] = []
        self._ground: Ground | None = None
        self._remaining = Remaining()
        self._in_flight = 0
        self._resumed = False
        self._before = 0.0
        self._next = 0.0
        self._until = 0.0
        self._hitch: Event | None = None
        self.standing: Standing | None = None

    @classmethod
    def of(cls, query: FlowQuery, limit: int | None) -> Self:
        """Follow a scan of a query."""
        return cls(limit, 1 if query.type is not None else len(ScheduleType))

    def heard(self, event: Event) -> None:
        """Take an event of the session."""
        match event:
            case RequestSent():
                self._in_flight += 1
            case RequestEnded():
                self._in_flight -= 1
            case WindowDone():
                self._windows.append(event)
            case ScanBegan(resumed=resumed):
                self._resumed = resumed
            case Paused(seconds=seconds) | Retried(wait=seconds) if hitch(event):
                if (until := self._clock() + seconds) > self._until:
                    self._until, self._hitch = until, event

    @property
    def waiting(self) -> str:
        """Words for what it waits for, and how long still; none if it does not wait."""
        left = self._until - self._clock()
        return "" if self._hitch is None or left <= 0 else hitch(self._hitch, left)

    def show(self, scan: FlowScan) -> Standing | None:
        """Look at a scan; give where it stands, unless that was given only just now."""
        began = self._clock()
        if began < self._next:
            return None
        stats = scan.stats
        ground = self._ground = self._ground or self._begun(scan)
        for window in self._windows:
            ground.read(int(window.type), window.from_ms, window.to_ms, window.rows)
        self._windows.clear()
        rest = ground.rest()
        taken = stats.rows_received - stats.duplicates
        if self._limit is not None:
            missing = max(0, self._limit - stats.rows_yielded)
            rest = Rest(missing, 1.0) if missing < rest.rows else rest
        left = self._remaining.told(stats.elapsed, taken, rest)
        share = self._before + (1 - self._before) * scan.progress
        if self._limit:
            share = max(share, stats.rows_yielded / self._limit)
        self.standing = Standing(share, stats, max(0, self._in_flight), left)
        now = self._clock()
        self._next = now + max(_EVERY, _COST * (now - began))
        return self.standing

    def _begun(self, scan: FlowScan) -> Ground:
        plan = scan.plan()
        spans = [(int(one.type), one.from_ms, one.to_ms) for one in plan.windows]
        whole = self._kinds * (plan.to_ms - plan.from_ms)
        open_, done = sum(until - first for _, first, until in spans), scan.progress
        if self._resumed and whole and done < 1:
            # What is open now was less by what this run has done already.
            self._before = max(0.0, 1 - open_ / (whole * (1 - done)))
        return Ground(spans)


def hitch(event: Event, left: float | None = None) -> str:
    """Give words for what makes a scan wait; none for everything else.

    Args:
        event: what has *happened*.
        left: the *seconds* of the wait that are not over; None: all of them.
    """
    match event:
        case Paused(seconds=seconds):
            return f"throttled: waiting {seconds if left is None else left:.0f} s"
        case Retried(wait=wait, error=error) if wait >= _LONG_WAIT:
            reason = printable(str(error), _LONGEST_REASON)
            return f"again in {wait if left is None else left:.0f} s: {reason}"
        case DriftFound():
            return "rows have moved, a window is read again"
    return ""
