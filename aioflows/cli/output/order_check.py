"""A check of the order of instances, without help from the scan."""

from __future__ import annotations

from collections.abc import Iterable

from aioflows import FlowInstance

__all__ = ["OrderCheck"]


class OrderCheck:
    """A check that instances come in strict order of (trigger second, id).

    Each instance is compared with the one before. Strict order also excludes repeated instances. Without an
    order, the check remembers every id, to find repeated instances.

    Args:
        order: "trigger_time", "-trigger_time", or None for no order.
    """

    def __init__(self, order: str | None) -> None:
        self._order = order
        self._last: tuple[int, str] | None = None
        self._seen: set[str] = set()
        self.fault = ""

    def add(self, instances: Iterable[FlowInstance]) -> None:
        """Check instances, and store the first fault in ``fault``."""
        for instance in instances:
            if instance.trigger_time is None:
                self._note(f"{instance.instance_id} has no trigger time")
            elif self._order is None:
                if instance.instance_id in self._seen:
                    self._note(f"{instance.instance_id} came twice")
                self._seen.add(instance.instance_id)
            else:
                place = (int(instance.trigger_time.timestamp()), instance.instance_id)
                if self._last is not None and not self._follows(self._last, place):
                    self._note(f"{place[1]} came after {self._last[1]}")
                self._last = place

    def _follows(self, last: tuple[int, str], place: tuple[int, str]) -> bool:
        return place < last if self._order == "-trigger_time" else place > last

    def _note(self, fault: str) -> None:
        self.fault = self.fault or fault
