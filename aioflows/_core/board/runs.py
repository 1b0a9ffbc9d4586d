"""The runs of a board: what it keeps of an instance, and what the runs of one flow say together."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import attrs

from aioflows._statuses import FINAL, FlowStatus, ScheduleType
from aioflows.models import FlowInstance

__all__ = ["FAILED", "BoardRun", "Streak", "ms_of", "p95_of", "place_of", "streak_of", "time_of"]

FAILED = frozenset({FlowStatus.FAIL, FlowStatus.INTERNAL_ERROR, FlowStatus.TIMEOUT})
"""The statuses of a failure, as in `aioflows.report`."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def ms_of(time: datetime) -> int:
    """Return a time as milliseconds since the epoch."""
    since = time - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def time_of(ms: int) -> datetime:
    """Return the time that is some milliseconds after the epoch."""
    return _EPOCH + timedelta(milliseconds=ms)


@attrs.define(eq=False)
class BoardRun:
    """What a board keeps of an instance. Its names are those of a `FlowInstance`, so that an auditor reads it.

    Args:
        instance_id: the id.
        flow_id: the id of the flow.
        flow_name: the name of the flow.
        freq: the schedule of the flow.
        owner: the owner.
        type: the schedule type. None means unknown.
        status: the status.
        trigger_time: the moment for which the run was scheduled.
        start_time: the moment at which it began.
        end_time: the moment at which it ended.
        flow: the number of its flow on the board. Default: -1, which means that it is not on the board.
        series: the number of its series on the board. Default: -1, which means that it is not on the board.
        mark: the number of the last event that showed it. Default: 0.
    """

    instance_id: str
    flow_id: int | None
    flow_name: str | None
    freq: str | None
    owner: str | None
    type: ScheduleType | None
    status: FlowStatus | int | None
    trigger_time: datetime
    start_time: datetime | None
    end_time: datetime | None
    flow: int = -1
    series: int = -1
    mark: int = 0

    @classmethod
    def of(cls, row: FlowInstance, type: ScheduleType | None) -> BoardRun | None:
        """Return the run of an instance. None means that the instance has no trigger time."""
        if row.trigger_time is None:
            return None
        return cls(
            row.instance_id,
            row.flow_id,
            row.flow_name,
            row.freq,
            row.owner,
            type,
            row.status,
            row.trigger_time,
            row.start_time,
            row.end_time,
        )

    def shows(self, row: FlowInstance, type: ScheduleType | None) -> bool:
        """Return True if an instance, and its type if that is known, are as this run shows them.

        Runs of a flow without a name share a name that the board gave them.
        """
        return (
            (self.status, self.start_time, self.end_time, self.freq, self.owner, self.trigger_time)
            == (row.status, row.start_time, row.end_time, row.freq, row.owner, row.trigger_time)
        ) and type in (None, self.type)

    @property
    def is_open(self) -> bool:
        """True if its status may still change."""
        return self.status not in FINAL

    @property
    def trigger_ms(self) -> int:
        """The trigger time (ms since the epoch)."""
        return ms_of(self.trigger_time)

    @property
    def start_ms(self) -> int | None:
        """The start (ms since the epoch). None means that it is not known."""
        return None if self.start_time is None else ms_of(self.start_time)

    @property
    def end_ms(self) -> int | None:
        """The end (ms since the epoch). None means that it is not known."""
        return None if self.end_time is None else ms_of(self.end_time)

    @property
    def duration_ms(self) -> int | None:
        """The time from the start to the end. None means that one of them is missing."""
        start, end = self.start_ms, self.end_ms
        return None if start is None or end is None else end - start


@attrs.frozen
class Streak:
    """The failures at the end of a flow's finished runs.

    Args:
        failures: the number of the last finished runs that all failed.
        since_ms: the trigger time of the first of them (ms since the epoch).
        success_ms: the trigger time of the last success before them. None means that the board has none.
        instance_id: the id of the last failure.
        status: its status.
    """

    failures: int
    since_ms: int
    success_ms: int | None
    instance_id: str
    status: int


def streak_of(runs: Iterable[BoardRun]) -> Streak | None:
    """Return the streak of failures with which the runs of a flow end. None means that the flow does not fail.

    Runs that were cancelled or skipped are neither a success nor a failure.
    """
    runs = list(runs)
    success = max(map(place_of, (run for run in runs if run.status == FlowStatus.SUCCESS)), default=None)
    failures = [run for run in runs if run.status in FAILED and (success is None or place_of(run) > success)]
    if not failures:
        return None
    first, last = min(failures, key=place_of), max(failures, key=place_of)
    assert last.status is not None
    return Streak(
        len(failures),
        first.trigger_ms,
        None if success is None else success[0] // _MS,
        last.instance_id,
        int(last.status),
    )


def place_of(run: BoardRun) -> tuple[timedelta, str]:
    """Return the place of a run in the order of time. In one zone, Python would compare times by their wall clock."""
    return run.trigger_time - _EPOCH, run.instance_id


def p95_of(runs: Iterable[BoardRun]) -> int | None:
    """Return the duration (ms) that 95 of 100 successful runs do not exceed. None means that no run succeeded."""
    durations = sorted(
        duration
        for run in runs
        if run.status == FlowStatus.SUCCESS and (duration := run.duration_ms) is not None
    )
    return durations[(95 * len(durations) + 99) // 100 - 1] if durations else None
