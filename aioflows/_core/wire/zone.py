"""The time zone of the service's texts, and their conversion.

Requests carry milliseconds since the epoch. Answers carry wall-clock texts without a zone (the vendor's "List
Flow Instances"). An instant is the wall clock read as if it were UTC, minus the offset in force.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import tzinfo as _TzInfo  # noqa: N812  (a zone has a field of that name)
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING, Literal

import attrs

from aioflows._compiled import compiled_decoder
from aioflows._time_zones import time_zone
from aioflows.errors import AnswerError

if TYPE_CHECKING:
    from aioflows._core.clocks.field_clocks import FieldClocks

__all__ = ["ClockChanges", "Zone", "wall_seconds"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)
_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_999)  # noqa: DTZ001  (wall clocks)
_EPOCH_DAY = _EPOCH.toordinal()
_LAST_DAY = date.max.toordinal() - 1
_DAY = 86_400
_QUARTER = timedelta(minutes=15)
# One day less than the range of datetime, so that no offset leads out of that range.
_EARLIEST, _LATEST = -62_135_510_400, 253_402_214_400
_WALL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T](?!24)[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?")


class ClockChanges(_TzInfo):
    """A zone of fixed offsets, each in force from a known instant: those that a service has named over time.

    Args:
        first: the offset before all others (s east of Greenwich).
        turns: the other offsets, earliest first: from when (s since 1970-01-01 UTC), and the offset (s east
            of Greenwich).
    """

    def __init__(self, first: int, turns: tuple[tuple[int, int], ...]) -> None:
        self._first = first
        self._turns = turns

    def __getinitargs__(self) -> tuple[int, tuple[tuple[int, int], ...]]:
        return self._first, self._turns

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClockChanges) and self.__getinitargs__() == other.__getinitargs__()

    def __hash__(self) -> int:
        return hash(self.__getinitargs__())

    def __str__(self) -> str:
        words = [str(_east(self._first))]
        words += [
            f"{_east(offset)} from {_EPOCH + timedelta(seconds=at):%Y-%m-%d %H:%M:%S} UTC"
            for at, offset in self._turns
        ]
        return ", ".join(words)

    __repr__ = __str__

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return the offset in force when wall clocks show a time.

        ``fold`` selects one of two passes (PEP 495).
        """
        if dt is None:
            return None
        wall, offset = (dt.replace(tzinfo=None) - _NAIVE_EPOCH) // timedelta(seconds=1), self._first
        for at, after in self._turns:
            between = at + min(offset, after) <= wall < at + max(offset, after)
            if wall >= at + max(offset, after) or (between and dt.fold):
                offset = after
        return timedelta(seconds=offset)

    def dst(self, dt: datetime | None) -> timedelta | None:  # noqa: ARG002
        """Return None, since nothing shows which offset is summer time."""
        return None

    def tzname(self, dt: datetime | None) -> str | None:
        """Return the offset as a name."""
        offset = self.utcoffset(dt)
        return None if offset is None else str(timezone(offset))

    def fromutc(self, dt: datetime) -> datetime:
        """Return a time in this zone from a time in UTC."""
        instant, offset, fold = (
            (dt.replace(tzinfo=None) - _NAIVE_EPOCH) // timedelta(seconds=1),
            self._first,
            0,
        )
        for at, after in self._turns:
            if instant >= at:
                fold = int(instant < at + offset - after)
                offset = after
        return (dt + timedelta(seconds=offset)).replace(fold=fold)


def _east(seconds: int) -> timezone:
    return timezone(timedelta(seconds=seconds))


@attrs.frozen
class Zone:
    """A time zone: one offset for all times, or one that changes.

    Args:
        tzinfo: the zone of the datetimes.
        given: True if the user gave the zone, False if the service named it. It does not affect equality.
            Default: False.
        clocks: the clocks of the times other than the trigger time. None means that these have the clock of
            the trigger time, unchecked. It does not affect equality. Default: None.
    """

    tzinfo: _TzInfo
    given: bool = attrs.field(default=False, eq=False, kw_only=True)
    clocks: FieldClocks | None = attrs.field(default=None, eq=False, repr=False, kw_only=True)
    _days: dict[int, timedelta | Literal[False]] = attrs.field(init=False, factory=dict, eq=False, repr=False)
    epoch: datetime = attrs.field(init=False, eq=False, repr=False)
    """1970-01-01 00:00:00 by the wall clocks of this zone."""

    @epoch.default
    def _wall_epoch(self) -> datetime:
        return _NAIVE_EPOCH.replace(tzinfo=self.tzinfo)

    @classmethod
    def parse(cls, value: str | _TzInfo | Zone) -> Zone:
        """Return the zone for a value from the service or a user: a text, a tzinfo or a zone.

        Raises:
            QueryError: the value is not a known zone. The message shows the accepted forms.
        """
        if isinstance(value, Zone):
            return value
        return cls(time_zone(value))

    @classmethod
    def of_offsets(cls, offsets: Sequence[tuple[int, int]]) -> Zone:
        """Return the zone with given offsets. The first one also holds for all time before it.

        Args:
            offsets: offsets, earliest first: from when (ms since the epoch), and the offset (s east of
                Greenwich).
        """
        (_, first), *turns = offsets
        if not turns:
            return cls(_east(first))
        return cls(ClockChanges(first, tuple((instant // 1000, offset) for instant, offset in turns)))

    @property
    def fixed(self) -> bool:
        """True if the offset never changes."""
        return isinstance(self.tzinfo, timezone)

    def offset_at(self, epoch_seconds: int) -> int:
        """Return the offset in force at an instant (s east of Greenwich)."""
        instant = _EPOCH + timedelta(seconds=min(max(epoch_seconds, _EARLIEST), _LATEST))
        offset = instant.astimezone(self.tzinfo).utcoffset() or timedelta()
        return offset.days * _DAY + offset.seconds

    def transitions(self, from_ms: int, to_ms: int) -> list[int]:
        """Return the instants strictly inside a range at which the offset changes, in order (ms
        since the epoch).
        """
        if self.fixed:
            return []
        found = []
        for day in range(from_ms // 1000 // _DAY, to_ms // 1000 // _DAY + 1):
            low, high = day * _DAY, (day + 1) * _DAY
            before = self._offset_on(day)
            if before == self._offset_on(day + 1):
                continue  # no zone changes its offset there and back within a day
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self.offset_at(middle) == before else (low, middle)
            found.append(high * 1000)
        return [instant for instant in found if from_ms < instant < to_ms]

    def offsets(self, from_ms: int, to_ms: int) -> tuple[tuple[int, int], ...]:
        """Return the offsets in force in a range.

        Each is a pair: from when (ms since the epoch), and the offset (s east of Greenwich).
        """
        instants = [from_ms, *self.transitions(from_ms, to_ms)]
        return tuple((instant, self.offset_at(instant // 1000)) for instant in instants)

    def aware(self, walls: Sequence[datetime], offset: int | Sequence[int] | None = None) -> list[datetime]:
        """Return wall-clock times as times of this zone.

        Args:
            walls: times without a zone.
            offset: the offset in force at all of them, or one for each (s east of Greenwich). It selects the
                pass of an hour that comes twice when clocks are put back. Default: None, which means unknown;
                then the first pass is taken.
        """
        if (decoder := compiled_decoder()) is not None:
            times = decoder.aware(walls, self.tzinfo)
        else:  # in C as well, at a tenth of the cost of time.replace(tzinfo=...) on Python 3.11 and 3.12
            since = map(operator.sub, walls, repeat(_NAIVE_EPOCH))
            times = list(map(operator.add, repeat(self.epoch), since))
        if offset is not None and not isinstance(offset, int):
            return [
                time.replace(fold=1) if self._comes_again(time, one) else time
                for time, one in zip(times, offset, strict=True)
            ]
        if offset is not None and not self.fixed and walls and self._comes_again(min(walls), offset):
            return [time.replace(fold=1) if self._comes_again(time, offset) else time for time in times]
        return times

    def shown_twice(self, wall: datetime) -> tuple[datetime, datetime] | None:
        """Return the stretch around a wall-clock time that clocks show twice. None means that there is none.

        Args:
            wall: the time, without a zone.
        """
        if self.fixed:
            return None
        first = wall.replace(tzinfo=self.tzinfo)
        before, after = first.utcoffset(), first.replace(fold=1).utcoffset()
        if before is None or after is None or before <= after:
            return None
        seconds = int((wall - before - _NAIVE_EPOCH).total_seconds())
        for change in self.transitions((seconds - _DAY) * 1000, (seconds + _DAY) * 1000):
            instant = _NAIVE_EPOCH + timedelta(milliseconds=change)
            if instant + after <= wall < instant + before:
                return instant + after, instant + before
        return None

    def instants(self, wall: datetime) -> tuple[datetime, ...]:
        """Return the instants at which clocks show a time, earliest first, in UTC and without a zone.

        They are two in an hour that comes twice. A time that clocks skip is read as if they had not. Of the first
        and the last hours that a `datetime` can hold, the instant is the nearest one that it can hold.
        """
        try:
            return self._instants(wall)
        except OverflowError:
            return (_FIRST if wall < _NAIVE_EPOCH else _LAST,)

    def _instants(self, wall: datetime) -> tuple[datetime, ...]:
        day = wall.toordinal()
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self._offset_of_day(day)
        if known is not False:
            return (wall - known,)
        before, after = _offsets_shown(self, (wall - _NAIVE_EPOCH) // _QUARTER)
        return (wall - before, wall - after) if before > after else (wall - before,)

    def shown_at(self, instant: datetime) -> datetime:
        """Return the time that clocks show at an instant, given in UTC and without a zone.

        A time of the second pass of an hour that comes twice has this zone and ``fold=1``. All others have no
        zone.
        """
        known = self._days.get(instant.toordinal())
        if known and known == self._days.get((instant + known).toordinal()):
            return instant + known
        offset, second = _offset_in(self, (instant - _NAIVE_EPOCH) // _QUARTER)
        shown = instant + offset
        return shown.replace(tzinfo=self.tzinfo, fold=1) if second else shown

    def changes(self, first: datetime, last: datetime) -> bool:
        """Return True if clocks are changed between two days before and two days after wall-clock times."""
        return not self.fixed and _changes(
            self, first.toordinal() - _EPOCH_DAY, last.toordinal() - _EPOCH_DAY
        )

    def repeats(self, first: datetime, last: datetime) -> list[tuple[datetime, datetime]]:
        """Return the stretches between two wall-clock times that clocks show twice."""
        return (
            []
            if self.fixed
            else _repeats(self, first.toordinal() - _EPOCH_DAY, last.toordinal() - _EPOCH_DAY)
        )

    def repeat_at(self, instant: timedelta) -> tuple[timedelta, timedelta] | None:
        """Return both passes, as one stretch of time, of the hour that comes twice at an instant.

        Times are since 1970-01-01 UTC. None means that clocks show that hour once.
        """
        return None if self.fixed else _repeat_at(self, instant // _QUARTER)

    def _offset_of_day(self, day: int) -> timedelta | Literal[False]:
        """Return the offset in force on all of a day, and around it. False means that it changes."""
        days = [datetime.fromordinal(min(max(day + more, 2), _LAST_DAY)) for more in (-1, 2)]
        one, other = (one.replace(tzinfo=self.tzinfo).utcoffset() or timedelta() for one in days)
        return one if one == other else False

    def _comes_again(self, wall: datetime, offset: int) -> bool:
        first = wall.replace(tzinfo=self.tzinfo)
        again = first.replace(fold=1).utcoffset()
        return again != first.utcoffset() and again == timedelta(seconds=offset)

    def _offset_on(self, day: int) -> int:
        return _offset_on(self, day)


@lru_cache(maxsize=8192)
def _offset_on(zone: Zone, day: int) -> int:
    return zone.offset_at(day * _DAY)


# In 2012 and later, zones change their offsets only at a quarter of an hour, but for Antarctica/Casey (tz database).
# So all times of a quarter lie on one side of a change.


@lru_cache(maxsize=4096)
def _offsets_shown(zone: Zone, quarter: int) -> tuple[timedelta, timedelta]:
    first = (_NAIVE_EPOCH + quarter * _QUARTER).replace(tzinfo=zone.tzinfo)
    return first.utcoffset() or timedelta(), first.replace(fold=1).utcoffset() or timedelta()


@lru_cache(maxsize=4096)
def _offset_in(zone: Zone, quarter: int) -> tuple[timedelta, bool]:
    shown = (_EPOCH + quarter * _QUARTER).astimezone(zone.tzinfo)
    before, after = _offsets_shown(zone, (shown.replace(tzinfo=None, fold=0) - _NAIVE_EPOCH) // _QUARTER)
    offset = shown.utcoffset() or timedelta()
    return offset, before > after == offset


@lru_cache(maxsize=1024)
def _changes(zone: Zone, first: int, last: int) -> bool:
    return bool(zone.transitions((first - 2) * _DAY * 1000, (last + 3) * _DAY * 1000))


@lru_cache(maxsize=1024)
def _repeats(zone: Zone, first: int, last: int) -> list[tuple[datetime, datetime]]:
    found = []
    for turn in zone.transitions((first - 1) * _DAY * 1000, (last + 2) * _DAY * 1000):
        before, after = zone.offset_at(turn // 1000 - 1), zone.offset_at(turn // 1000)
        if before > after:
            wall = _NAIVE_EPOCH + timedelta(milliseconds=turn)
            found.append((wall + timedelta(seconds=after), wall + timedelta(seconds=before)))
    return found


@lru_cache(maxsize=4096)
def _repeat_at(zone: Zone, quarter: int) -> tuple[timedelta, timedelta] | None:
    shown = (_EPOCH + quarter * _QUARTER).astimezone(zone.tzinfo).replace(tzinfo=None)
    twice = zone.shown_twice(shown)
    if twice is None:
        return None
    first, last = twice[0] - _NAIVE_EPOCH, twice[1] - _NAIVE_EPOCH
    once = twice[0].replace(tzinfo=zone.tzinfo)
    before, after = once.utcoffset() or timedelta(), once.replace(fold=1).utcoffset() or timedelta()
    return first - before, last - after


# A text comes again within a page or two, or never. A larger cache has no more hits and looks like a leak.
@lru_cache(maxsize=512)
def wall_seconds(text: str) -> int:
    """Return the seconds of a wall-clock text, ``YYYY-MM-DD HH:MM:SS``, since 1970-01-01 as if it were UTC.

    A ``T`` may stand between date and time. A fraction after the seconds is dropped.

    Raises:
        AnswerError: there is no such time.
    """
    # The shape is checked first, since fromisoformat also accepts week dates, and newer versions accept
    # 24:00.
    if _WALL.fullmatch(text):
        try:
            since = datetime.fromisoformat(text[:19]) - _NAIVE_EPOCH
        except ValueError:
            pass  # February 30
        else:
            return since.days * _DAY + since.seconds
    raise AnswerError(f"{text!r:.60} is not a time; expected YYYY-MM-DD HH:MM:SS")
