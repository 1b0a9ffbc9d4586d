"""The start of an increment: the rows that a target lacks, up to the end of a range.

An increment is an export whose draft begins with a copy of the target, and whose scan begins where the target ends.
In an object store the target is copied at the end only, or for a folder not at all.
So a target is whole at any time here too, and it holds its own checkpoint, which is its last row:

1. Rows are in the total order of trigger times and ids. So every row behind the last row is missing, and no row before
   it is, unless the service got it later.
2. The draft names the state of the target that it began with (`JournalEntry.base`). If the target is another one now,
   the draft is dropped: it holds nothing that the service and the target do not hold.
3. A draft that is complete is published before anything else, since its target may lie aside already
   (`Draft.publish`).
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import attrs

from aioflows._sealed import digest
from aioflows.checkpoint import Checkpoint, Remainder, fingerprint
from aioflows.errors import QueryError
from aioflows.export.errors import DraftDamaged
from aioflows.export.journal import JournalEntry
from aioflows.export.resume import open_or_resume
from aioflows.export.sink import GrowingSink, Tail
from aioflows.export.unfinished import Unfinished
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery

__all__ = ["Increment", "check_appendable", "open_increment", "series_of"]

_FAR_MS = 4_102_444_800_000  # 2100-01-01
_NEEDED = ("instance_id", "trigger_time")


@attrs.frozen
class Increment:
    """An increment that is open.

    Args:
        entry: the entry to continue from. If it is `done`, no row is missing.
        query: the query for the rows that are missing.
        tail: the last row of the target. Default: None, which means that there is no target, or no row in it.
    """

    entry: JournalEntry
    query: FlowQuery
    tail: Tail | None = None


def check_appendable(query: FlowQuery, columns: tuple[str, ...], name: str) -> None:
    """Check that the rows of an export tell where it ends.

    Raises:
        QueryError: they do not, because of their order or their columns.
    """
    if query.sorters != (("trigger_time", False),):
        raise QueryError(
            f"rows can be appended to {name!r} in the order of trigger times only; leave order_by (--order-by) out"
        )
    missing = [column for column in _NEEDED if column not in columns]
    if missing:
        raise QueryError(
            f"nothing can be appended to {name!r} without the column {missing[0]}, which tells where it ends; "
            "add it to columns (--columns)"
        )


def series_of(query: FlowQuery, options: list[object]) -> str:
    """Return a text that the increments of one target share: their queries differ in the range only."""
    return digest([fingerprint(attrs.evolve(query, from_trigger_time=0, to_trigger_time=_FAR_MS)), *options])


def open_increment(
    sink: GrowingSink[Any], draft: Unfinished, fresh: JournalEntry, query: FlowQuery
) -> Increment:
    """Open a sink for the rows that its target lacks. If there is no target, open it for a whole export.

    Args:
        sink: the destination of the rows.
        draft: the sink's draft, which this process owns.
        fresh: the entry of an export without rows.
        query: the instances that the target shall hold in the end.

    Raises:
        QueryError: the target has another query or other options, or cannot tell where it ends.
        SinkError: the draft or the target cannot be read.
    """
    kept = _published_if_complete(sink, draft)
    if not draft.target_exists():
        if kept is not None and (kept.base or _is_of_another_range(kept, fresh)):
            draft.begin_again()  # the target that it began with was removed, or the call is that of a later day
        return Increment(_open_first(sink, draft, fresh), query)
    base = (
        draft.state()
    )  # before the last row is read, so that a row of a later target does not count for this one
    first = _check_series(sink, draft, fresh, query)
    tail = sink.tail()
    missing = _missing(query, tail, replaces=sink.replaces)
    fresh = attrs.evolve(
        fresh, job=digest([fresh.job, base]), base=base, overwrite=True, first_ms=first, done=missing is None
    )
    if missing is None:
        draft.begin_again()
        return Increment(fresh, query)
    if kept is not None and not kept.done and kept.job == fresh.job and kept.checkpoint is not None:
        with suppress(DraftDamaged):
            sink.open(kept)
            return Increment(kept, missing, tail)
        sink.close()
    draft.begin_again()
    entry = sink.adopt(attrs.evolve(fresh, checkpoint=_checkpoint(missing, tail, replaces=sink.replaces)))
    sink.open(entry)
    return Increment(entry, missing, tail)


def _is_of_another_range(kept: JournalEntry, fresh: JournalEntry) -> bool:
    return kept.job != fresh.job and kept.series == fresh.series


def _open_first(sink: GrowingSink[Any], draft: Unfinished, fresh: JournalEntry) -> JournalEntry:
    try:
        return open_or_resume(sink, draft, fresh, resume=True)
    except DraftDamaged:
        sink.close()
        draft.begin_again()  # the service still has all rows
        return open_or_resume(sink, draft, fresh, resume=True)


def _published_if_complete(sink: GrowingSink[Any], draft: Unfinished) -> JournalEntry | None:
    """Publish a draft that an earlier run completed. Return the entry of a draft that is not complete."""
    kept = sink.kept()
    if kept is None or not draft.has_rows() or not kept.done:
        return kept
    if draft.may_publish(kept):
        try:
            sink.finish(kept)
        except DraftDamaged:
            if draft.target_exists() and not kept.base:
                raise  # a folder of objects may have some rows, and lack others before them
            sink.close()
            draft.begin_again()
        draft.enter()  # publishing has released a draft in an object store
    return None


def _check_series(
    sink: GrowingSink[Any], draft: Unfinished, fresh: JournalEntry, query: FlowQuery
) -> int | None:
    """Check that a target holds rows of this query. Return the start of its range (epoch ms), or None if unknown."""
    held = sink.published()
    if held is None:
        return None
    if held.series and held.series != fresh.series:
        raise QueryError(
            f"{draft.name!r} has another query or other options, so nothing is appended to it; "
            "give those of its first export, or name another target"
        )
    if not sink.replaces and held.first_ms is not None and query.from_ms < held.first_ms:
        begin = datetime.fromtimestamp(held.first_ms / 1000, UTC).isoformat()
        raise QueryError(
            f"{draft.name!r} begins at {begin}, and rows before that cannot be put in front of it; "
            "begin there, or export earlier rows to another target"
        )
    return held.first_ms


def _missing(query: FlowQuery, tail: Tail | None, *, replaces: bool) -> FlowQuery | None:
    if tail is None:
        return query
    begin = min(query.from_ms, tail.second * 1000) if replaces else tail.second * 1000
    return attrs.evolve(query, from_trigger_time=begin) if begin < query.to_ms else None


def _checkpoint(query: FlowQuery, tail: Tail | None, *, replaces: bool) -> Checkpoint:
    # The merged order of all types is total, so one row is the last one for each type.
    after = None if tail is None or replaces else (tail.second, tail.id)
    types = list(ScheduleType) if query.type is None else [query.type]
    left = [Remainder(int(one), query.from_ms, query.to_ms, after) for one in types]
    return Checkpoint(fingerprint(query), tuple(left))
