"""Wall-clock times of a zone, converted as Java's calendar does.

A wall-clock time is a number of seconds since 1970-01-01 00:00:00 as clocks of the zone show it. Two rules of
``java.util.GregorianCalendar`` decide where clocks change:

1. A time that clocks show twice means the second pass.
2. A time that clocks skip is read with the offset before the change. So 02:30 becomes 03:30.

Both follow from one rule. Write each change of the clocks as a wall-clock time of the offset that begins
there. The last change that is not after a time has the offset of that time.

From 2038 on, Java knows no dates of the tz database, only the rule that a zone repeats each year. Python's
ZoneInfo uses that rule alone four centuries later, when calendars are the same. Morocco shows the difference.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

import attrs

from aioflows._core.wire.zone import Zone

__all__ = ["DAY", "WallClock"]

DAY = 86_400
_CACHED_DAYS = 4_096
_RULE_ONLY = 2_145_916_800  # 2038-01-01
_FOUR_CENTURIES = 146_097 * DAY
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.frozen
class DayOffsets:
    """The offsets that may be in force on a day.

    Args:
        first: the offset before all changes (s east of Greenwich).
        changes: the changes from a day before until a day after: the instant, and the offset that it begins.
        steady: True if the datetimes of the zone have this offset all day.
    """

    first: int
    changes: tuple[tuple[int, int], ...] = ()
    steady: bool = False


@attrs.define
class WallClock:
    """Converts between instants and wall-clock times of a zone.

    Args:
        zone: the zone.
    """

    _zone: Zone
    _days: dict[int, DayOffsets] = attrs.field(init=False, factory=dict)

    @property
    def tzinfo(self) -> tzinfo:
        """The zone of the datetimes."""
        return self._zone.tzinfo

    def wall(self, instant: int) -> int:
        """Return the wall-clock time of an instant (s since the epoch)."""
        return instant + self._zone.offset_at(_counted(instant))

    def instant(self, wall: int) -> int:
        """Return the instant of a wall-clock time (s since the epoch)."""
        offsets = self.offsets(wall // DAY)
        offset = offsets.first
        for at, begun in offsets.changes:
            if wall >= at + begun:
                offset = begun
        return wall - offset

    def shown(self, wall: int) -> int:
        """Return a wall-clock time, or the later one that stands for it if clocks skip it."""
        return self.wall(self.instant(wall)) if self.offsets(wall // DAY).changes else wall

    def next_gap(self, wall: int) -> int | None:
        """Return the first time after *wall*, on the same day or the next two, that clocks skip."""
        offsets = self.offsets(wall // DAY)
        offset = offsets.first
        for at, begun in offsets.changes:
            if offset < begun and at + offset > wall:
                return at + offset
            offset = begun
        return None

    def behind_first_pass(self, instant: int) -> int:
        """Return an instant, or the start of the second pass if clocks show its time once more."""
        offsets = self.offsets(self.wall(instant) // DAY)
        offset = offsets.first
        for at, begun in offsets.changes:
            if at - (offset - begun) <= instant < at:
                return at
            offset = begun
        return instant

    def time(self, instant: int) -> datetime:
        """Return an instant as a time of the zone."""
        return (_EPOCH + timedelta(seconds=instant)).astimezone(self.tzinfo)

    def offsets(self, day: int) -> DayOffsets:
        """Return the offsets that may be in force on a day (days since 1970-01-01)."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _CACHED_DAYS:
                self._days.clear()
            found = self._days[day] = self._offsets(day)
        return found

    def _offsets(self, day: int) -> DayOffsets:
        # A wall-clock time lies less than a day from the same time in UTC. No zone of the tz database changes
        # its offset there and back within three days.
        zone, low = self._zone, _counted((day - 1) * DAY)
        high, moved = low + 3 * DAY, low - (day - 1) * DAY
        first = zone.offset_at(low)
        if zone.fixed or zone.offset_at(high) == first:
            return DayOffsets(first, steady=zone.fixed or not moved)
        instants = filter(None, map(self._change_within, range(low, high, DAY)))
        return DayOffsets(first, tuple((at - moved, zone.offset_at(at)) for at in instants))

    def _change_within(self, start: int) -> int | None:
        """Return the instant of the change in a day from an instant on. None means that there is none."""
        offset_at, low, high = self._zone.offset_at, start, start + DAY
        before = offset_at(low)
        if before == offset_at(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_at(middle) == before else (low, middle)
        return high


def _counted(instant: int) -> int:
    """Return the instant whose offset Java uses."""
    return instant if instant < _RULE_ONLY else instant + _FOUR_CENTURIES
