"""Time zones as users have them: texts, and tzinfo objects of the standard library and of others.

1. A text is an offset ("GMT+8", "+08:00", "Z") or a name of the database of zones ("Asia/Shanghai").
2. A zone with a fixed offset becomes one of the standard library, and so does a zone of python-dateutil if its
   name is known. Any other tzinfo is used by its ``utcoffset`` and ``fromutc``.
3. Other zones of pytz are refused: only their ``localize`` makes right times.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from aioflows.errors import QueryError

__all__ = ["OtherTzInfo", "time_at", "time_zone"]

# "GMT+-5" is what code such as "GMT+" + offset makes of an offset west of Greenwich.
_OFFSET = re.compile(
    r"Z|(?:GMT|UTC|UT)?(?: ?(?P<sign>\+-|[+-])(?P<hours>[0-9]{1,2})(?::?(?P<minutes>[0-5][0-9]))?)?",
    re.IGNORECASE | re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDEST = 18  # hours; the limit of Java's ZoneOffset, since the service runs on Java
_ACCEPTED = 'a zone is given as "GMT+8", "GMT+5:30", "+08:00", "UTC" or "Asia/Shanghai", or as a tzinfo'


def time_zone(value: object) -> tzinfo:
    """Return the zone for a text or a tzinfo.

    Raises:
        QueryError: the value is not a known zone. The message shows the accepted forms.
    """
    if isinstance(value, tzinfo):
        return _known(value)
    if not isinstance(value, str):
        raise QueryError(f"{value!r} is not a time zone; {_ACCEPTED}")
    text = value.strip()
    fixed = _fixed(text)
    if fixed is not None:
        return fixed
    try:
        return ZoneInfo(text)  # from the system's database, or the package tzdata
    except (ValueError, LookupError, OSError):
        raise QueryError(f"{value!r} is not a known time zone; {_ACCEPTED}") from None


def _fixed(text: str) -> timezone | None:
    match = _OFFSET.fullmatch(text)
    if match is None or not text:
        return None
    # "GMT+8" is east of Greenwich, as in Java's TimeZone. In POSIX it would be west.
    hours, minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    offset = timedelta(hours=hours, minutes=minutes)
    if offset > timedelta(hours=_WIDEST):
        return None
    return timezone(offset if match["sign"] == "+" else -offset)


def time_at(ms: int, zone: tzinfo) -> datetime:
    """Return an instant (ms since the epoch) as a time of a zone.

    It stays a time of UTC if the zone has another year than datetimes can have.
    """
    time = _EPOCH + timedelta(milliseconds=ms)
    try:
        return time.astimezone(zone)
    except OverflowError:
        return time


class OtherTzInfo(tzinfo):
    """A zone of another library, made hashable. A session keeps facts by zone, so a zone must be hashable.

    Args:
        zone: the zone. Its ``utcoffset`` and ``fromutc`` are used.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def __getinitargs__(self) -> tuple[tzinfo]:
        return (self._zone,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OtherTzInfo) and bool(self._zone == other._zone)

    def __hash__(self) -> int:
        return hash(type(self._zone))

    def __repr__(self) -> str:
        return str(self._zone)

    __str__ = __repr__

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        """Return the offset in force when wall clocks show a time."""
        return None if dt is None else self._zone.utcoffset(dt.replace(tzinfo=self._zone))

    def dst(self, dt: datetime | None) -> timedelta | None:
        """Return the part of the offset that is daylight saving time."""
        return None if dt is None else self._zone.dst(dt.replace(tzinfo=self._zone))

    def tzname(self, dt: datetime | None) -> str | None:
        """Return the name of the offset in force."""
        return None if dt is None else self._zone.tzname(dt.replace(tzinfo=self._zone))

    def fromutc(self, dt: datetime) -> datetime:
        """Return a time of UTC as a time of this zone."""
        return self._zone.fromutc(dt.replace(tzinfo=self._zone)).replace(tzinfo=self)


_TZFILE = re.compile(r"tzfile\('(?:.*/zoneinfo/)?(?P<key>[A-Za-z0-9_+/-]+)'\)")
"""The text of a zone of python-dateutil that was read from the database of zones."""


def _known(zone: tzinfo) -> tzinfo:
    """Return a tzinfo as a zone that this module can use.

    Raises:
        QueryError: the tzinfo is of pytz and its offset changes, or it is not usable.
    """
    pytz = hasattr(zone, "localize")
    if not pytz and (isinstance(zone, (timezone, ZoneInfo)) or type(zone).__module__.startswith("aioflows.")):
        return zone
    try:
        fixed = zone.utcoffset(None)
        if fixed is not None:
            return timezone(fixed)
        if not pytz and (match := _TZFILE.fullmatch(str(zone))) is not None:
            return ZoneInfo(match["key"])
    except (TypeError, ValueError, AttributeError, LookupError, OSError, NotImplementedError):
        pass  # its offsets are read below instead
    if pytz:  # its times are wrong unless `localize` makes every one of them
        raise QueryError(f"{zone!r} is a zone of pytz; use zoneinfo.ZoneInfo({str(zone)!r})")
    other = OtherTzInfo(zone)
    try:
        for month in (1, 7):
            if datetime(2024, month, 1, tzinfo=UTC).astimezone(other).utcoffset() is None:
                raise ValueError("no offset")  # noqa: TRY301  (as any other error of the zone)
    except Exception as error:
        raise QueryError(
            f"{zone!r} cannot be used as a time zone: it returns no offset ({error}); {_ACCEPTED}"
        ) from error
    return other
