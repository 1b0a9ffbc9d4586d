"""The instances that a follow remembers: which of them were handed out, which are in line, which are watched.

1. An instance is handed out when it is seen for the first time, and again only for a status that it did not have before.
2. Only what was handed out counts: to whoever asks where the follow stands, what is still in line was never seen.
3. What is watched is not forgotten before it has finished, is gone, or was watched for long enough.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final

import attrs

from aioflows.checkpoint import Known
from aioflows.models import FlowInstance, FlowStatus

__all__ = ["FINISHED", "UNFINISHED", "SeenInstances", "second_of"]

FINISHED: Final = frozenset(
    {
        FlowStatus.FAIL,
        FlowStatus.SUCCESS,
        FlowStatus.INTERNAL_ERROR,
        FlowStatus.TIMEOUT,
        FlowStatus.CANCEL,
        FlowStatus.SKIP,
    }
)
UNFINISHED: Final = frozenset(FlowStatus) - FINISHED
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.define
class _Record:
    second: int
    status: int | None
    watched: bool
    poll: int = 0
    """The last one that has shown it."""

    def behind(self, mark: int) -> bool:
        return (self.second + 1) * 1000 <= mark


class SeenInstances:
    """Takes rows, and hands out what is new of them.

    Args:
        status: the *statuses* that are handed out; none: all.
        changes: whether each change of status is.
        known: what an earlier one has *left*.
    """

    def __init__(self, status: Collection[int], *, changes: bool, known: Collection[Known] = ()) -> None:
        self._statuses = frozenset(int(one) for one in status)
        self._changes = changes
        self._records = {one.id: _Record(one.second, one.status, one.watched) for one in known}
        self._line: deque[tuple[FlowInstance, _Record | None]] = deque()
        self.given_up = 0
        """Instances that were watched for long enough, and have not finished."""

    def __len__(self) -> int:
        return len(self._records)

    @property
    def in_line(self) -> int:
        """How many rows wait to be handed out."""
        return len(self._line)

    @property
    def watched(self) -> int:
        """How many instances are watched."""
        return sum(one.watched for one in self._records.values())

    def take(self, row: FlowInstance, poll: int, *, fresh: bool) -> bool:
        """Take a row; tell whether it is to be handed out.

        Args:
            row: the *row*.
            poll: the *number* of the poll that shows it.
            fresh: whether it counts though it was never seen.
        """
        before, status = self._records.get(row.instance_id), None if row.status is None else int(row.status)
        if before is None:
            if fresh:
                self._records[row.instance_id] = record = _Record(
                    second_of(row), status, watched=True, poll=poll
                )
                return self._judge(row, record, None)
            return False  # it has shown too late, or was triggered before everything that counts
        before.poll = poll
        if not before.watched or before.status == status:
            return False
        self._records[row.instance_id] = record = attrs.evolve(before, status=status)
        return self._judge(row, record, before)

    def _judge(self, row: FlowInstance, record: _Record, before: _Record | None) -> bool:
        wanted = not self._statuses or record.status in self._statuses
        more = self._changes or not wanted
        record.watched = more and record.status not in FINISHED
        if wanted:
            self._line.append((row, before))
        return wanted

    def agrees(self, rows: Collection[FlowInstance], ids: Collection[str], *, fresh: bool) -> bool:
        """Return True if rows hold nothing to be taken, and all of the given ids.

        Args:
            rows: the *rows*.
            ids: what they must *hold*.
            fresh: whether one that was never seen is to be taken.
        """
        for row in rows:
            record = self._records.get(row.instance_id)
            if record is None and fresh:
                return False
            status = None if row.status is None else int(row.status)
            if record is not None and record.watched and record.status != status:
                return False
        return {row.instance_id for row in rows}.issuperset(ids)

    def shown(self, id: str, poll: int) -> bool:
        """Return True if an instance was shown by a poll."""
        return id in self._records and self._records[id].poll == poll

    def next_instance(self) -> FlowInstance | None:
        """Hand out what is next in line."""
        return self._line.popleft()[0] if self._line else None

    # What is behind a moment

    def oldest_watched(self, mark: int) -> int | None:
        """Return the first second before a moment that something watched belongs to."""
        return min(
            (one.second for one in self._records.values() if one.watched and one.behind(mark)), default=None
        )

    def watched_before(self, mark: int) -> list[str]:
        """Return what is watched before a moment."""
        return [id for id, one in self._records.items() if one.watched and one.behind(mark)]

    def since(self, mark: int, until: int) -> list[str]:
        """Return what belongs to the time from a moment on, and until another."""
        return [id for id, one in self._records.items() if not one.behind(mark) and one.second * 1000 < until]

    def missing(self, mark: int, poll: int) -> dict[str, int]:
        """Return what is watched before a moment but was not shown by a poll, and the second it belongs to."""
        return {
            id: one.second
            for id, one in self._records.items()
            if one.watched and one.poll != poll and one.behind(mark)
        }

    def drop(self, ids: Collection[str]) -> None:
        """Forget instances that are gone."""
        for id in ids:
            del self._records[id]

    def give_up(self, oldest: int) -> None:
        """Watch no longer what was triggered before a moment."""
        for record in self._records.values():
            if record.watched and record.behind(oldest):
                record.watched = False
                self.given_up += 1

    def forget(self, mark: int, poll: int) -> None:
        """Forget what lies before a moment, unless it is watched, or a poll from the given one on has shown it."""
        self._records = {
            id: one
            for id, one in self._records.items()
            if one.watched or not one.behind(mark) or one.poll >= poll
        }

    def known(self) -> tuple[Known, ...]:
        """Return what is to be remembered, as if what is in line had never been seen."""
        records: dict[str, _Record | None] = dict(self._records)
        for row, before in reversed(self._line):
            records[row.instance_id] = before
        return tuple(
            Known(id, one.second, one.status, one.watched) for id, one in records.items() if one is not None
        )


def second_of(row: FlowInstance) -> int:
    """Return the trigger time of a row in whole seconds since 1970-01-01 UTC."""
    assert row.trigger_time is not None
    since = row.trigger_time - _EPOCH
    return since.days * 86_400 + since.seconds
