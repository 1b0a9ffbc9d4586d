"""How an export begins: anew, where an earlier one stood, or not at all.

What exists is never overwritten and never mixed with something else, unless somebody says so; and what was told to go on never
begins again without a word, where there is anything to go on with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import attrs

from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.journal import JournalEntry
from aioflows.models import FlowInstance

__all__ = ["Sink", "begun"]

_REPLACE = "give overwrite=True (--overwrite) to replace it"
_OTHER = "is another query, or has other columns"
_AGAIN = "overwrite=True (--overwrite) to begin again"


class Sink(Protocol):
    """Where rows go, together with the mark that counts them; nothing but `encode` and `weight` is called on the event loop."""

    @property
    def patience(self) -> float:
        """Seconds after which what was added should be committed, however little it is."""

    @property
    def takes_answers(self) -> bool:
        """Whether a chunk may be `RawRows` rows as well."""

    @property
    def worth(self) -> float:
        """Instances that are worth a thread to write them."""

    def encode(self, instances: Sequence[FlowInstance], /) -> Any:
        """Give instances as `write` takes them."""

    def weight(self, chunk: Any, /) -> float:
        """Tell what share it is of what should be committed at the latest, so that memory has a bound."""

    def kept(self) -> JournalEntry | None:
        """Give the mark of what was written before."""

    def finished(self, mark: JournalEntry, /) -> bool:
        """Tell whether the target is what this mark is the account of."""

    def open(self, mark: JournalEntry, /) -> None:
        """Go on behind what a mark counts."""

    def write(self, chunks: Sequence[Any], /) -> None:
        """Add rows, which do not count yet."""

    def commit(self, mark: JournalEntry, /) -> JournalEntry:
        """Let all rows that were added count: they and the mark are on the disk when this ends."""

    def finish(self, mark: JournalEntry, /) -> None:
        """Make all of it the target."""

    def close(self) -> None:
        """Let go of files. Twice is fine."""


def begun(sink: Sink, draft: Draft, fresh: JournalEntry, *, resume: bool) -> JournalEntry:
    """Open a sink; give the mark to go on from, which may say that all is done.

    Args:
        sink: where *rows* go.
        draft: its *draft*, which this process has for itself.
        fresh: the mark of an export of which *nothing* was written.
        resume: whether to go on with what an earlier export left.

    Raises:
        QueryError: something is there that must not be touched, or it does not belong to this export.
        SinkError: the draft is damaged.
    """
    mark = None
    if resume:
        mark = _found(sink, draft, fresh)
    elif not fresh.overwrite:
        _check_nothing_is_lost(sink, draft)
    if mark is None:
        draft.begin_again()
        mark = fresh
    if not mark.done:
        sink.open(mark)
    return mark


def _check_nothing_is_lost(sink: Sink, draft: Draft) -> None:
    kept = sink.kept()
    if kept is not None and kept.instances and kept.checkpoint is not None and _unpublished(kept, draft):
        raise QueryError(
            f"an unfinished export to {draft.name!r} holds {kept.instances:,} instances; "
            f"give resume=True (--resume) to go on, or {_AGAIN}"
        )


def _found(sink: Sink, draft: Draft, fresh: JournalEntry) -> JournalEntry | None:
    kept, exists = sink.kept(), draft.target.exists()
    if kept is None:
        if exists and not fresh.overwrite:
            raise QueryError(f"{draft.name!r} exists, and there is no export of it to go on with; {_REPLACE}")
        return None
    if _unpublished(kept, draft):
        if kept.job != fresh.job:
            raise QueryError(f"what was exported to {draft.name!r} {_OTHER}; give the same, or {_AGAIN}")
        going = kept.done or kept.checkpoint is not None
        return attrs.evolve(kept, overwrite=kept.overwrite or fresh.overwrite) if going else None
    if not exists:
        return None  # it was whole, and was taken away
    if kept.job == fresh.job and sink.finished(kept):
        return kept
    if fresh.overwrite:
        return None
    what = _OTHER if kept.job != fresh.job else "was changed since"
    raise QueryError(f"what was exported to {draft.name!r} {what}; {_REPLACE}")


def _unpublished(kept: JournalEntry, draft: Draft) -> bool:
    return not kept.done or draft.rows.exists()
