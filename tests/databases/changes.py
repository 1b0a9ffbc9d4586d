"""A task that inserts, deletes and changes rows while they are read."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from tests.databases.instances import STATUSES, newcomer
from tests.databases.tables import Database, Layout

__all__ = ["Changes"]

_PAUSE = 0.02  # seconds between two rounds; each is an insertion, a deletion and a change


class Changes:
    """Changes a table until it is stopped.

    Args:
        database: Where the table is.
        layout: Which table.
        ids: Ids of the rows in it, of which some are deleted or changed.
        seed: What is drawn depends on it alone.
    """

    def __init__(self, database: Database, layout: Layout, ids: Iterable[str], seed: int) -> None:
        self._database, self._layout = database, layout
        self._dice = random.Random(seed)
        self._ids = sorted(ids)
        self.touched: set[str] = set()
        """Ids of what was inserted, deleted or changed, which may be there or not at any time."""
        self.rounds = 0

    async def run(self) -> None:
        """Change rows until the task is cancelled."""
        table = self._database.table(self._layout)
        while True:
            new = newcomer(self._dice, self.rounds)
            gone, other = self._dice.choice(self._ids), self._dice.choice(self._ids)
            # Before the statements, since a scan that ends during one may have seen what it did or not.
            self.touched |= {new.instance_id, gone, other}
            await self._database.insert(self._layout, [new])
            await self._database.execute(f"DELETE FROM {table} WHERE instance_id = ?", [gone])
            await self._database.execute(
                f"UPDATE {table} SET status = ?, update_time = ? WHERE instance_id = ?",
                [
                    self._dice.choice(STATUSES),
                    self._database.time(new.update_ms, "milliseconds"),
                    other,
                ],
            )
            self.rounds += 1
            await asyncio.sleep(_PAUSE)
