"""Whether the service heeds what it was asked for besides the time: the schedule type, and the statuses.

Order and window are checked in every page (`pages`). A service that ignores the type answers the same for all three, and
every row would come three times; one that ignores the statuses gives rows that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from aioflows._core.pages import Page
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance, ScheduleType

__all__ = ["FirstPages", "check_statuses"]


class FirstPages:
    """The first page that had rows of each schedule type; over one range, no two of them may share a row."""

    def __init__(self) -> None:
        self.answered: set[ScheduleType] = set()
        """The types about which anything was answered."""
        self.error: CompletenessError | None = None
        """What is wrong, if rows were answered for two types."""
        self._ids: dict[ScheduleType, frozenset[str]] = {}

    def look(self, type: ScheduleType, page: Page) -> None:
        """Look at a page."""
        self.answered.add(type)
        if type in self._ids or not page.ids:
            return
        ids = frozenset(page.ids)
        for other, others in self._ids.items():
            if shared := ids & others:
                self.error = CompletenessError(
                    f"instance {min(shared)!r} was answered both for type {other.name} and for type {type.name}: the "
                    "service ignores the schedule type, and every row would come once for each. Ask for one type"
                )
        self._ids[type] = ids


def check_statuses(rows: Sequence[FlowInstance], statuses: Collection[int]) -> None:
    """See that each row has a status that was asked for; one that tells none may have any.

    Raises:
        CompletenessError: the service ignores the status filter.
    """
    for row in rows:
        status = row.status
        if status is not None and status not in statuses:
            asked = ", ".join(str(int(one)) for one in sorted(statuses))
            raise CompletenessError(
                f"instance {row.instance_id!r} was answered with status {int(status)}, though only {asked} was asked for: "
                "the service ignores the status filter. Ask without status, and choose among what comes"
            )
