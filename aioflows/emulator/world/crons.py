"""Quartz crons of an emulated platform, and the instants at which they fire.

A cron has seven fields: second, minute, hour, day of month, month, day of week, year (the documented sample
is ``0 0 0 * * ? *``). As in Quartz, all fields are compared with the wall clock of the server's zone. A time
that clocks skip has no firing. A time that clocks show twice has its firing in the second hour
(``java.util.GregorianCalendar``).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, timezone

import attrs

from aioflows.emulator.world.clock import DAY_MS, Clock

_MINUTE = 60_000
_HOUR = 3_600_000
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_STEPS = {"mi": (1, 2, 5, 10, 15, 20, 30), "H": (1, 2, 3, 4, 6, 8, 12)}


@attrs.frozen
class Cron:
    """A schedule.

    Args:
        cycle: the cycle: "M" month, "W" week, "D" day, "H" hour, "mi" minute.
        text: the seven fields.
        step: milliseconds between firings, for minutes and hours.
        offset: milliseconds into the hour, or into the local day.
        day: the day of the week (Monday is 0), or of the month (from 1).
    """

    cycle: str
    text: str
    step: int = 0
    offset: int = 0
    day: int = 0


def draw_cron(cycle: str, firings: int, span_ms: int, rng: random.Random) -> Cron:
    """Return a random cron of a cycle that fires at most *firings* times in a span.

    If no cron of the cycle fires so rarely, the cron that fires most rarely is returned.
    """
    if cycle in _STEPS:
        unit = _MINUTE if cycle == "mi" else _HOUR
        fitting = [step for step in _STEPS[cycle] if span_ms // (step * unit) <= firings]
        step = rng.choice(fitting or [_STEPS[cycle][-1]])
        minute = 0 if cycle == "mi" or rng.random() < 0.5 else rng.randrange(60)
        every = f"0 0/{step} * * * ? *" if cycle == "mi" else f"0 {minute} 0/{step} * * ? *"
        return Cron(cycle, every, step=step * unit, offset=minute * _MINUTE)
    hour, minute = _time_of_day(rng)
    offset = hour * _HOUR + minute * _MINUTE
    if cycle == "D":
        return Cron(cycle, f"0 {minute} {hour} * * ? *", offset=offset)
    if cycle == "W":
        day = rng.choice((0, 0, 0, *range(7)))
        return Cron(cycle, f"0 {minute} {hour} ? * {_WEEKDAYS[day]} *", offset=offset, day=day)
    day = rng.choice((1, 1, 1, 2, 5, 10, 15, 20, 25, 28))
    return Cron(cycle, f"0 {minute} {hour} {day} * ? *", offset=offset, day=day)


def read_cron(cycle: str, text: str) -> Cron:
    """Return the cron of a flow, from its cycle and its seven fields as `draw_cron` writes them."""
    _, minute, hour, day, _, weekday, _ = text.split()
    if cycle == "mi":
        return Cron(cycle, text, step=int(minute.removeprefix("0/")) * _MINUTE)
    if cycle == "H":
        return Cron(cycle, text, step=int(hour.removeprefix("0/")) * _HOUR, offset=int(minute) * _MINUTE)
    number = _WEEKDAYS.index(weekday) if cycle == "W" else int(day) if cycle == "M" else 0
    return Cron(cycle, text, offset=int(hour) * _HOUR + int(minute) * _MINUTE, day=number)


def _time_of_day(rng: random.Random) -> tuple[int, int]:
    """Return a random hour and minute: 60 % are midnight, 20 % a full hour of the early morning."""
    kind = rng.random()
    if kind < 0.6:
        return 0, 0
    return (rng.randrange(1, 9), 0) if kind < 0.8 else (rng.randrange(24), rng.randrange(60))


def firings(cron: Cron, from_ms: int, to_ms: int, clock: Clock) -> Sequence[int]:
    """Return the instants of ``[from, to)`` at which a cron fires, ascending."""
    stretches = _stretches(from_ms, to_ms, clock)
    if len(stretches) == 1 and cron.step:
        return _of_step(cron, *stretches[0])
    every = _of_step if cron.step else _of_days
    return [instant for stretch in stretches for instant in every(cron, *stretch)]


def _stretches(from_ms: int, to_ms: int, clock: Clock) -> list[tuple[int, int, int]]:
    """Return the stretches of a range in which clocks have one offset and show no time that comes again.

    A stretch has a start, an end and an offset (ms).
    """
    if isinstance(clock.zone, timezone):
        return [(from_ms, to_ms, clock.offset_ms(from_ms))]
    segments, found = clock.segments(from_ms, to_ms), []
    for index, (start, end, offset) in enumerate(segments):
        after = segments[index + 1][2] if index + 1 < len(segments) else offset
        first_pass = max(0, offset - after)
        low, high = max(start, from_ms), min(end - first_pass, to_ms)
        if low < high:
            found.append((low, high, offset))
    return found


def _of_step(cron: Cron, from_ms: int, to_ms: int, offset_ms: int) -> range:
    # A step divides the hour or the day, so firings are a step apart on the wall clock, even over midnight.
    return range(from_ms + (cron.offset - from_ms - offset_ms) % cron.step, to_ms, cron.step)


def _of_days(cron: Cron, from_ms: int, to_ms: int, offset_ms: int) -> list[int]:
    first = from_ms + (cron.offset - from_ms - offset_ms) % DAY_MS
    return [
        instant for instant in range(first, to_ms, DAY_MS) if _runs_on(cron, (instant + offset_ms) // DAY_MS)
    ]


def _runs_on(cron: Cron, day: int) -> bool:
    if cron.cycle == "D":
        return True
    if cron.cycle == "W":
        return (day + 3) % 7 == cron.day  # 1970-01-01 was a Thursday
    return date.fromordinal(719_163 + day).day == cron.day
