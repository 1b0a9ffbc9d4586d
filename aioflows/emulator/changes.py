"""Change while it is scanned: rows that come, go and change, and the oracle that says what matched throughout."""

from __future__ import annotations

import random
from typing import Self

from aioflows.emulator.clock import Clock, stamp
from aioflows.emulator.flows import Flow
from aioflows.emulator.search import Filter, matches, matching
from aioflows.emulator.store import Store
from aioflows.emulator.timeline import Span
from aioflows.errors import QueryError
from aioflows.models import FlowStatus


class Watch:
    """What matched a filter while this was open.

    Attributes:
        lasting: ids that matched from the beginning until now, or until the end.
        ever: ids that matched at any moment since the beginning.
    """

    def __init__(self, filter: Filter, store: Store, watches: list[Watch]) -> None:
        self.filter = filter
        self._store = store
        self._watches = watches
        self.ever: set[str] = set()
        self.lasting: set[str] = set()

    def __enter__(self) -> Self:
        self.ever = {id for _, id in matching(self._store, self.filter)}
        self.lasting = set(self.ever)
        self._watches.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._watches.remove(self)

    def changed(self, id: str) -> None:
        """Take note that a row was inserted, deleted or changed."""
        if matches(self._store, self.filter, id):
            self.ever.add(id)
        else:
            self.lasting.discard(id)


class Changes:
    """Makes changes, and tells those who watch.

    Args:
        store: the *rows*.
        flows: the *flows* that new rows may belong to.
        span: where new rows may *lie*.
        clock: the *server's zone*.
        seed: what `some` draws from.
    """

    def __init__(self, store: Store, flows: list[Flow], span: Span, clock: Clock, seed: int) -> None:
        self._store = store
        self._flows = flows
        self._span = span
        self._clock = clock
        self._rng = random.Random(f"{seed} changes")
        self._made = 0
        self.watches: list[Watch] = []

    def insert(self, trigger_ms: int, *, type: int, status: int, id: str | None, flow: int | None) -> str:
        """Add a row; the id of it."""
        chosen = self._flows[self._rng.randrange(len(self._flows)) if flow is None else flow]
        code = int(FlowStatus(status))
        if id is None:
            self._made += 1
            id = f"{chosen.id}-{stamp(self._clock.local(trigger_ms))}-n{self._made}"
        start = trigger_ms + 1_000
        end = start + int(chosen.seconds * 1000)
        self._store.insert(type, trigger_ms, id, (chosen.number, code, start, end, trigger_ms, end))
        self._tell(id)
        return id

    def delete(self, id: str) -> None:
        """Remove a row."""
        if not self._store.delete(id):
            raise QueryError(f"there is no instance {id!r}")
        self._tell(id)

    def set_status(self, id: str, status: int, now_ms: float) -> None:
        """Change a row's status."""
        if not self._store.set_status(id, int(FlowStatus(status)), int(now_ms)):
            raise QueryError(f"there is no instance {id!r}")
        self._tell(id)

    def some(self, count: int, now_ms: float) -> None:
        """Make so many changes at random: as many new rows as deleted ones, and changes of status."""
        rng = self._rng
        for _ in range(count):
            kind = rng.random()
            moment = self._span.start + int(rng.random() * self._span.length)
            if kind < 0.3:
                self.insert(moment, type=1, status=rng.choice((1, 1, -1, 2)), id=None, flow=None)
                continue
            query = "SELECT id FROM inst WHERE type = 1 AND trigger_ms >= ? LIMIT 1"
            found = self._store.execute(query, (moment,)).fetchone()
            if found and kind < 0.6:
                self.delete(found[0])
            elif found:
                self.set_status(found[0], rng.choice((1, -1, 2, 9)), now_ms)

    def _tell(self, id: str) -> None:
        for watch in self.watches:
            watch.changed(id)
