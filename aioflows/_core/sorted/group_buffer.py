"""The rows of one window that were read and not handed out yet, in the groups that the service sorts.

A group is the rows with the same first sort field, which the service may order in any way. So a group is handed
out once it is complete: when a row of a later group comes, or the end of the window. An id is handed out once.
"""

from __future__ import annotations

from datetime import timedelta

from aioflows._core.sorted.page_groups import PageGroups
from aioflows._core.sorted.sort_keys import Entry, Key, SortOrder
from aioflows._core.wire.zone import Zone
from aioflows.models import FlowInstance

__all__ = ["GroupBuffer"]


class GroupBuffer:
    """The buffer of one window.

    Args:
        order: the order of the scan.
        zone: the zone of the service.
    """

    def __init__(self, order: SortOrder, zone: Zone) -> None:
        self.entries: list[Entry] = []
        """The rows to hand out next, with their keys."""
        self.complete: list[FlowInstance] = []
        """The rows of complete groups that have no key yet."""
        self.open: list[FlowInstance] = []
        """The rows of the last group, which may have more rows."""
        self.last: timedelta | None = None
        """The first part of the least key of the last group. None means that no row was read."""
        self.seen: set[str] = set()
        """The ids of all rows that were read."""
        self.duplicates = 0
        self._order = order
        self._zone = zone

    def __len__(self) -> int:
        return len(self.entries) + len(self.complete) + len(self.open)

    def add(self, groups: PageGroups, start: int) -> None:
        """Add the rows of a page, beginning with row *start*."""
        for row, group in zip(groups.rows[start:], groups.keys[start:], strict=True):
            if row.instance_id in self.seen:
                self.duplicates += 1
                continue
            self.seen.add(row.instance_id)
            if group != self.last:
                self.close()
                self.last = group
            self.open.append(row)

    def close(self) -> None:
        """Note that the last group is complete."""
        self.complete += self.open
        self.open = []

    def sort(self) -> None:
        """Sort the complete groups, unless the place of rows that lack a field is still needed."""
        if self.complete and not self._order.lacking(self.complete):
            self.entries += self._order.entries(self.complete)
            self.complete = []

    def drop(self) -> Key | None:
        """Drop the rows that were not handed out, and return a key before all of them, or None if unknown."""
        waiting = [row for _, row in self.entries] + self.complete + self.open
        first: Key | None = None
        if self.entries:
            first = self.entries[0][0]
        elif waiting and not self._order.lacking(waiting[:1]):
            first = (self._order.group(self._order.value(waiting[0]), self._zone),)
        self.seen.difference_update(row.instance_id for row in waiting)
        self.entries, self.complete, self.open = [], [], []
        return first
