"""The times of day of a schedule in English words.

cron-descriptor says "at 08:00 through 10:59 and 14:00" of the hours 8 to 10 and 14, whatever the minutes are.
So these words are written here:

1. A few times are listed. Of a run each hour, or every few hours, the first and the last time are told.
2. Otherwise the words tell the seconds, the minutes and the hours, each as a condition of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from aioflows._core.schedule.expression import CronFields

__all__ = ["runs_of", "time_words"]

_MOST_TIMES = 12
_FEWEST_IN_A_ROW = 4
_MOST_STRETCHES = 3
_ZERO = (0,)


def time_words(fields: CronFields) -> str:
    """Return the times of day that an expression selects, as the start of a sentence."""
    hours = fields.hours
    if len(fields.seconds) == 1 and len(hours) < 24:
        times = [_clock(*time) for time in product(hours, fields.minutes, fields.seconds)]
        if len(fields.minutes) == 1:
            if step := _step(hours, 24):
                start = "" if times[0] == "00:00" else f", starting at {times[0]}"
                return f"Every {step} hours{start}"
            if len(hours) >= _FEWEST_IN_A_ROW and len(runs_of(hours)) == 1:
                return f"Every hour from {times[0]} through {times[-1]}"
        if len(times) <= _MOST_TIMES:
            return f"At {_joined(times)}"
    words = [word for word in (_seconds(fields), _minutes(fields), _hours(fields)) if word]
    text = ", ".join(words)
    return text[0].upper() + text[1:]


def runs_of(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last value of each run of consecutive values."""
    runs: list[tuple[int, int]] = []
    for value in values:
        if runs and value == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], value
        else:
            runs.append((value, value))
    return runs


def _step(values: Sequence[int], size: int) -> int:
    """Return the step between values that repeat evenly in a cycle, or 0. A step has three values or more."""
    step = values[1] - values[0] if len(values) > 2 else 0
    even = step > 1 and size % step == 0 and tuple(values) == tuple(range(values[0], size, step))
    return step if even and values[0] < step else 0


def _joined(words: Sequence[str]) -> str:
    """Return words as a list in English."""
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _clock(hour: int, minute: int, second: int) -> str:
    return f"{hour:02}:{minute:02}" + (f":{second:02}" if second else "")


def _seconds(fields: CronFields) -> str:
    return "" if fields.seconds == _ZERO else _part(fields.seconds, "second", "minute")


def _minutes(fields: CronFields) -> str:
    minutes = fields.minutes
    if fields.seconds == _ZERO:
        hourly = minutes == _ZERO and len(fields.hours) == 24
        return "every hour" if hourly else _part(minutes, "minute", "hour")
    if len(minutes) == 60:
        return ""
    step = _step(minutes, 60)
    if step and len(fields.seconds) > 1:  # "every 15 seconds, every 2 minutes" would be a riddle
        return f"in one minute of every {step}, starting at {_past(minutes[0])}"
    return _part(minutes, "minute", "hour")


def _part(values: Sequence[int], unit: str, whole: str) -> str:
    if len(values) == 60:
        return f"every {unit}"
    step = _step(values, 60)
    if not step:
        return f"at {_past(_numbers(values), unit, whole)}"
    start = f", starting at {_past(values[0], unit, whole)}" if values[0] else ""
    return f"every {step} {unit}s{start}"


def _past(value: int | str, unit: str = "minute", whole: str = "hour") -> str:
    return f"{value} {unit}{'' if str(value) == '1' else 's'} past the {whole}"


def _numbers(values: Sequence[int]) -> str:
    words: list[str] = []
    for first, last in runs_of(values):
        words += (
            [f"{first} through {last}"] if last - first > 1 else [str(one) for one in range(first, last + 1)]
        )
    return _joined(words)


def _hours(fields: CronFields) -> str:
    if len(fields.hours) == 24:
        return ""
    if step := _step(fields.hours, 24):
        return f"in one hour of every {step}, starting at {fields.hours[0]:02}:00"
    stretches = runs_of(fields.hours)
    if len(stretches) > _MOST_STRETCHES:
        return f"in the hours that begin at {_joined([f'{hour:02}:00' for hour in fields.hours])}"
    return _joined([f"between {first:02}:00 and {last:02}:59" for first, last in stretches])
