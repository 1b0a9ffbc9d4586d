"""The start of an export: a new export, a resumed export, or an error.

Rules:
1. Existing files are never overwritten without ``overwrite=True``, and never mixed with rows of another
   export.
2. An export with ``resume=True`` never begins again silently while an unfinished export exists.
"""

from __future__ import annotations

from typing import Any

import attrs

from aioflows.errors import QueryError
from aioflows.export.journal import JournalEntry
from aioflows.export.sink import Sink
from aioflows.export.unfinished import Unfinished

__all__ = ["open_or_resume"]

_REPLACE = "give overwrite=True (--overwrite) to replace it"
_OTHER = "has another query or other options"
_AGAIN = "overwrite=True (--overwrite) to begin again"


def open_or_resume(sink: Sink[Any], draft: Unfinished, fresh: JournalEntry, *, resume: bool) -> JournalEntry:
    """Open a sink, and return the entry to continue from. If the entry is `done`, no more rows are needed.

    Args:
        sink: the destination of the rows.
        draft: the sink's draft, which this process has locked.
        fresh: the entry of an export without rows.
        resume: True to continue an earlier export.

    Raises:
        QueryError: a file must not be replaced, or the earlier export had another query or other options.
        SinkError: the draft is damaged.
    """
    entry = None
    if resume:
        entry = _find_resumable(sink, draft, fresh)
    elif not fresh.overwrite:
        _check_nothing_is_lost(sink, draft)
    if entry is None:
        draft.begin_again()
        entry = fresh
    if not entry.done:
        sink.open(entry)
    return entry


def _check_nothing_is_lost(sink: Sink[Any], draft: Unfinished) -> None:
    kept = sink.kept()
    if kept is not None and kept.instances and kept.checkpoint is not None and _is_unpublished(kept, draft):
        raise QueryError(
            f"an unfinished export to {draft.name!r} holds {kept.instances:,} instances; "
            f"give resume=True (--resume) to go on, or {_AGAIN}"
        )


def _find_resumable(sink: Sink[Any], draft: Unfinished, fresh: JournalEntry) -> JournalEntry | None:
    kept, exists = sink.kept(), draft.target_exists()
    if kept is None:
        if exists and not fresh.overwrite:
            raise QueryError(f"{draft.name!r} exists, and there is no export to resume; {_REPLACE}")
        return None
    if _is_unpublished(kept, draft):
        if kept.job != fresh.job:
            raise QueryError(
                f"the unfinished export to {draft.name!r} {_OTHER}; "
                f"give the same query and options, or {_AGAIN}"
            )
        resumable = kept.done or kept.checkpoint is not None
        return attrs.evolve(kept, overwrite=kept.overwrite or fresh.overwrite) if resumable else None
    if not exists:
        return None  # the finished target was removed since, so the export begins again
    if kept.job == fresh.job and sink.finished(kept):
        return kept
    if fresh.overwrite:
        return None
    reason = _OTHER if kept.job != fresh.job else "was changed after it was complete"
    raise QueryError(f"the earlier export to {draft.name!r} {reason}; {_REPLACE}")


def _is_unpublished(kept: JournalEntry, draft: Unfinished) -> bool:
    return not kept.done or draft.has_rows()
