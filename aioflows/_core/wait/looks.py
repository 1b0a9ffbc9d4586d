"""The requests of a poll that waits for instances: a window of trigger times, or one instance."""

from __future__ import annotations

import attrs

from aioflows.models import ScheduleType

__all__ = ["InstanceLook", "Look", "WindowLook"]


@attrs.frozen
class InstanceLook:
    """A request for one instance by its id ("Get Flow Instance")."""

    instance_id: str


@attrs.frozen
class WindowLook:
    """A request for the first page of a window, in the order of the trigger time ("List Flow Instances").

    Args:
        type: the schedule type.
        from_ms: the first millisecond of the window.
        to_ms: the first millisecond behind the window.
        status: the statuses to request. Empty means all.
        page_size: the page size (rows).
    """

    type: ScheduleType
    from_ms: int
    to_ms: int
    status: tuple[int, ...]
    page_size: int


Look = InstanceLook | WindowLook
