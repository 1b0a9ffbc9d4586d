"""A SQLite database: rows and their mark in one transaction.

The table ``instances`` has a column for each column, in the order of the export by rowid; times are ISO 8601 with their offset.
The mark stays in the table ``aioflows_export``, so that the database says itself what it is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain
from typing import Any

from aioflows._tables.columns import Kind, Layout, members_text, utf8, whole
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
_BESIDE = ("-journal", "-wal", "-shm")  # what SQLite keeps beside a database, and takes for a part of it


class SqliteSink:
    """Writes rows to a table.

    Args:
        draft: where.
        layout: the *columns*.
    """

    patience = 1.0
    takes_answers = False
    worth = 2_000

    def __init__(self, draft: Draft, layout: Layout) -> None:
        self._draft = draft
        self._layout = layout
        self._connection: sqlite3.Connection | None = None
        places = ", ".join("?" * len(layout.columns))
        # An id that comes again is the same instance, shown later.
        self._insert = f"INSERT OR REPLACE INTO instances VALUES ({places})"  # noqa: S608  (only question marks)

    def encode(self, instances: Sequence[FlowInstance]) -> list[tuple[object, ...]]:
        """Give these instances as rows that can be bound."""
        columns = [
            whole(column, values) if column.kind is Kind.INTEGER else list(map(_VALUES[column.kind], values))
            for column, values in zip(self._layout.columns, self._layout.values(instances), strict=True)
        ]
        return list(zip(*columns, strict=True))

    def weight(self, _: list[tuple[object, ...]]) -> float:
        """Nothing stays in memory."""
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Give the mark of the draft, or, where there is none, that of the target."""
        rows, target = self._draft.rows, self._draft.target
        with self._told():
            if rows.exists():
                return _mark(self._draft.files.sqlite(str(rows)))
        if not target.is_file():
            return None
        try:
            return _mark(sqlite3.connect(f"{target.as_uri()}?mode=ro", uri=True))
        except sqlite3.Error:
            return None  # somebody else's

    def finished(self, mark: JournalEntry) -> bool:
        """Tell whether the target is what this mark is the account of: it was read there."""
        return mark.done

    def open(self, mark: JournalEntry) -> None:
        """Go on behind what a mark counts, which is all there is."""
        files, rows = self._draft.files, self._draft.rows
        files.close(files.open(rows))  # SQLite would let others read it
        with self._told():
            self._connection = files.sqlite(str(rows))
            if mark.checkpoint is None:
                self._connection.execute("BEGIN")
                self._connection.execute(f"CREATE TABLE instances ({self._definition()})")
                self._connection.execute("CREATE TABLE aioflows_export (mark TEXT NOT NULL)")
                self._connection.execute("INSERT INTO aioflows_export VALUES (?)", (mark.to_json(),))

    def write(self, chunks: Sequence[list[tuple[object, ...]]]) -> None:
        """Add rows."""
        assert self._connection is not None
        with self._told():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            self._connection.executemany(self._insert, chain.from_iterable(chunks))

    def commit(self, mark: JournalEntry) -> JournalEntry:
        """Keep what was written until now, together with a mark."""
        assert self._connection is not None
        with self._told():
            if not self._connection.in_transaction:
                self._connection.execute("BEGIN")
            self._connection.execute("UPDATE aioflows_export SET mark = ?", (mark.to_json(),))
            self._connection.execute("COMMIT")
        return mark

    def finish(self, mark: JournalEntry) -> None:
        """Make the database the target."""
        self.close()
        self._draft.check_alone(_BESIDE)
        self._draft.publish(mark)

    def close(self) -> None:
        """Close the database; what does not count yet is rolled back."""
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
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise SinkError(f"{self._draft.name} cannot be written: {error}") from error


def _mark(connection: sqlite3.Connection) -> JournalEntry | None:
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
    Kind.TIME: lambda time: time.isoformat() if isinstance(time, datetime) else None,
    Kind.BOOLEAN: lambda value: None if value is None else int(value),
    Kind.NUMBER: lambda value: value,
}
