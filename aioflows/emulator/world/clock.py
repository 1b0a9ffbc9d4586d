"""The server's wall clock: zone-less local texts from epoch milliseconds, and back.

The service answers local times without a zone (EnOS, "List Flow Instances": ``"triggerTime": "2019-08-12 08:07:22"``),
so the zone is a property of the deployment. Texts are made from tables, because a page holds thousands of them.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from aioflows.errors import QueryError

DAY_MS = 86_400_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# Every zone in use since 1970 moves its clocks on a quarter of an hour, so one look-up serves a whole quarter.
_QUARTER_MS = 900_000
_QUARTERS = 96  # of a day
_NEVER = 2**62
_ROUNDING_MS = {"down": 0, "nearest": 500, "up": 999}


class _Dates(dict[int, str]):
    def __missing__(self, day: int) -> str:
        text = self[day] = date.fromordinal(_EPOCH_DAY + day).isoformat()
        return text


@functools.cache
def _times_of_day() -> list[str]:
    return [
        f" {hour:02}:{minute:02}:{second:02}"
        for hour in range(24)
        for minute in range(60)
        for second in range(60)
    ]


def zone_named(name: str) -> tzinfo:
    """Give the zone of a key such as ``Asia/Shanghai`` or of a fixed offset such as ``+08:00``."""
    fixed = re.fullmatch(r"([+-])(\d\d):([0-5]\d)", name)
    if fixed:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        if offset < timedelta(hours=15):
            return timezone(offset if fixed[1] == "+" else -offset)
    else:
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass
    raise QueryError(f"zone {name!r} is neither a key such as 'Asia/Shanghai' nor an offset such as '+08:00'")


def stamp(local: str) -> str:
    """``20190812080700`` from ``2019-08-12 08:07:00``."""
    return local[:4] + local[5:7] + local[8:10] + local[11:13] + local[14:16] + local[17:]


class Clock:
    """Local texts of one zone.

    Args:
        zone: the *time zone* that the texts are in.
        shift_ms: *milliseconds* by which they are wrong on top of it.
        turn: a *moment* in ms, and *hours* by which the clock is further on from then.
        rounding: to whole seconds "down", "up", or to the "nearest".
    """

    def __init__(
        self,
        zone: tzinfo,
        shift_ms: int = 0,
        *,
        turn: tuple[int, float] | None = None,
        rounding: str = "down",
    ) -> None:
        self.zone = zone
        self._shift_ms = shift_ms
        self._turn_ms, hours = turn or (_NEVER, 0)
        self._turned_ms = round(hours * 3_600_000)
        self._rounding_ms = _ROUNDING_MS[rounding]
        self._offsets: dict[int, int] = {}
        self._ahead: dict[int, int] = {}
        self._dates = _Dates()
        self._times = _times_of_day()

    def offset_ms(self, utc_ms: int) -> int:
        """Milliseconds that the local clock is ahead of UTC at an instant."""
        quarter = utc_ms // _QUARTER_MS
        known = self._offsets.get(quarter)
        if known is None:
            offset = (
                (_EPOCH + timedelta(milliseconds=quarter * _QUARTER_MS)).astimezone(self.zone).utcoffset()
            )
            known = self._offsets[quarter] = (
                int((offset or timedelta()).total_seconds()) * 1000 + self._shift_ms
            )
        return known if utc_ms < self._turn_ms else known + self._turned_ms

    def local(self, utc_ms: int) -> str:
        """``YYYY-MM-DD HH:MM:SS``, as the service writes times."""
        utc_ms += self._rounding_ms
        known = self._offsets.get(utc_ms // _QUARTER_MS)  # the look-up of `offset_ms`, without the call
        local = utc_ms + (self.offset_ms(utc_ms) if known is None or utc_ms >= self._turn_ms else known)
        day, rest = divmod(local // 1000, 86_400)
        return self._dates[day] + self._times[rest]

    def to_utc(self, local_ms: int) -> int:
        """The instant at which the local clock shows this; the first of two, and past a gap where there is none."""
        quarter = local_ms // _QUARTER_MS
        known = self._ahead.get(quarter)
        if known is None:
            naive = datetime(1970, 1, 1) + timedelta(milliseconds=quarter * _QUARTER_MS)  # noqa: DTZ001 - a wall clock
            offset = naive.replace(tzinfo=self.zone).utcoffset() or timedelta()
            known = self._ahead[quarter] = int(offset.total_seconds()) * 1000
        return local_ms - known

    def segments(self, from_ms: int, to_ms: int) -> list[tuple[int, int, int]]:
        """Stretches of instants with one offset, which cover a range and two days around it: their ends, and the offset."""
        first, last = from_ms // _QUARTER_MS - _QUARTERS, to_ms // _QUARTER_MS + _QUARTERS
        found = [(first * _QUARTER_MS, last * _QUARTER_MS, self.offset_ms(first * _QUARTER_MS))]
        for day in range(first, last, _QUARTERS):
            if self.offset_ms(day * _QUARTER_MS) == self.offset_ms((day + _QUARTERS) * _QUARTER_MS):
                continue  # no zone changes its offset there and back within a day
            for quarter in range(day + 1, day + _QUARTERS + 1):
                offset, instant = self.offset_ms(quarter * _QUARTER_MS), quarter * _QUARTER_MS
                low, high, before = found[-1]
                if offset != before:
                    found[-1:] = [(low, instant, before), (instant, high, offset)]
        return found

    def repeats(self, utc_ms: int) -> bool:
        """Whether the local clock has shown this time before, as it does once when summer time ends."""
        if isinstance(self.zone, timezone):
            return False
        # Half an hour is put back on Lord Howe, an hour elsewhere.
        return any(
            self.offset_ms(utc_ms - back) == self.offset_ms(utc_ms) + back for back in (1_800_000, 3_600_000)
        )


def local_day(text: str) -> int:
    """Local milliseconds of the midnight that begins a day such as ``2024-01-01``."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{text!r} is not a day such as '2024-01-01'") from None
    return (day.toordinal() - _EPOCH_DAY) * DAY_MS


def gmt(offset_ms: int) -> str:
    """An offset as Get Timezone answers it: ``GMT+8``, ``GMT-3``, ``GMT+5:30``."""
    hours, minutes = divmod(abs(offset_ms) // 60_000, 60)
    return f"GMT{'-' if offset_ms < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
