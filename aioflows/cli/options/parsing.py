"""Parsers for the texts of options: zones, days, statuses, orders, lists of names and files."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, cast

from aioflows.errors import QueryError

if TYPE_CHECKING:
    from aioflows.models import FlowStatus, ScheduleType
    from aioflows.query import SortKey

__all__ = ["day", "headers", "latency", "names", "order", "read_text", "schedule_type", "statuses", "zone"]

_LONGEST_HEADER_FILE = 100_000
_LATENCY = re.compile(r"(?P<number>\d+(\.\d*)?|\.\d+) ?(?P<unit>ms|s)?", re.ASCII)
_LONGEST_WITHOUT_UNIT = 10.0  # seconds


def zone(text: str | None) -> tzinfo | None:
    """Return the zone that a text names, as in "+08:00", "GMT+8", "UTC" or "Asia/Shanghai".

    Raises:
        QueryError: the zone is unknown.
    """
    if text is None:
        return None
    try:
        from aioflows._time_zones import time_zone

        return time_zone(text)
    except QueryError as error:
        text = str(error).removesuffix(", or as a tzinfo")
        raise QueryError(f"--zone {text}") from None


def day(text: str | None) -> date | None:
    """Return the date that a text describes, or None for None.

    Raises:
        QueryError: the text is not a date.
    """
    if text is None:
        return None
    try:
        return datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007  (a date has no zone)
    except ValueError:
        raise QueryError(f"--day {text!r} is not a date; give it as in 2024-01-31") from None


def statuses(texts: Iterable[str]) -> tuple[FlowStatus, ...]:
    """Return the statuses that texts name. Each text holds names or codes, separated by commas.

    Raises:
        QueryError: a status is unknown.
    """
    names = [part.strip() for text in texts for part in text.split(",")]
    return tuple(dict.fromkeys(_status(name) for name in names))


def _status(text: str) -> FlowStatus:
    from aioflows.models import FlowStatus

    known = {status.name: status for status in FlowStatus} | {
        str(status.value): status for status in FlowStatus
    }
    name = text.upper()
    if name not in known:
        name = name.replace("-", "_").replace(" ", "_")
    if name not in known:
        raise _unknown("--status", text, [status.name for status in FlowStatus])
    return known[name]


def schedule_type(text: str) -> ScheduleType | None:
    """Return the schedule type of that name, or None for "all".

    Raises:
        QueryError: the type is unknown.
    """
    from aioflows.models import ScheduleType

    known: dict[str, ScheduleType | None] = {kind.name.lower(): kind for kind in ScheduleType}
    known["all"] = None
    if text.lower() not in known:
        raise _unknown("--type", text, list(known))
    return known[text.lower()]


def order(text: str) -> SortKey | tuple[SortKey, ...] | None:
    """Return the order that a text describes: "none", or sort fields separated by commas.

    A field with "-" before it is in descending order. `FlowQuery` refuses what is not a field.
    """
    if text.lower() == "none":
        return None
    fields = cast("tuple[SortKey, ...]", tuple(part.strip() for part in text.split(",")))
    return fields[0] if len(fields) == 1 else fields


def latency(text: str) -> float:
    """Return the time that an emulated answer takes (seconds).

    Args:
        text: seconds, as in ``0.02``, or a number with its unit, as in ``20ms`` or ``20s``.

    Raises:
        QueryError: it is not such a time. A number above 10 needs its unit, since it may be meant in
            milliseconds.
    """
    found = _LATENCY.fullmatch(text.strip())
    if found is None:
        raise QueryError(f"--latency {text!r} is not a time; give seconds, as in 0.02, or a unit, as in 20ms")
    seconds = float(found["number"]) / (1000 if found["unit"] == "ms" else 1)
    if not found["unit"] and seconds > _LONGEST_WITHOUT_UNIT:
        raise QueryError(
            f"--latency {text} would be so many seconds for each answer; give {text}ms, or {text}s if that is meant"
        )
    return seconds


def headers(texts: Iterable[str] | None) -> dict[str, str]:
    """Return the headers that texts hold, each as "Name: value", or as "@" and the name of a file of such lines.

    Raises:
        QueryError: a text or a line is not a header, a header comes twice, or a file cannot be read. No value
            is shown.
    """
    found: dict[str, str] = {}
    for text in texts or ():
        in_file = text.startswith("@")
        content = read_text("--header", Path(text[1:]), _LONGEST_HEADER_FILE) if in_file else text
        for line in filter(str.strip, content.splitlines() if in_file else [content]):
            name, colon, value = line.partition(":")
            if not colon:
                raise QueryError(
                    "--header has no colon; give it as 'Name: value', or as @FILE with such lines"
                )
            if name.strip().lower() in {one.lower() for one in found}:
                raise QueryError(f"--header has {name.strip()} twice; join the values by a comma")
            found[name.strip()] = value.strip()
    return found


def names(texts: Iterable[str] | None) -> tuple[str, ...] | None:
    """Return the names that texts hold, separated by commas, or None if there are no texts."""
    if not texts:
        return None
    return tuple(name.strip() for text in texts for name in text.split(","))


def _unknown(option: str, text: str, names: list[str]) -> QueryError:
    fold = {name.lower(): name for name in names}
    near = difflib.get_close_matches(text.lower(), fold, n=1)
    hint = f"; did you mean {fold[near[0]]}?" if near else ""
    return QueryError(f"{option} {text!r} is not one of {', '.join(names)}{hint}")


def read_text(option: str, path: Path, most: int) -> str:
    """Return the text of a file that an option names, at most *most* characters.

    Raises:
        QueryError: the file cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return file.read(most)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise QueryError(f"{option} {str(path)!r} cannot be read: {reason}") from error
