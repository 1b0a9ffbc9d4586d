"""The clocks by which the times of rows agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from aioflows._core.clocks.clear_rows import ClearRows, clear_rows
from aioflows._core.clocks.evidence import LATE, Distances, advance_of, backs, lead_of
from aioflows._core.clocks.page_times import FIELDS, TRIGGERS_CLOCK, UTC_CLOCK, FieldClock, PageTimes

__all__ = ["CHANGED", "EITHER", "LONG", "ClockVerdict", "judge"]

_MANY_RUNS = 8
_SIDES = 2
_EARLY, _NEAR = 60, 300  # seconds

LONG = "long"
"""The doubt whether a few runs took long, or end by another clock. More rows show it."""

CHANGED = "changed"
"""The doubt whether a clock is changed where that of the trigger times is not."""

EITHER = "either"
"""The doubt whether runs end by the clock of their start, or by that of the trigger, since they took long."""

_Times = Sequence[datetime | None]


@attrs.frozen
class ClockVerdict:
    """The clocks of the times of rows.

    Args:
        clocks: the clock of each field.
        doubts: the kinds of doubt, with the field and the id of a row.
        rows: the number of rows that were judged.
    """

    clocks: Mapping[str, FieldClock]
    doubts: Sequence[tuple[str, str, str]] = ()
    rows: int = 0


def judge(page: PageTimes, known: Mapping[str, FieldClock]) -> ClockVerdict:
    """Return the clocks by which the times of a page agree.

    Where the trigger's clock is changed, the rows before and after the change are judged one after the other. A
    clock that fits the rows of one side only is not that of the service. For example, a clock 5 hours ahead of one
    of -05:00 shows UTC, unless it is 5 hours ahead of -04:00 as well. A few rows show that.

    Args:
        page: the rows.
        known: the clocks that hold unless the rows contradict them.
    """
    sides = clear_rows(page)[:_SIDES]
    verdict = ClockVerdict(known)
    doubts: list[tuple[str, str, str]] = []
    like: Sequence[int] = ()
    for side in sides:
        verdict = _judge(side, verdict.clocks, like)
        doubts += verdict.doubts
        like = _advances(side, verdict.clocks)
    if len(sides) > 1 and verdict.clocks != known:
        verdict = _judge(sides[0], verdict.clocks)
        other = _judge(sides[1], verdict.clocks)
        doubts = [*verdict.doubts, *other.doubts]
        if other.clocks[FIELDS[0]] != verdict.clocks[FIELDS[0]]:
            doubts.append((CHANGED, _like_the_start(verdict.clocks), sides[1].example))
    return ClockVerdict(verdict.clocks, doubts, sum(len(side.rows) for side in sides))


def _advances(rows: ClearRows, clocks: Mapping[str, FieldClock]) -> list[int]:
    return [clocks[field].ahead(rows.instant, rows.offset) for field in FIELDS]


def _judge(rows: ClearRows, known: Mapping[str, FieldClock], like: Sequence[int] = ()) -> ClockVerdict:
    """Judge the rows of one side.

    Args:
        rows: the rows.
        known: the clocks that hold unless the rows contradict them.
        like: the advances of the fields on the other side. Default: none.
    """
    page, offset = rows.page, rows.offset
    utc = -offset if offset else None
    base = _advances(rows, known)
    starts, ends, stamps = page.fields
    began, created = rows.distances(starts, page.walls), rows.distances(stamps, page.walls)

    punctual = began.without_early(base[0])
    backed = _backed(rows, punctual, created, base)
    near = [*([0] if base[0] else []), *like[:1]]
    start, doubt = advance_of(punctual, base[0], near, utc, backed=backed)
    if not doubt and punctual.hardly_on_time(start):
        doubt = "late"
    doubts = [(doubt, FIELDS[0])]

    moved = start != base[0] and known[FIELDS[0]] != TRIGGERS_CLOCK
    together = [moved and known[field] == known[FIELDS[0]] for field in FIELDS]  # they have one clock
    ran = rows.distances(ends, page.begun(start))
    shown = (known[FIELDS[1]] != TRIGGERS_CLOCK or (bool(like) and not ran.values)) and not together[1]
    end, doubt = advance_of(ran, base[1] if shown else start, [0, start, *like[1:2]], utc, sure=shown)
    if doubt == "late" and len(ran.values) < _MANY_RUNS and not _equally_long(ran):
        doubt = LONG
    if not doubt and not shown and end != start and not ran.some_close(end):
        doubt = EITHER
    doubts.append((doubt, FIELDS[1]))

    since = rows.distances(stamps, page.begun(start))
    late, follows = _started_before(since, base[2]), not _started_before(since, start, share=10)
    near = [*([start] if start else []), *like[2:]]
    made, doubt = lead_of(
        created, start if together[2] else base[2], near, utc, started=late, follows=follows and start != 0
    )
    doubts.append((doubt, FIELDS[2]))
    clocks = {
        field: known[field] if advance == before else _clock(advance, offset)
        for field, advance, before in zip(FIELDS, (start, end, made), base, strict=True)
    }
    if began.stepped(start):
        doubts.append((CHANGED, _like_the_start(clocks)))
    return ClockVerdict(
        clocks, [(kind, field, rows.example) for kind, field in doubts if kind], len(rows.rows)
    )


def _like_the_start(clocks: Mapping[str, FieldClock]) -> str:
    """Return the fields that have the clock of the start, as a text."""
    return ", ".join(field for field in FIELDS if clocks[field] == clocks[FIELDS[0]])


def _clock(advance: int, offset: int) -> FieldClock:
    if offset and advance == -offset:
        return UTC_CLOCK
    return FieldClock(advance) if advance else TRIGGERS_CLOCK


def _backed(rows: ClearRows, began: Distances, created: Distances, base: Sequence[int]) -> bool:
    """Return True if other times of the rows show that the clock of the start is as far ahead as the starts are late.

    Either the creations are as late, or the ends are right, and before the starts.
    """
    if not began.values or began.least < base[0] + LATE - _EARLY:
        return False
    starts, ends, _ = rows.page.fields
    grid = began.grid
    if backs(created, grid):
        return True
    ran, ended = rows.distances(ends, starts), rows.distances(ends, rows.page.walls)
    runs = [value - base[1] for value in ended.values]
    return (
        len(ran.values) > 1
        and base[0] == base[1]
        and min(runs) >= -_EARLY
        and sum(value < -_EARLY for value in ran.values) * 2 > len(ran.values)
    )


def _equally_long(seen: Distances) -> bool:
    """Return True if several runs took the same time, close above a quarter of an hour."""
    values = seen.values
    return len(values) > 1 and max(values) - min(values) < _NEAR and min(values) - seen.grid < _NEAR


def _started_before(seen: Distances, base: int, share: int = 2) -> bool:
    """Return True if more than one row in so many was created an hour or more after its start."""
    return sum(value - base >= LATE - _EARLY for value in seen.values) * share > len(seen.values)
