"""The instances that a follow remembers: handed out, in line, or watched.

1. An instance is handed out when it is first seen. After that, only a new status hands out the instance again.
2. Only instances that were handed out count. A checkpoint leaves out the changes that wait in line.
3. A watched instance is remembered until it has finished, is gone, or was watched for the full watch time.
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

FINISHED: Final = frozenset(one for one in FlowStatus if one.is_final)
UNFINISHED: Final = frozenset(FlowStatus) - FINISHED
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@attrs.define
class _Record:
    second: int
    status: int | None
    watched: bool
    poll: int = 0
    """The last poll that returned this instance."""

    def behind(self, mark: int) -> bool:
        return (self.second + 1) * 1000 <= mark


class SeenInstances:
    """A memory of instances that recognises new rows.

    Args:
        status: the statuses to hand out. Empty means all.
        changes: True to hand out each change of status.
        known: the instances in the checkpoint of an earlier follow. Default: no instances.
    """

    def __init__(self, status: Collection[int], *, changes: bool, known: Collection[Known] = ()) -> None:
        self._statuses = frozenset(int(one) for one in status)
        self._changes = changes
        self._records = {one.id: _Record(one.second, one.status, one.watched) for one in known}
        self._line: deque[tuple[FlowInstance, _Record | None]] = deque()
        self.given_up = 0
        """The number of instances that had not finished when their watch time ended."""

    def __len__(self) -> int:
        return len(self._records)

    @property
    def in_line(self) -> int:
        """The number of rows that wait to be handed out."""
        return len(self._line)

    @property
    def watched(self) -> int:
        """The number of watched instances."""
        return sum(one.watched for one in self._records.values())

    def take(self, row: FlowInstance, poll: int, *, fresh: bool) -> bool:
        """Process a row. Return True if it will be handed out.

        Args:
            row: the row.
            poll: the number of the poll that shows the row.
            fresh: True if an unknown instance counts as new.
        """
        before, status = self._records.get(row.instance_id), None if row.status is None else int(row.status)
        if before is None:
            if fresh:
                self._records[row.instance_id] = record = _Record(
                    second_of(row), status, watched=True, poll=poll
                )
                return self._judge(row, record, None)
            return False  # an unfinished instance that appeared late, or from before the follow began
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
        """Return True if the rows show nothing new, and include all given ids.

        Args:
            rows: the rows.
            ids: the ids that the rows must include.
            fresh: True if an unknown instance counts as new.
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
        """Return True if a poll has shown an instance."""
        return id in self._records and self._records[id].poll == poll

    def next_instance(self) -> FlowInstance | None:
        """Hand out the next row in line. Return None if none waits."""
        return self._line.popleft()[0] if self._line else None

    # Parts of the memory

    def oldest_watched(self, mark: int) -> int | None:
        """Return the first second of a watched instance before a moment. None means no watched instance."""
        return min(
            (one.second for one in self._records.values() if one.watched and one.behind(mark)), default=None
        )

    def watched_before(self, mark: int) -> list[str]:
        """Return the ids of the instances that are watched before a moment."""
        return [id for id, one in self._records.items() if one.watched and one.behind(mark)]

    def since(self, mark: int, until: int) -> list[str]:
        """Return the ids of the known instances between two moments."""
        return [id for id, one in self._records.items() if not one.behind(mark) and one.second * 1000 < until]

    def missing(self, mark: int, poll: int) -> dict[str, int]:
        """Return the ids of the watched instances before a moment that a poll did not show, with their seconds."""
        return {
            id: one.second
            for id, one in self._records.items()
            if one.watched and one.poll != poll and one.behind(mark)
        }

    def drop(self, ids: Collection[str]) -> None:
        """Forget instances that the service no longer has."""
        for id in ids:
            del self._records[id]

    def give_up(self, oldest: int) -> None:
        """Stop watching instances that were triggered before a moment."""
        for record in self._records.values():
            if record.watched and record.behind(oldest):
                record.watched = False
                self.given_up += 1

    def forget(self, mark: int, poll: int) -> None:
        """Forget instances before a moment that are not watched and that no poll from *poll* on has shown."""
        self._records = {
            id: one
            for id, one in self._records.items()
            if one.watched or not one.behind(mark) or one.poll >= poll
        }

    def known(self) -> tuple[Known, ...]:
        """Return the instances for a checkpoint, without the changes that wait in line."""
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
