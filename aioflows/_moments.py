"""Times as JSON values, in the forms in which services write them.

The vendor documents wall-clock texts without a zone. Java services also write the instant itself: Jackson writes a
``Date`` or ``Timestamp`` as milliseconds since the epoch, an ``Instant`` as seconds with a fraction, and all of
them as ISO 8601 with an offset if ``WRITE_DATES_AS_TIMESTAMPS`` is off. It writes a ``LocalDateTime`` as a list.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

__all__ = ["MILLISECONDS", "WIDEST", "in_utc", "moment"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001  (without a zone)
_TEXT = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[ T](?P<hour>(?!24)[0-9]{2}:[0-9]{2})"
    r"(?P<second>:[0-9]{2})?(?:[.,](?P<fraction>[0-9]+))?"
    r"(?: ?(?:(?P<utc>Z|UTC|GMT)|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-5][0-9])?)(?:\[[\w/+:-]+\])?)?"
)
_NUMBER = re.compile(r"[0-9]{9,19}(?:\.[0-9]{1,9})?")
WIDEST = timedelta(hours=18)
"""The widest offset: the limit of Java's ``ZoneOffset``."""

# Numbers of these sizes are seconds, milliseconds and so on from 1973 to 5138.
_UNITS = ((10**8, 1), (10**11, 10**3), (10**14, 10**6), (10**17, 10**9))
_LARGEST = 10**20
MILLISECONDS = range(10**11, 10**14)
"""The whole numbers that are taken for milliseconds."""


def moment(value: object) -> datetime | None:
    """Return the time that a JSON value stands for. None means that it does not stand for one.

    A value that says the instant becomes an aware time, in its own offset or in UTC. A wall-clock text becomes a
    time without zone. Texts are rounded to microseconds, as msgspec rounds those that it reads.
    """
    if isinstance(value, str):
        if (match := _TEXT.fullmatch(value)) is not None:
            return _of_text(match)
        return _of_number(Decimal(value)) if _NUMBER.fullmatch(value) else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _of_number(Decimal(repr(value)) if isinstance(value, float) else Decimal(value))
    return _of_list(value) if isinstance(value, list) else None


def in_utc(time: datetime) -> datetime | None:
    """Return an aware time as the time of UTC, without zone. None means that a clock of another zone may not show it."""
    try:
        instant = time.replace(tzinfo=None) - (time.utcoffset() or timedelta())
    except OverflowError:
        return None
    return instant if _EARLIEST <= instant <= _LATEST else None


def _of_text(match: re.Match[str]) -> datetime | None:
    fraction = match["fraction"] or ""
    if fraction and not match["second"]:
        return None
    try:
        time = datetime.fromisoformat(
            f"{match['date']}T{match['hour']}{match['second'] or ':00'}.{fraction[:6].ljust(6, '0')}"
        ) + timedelta(microseconds=fraction[6:7] >= "5")
    except (ValueError, OverflowError):  # February 30
        return None
    if match["utc"]:
        return time.replace(tzinfo=UTC)
    if not match["sign"]:
        return time
    offset = timedelta(hours=int(match["hours"]), minutes=int(match["minutes"] or 0))
    if offset > WIDEST:
        return None
    return time.replace(tzinfo=timezone(-offset if match["sign"] == "-" else offset))


def _of_number(number: Decimal) -> datetime | None:
    if not number.is_finite() or not _UNITS[0][0] <= number < _LARGEST:
        return None
    per_second = next(unit for least, unit in reversed(_UNITS) if number >= least)
    return _EPOCH + timedelta(microseconds=int(number * 10**6 / per_second))


def _of_list(parts: list[object]) -> datetime | None:
    """Return the time of a list of year, month, day, hour, minute and, if they are not 0, second and nanosecond."""
    numbers = [part for part in parts if isinstance(part, int) and not isinstance(part, bool)]
    if not 5 <= len(numbers) <= 7 or len(numbers) != len(parts):
        return None
    year, month, day, hour, minute, second, nanosecond = [*numbers, 0, 0][:7]
    try:
        return datetime(year, month, day, hour, minute, second, nanosecond // 1000)  # noqa: DTZ001  (a wall clock)
    except (ValueError, OverflowError):
        return None
