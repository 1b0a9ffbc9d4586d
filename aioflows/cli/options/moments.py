"""Moments and ranges of time, as people type them.

No function here reads a clock: the present time is given. A text without a zone needs one, and
`needs_zone` says so before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta, tzinfo

import attrs

from aioflows.errors import QueryError

__all__ = ["Period", "duration", "moves", "needs_zone", "time", "with_fixed_times", "without_options"]

_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?P<clock>[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,6})?)?)?(?P<zone>Z|[+-][0-9]{2}(:?[0-9]{2})?)?"
)
_DURATION = re.compile(r"(?P<count>[0-9]{1,9})\s*(?P<unit>[smhdw])", re.IGNORECASE)
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# From 2001 to 2286 seconds have ten digits and milliseconds thirteen, so none is mistaken for the other.
_SECONDS = re.compile(r"[0-9]{10}(\.[0-9]{1,9})?")
_MILLISECONDS = re.compile(r"[0-9]{13}")
_DAYS = {"yesterday": -1, "today": 0, "tomorrow": 1}
_AS_IN = "as in 2024-01-01T00:00+08:00"
_FORMS = f"give a time {_AS_IN}, a date, now, today, yesterday, 7d for seven days ago, or epoch seconds or milliseconds"


def time(text: str, option: str, zone: tzinfo | None = None, *, now: datetime | None = None) -> datetime:
    """Return the moment that a text describes.

    Args:
        text: an ISO 8601 time; a date, ``yesterday``, ``today`` or ``tomorrow``, for its midnight; ``now``; a
            duration such as ``7d``, for so long ago; or seconds or milliseconds since 1970-01-01 UTC.
        option: the name of the option, for messages.
        zone: the zone of a text without a zone. Default: None, such a text is an error.
        now: the present time. Default: None, a text that depends on it is an error.

    Raises:
        QueryError: the text is not a time, it has no zone, or the zone's clocks skip or repeat that time.
    """
    given = text.strip()
    if (ago := _DURATION.fullmatch(given)) is not None and now is not None:
        return _before(now, _length(ago, text, option), text, option)
    if given.lower() == "now" and now is not None:
        return now
    if _SECONDS.fullmatch(given):
        whole, _, fraction = given.partition(".")
        return _EPOCH + timedelta(seconds=int(whole), microseconds=int(f"{fraction:0<6.6}"))
    if _MILLISECONDS.fullmatch(given):
        return _EPOCH + timedelta(milliseconds=int(given))
    if given.lower() in _DAYS and now is not None:
        day = now.astimezone(_zone_for(text, option, zone)).date() + timedelta(days=_DAYS[given.lower()])
        return time(day.isoformat(), option, zone)
    return _calendar_time(given, text, option, zone)


def _calendar_time(given: str, text: str, option: str, zone: tzinfo | None) -> datetime:
    match, naive = _TIME.fullmatch(given), None
    if match is not None:
        with suppress(ValueError):  # February 30
            naive = datetime.fromisoformat(given)
    if match is None or naive is None:
        raise QueryError(f"{option} {text!r} is not a time; {_hint(given)}")
    if match["zone"] is not None:
        if match["clock"] is None:
            raise QueryError(f"{option} {text!r} is a date with a zone; give the time of day too, {_AS_IN}")
        return naive
    return _local(naive, _zone_for(text, option, zone, has_clock=match["clock"] is not None), option)


def _hint(given: str) -> str:
    if re.fullmatch(r"[0-9]{8}", given):
        return f"give a date with hyphens, as in {given[:4]}-{given[4:6]}-{given[6:]}"
    if given.isdigit():
        return "a number must be seconds (10 digits) or milliseconds (13 digits) since 1970"
    return _FORMS


def _zone_for(text: str, option: str, zone: tzinfo | None, *, has_clock: bool = False) -> tzinfo:
    if zone is None:
        missing = "a zone" if has_clock else "a time of day and a zone"
        raise QueryError(f"{option} {text!r} has no zone; add {missing}, {_AS_IN}, or give --zone")
    return zone


def _local(naive: datetime, zone: tzinfo, option: str) -> datetime:
    """Return a local time with its zone.

    Raises:
        QueryError: the clocks of the zone skip or repeat the time.
    """
    first, second = naive.replace(tzinfo=zone), naive.replace(tzinfo=zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return first
    # PEP 495: converted to UTC and back, a skipped time lands before the gap (fold=1) or after it (fold=0).
    back = [moment.astimezone(UTC).astimezone(zone) for moment in (first, second)]
    reason = "exists twice" if back[0].replace(tzinfo=None) == naive else "does not exist: the clocks skip it"
    either = " or ".join(sorted(moment.isoformat(timespec="minutes") for moment in back))
    raise QueryError(f"{option} {naive.isoformat(sep=' ')} {reason} in {zone}; give {either}")


def duration(text: str, option: str) -> timedelta:
    """Return the duration that a text describes: a whole number and s, m, h, d or w, as in ``7d``.

    Raises:
        QueryError: the text is not a duration, or the duration is zero.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise QueryError(
            f"{option} {text!r} is not a duration; give it as in 30m, 24h, 7d or 2w, or give today or yesterday"
        )
    length = _length(match, text, option)
    if not length:
        raise QueryError(f"{option} {text!r} is an empty range; give a longer one, as in 24h")
    return length


def _length(match: re.Match[str], text: str, option: str) -> timedelta:
    try:
        return int(match["count"]) * _UNITS[match["unit"].lower()]
    except OverflowError:
        raise QueryError(f"{option} {text!r} is longer than any range; give a shorter one") from None


def _before(now: datetime, length: timedelta, text: str, option: str) -> datetime:
    moment = now - length if length <= now - _EPOCH else None
    if moment is None:
        raise QueryError(f"{option} {text!r} lies before 1970, which the service cannot express")
    return moment


def needs_zone(text: str) -> bool:
    """Return True if a text is a local time, a date or the name of a day, so that it needs a zone."""
    match = _TIME.fullmatch(text.strip())
    return text.strip().lower() in _DAYS or (match is not None and match["zone"] is None)


@attrs.frozen
class Period:
    """A range of time as a user typed it.

    Args:
        now: the present time.
        first: the start. None means no start.
        last: the end, exclusive. None means now.
        length: the length of a range that ends now; or ``today``, or ``yesterday`` as a whole. None means no
            length.
        options: the names of the options for start and end, for messages. Default: ``--from`` and ``--to``.

    Raises:
        QueryError: the start is missing, it is given twice, or a text is invalid.
    """

    now: datetime
    first: str | None = None
    last: str | None = None
    length: str | None = None
    options: tuple[str, str] = ("--from", "--to")

    def __attrs_post_init__(self) -> None:
        if self.length is not None and (self.first is not None or self.last is not None):
            raise QueryError(f"--last cannot be used with {self.options[0]} or {self.options[1]}; remove one")
        if self.length is None and self.first is None:
            raise QueryError(
                f"{self.options[0]} is missing; add it, {_AS_IN}, or give --last, as in --last 7d"
            )
        self._times(UTC)

    @property
    def texts(self) -> tuple[str | None, ...]:
        """All texts of the range, of which some may need a zone."""
        return self.first, self.last, self.length

    @property
    def moves(self) -> bool:
        """True if the same texts may mean another range later."""
        return self.last is None or any(moves(text) for text in (self.first, self.last) if text is not None)

    def times(self, zone: tzinfo | None) -> tuple[datetime, datetime]:
        """Return start and end.

        Args:
            zone: the zone of texts without a zone.

        Raises:
            QueryError: a text is invalid, it has no zone and *zone* is None, or the range ends before it starts.
        """
        first, last = self._times(zone)
        if first > last:
            start, end = (
                moment.astimezone(first.tzinfo).isoformat(" ", "seconds") for moment in (first, last)
            )
            until = f"now, {end}" if self.last is None else f"{self.options[1]}, {end}"
            raise QueryError(f"{self.options[0]}, {start}, is after {until}; give an earlier start")
        return first, last

    def _times(self, zone: tzinfo | None) -> tuple[datetime, datetime]:
        if self.length is not None and self.length.strip().lower() in ("today", "yesterday"):
            first = time(self.length, "--last", zone, now=self.now)
            is_over = self.length.strip().lower() == "yesterday"
            return first, time("today", "--last", zone, now=self.now) if is_over else self.now
        if self.length is not None:
            length = duration(self.length, "--last")
            return _before(self.now, length, self.length, "--last"), self.now
        assert self.first is not None
        first = time(self.first, self.options[0], zone, now=self.now)
        return first, time("now" if self.last is None else self.last, self.options[1], zone, now=self.now)

    def fixed(self, arguments: Sequence[str], times: tuple[datetime, datetime]) -> tuple[str, ...]:
        """Return the arguments of a command line with start and end as fixed times, so that it can be repeated.

        Args:
            arguments: the arguments that this range comes from.
            times: start and end.
        """
        if not self.moves:
            return tuple(arguments)
        kept = without_options(arguments, "--last")
        return with_fixed_times(kept, dict(zip(self.options, times, strict=True)))


def without_options(arguments: Sequence[str], *names: str) -> tuple[str, ...]:
    """Return the arguments of a command line without some options and their values."""
    kept, is_value = [], False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if is_value:
            is_value = False
        elif name in names:
            is_value = not equals
        else:
            kept.append(argument)
    return tuple(kept)


def with_fixed_times(arguments: Sequence[str], times: Mapping[str, datetime]) -> tuple[str, ...]:
    """Return the arguments of a command line with fixed times for some options."""
    fixed = [(option, moment.isoformat(timespec="milliseconds")) for option, moment in times.items()]
    return (*without_options(arguments, *times), *(part for pair in fixed for part in pair))


def moves(text: str) -> bool:
    """Return True if a text may mean another time later, or by another zone of the service."""
    return needs_zone(text) or text.strip().lower() == "now" or _DURATION.fullmatch(text.strip()) is not None
