"""The oracle: what matched a filter all the time, and what matched at any time."""

from __future__ import annotations

from typing import Self

from aioflows.emulator.service.changes import Changes
from aioflows.emulator.service.find import matches, matching
from aioflows.emulator.service.search import Filter
from aioflows.emulator.world.store import Store


class Watch:
    """What matched a filter while this was open.

    Where answers show the rows as they were a while ago, the time that counts begins that much earlier: a row that an
    answer may not show yet is owed by nobody.

    Attributes:
        lasting: ids that matched from the beginning until now, or until the end.
        times: trigger times in ms, by id, of all that matched at any moment since the beginning.
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
        """Take note that a row was inserted, deleted or changed."""
        found = matches(self._store, self.filter, id)
        if found is None:
            self.lasting.discard(id)
        else:
            self.times[id] = found

    @property
    def ever(self) -> set[str]:
        """Ids that matched at any moment since the beginning."""
        return set(self.times)
