"""The start of an increment: the rows that a target lacks, up to the end of a range.

An increment is an export whose draft begins with a copy of the target, and whose scan begins where the target ends.
So a target is whole at any time here too, and it holds its own checkpoint, which is its last row:

1. Rows are in the total order of trigger times and ids. So every row behind the last row is missing, and no row before
   it is, unless the service got it later.
2. The draft names the state of the target that it began with (`JournalEntry.base`). If the target is another one now,
   the draft is dropped: it holds nothing that the service and the target do not hold.
3. A draft that is complete is published before anything else, since its target may lie aside already
   (`Draft.publish`).
"""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import attrs

from aioflows._sealed import digest
from aioflows.checkpoint import Checkpoint, Remainder, fingerprint
from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.journal import JournalEntry
from aioflows.export.resume import open_or_resume
from aioflows.export.sink import GrowingSink, Tail
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery

__all__ = ["check_appendable", "open_increment", "series_of"]

_FAR_MS = 4_102_444_800_000  # 2100-01-01
_NEEDED = ("instance_id", "trigger_time")


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
    sink: GrowingSink, draft: Draft, fresh: JournalEntry, query: FlowQuery
) -> tuple[JournalEntry, FlowQuery]:
    """Open a sink for the rows that its target lacks. If there is no target, open it for a whole export.

    Args:
        sink: the destination of the rows.
        draft: the sink's draft, which this process has locked.
        fresh: the entry of an export without rows.
        query: the instances that the target shall hold in the end.

    Returns:
        The entry to continue from, and the query for the rows that are missing. If the entry is `done`, none is.

    Raises:
        QueryError: the target has another query or other options, or cannot tell where it ends.
        SinkError: the draft or the target cannot be read.
    """
    kept = _published_if_complete(sink, draft)
    if not draft.target.exists():
        if kept is not None and kept.base:
            draft.begin_again()  # the target that it began with was removed
        return open_or_resume(sink, draft, fresh, resume=True), query
    first = _check_series(sink, draft, fresh, query)
    tail, base = sink.tail(), _state_of(draft.target)
    missing = _missing(query, tail, replaces=sink.replaces)
    fresh = attrs.evolve(
        fresh, job=digest([fresh.job, base]), base=base, overwrite=True, first_ms=first, done=missing is None
    )
    if missing is None:
        draft.begin_again()
        return fresh, query
    if kept is not None and kept.job == fresh.job and kept.checkpoint is not None:
        sink.open(kept)
        return kept, missing
    draft.begin_again()
    entry = sink.adopt(attrs.evolve(fresh, checkpoint=_checkpoint(missing, tail, replaces=sink.replaces)))
    sink.open(entry)
    return entry, missing


def _published_if_complete(sink: GrowingSink, draft: Draft) -> JournalEntry | None:
    """Publish a draft that an earlier run completed. Return the entry of a draft that is not complete."""
    kept, target = sink.kept(), draft.target
    if kept is None or not draft.rows.exists() or not kept.done:
        return kept
    if not target.exists() or kept.base == _state_of(target):
        sink.finish(kept)
    return None


def _check_series(sink: GrowingSink, draft: Draft, fresh: JournalEntry, query: FlowQuery) -> int | None:
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


def _state_of(target: Path) -> str:
    found = target.stat()
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    return f"{found.st_ino}-{size}-{found.st_mtime_ns}"
