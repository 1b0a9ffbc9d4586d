"""Tables of flow instances, as an ordinary back-end developer would lay them out, in PostgreSQL and in MariaDB.

1. A table has a surrogate key, the instance's id as a unique key, and a long text, as real ones do: plans depend on it.
2. The trigger time is stored in one of three ways: wall clock in whole seconds, wall clock in milliseconds, or a number
   of milliseconds. What the database makes of a time that its column cannot hold (PostgreSQL rounds, MariaDB cuts) is
   the truth from then on; everything is compared with what the table holds.
3. Statistics are gathered once, after loading, so that a run meets the same plans as the one before.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Protocol

import asyncmy
import asyncpg
import attrs

from tests.databases.instances import ZONE, Instance
from tests.databases.servers import Server

__all__ = ["COLUMNS", "INDEXES", "Database", "Layout", "moment", "opened"]

COLUMNS = ("seconds", "milliseconds", "number")
"""How the trigger time is stored."""

INDEXES = ("none", "time", "type, time")

Value = str | int | datetime | None
Row = dict[str, Any]

_OFFSET = ZONE.utcoffset(None)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (wall clocks have no zone)


@attrs.frozen
class Layout:
    """How a table is laid out.

    Args:
        world: Name of the instances in it.
        column: How the trigger time is stored, one of `COLUMNS`.
        index: What is indexed, one of `INDEXES`.
        tasks: Tasks in the graph of each row, which make it longer. With 2 a table has some 20 MiB, and PostgreSQL
            reads it from its first row each time, so that ties come in an order that depends on the statement alone.
            With 8 it is larger than a quarter of the shared buffers: concurrent scans join each other in the middle
            (`synchronize_seqscans`), and ties come in another order each time.
    """

    world: str
    column: str
    index: str
    tasks: int = 2

    @property
    def table(self) -> str:
        """Return the table's name."""
        return f"{self.world}_{self.column}_{self.index.replace(', ', '_')}_{self.tasks}"


def wall(ms: int) -> datetime:
    """Return what a wall clock in the service's zone shows at that time."""
    return _EPOCH + timedelta(milliseconds=ms) + _OFFSET


def moment(value: datetime | int) -> int:
    """Return the milliseconds since the epoch of what a column holds."""
    if isinstance(value, int):
        return value
    return (value - _OFFSET - _EPOCH) // timedelta(milliseconds=1)


class Database(Protocol):
    """The same few words for both databases. Statements have `?` for each of their values."""

    name: str

    async def fetch(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return the rows that a statement finds."""

    async def execute(self, statement: str, values: Sequence[Value] = ()) -> None:
        """Carry out a statement."""

    async def insert(self, layout: Layout, instances: Sequence[Instance]) -> None:
        """Insert instances."""

    async def create(self, layout: Layout, instances: Sequence[Instance]) -> None:
        """Make a table, fill it, and gather its statistics."""

    async def drop(self, layout: Layout) -> None:
        """Drop a table."""

    def table(self, layout: Layout) -> str:
        """Return a table's name as statements write it."""

    def time(self, ms: int, column: str) -> Value:
        """Return a time as a value that such a column is compared with or filled with."""


@asynccontextmanager
async def opened(server: Server, connections: int = 16) -> AsyncIterator[Database]:
    """Open a pool of connections to a server."""
    if server.database == "postgresql":
        # Without a cache of statements each is planned for its values, LIMIT and OFFSET among them, in every connection
        # alike. With one, a connection changes to a general plan at its sixth use of a statement.
        async with asyncpg.create_pool(
            host=server.socket,
            user=server.user,
            database="postgres",
            min_size=2,
            max_size=connections,
            statement_cache_size=0,
        ) as pool:
            yield _PostgreSQL(pool)
        return
    pool = await asyncmy.create_pool(
        unix_socket=server.socket,
        user="root",
        charset="utf8mb4",
        autocommit=True,
        minsize=2,
        maxsize=connections,
    )
    database = _MariaDB(pool)
    try:
        # Not "IF NOT EXISTS", which the driver answers with a warning of Python's.
        if not await database.fetch("SHOW DATABASES LIKE 'flows'"):
            await database.execute("CREATE DATABASE flows CHARACTER SET utf8mb4")
        yield database
    finally:
        pool.close()
        await pool.wait_closed()


_FIELDS = (
    "instance_id",
    "flow_id",
    "name",
    "type",
    "status",
    "trigger_time",
    "start_time",
    "end_time",
    "create_time",
    "update_time",
    "owner",
    "graph",
)


def _row(database: Database, layout: Layout, one: Instance) -> tuple[Value, ...]:
    """Return an instance as the values of `_FIELDS`."""

    def clock(ms: int | None) -> Value:
        return None if ms is None else database.time(ms, "milliseconds")

    return (
        one.instance_id,
        one.flow_id,
        one.name,
        one.type,
        one.status,
        database.time(one.trigger_ms, layout.column),
        clock(one.start_ms),
        clock(one.end_ms),
        clock(one.create_ms),
        clock(one.update_ms),
        one.owner,
        _graph(one, layout.tasks),
    )


def _graph(one: Instance, tasks: int) -> str:
    """Return the task graph of an instance, as JSON."""
    return json.dumps(
        {
            "name": one.name,
            "id": str(one.flow_id),
            "instId": one.instance_id,
            "cycle": "D",
            "relations": [],
            "flows": "[]",
            "parameters": "[]",
            "tasks": [
                {
                    "taskName": f"step {number}",
                    "taskId": number,
                    "x": 40 * number,
                    "y": 80,
                    "nodeId": f"n{number}",
                }
                for number in range(tasks)
            ],
        }
    )


def _definition(layout: Layout, table: str, words: Mapping[str, str]) -> list[str]:
    """Return the statements that make a table and its index."""
    columns = {
        "id": words["key"],
        "instance_id": "varchar(40) NOT NULL UNIQUE",
        "flow_id": "int NOT NULL",
        "name": "varchar(200) NOT NULL",
        "type": "smallint NOT NULL",
        "status": "smallint NOT NULL",
        "trigger_time": f"{words[layout.column]} NOT NULL",
        "start_time": f"{words['milliseconds']} NULL",
        "end_time": f"{words['milliseconds']} NULL",
        "create_time": f"{words['milliseconds']} NOT NULL",
        "update_time": f"{words['milliseconds']} NOT NULL",
        "owner": "varchar(64) NOT NULL",
        "graph": "text NOT NULL",
    }
    statements = [f"CREATE TABLE {table} ({', '.join(f'{a} {b}' for a, b in columns.items())})"]
    indexed = {"none": "", "time": "trigger_time", "type, time": "type, trigger_time"}[layout.index]
    if indexed:
        statements.append(f"CREATE INDEX {layout.table}_by_time ON {table} ({indexed})")
    return statements


_POSTGRESQL_WORDS = {
    "key": "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    "seconds": "timestamp(0)",
    "milliseconds": "timestamp(3)",
    "number": "bigint",
}


class _PostgreSQL:
    name = "postgresql"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def fetch(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        return [dict(row) for row in await self._pool.fetch(_numbered(statement), *values)]

    async def execute(self, statement: str, values: Sequence[Value] = ()) -> None:
        await self._pool.execute(_numbered(statement), *values)

    async def insert(self, layout: Layout, instances: Sequence[Instance]) -> None:
        rows = [_row(self, layout, one) for one in instances]
        await self._pool.copy_records_to_table(layout.table, records=rows, columns=_FIELDS)

    async def create(self, layout: Layout, instances: Sequence[Instance]) -> None:
        for statement in _definition(layout, self.table(layout), _POSTGRESQL_WORDS):
            await self.execute(statement)
        await self.insert(layout, instances)
        await self.execute(f"VACUUM ANALYZE {self.table(layout)}")

    async def drop(self, layout: Layout) -> None:
        await self.execute(f"DROP TABLE {self.table(layout)}")

    def table(self, layout: Layout) -> str:
        return layout.table

    def time(self, ms: int, column: str) -> Value:
        return ms if column == "number" else wall(ms)


_MARIADB_WORDS = {
    "key": "bigint AUTO_INCREMENT PRIMARY KEY",
    "seconds": "datetime(0)",
    "milliseconds": "datetime(3)",
    "number": "bigint",
}


class _MariaDB:
    name = "mariadb"

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def fetch(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(_formatted(statement), tuple(values))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def execute(self, statement: str, values: Sequence[Value] = ()) -> None:
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.execute(_formatted(statement), tuple(values))

    async def insert(self, layout: Layout, instances: Sequence[Instance]) -> None:
        rows = [_row(self, layout, one) for one in instances]
        marks = ", ".join(["%s"] * len(_FIELDS))
        async with self._pool.acquire() as connection, connection.cursor() as cursor:
            await cursor.executemany(
                f"INSERT INTO {self.table(layout)} ({', '.join(_FIELDS)}) VALUES ({marks})", rows
            )

    async def create(self, layout: Layout, instances: Sequence[Instance]) -> None:
        for statement in _definition(layout, self.table(layout), _MARIADB_WORDS):
            await self.execute(statement)
        await self.insert(layout, instances)
        await self.fetch(f"ANALYZE TABLE {self.table(layout)}")

    async def drop(self, layout: Layout) -> None:
        await self.execute(f"DROP TABLE {self.table(layout)}")

    def table(self, layout: Layout) -> str:
        return f"flows.{layout.table}"

    def time(self, ms: int, column: str) -> Value:
        return ms if column == "number" else wall(ms).isoformat(" ", "milliseconds")


def _numbered(statement: str) -> str:
    """Return the statement with PostgreSQL's marks for values."""
    first, *rest = statement.split("?")
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))


def _formatted(statement: str) -> str:
    """Return it with those of the driver for MariaDB."""
    return statement.replace("%", "%%").replace("?", "%s")
