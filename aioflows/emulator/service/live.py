"""The life of an emulated platform: runs begin, run and end as the time of the service goes on.

Nothing happens by itself. Before a request is answered, and before a test looks, everything that is due is
made up for, in its order. So an emulator needs no timer, and a clock that jumps gives the same rows.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

from aioflows.emulator.service.changes import Changes
from aioflows.emulator.world.live_runs import HOUR_MS, LiveRun, LiveRuns
from aioflows.models import FlowStatus

__all__ = ["Life"]

_WAITING, _RUNNING = int(FlowStatus.WAIT), int(FlowStatus.RUNNING)


class Life:
    """Makes the changes of a platform up to a moment.

    Args:
        changes: makes single changes.
        runs: the runs after the past.
        from_ms: the end of the past (ms since the epoch), a full hour.
    """

    def __init__(self, changes: Changes, runs: LiveRuns, from_ms: int) -> None:
        self._changes = changes
        self._runs = runs
        self._drawn_ms = from_ms
        self._due: list[tuple[int, int, Callable[[], object]]] = []
        self._order = count()

    def advance(self, now_ms: float) -> None:
        """Make all changes that are due at a time (ms since the epoch), and have not been made."""
        while self._drawn_ms <= now_ms:
            for run in self._runs.hour(self._drawn_ms):
                self._at(run.trigger_ms, self._trigger(run))
            self._drawn_ms += HOUR_MS
        while self._due and self._due[0][0] <= now_ms:
            heapq.heappop(self._due)[2]()

    def finish(self, id: str, start_ms: int, end_ms: int) -> None:
        """Plan that a run of the past begins, if it has not begun, and ends with success."""
        self._at(start_ms, lambda: self._changes.move_on(id, _RUNNING, start_ms, None))
        self._at(end_ms, lambda: self._changes.move_on(id, int(FlowStatus.SUCCESS), start_ms, end_ms))

    def _trigger(self, run: LiveRun) -> Callable[[], object]:
        def trigger() -> None:
            id = self._changes.trigger(run.trigger_ms, type=run.type, status=_WAITING, flow=run.flow)
            self._at(run.start_ms, lambda: self._changes.move_on(id, _RUNNING, run.start_ms, None))
            self._at(run.end_ms, lambda: self._changes.move_on(id, run.status, run.start_ms, run.end_ms))

        return trigger

    def _at(self, ms: int, change: Callable[[], object]) -> None:
        heapq.heappush(self._due, (ms, next(self._order), change))
