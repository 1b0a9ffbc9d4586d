"""The oracle of tests: the rows that matched a filter all the time, and the rows that matched at any time."""

from __future__ import annotations

from typing import Self

from aioflows.emulator.service.changes import Changes
from aioflows.emulator.service.find import matches, matching
from aioflows.emulator.service.search import Filter
from aioflows.emulator.world.store import Store


class Watch:
    """A record of the rows that match a filter during a ``with`` block.

    With stale answers (`Meanwhile.stale_searches`) the record begins as many searches earlier. So `lasting`
    has no row that an answer may not show yet.

    Attributes:
        lasting: the ids that matched from the beginning of the record until now, or until the end of the block.
        times: the trigger times (ms), by id, of all rows that matched at any time in the record.
    """

    def __init__(self, filter: Filter, store: Store, changes: Changes) -> None:
        self.filter = filter
        self._store = store
        self._changes = changes
        self.times: dict[str, int] = {}
        self.lasting: set[str] = set()

    def __enter__(self) -> Self:
        self.times = {id: ms for ms, id in matching(self._store, self.filter)}
        self.lasting = set(self.times)
        for id in self._changes.rewound():
            self.changed(id)
        self._changes.listeners.append(self.changed)
        return self

    def __exit__(self, *_: object) -> None:
        self._changes.listeners.remove(self.changed)

    def changed(self, id: str) -> None:
        """Update the record after a row was inserted, deleted or changed."""
        found = matches(self._store, self.filter, id)
        if found is None:
            self.lasting.discard(id)
        else:
            self.times[id] = found

    @property
    def ever(self) -> set[str]:
        """The ids that matched at any time since the beginning of the record."""
        return set(self.times)
