"""A SQLite database: rows and their journal entry are committed in one transaction.

The table ``instances`` has the columns of the export, and its rowid follows the order of the export. Times
are ISO 8601, all with the offset of one zone, so that SQL compares and sorts them as instants. The journal entry stays in the table ``aioflows_export``, so the database
itself names its export.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, tzinfo
from itertools import chain
from typing import Any

from aioflows._tables.columns import Column, Kind, Layout, members_text, utf8, whole
from aioflows._tables.time_text import time_text
from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.journal import JournalEntry
from aioflows.models import FlowInstance

__all__ = ["SqliteSink"]

_TYPES = {
    Kind.INTEGER: "INTEGER",
    Kind.BOOLEAN: "INTEGER",
    Kind.NUMBER: "REAL",
}
# https://sqlite.org/tempfiles.html: SQLite keeps these files beside a database, and applies them on opening it.
_LOGS = ("-journal", "-wal", "-shm")


class SqliteSink:
    """A sink that writes rows to a SQLite table.

    Args:
        draft: the draft that holds the database.
        layout: the columns.
        zone: the zone of times. Default: UTC.
    """

    commit_interval = 1.0
    accepts_raw_rows = False
    write_threshold = 2_000

    def __init__(self, draft: Draft, layout: Layout, *, zone: tzinfo = UTC) -> None:
        self._draft = draft
        self._layout = layout
        self._zone = zone
        self._connection: sqlite3.Connection | None = None
        places = ", ".join("?" * len(layout.columns))
        # An id that comes twice is the same instance, read again later.
        self._insert = f"INSERT OR REPLACE INTO instances VALUES ({places})"  # noqa: S608  (only question marks)

    def encode(self, instances: Sequence[FlowInstance]) -> list[tuple[object, ...]]:
        """Return these instances as rows of values that SQLite can bind."""
        columns = [
            whole(column, values) if column.kind is Kind.INTEGER else list(map(self._value(column), values))
            for column, values in zip(self._layout.columns, self._layout.values(instances), strict=True)
        ]
        return list(zip(*columns, strict=True))

    def _value(self, column: Column) -> Callable[[Any], object]:
        return time_text(column, self._zone) if column.kind is Kind.TIME else _VALUES[column.kind]

    def weight(self, _: list[tuple[object, ...]]) -> float:
        """Return 0, since written rows do not stay in memory."""
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Return the journal entry in the draft's database, or else the one in the target's."""
        rows, target = self._draft.rows, self._draft.target
        with self._as_sink_error():
            if rows.exists():
                return _read_entry(self._draft.files.sqlite(str(rows)))
        if not target.is_file():
            return None
        try:
            return _read_entry(sqlite3.connect(f"{target.as_uri()}?mode=ro", uri=True))
        except sqlite3.Error:
            return None  # not a database of an export

    def finished(self, entry: JournalEntry) -> bool:
        """Return True if the target is the export of this entry. The entry was read in the target itself."""
        return entry.done

    def open(self, entry: JournalEntry) -> None:
        """Open the database. It holds exactly the rows that the entry counts."""
        files, rows = self._draft.files, self._draft.rows
        files.close(
            files.open(rows)
        )  # makes the file for its owner alone; SQLite would let all users read it
        with self._as_sink_error():
            self._connection = files.sqlite(str(rows))
            if entry.checkpoint is None:
                self._connection.execute("BEGIN")
                self._connection.execute(f"CREATE TABLE instances ({self._definition()})")
                self._connection.execute("CREATE TABLE aioflows_export (mark TEXT NOT NULL)")
                self._connection.execute("INSERT INTO aioflows_export VALUES (?)", (entry.to_json(),))

    def write(self, chunks: Sequence[list[tuple[object, ...]]]) -> None:
        """Add rows."""
        assert self._connection is not None
        with self._as_sink_error():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            self._connection.executemany(self._insert, chain.from_iterable(chunks))

    def commit(self, entry: JournalEntry) -> JournalEntry:
        """Commit the rows added so far, together with their journal entry."""
        assert self._connection is not None
        with self._as_sink_error():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            self._connection.execute("UPDATE aioflows_export SET mark = ?", (entry.to_json(),))
            self._connection.execute("COMMIT")
        return entry

    def finish(self, entry: JournalEntry) -> None:
        """Publish the database as the target."""
        self.close()
        self._draft.check_alone(_LOGS)
        self._draft.publish(entry)

    def close(self) -> None:
        """Close the database. Rows that were not committed are rolled back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _definition(self) -> str:
        parts = [f"{column.name} {_TYPES.get(column.kind, 'TEXT')}" for column in self._layout.columns]
        key = ("instance_id", "task_number") if self._layout.tasks else ("instance_id",)
        if set(key) <= set(self._layout.names):
            parts.append(f"UNIQUE ({', '.join(key)})")
        return ", ".join(parts)

    @contextmanager
    def _as_sink_error(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SinkError(f"{self._draft.name} cannot be written: {error}") from error


def _read_entry(connection: sqlite3.Connection) -> JournalEntry | None:
    with closing(connection):
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'aioflows_export'").fetchone():
            return None
        ((text,),) = connection.execute("SELECT mark FROM aioflows_export").fetchall()
    return JournalEntry.from_json(text)


def _text(value: str | None) -> str | None:
    return None if value is None else utf8(value)


_VALUES: dict[Kind, Callable[[Any], object]] = {
    Kind.TEXT: _text,
    Kind.NAME: _text,
    Kind.JSON: _text,
    Kind.MEMBERS: lambda value: None if value is None else members_text(value),
    Kind.BOOLEAN: lambda value: None if value is None else int(value),
    Kind.NUMBER: lambda value: value,
}
