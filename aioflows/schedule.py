"""When a flow runs: the schedule that a Quartz cron expression and a zone describe.

The `freq` of a flow instance is a Quartz cron expression. Cron packages for Python read it by other rules.
They number weekdays from another day, refuse ``15W``, ``L-3`` or ``FRI-MON``, or run twice in the hour that clocks
show twice. This module computes what Quartz 2.3.2 computes, second by second.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from aioflows._core.schedule.description import describe_fields
from aioflows._core.schedule.expression import CronFields, parse_expression
from aioflows._core.schedule.fires import fire_after, fire_times
from aioflows._core.schedule.wall_clock import WallClock
from aioflows._core.wire.zone import Zone
from aioflows.errors import QueryError

__all__ = ["Schedule"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def _expression(value: object) -> str:
    if not isinstance(value, str):
        raise QueryError(
            f"expression must be a text such as '0 0 2 ? * 2 *', not {value!r}; a flow without freq has no schedule"
        )
    return value


def _tzinfo(value: str | tzinfo) -> tzinfo:
    return Zone.parse(value).tzinfo


def _seconds(value: object, name: str) -> int:
    """Return an aware datetime as seconds since the epoch, rounded down."""
    if not isinstance(value, datetime):
        raise QueryError(f"{name} must be an aware datetime, not {value!r}")
    if value.utcoffset() is None:
        raise QueryError(f"{name} {value} has no time zone; add tzinfo=, as in datetime(..., tzinfo=UTC)")
    return (value - _EPOCH) // _SECOND


def _seconds_up(value: object, name: str) -> int:
    whole = _seconds(value, name)
    assert isinstance(value, datetime)
    return whole + bool(value.microsecond)


@attrs.frozen(repr=False, hash=False)
class Schedule:
    """The runs of a Quartz cron expression in a zone, exactly as Quartz 2.3.2 computes them.

    Times that clocks skip have no run. Times that clocks show twice have their runs in the second pass. Runs
    end with the year 2126, as in a Quartz that was started in 2026.

    Two schedules are equal if their expressions and their zones are. A schedule does not change, and can be
    pickled.

    Args:
        expression: the expression, with six or seven fields: second, minute, hour, day of month, month, day
            of week, and year. Weekdays are 1 (Sunday) to 7 (Saturday).
        zone: the zone of the service, as `FlowSession` accepts it: a tzinfo, or a text such as
            "Asia/Shanghai", "GMT+8" or "+08:00".

    Raises:
        QueryError: Quartz refuses the expression, or the zone is unknown.
    """

    expression: str = attrs.field(converter=_expression)
    zone: tzinfo = attrs.field(converter=_tzinfo)
    _fields: CronFields = attrs.field(init=False, eq=False)
    _clock: WallClock = attrs.field(init=False, eq=False)

    @_fields.default
    def _parsed(self) -> CronFields:
        return parse_expression(self.expression)

    @_clock.default
    def _of_zone(self) -> WallClock:
        return WallClock(Zone(self.zone))

    def __hash__(self) -> int:
        return hash(self.expression)  # zones of dateutil have no hash

    def __repr__(self) -> str:
        named = isinstance(self.zone, (ZoneInfo, timezone))
        return f"Schedule({self.expression!r}, {str(self.zone) if named else self.zone!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Schedule, (self.expression, self.zone)

    def next(self, after: datetime) -> datetime | None:
        """Return the first run after a time. None means that there is none.

        A run at *after* itself does not count.

        Args:
            after: the time, with a zone.

        Raises:
            QueryError: the time has no zone, or Quartz fails at this search. It does so if a field such as
                ``,`` selects nothing. With ``0W`` or ``L-30W``, its search may never end.
        """
        wall = fire_after(self._fields, self._clock, _seconds(after, "after"))
        return None if wall is None else self._clock.time(self._clock.instant(wall))

    def between(self, start: datetime, end: datetime) -> Iterator[datetime]:
        """Return an iterator of the runs in a half-open range, computed as they are asked for.

        Args:
            start: the start of the range. A run at the start counts.
            end: the end of the range. A run at the end does not count.

        Raises:
            QueryError: a time has no zone, or the range ends before it starts.
        """
        first, last = _seconds_up(start, "start"), _seconds_up(end, "end")
        if end < start:
            raise QueryError(f"the range ends ({end}) before it starts ({start}); exchange the two")
        return fire_times(self._fields, self._clock, first, last)

    def matches(self, instant: datetime) -> bool:
        """Return True if there is a run in the second of a time.

        Args:
            instant: the time, with a zone.

        Raises:
            QueryError: the time has no zone.
        """
        second = _seconds(instant, "instant")
        wall = fire_after(self._fields, self._clock, second - 1)
        return wall is not None and self._clock.instant(wall) == second

    def describe(self) -> str:
        """Return the schedule in English words, without its zone.

        Raises:
            QueryError: the package cron-descriptor is not installed.
        """
        return describe_fields(self._fields)
