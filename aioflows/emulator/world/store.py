"""The rows, in SQLite: in memory, or in a file that is made once and opened again afterwards."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs

from aioflows.emulator.world.flows import Flow
from aioflows.emulator.world.rows import Row
from aioflows.emulator.world.text_match import FOUND, SAME, function
from aioflows.errors import QueryError

# The rows lie in the order that searches read them in, so a page is one short walk. `number` counts insertions; it
# breaks ties, and follows no id.
_TABLES = """
    CREATE TABLE inst (
        type INTEGER NOT NULL, trigger_ms INTEGER NOT NULL, number INTEGER NOT NULL, id TEXT NOT NULL,
        flow INTEGER NOT NULL, status INTEGER NOT NULL, start_ms INTEGER, end_ms INTEGER,
        create_ms INTEGER NOT NULL, update_ms INTEGER NOT NULL,
        PRIMARY KEY (type, trigger_ms, number)
    ) WITHOUT ROWID;
    CREATE TABLE flow (flow INTEGER PRIMARY KEY, name TEXT NOT NULL, owner TEXT NOT NULL, all_of_it TEXT NOT NULL);
    CREATE TABLE made (world TEXT NOT NULL);
"""
_INDEX = "CREATE UNIQUE INDEX inst_id ON inst (id)"
_BY_SECOND = "CREATE INDEX IF NOT EXISTS inst_second ON inst (type, trigger_ms / 1000, number)"
_INSERT = "INSERT INTO inst VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LAYOUT = 1


class Store:
    """One open database.

    Attributes:
        visible: whether the user may see the row with this *id*.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        for way, found in {**FOUND, **SAME}.items():
            connection.create_function(function(way), 2, found, deterministic=True)
        self.execute = connection.execute
        self.visible: Callable[[str], bool] = lambda _: True
        self._next = 1 + (connection.execute("SELECT max(number) FROM inst").fetchone()[0] or 0)

    def close(self) -> None:
        """Close the database; a file keeps every change."""
        self._connection.close()

    def rows(self) -> int:
        """How many rows there are now."""
        count: int = self.execute("SELECT count(*) FROM inst").fetchone()[0]
        return count

    def flows(self) -> list[Flow]:
        """All flows, by number."""
        made = []
        for (text,) in self.execute("SELECT all_of_it FROM flow ORDER BY flow"):
            flow = Flow(*json.loads(text))
            made.append(attrs.evolve(flow, tasks=tuple((id, name) for id, name in flow.tasks)))
        return made

    def index_seconds(self) -> None:
        """Make sorting by the second of the trigger time as quick as by the millisecond."""
        self.execute(_BY_SECOND)

    def insert(self, type: int, trigger_ms: int, id: str, values: Sequence[int | None]) -> None:
        """Add a row; an id that is taken is a `QueryError`."""
        try:
            self.execute(_INSERT, (type, trigger_ms, self._next, id, *values))
        except sqlite3.IntegrityError:
            raise QueryError(f"there is an instance {id!r} already") from None
        self._next += 1

    def row(self, id: str) -> Row | None:
        """A row as it is now, if there is one."""
        row: Row | None = self.execute("SELECT * FROM inst WHERE id = ?", (id,)).fetchone()
        return row

    def put(self, id: str, row: Row | None) -> None:
        """Let a row be what it is to be, or not be; it keeps its place among ties."""
        self.execute("DELETE FROM inst WHERE id = ?", (id,))
        if row is not None:
            self.execute(_INSERT, row)

    def set_status(self, id: str, status: int, now_ms: int) -> None:
        """Change a status, and the update time with it."""
        # An update time never falls, even where a test's clock stands before the rows'.
        changed = "UPDATE inst SET status = ?, update_ms = max(update_ms + 1, ?) WHERE id = ?"
        self.execute(changed, (status, now_ms, id))


def open_store(
    path: str | os.PathLike[str] | None,
    world: dict[str, Any],
    make: Callable[[], tuple[list[Flow], Iterable[Row]]],
) -> Store:
    """Open the rows of a world, and make them first where they do not exist yet."""
    if path is None:
        return Store(_filled(":memory:", world, make))
    file = Path(path)
    if not file.exists():
        # Made beside it and moved into place, so that a file is whole or not there.
        partial = file.with_name(file.name + ".partial")
        partial.unlink(missing_ok=True)
        _filled(str(partial), world, make).close()
        partial.replace(file)
    return Store(_reopened(file, world))


def _filled(
    database: str, world: dict[str, Any], make: Callable[[], tuple[list[Flow], Iterable[Row]]]
) -> sqlite3.Connection:
    connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_TABLES)
        flows, rows = make()
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO flow VALUES (?, ?, ?, ?)",
            ((flow.number, flow.name, flow.owner, json.dumps(attrs.astuple(flow))) for flow in flows),
        )
        connection.executemany(_INSERT, rows)
        connection.execute(_INDEX)
        connection.execute("INSERT INTO made VALUES (?)", (_described(world),))
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection


def _reopened(file: Path, world: dict[str, Any]) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    try:
        found: str = connection.execute("SELECT world FROM made").fetchone()[0]
        connection.execute("PRAGMA synchronous = OFF")
    except (sqlite3.DatabaseError, TypeError):
        connection.close()
        raise QueryError(
            f"{file} was not made by this emulator; give the path of a file that does not exist"
        ) from None
    if found != _described(world):
        connection.close()
        raise QueryError(f"{file} holds another world: {found}; asked for was {_described(world)}")
    return connection


def _described(world: dict[str, Any]) -> str:
    return json.dumps({"layout": _LAYOUT, **world}, sort_keys=True)
