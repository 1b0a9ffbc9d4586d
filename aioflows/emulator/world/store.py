"""The store of rows, in SQLite: in memory, or in a file that is made once and opened again later."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from aioflows.emulator.world.flows import Flow
from aioflows.emulator.world.irregular_runs import PlantedRun
from aioflows.emulator.world.rows import Row
from aioflows.emulator.world.text_match import FOUND, SAME, function
from aioflows.errors import QueryError

# WITHOUT ROWID keeps the rows in the order of the primary key, which is the order of searches. So a page is
# read by one short range scan. `number` counts insertions, and breaks ties.
_TABLES = """
    CREATE TABLE inst (
        type INTEGER NOT NULL, trigger_ms INTEGER NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
        flow INTEGER NOT NULL, status INTEGER NOT NULL, start_ms INTEGER, end_ms INTEGER,
        create_ms INTEGER NOT NULL, update_ms INTEGER NOT NULL,
        PRIMARY KEY (type, trigger_ms, number)
    ) WITHOUT ROWID;
    CREATE TABLE flow (flow INTEGER PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, all_of_it TEXT NOT NULL);
    CREATE TABLE planted (kind TEXT NOT NULL, flow_id INTEGER NOT NULL, trigger_ms INTEGER NOT NULL, delay_ms INTEGER);
    CREATE TABLE made (world TEXT NOT NULL);
"""
_INDEX = "CREATE UNIQUE INDEX inst_id ON inst (id)"
_BY_SECOND = "CREATE INDEX IF NOT EXISTS inst_second ON inst (type, trigger_ms / 1000, number)"
_INSERT = "INSERT INTO inst VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LAYOUT = 2


class Store:
    """An open database of rows.

    Attributes:
        visible: returns True if the user may see the row with an id.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for way, found in {**FOUND, **SAME}.items():
            connection.create_function(function(way), 2, found, deterministic=True)
        self.execute = connection.execute
        self.visible: Callable[[str], bool] = lambda _: True
        self._next = 1 + (connection.execute("SELECT max(number) FROM inst").fetchone()[0] or 0)

    def close(self) -> None:
        """Close the database. A file keeps all changes of its rows."""
        self._connection.close()

    def count(self) -> int:
        """Return the number of rows."""
        count: int = self.execute("SELECT count(*) FROM inst").fetchone()[0]
        return count

    def flows(self) -> list[Flow]:
        """Return all flows, by number."""
        made = []
        for (text,) in self.execute("SELECT all_of_it FROM flow ORDER BY flow"):
            flow = Flow(*json.loads(text))
            made.append(attrs.evolve(flow, tasks=tuple((id, name) for id, name in flow.tasks)))
        return made

    def latest_scheduled(self) -> dict[int, int]:
        """Return the latest trigger time (ms) of a scheduled run, by number of the flow."""
        return dict(self.execute("SELECT flow, max(trigger_ms) FROM inst WHERE type = 1 GROUP BY flow"))

    def with_status(self, statuses: Sequence[int]) -> list[tuple[str, int | None]]:
        """Return the id and the start (ms) of the rows with one of some statuses."""
        marks = ", ".join("?" * len(statuses))
        query = f"SELECT id, start_ms FROM inst WHERE status IN ({marks}) ORDER BY trigger_ms, number"  # noqa: S608
        return list(self.execute(query, statuses))

    def planted(self) -> list[PlantedRun]:
        """Return the planted runs, in the order of trigger times."""
        return [PlantedRun(*row) for row in self.execute("SELECT * FROM planted ORDER BY rowid")]

    def index_seconds(self) -> None:
        """Add an index, so that sorting by trigger second is as fast as sorting by millisecond."""
        self.execute(_BY_SECOND)

    def insert(self, type: int, trigger_ms: int, id: str, values: Sequence[int | None]) -> None:
        """Add a row.

        Raises:
            QueryError: an instance with this id exists.
        """
        try:
            self.execute(_INSERT, (type, trigger_ms, self._next, id, *values))
        except sqlite3.IntegrityError:
            raise QueryError(f"instance {id!r} exists already; use another id") from None
        self._next += 1

    def row(self, id: str) -> Row | None:
        """Return the row with an id. None means that no row has the id."""
        row: Row | None = self.execute("SELECT * FROM inst WHERE id = ?", (id,)).fetchone()
        return row

    def put(self, id: str, row: Row | None) -> None:
        """Replace a row, or delete it if `row` is None. The row keeps its place among ties."""
        self.execute("DELETE FROM inst WHERE id = ?", (id,))
        if row is not None:
            self.execute(_INSERT, row)

    def set_status(self, id: str, status: int, now_ms: int) -> None:
        """Change the status and the update time of a row."""
        # The clock of a test may be behind the times of the rows, but update times must grow.
        changed = "UPDATE inst SET status = ?, update_ms = max(update_ms + 1, ?) WHERE id = ?"
        self.execute(changed, (status, now_ms, id))


def open_store(
    path: str | os.PathLike[str] | None,
    world: dict[str, Any],
    make: Callable[[], tuple[list[Flow], Iterable[Row], Iterable[PlantedRun]]],
) -> Store:
    """Return the store of a world. Make the rows if the file does not exist.

    Args:
        path: the file with the rows. None means memory.
        world: the fields of the world, which a file must have been made with.
        make: returns the flows, the rows, and the planted runs.

    Raises:
        QueryError: the file is not a store, or holds another world.
    """
    if path is None:
        return Store(_fill(":memory:", world, make))
    file = Path(path)
    if not file.exists():
        # A process may die while the file is made. The last step is a rename, so no file is incomplete.
        partial = file.with_name(file.name + ".partial")
        partial.unlink(missing_ok=True)
        _fill(str(partial), world, make).close()
        partial.replace(file)
    return Store(_reopen(file, world))


def _fill(
    database: str,
    world: dict[str, Any],
    make: Callable[[], tuple[list[Flow], Iterable[Row], Iterable[PlantedRun]]],
) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_TABLES)
        flows, rows, planted = make()
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO flow VALUES (?, ?, ?, ?)",
            ((flow.number, flow.name, flow.owner, json.dumps(attrs.astuple(flow))) for flow in flows),
        )
        connection.executemany(_INSERT, rows)
        connection.executemany("INSERT INTO planted VALUES (?, ?, ?, ?)", map(attrs.astuple, planted))
        connection.execute(_INDEX)
        connection.execute("INSERT INTO made VALUES (?)", (_fingerprint(world),))
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _reopen(file: Path, world: dict[str, Any]) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        found: str = connection.execute("SELECT world FROM made").fetchone()[0]
        connection.execute("PRAGMA synchronous = OFF")
    except (sqlite3.DatabaseError, TypeError):
        connection.close()
        raise QueryError(
            f"{file} cannot be used: this version of the emulator did not make it; give a path that does not exist"
        ) from None
    if found != _fingerprint(world):
        connection.close()
        raise QueryError(
            f"{file} holds another world, {found}, and not {_fingerprint(world)}; "
            "use the same switches, or another path"
        )
    return connection


def _fingerprint(world: dict[str, Any]) -> str:
    return json.dumps({"layout": _LAYOUT, **world}, sort_keys=True)
