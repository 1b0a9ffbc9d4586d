"""The forms in which services write times, as JSON.

The documented form is a wall-clock text. The others are those of Java: ``java.sql.Timestamp.toString()``, what Jackson
writes for a ``Date``, an ``Instant``, a ``ZonedDateTime`` and a ``LocalDateTime``, and numbers written as texts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC

from aioflows.emulator.world.clock import Clock

__all__ = ["TIME_FORMS", "written"]

_UTC = Clock(UTC)


def _offset(ms: int, clock: Clock) -> str:
    offset = clock.offset_ms(ms)
    hours, minutes = divmod(abs(offset) // 60_000, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}"


def _iso(ms: int, clock: Clock) -> str:
    return f"{clock.local(ms).replace(' ', 'T')}.{ms % 1000:03}"


def _fraction(ms: int, clock: Clock) -> str:
    digits = f"{ms % 1000:03}".rstrip("0") if ms % 1000 else "0"
    return f'"{clock.local(ms)}.{digits}"'


def _list(ms: int, clock: Clock) -> str:
    day, _, time = clock.local(ms).partition(" ")
    return f"[{','.join(str(int(part)) for part in (*day.split('-'), *time.split(':')))}]"


_FORMS: dict[str, Callable[[int, Clock], str]] = {
    "text": lambda ms, clock: f'"{clock.local(ms)}"',
    "fraction": _fraction,
    "ms": lambda ms, _: str(ms),
    "ms-text": lambda ms, _: f'"{ms}"',
    "seconds": lambda ms, _: f"{ms // 1000}.{ms % 1000:03}000000",
    "offset": lambda ms, clock: f'"{_iso(ms, clock)}{_offset(ms, clock)}"',
    "basic-offset": lambda ms, clock: f'"{_iso(ms, clock)}{_offset(ms, clock).replace(":", "")}"',
    "utc": lambda ms, _: f'"{_iso(ms, _UTC)}Z"',
    "list": _list,
}
TIME_FORMS = (*_FORMS, "mixed")
"""The names of the forms. "mixed" is another form in each row."""


def written(form: str, ms: int, clock: Clock) -> str:
    """Return a time as JSON.

    Args:
        form: the name of the form.
        ms: the instant (ms since the epoch).
        clock: the clock of the server.
    """
    if form == "mixed":
        form = tuple(_FORMS)[ms // 1000 % 7919 % len(_FORMS)]
    return _FORMS[form](ms, clock)
