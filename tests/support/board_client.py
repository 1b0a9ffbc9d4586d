"""A client of a board that keeps what messages say, as the page does, and the figures of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

__all__ = ["BoardClient"]

_STATUSES = 64


class BoardClient:
    """What a client knows of a board: the counts by flow, bin and status, and the runs that go on."""

    def __init__(self) -> None:
        self.flows: dict[int, tuple[int | None, str]] = {}
        self.series: dict[int, tuple[int, int, int]] = {}
        self.statuses: dict[int, str] = {}
        self.counts: Counter[tuple[int, int, int]] = Counter()
        self.open: dict[str, list[Any]] = {}
        self.failing: dict[int, list[Any]] = {}
        self.info: dict[str, Any] = {}

    def take(self, message: dict[str, Any]) -> None:
        """Take a message, the whole state or a change."""
        self.flows |= {number: (id, name) for number, (id, name) in message.get("flow", ())}
        self.series |= {number: tuple(key) for number, key in message.get("series", ())}
        self.statuses |= dict(message.get("status", ()))
        for line in message.get("cell", ()):
            self._take_counts(line, message["base"])
        for kind, kept in (("run", self.open), ("fail", self.failing)):
            for key, value in message.get(kind, ()):
                kept.pop(key, None)
                if value is not None:
                    kept[key] = value
        self.info |= message.get("info", {})
        for key in [key for key in self.counts if key[1] < self.info.get("first", 0)]:
            del self.counts[key]

    def _take_counts(self, line: list[int], base: int) -> None:
        series, *rest = line
        key = base * _STATUSES
        while rest:
            key += rest.pop(0)
            size = -rest.pop(0) - 1 if rest and rest[0] < 0 else 1
            place = series, key // _STATUSES, key % _STATUSES
            self.counts[place] = size
            if not size:
                del self.counts[place]

    @property
    def by_status(self) -> Counter[str]:
        """The number of runs by the name of their status."""
        found: Counter[str] = Counter()
        for (_, _, status), size in self.counts.items():
            found[self.statuses[status]] += size
        return found

    @property
    def by_flow(self) -> Counter[int | None]:
        """The number of runs by the id of their flow."""
        found: Counter[int | None] = Counter()
        for (series, _, _), size in self.counts.items():
            found[self.flows[self.series[series][0]][0]] += size
        return found
