"""Changes during a scan: rows are inserted, deleted and changed, and their earlier states are remembered.

A change holds the old and the new row. So an answer can show the rows as they were some searches ago
(`Changes.as_seen`), and an oracle can replay the states that such answers may show (`Changes.rewound`).
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import attrs

from aioflows.emulator.service.options import Meanwhile
from aioflows.emulator.service.search import Filter
from aioflows.emulator.world.flows import Flow
from aioflows.emulator.world.rows import Ids, Row
from aioflows.emulator.world.store import Store
from aioflows.emulator.world.text_match import FOUND
from aioflows.emulator.world.timeline import Span
from aioflows.errors import QueryError
from aioflows.models import FlowStatus

_STATUSES = tuple(int(one) for one in FlowStatus)
_USUAL = (int(FlowStatus.SUCCESS), int(FlowStatus.SUCCESS), int(FlowStatus.FAIL), int(FlowStatus.RUNNING))


@attrs.frozen
class _Change:
    """A change of a row, and the number of the search that it precedes."""

    number: int
    id: str
    before: Row | None
    after: Row | None


class Changes:
    """The changes of an emulator.

    Changes are made before searches, remembered while a stale answer may not show them, and reported to
    listeners.

    Args:
        store: the rows.
        flows: the flows of new rows.
        meanwhile: the switches of automatic changes, and of stale answers.
        span: the range of trigger times of changed rows, unless `Meanwhile.changes_in` is given.
        ids: makes the ids of new rows.
        types: the schedule types that exist.
        found: the match of an expression, a key of `FOUND`.
        seed: the seed of all random draws.
    """

    def __init__(
        self,
        store: Store,
        flows: Sequence[Flow],
        meanwhile: Meanwhile,
        *,
        span: Span,
        ids: Ids,
        types: Sequence[int],
        found: str,
        seed: int,
    ) -> None:
        self._store = store
        self._flows = flows
        self._meanwhile = meanwhile
        self._range = meanwhile.changes_in or (span.start, span.end)
        self._ids = ids
        self._types = types
        self._found = FOUND[found]
        self._rng = random.Random(f"{seed} changes")
        self._late = random.Random(f"{seed} replicas")
        self._made, self._due, self._number = 0, 0.0, 1
        self._past: deque[_Change] = deque()
        self.listeners: list[Callable[[str], object]] = []

    # Single changes

    def insert(self, trigger_ms: int, *, type: int, status: int, id: str | None, flow: int | None) -> str:
        """Add a row, and return its id."""
        chosen = self._flows[self._rng.randrange(len(self._flows)) if flow is None else flow]
        code = int(FlowStatus(status))
        if id is None:
            self._made += 1
            id = self._ids.shaped(f"{chosen.id}-{self._ids.stamp(trigger_ms)}-n{self._made}")
        start = trigger_ms + 1_000
        end = start + int(chosen.seconds * 1000)
        with self._record(id):
            self._store.insert(type, trigger_ms, id, (chosen.number, code, start, end, trigger_ms, end))
        return id

    def trigger(self, trigger_ms: int, *, type: int, status: int, flow: int) -> str:
        """Add a row of a run that has not started, and return its id."""
        self._made += 1
        plain = f"{self._flows[flow].id}-{self._ids.stamp(trigger_ms)}"
        id = self._ids.shaped(plain)
        if self._store.row(id) is not None:
            id = f"{id}-n{self._made}"
        with self._record(id):
            self._store.insert(type, trigger_ms, id, (flow, status, None, None, trigger_ms, trigger_ms))
        return id

    def move_on(self, id: str, status: int, start_ms: int, end_ms: int | None) -> None:
        """Set the status and the times of a run, unless the row was removed."""
        row = self._store.row(id)
        if row is not None:
            with self._record(id):
                update = max(row[9] + 1, start_ms if end_ms is None else end_ms)
                self._store.put(id, (*row[:5], status, start_ms, end_ms, row[8], update))

    def delete(self, id: str) -> None:
        """Remove a row."""
        with self._record(id, must_exist=True):
            self._store.put(id, None)

    def set_status(self, id: str, status: int, now_ms: float) -> None:
        """Change a row's status."""
        with self._record(id, must_exist=True):
            self._store.set_status(id, int(FlowStatus(status)), int(now_ms))

    @contextmanager
    def _record(self, id: str, *, must_exist: bool = False) -> Iterator[None]:
        before = self._store.row(id)
        if must_exist and before is None:
            raise QueryError(f"unknown instance {id!r}; use the id of an instance that exists now")
        yield
        if self._meanwhile.stale_searches:
            self._past.append(_Change(self._number, id, before, self._store.row(id)))
        for listener in self.listeners:
            listener(id)

    # Earlier states

    @contextmanager
    def as_seen(self, number: int) -> Iterator[None]:
        """Put the rows into the state that a search sees, perhaps some searches old, and restore the rows at the end."""
        late = self._late.randint(0, self._meanwhile.stale_searches)
        undone = [change for change in reversed(self._past) if change.number > number - late]
        for change in undone:
            self._store.put(change.id, change.before)
        try:
            yield
        finally:
            for change in reversed(undone):
                self._store.put(change.id, change.after)
            self._number = number + 1

    def rewound(self) -> Iterator[str]:
        """Undo, one by one, the changes that the next answers may not show, and yield the id after each.

        At the end all changes are restored.
        """
        oldest = self._number - self._meanwhile.stale_searches
        undone = [change for change in reversed(self._past) if change.number > oldest]
        try:
            for change in undone:
                self._store.put(change.id, change.before)
                yield change.id
        finally:
            for change in reversed(undone):
                self._store.put(change.id, change.after)

    # Automatic changes

    def before(self, number: int, asked: Filter, now_ms: float) -> None:
        """Make the changes that are due before a search is answered."""
        self._number = number
        while self._past and self._past[0].number <= number - self._meanwhile.stale_searches:
            self._past.popleft()
        self._due += self._meanwhile.changes_per_search
        while self._due >= 1:
            self._due -= 1
            kind = self._rng.choice(self._meanwhile.change_kinds)
            if kind == "insert":
                self._insert_one(asked)
            elif (id := self._any(asked)) is not None and kind == "delete":
                self.delete(id)
            elif id is not None:
                self._flip(id, asked, now_ms)

    def _insert_one(self, asked: Filter) -> None:
        """Add a row that matches a search, or that fails one of its conditions."""
        rng, kind = self._rng, self._meanwhile.new_rows
        matching = rng.random() < 0.7 if kind == "both" else kind == "matching"
        type, status = asked.type, rng.choice(asked.status or _USUAL)
        flows = [flow.number for flow in self._flows if self._asked_for(flow, asked)]
        others = [one for one in self._types if one != type]
        if not matching and asked.status:
            status = self._other(asked.status)
        elif not matching and len(flows) < len(self._flows) and flows:
            flows = sorted({flow.number for flow in self._flows} - set(flows))
        elif not matching and others:
            type = rng.choice(others)
        first, end = self._range
        self.insert(
            rng.randrange(first, end),
            type=self._types[0] if type is None else type,
            status=status,
            id=None,
            flow=rng.choice(flows) if flows else None,
        )

    def _asked_for(self, flow: Flow, asked: Filter) -> bool:
        """Return True if all instances of a flow match by the flow's name and owner."""
        named = not asked.expression or self._found(flow.name, asked.expression)
        return named and asked.owner in ("", flow.owner)

    def _any(self, asked: Filter) -> str | None:
        """Return the id of a random row in the range of changes, mostly of the requested type.

        Rows of the same instant are equally likely. None means that no row was found.
        """
        rng = self._rng
        type = rng.choice(self._types) if asked.type is None or rng.random() < 0.1 else asked.type
        first, end = self._range
        where = "FROM inst WHERE type = ? AND trigger_ms"
        query = f"SELECT trigger_ms {where} >= ? AND trigger_ms < ? ORDER BY trigger_ms LIMIT 1"
        for low in (rng.randrange(first, end), first):
            if (found := self._store.execute(query, (type, low, end)).fetchone()) is not None:
                count = self._store.execute(f"SELECT count(*) {where} = ?", (type, *found)).fetchone()[0]
                query = f"SELECT id {where} = ? ORDER BY number LIMIT 1 OFFSET ?"
                id: str = self._store.execute(query, (type, *found, rng.randrange(count))).fetchone()[0]
                return id
        return None

    def _flip(self, id: str, asked: Filter, now_ms: float) -> None:
        """Change a status, so that the row stops or begins to match the search."""
        row = self._store.row(id)
        assert row is not None
        into = asked.status and row[5] not in asked.status
        self.set_status(
            id, self._rng.choice(asked.status) if into else self._other(asked.status or (row[5],)), now_ms
        )

    def _other(self, statuses: Sequence[int]) -> int:
        return self._rng.choice([one for one in _STATUSES if one not in statuses] or _STATUSES)
