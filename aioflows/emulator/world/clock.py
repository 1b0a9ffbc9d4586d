"""The server's wall clock: local texts without a zone from epoch milliseconds, and back.

The service answers local times without a zone (EnOS, "List Flow Instances": ``"triggerTime": "2019-08-12
08:07:22"``), so the zone is a property of the deployment. A page has thousands of times, so their texts are
looked up in tables.
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
# In 2012 and later, zones change their offsets only at a quarter of an hour, but for Antarctica/Casey (tz database).
# So one look-up serves a quarter.
_QUARTER_MS = 900_000
_QUARTERS = 96  # quarters of an hour in a day
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
    """Return the zone of a key such as ``Asia/Shanghai`` or of a fixed offset such as ``+08:00``.

    Raises:
        QueryError: the name is neither.
    """
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
    raise QueryError(
        f"unknown zone {name!r}; use a key such as 'Asia/Shanghai' or an offset such as '+08:00'"
    )


def stamp(local: str) -> str:
    """Return ``20190812080700`` for ``2019-08-12 08:07:00``."""
    return local[:4] + local[5:7] + local[8:10] + local[11:13] + local[14:16] + local[17:]


class Clock:
    """The wall clock of a zone.

    Args:
        zone: the time zone.
        shift_ms: milliseconds by which the clock is ahead of the zone. Default: 0.
        turn: an instant (ms since the epoch), and the hours by which the clock is ahead from then on. Default:
            None, which means never.
        rounding: the rounding to whole seconds: "down", "up" or "nearest". Default: "down".
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
        """Return the offset of the clock from UTC at an instant (ms)."""
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
        """Return the local time of an instant as ``YYYY-MM-DD HH:MM:SS``, the service's format."""
        utc_ms += self._rounding_ms
        # `offset_ms` is inlined, because a call for every time of a page is slow.
        known = self._offsets.get(utc_ms // _QUARTER_MS)
        local = utc_ms + (self.offset_ms(utc_ms) if known is None or utc_ms >= self._turn_ms else known)
        day, rest = divmod(local // 1000, 86_400)
        return self._dates[day] + self._times[rest]

    def to_utc(self, local_ms: int) -> int:
        """Return the instant at which the clock shows a local time (ms).

        If the clock shows the time twice, the first instant is returned. If the clock skips the time, an
        instant after the gap is returned.
        """
        quarter = local_ms // _QUARTER_MS
        known = self._ahead.get(quarter)
        if known is None:
            naive = datetime(1970, 1, 1) + timedelta(milliseconds=quarter * _QUARTER_MS)  # noqa: DTZ001 - a wall clock
            offset = naive.replace(tzinfo=self.zone).utcoffset() or timedelta()
            known = self._ahead[quarter] = int(offset.total_seconds()) * 1000
        return local_ms - known

    def segments(self, from_ms: int, to_ms: int) -> list[tuple[int, int, int]]:
        """Return the start, end and offset (ms) of each segment with one offset.

        The segments cover the range and one more day on each side.
        """
        first, last = from_ms // _QUARTER_MS - _QUARTERS, to_ms // _QUARTER_MS + _QUARTERS
        found = [(first * _QUARTER_MS, last * _QUARTER_MS, self.offset_ms(first * _QUARTER_MS))]
        for day in range(first, last, _QUARTERS):
            if self.offset_ms(day * _QUARTER_MS) == self.offset_ms((day + _QUARTERS) * _QUARTER_MS):
                continue  # two changes within a day that cancel each other do not occur (tz database)
            for quarter in range(day + 1, day + _QUARTERS + 1):
                offset, instant = self.offset_ms(quarter * _QUARTER_MS), quarter * _QUARTER_MS
                low, high, before = found[-1]
                if offset != before:
                    found[-1:] = [(low, instant, before), (instant, high, offset)]
        return found

    def repeats(self, utc_ms: int) -> bool:
        """Return True if the clock shows a local time for the second time, as when summer time ends."""
        if isinstance(self.zone, timezone):
            return False
        # Clocks go back by half an hour on Lord Howe Island, and by an hour elsewhere (tz database).
        return any(
            self.offset_ms(utc_ms - back) == self.offset_ms(utc_ms) + back for back in (1_800_000, 3_600_000)
        )


def local_day(text: str) -> int:
    """Return the local time (ms) of the midnight that begins a day such as ``2024-01-01``.

    Raises:
        QueryError: the text is not a day.
    """
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise QueryError(f"{text!r} cannot be read as a day; use a day such as '2024-01-01'") from None
    return (day.toordinal() - _EPOCH_DAY) * DAY_MS


def gmt(offset_ms: int) -> str:
    """Return an offset in the format of Get Timezone: ``GMT+8``, ``GMT-3``, ``GMT+5:30``."""
    hours, minutes = divmod(abs(offset_ms) // 60_000, 60)
    return f"GMT{'-' if offset_ms < 0 else '+'}{hours}" + (f":{minutes:02}" if minutes else "")
