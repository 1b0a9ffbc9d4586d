"""A SQLite database, whose rowid follows the order of the export.

Times are ISO 8601, all with the offset of one zone, so that SQL compares and sorts them as instants.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from aioflows._tables.columns import Column, Kind, Layout, members_text, utf8, whole
from aioflows._tables.raw_rows import EncodedRows, RawRows, encoded_rows
from aioflows._tables.text_columns import InstanceColumns, TextColumns
from aioflows.export.draft import Draft
from aioflows.export.formats.database import DatabaseSink
from aioflows.models import FlowInstance

__all__ = ["SqliteSink", "database_rows"]


class SqliteSink(DatabaseSink):
    """A sink that writes rows to a SQLite table.

    Args:
        draft: the draft that holds the database.
        layout: the columns.
        zone: the zone of times. Default: UTC.
    """

    accepts_raw_rows = False
    write_threshold = 2_000
    INSERT = "INSERT OR REPLACE"
    SECOND = "CAST(strftime('%s', trigger_time) AS INTEGER)"
    LOGS = ("-journal", "-wal", "-shm")  # https://sqlite.org/tempfiles.html
    TEXT = "TEXT"
    TYPES = {Kind.INTEGER: "INTEGER", Kind.BOOLEAN: "INTEGER", Kind.NUMBER: "REAL"}  # noqa: RUF012  (never changed)
    _error = sqlite3.Error

    def __init__(self, draft: Draft, layout: Layout, *, zone: tzinfo = UTC) -> None:
        super().__init__(draft, layout)
        self._zone = zone
        places = ", ".join("?" * len(layout.columns))
        self._insert = f"{self.INSERT} INTO instances VALUES ({places})"

    def encode(self, instances: Sequence[FlowInstance]) -> list[tuple[object, ...]]:
        return database_rows(self._layout, InstanceColumns(self._layout, instances, self._zone))

    @property
    def convert(self) -> Callable[[RawRows], EncodedRows | list[FlowInstance]] | None:
        if self._zone is not UTC or self._layout.tasks:
            return None
        return encoded_rows(lambda rows: rows.encoded(self._layout, partial(database_rows, self._layout)))

    def write(self, chunks: Sequence[list[tuple[object, ...]]]) -> None:
        with self._as_sink_error():
            self._begin()
            if self._replacing:
                at = self._layout.names.index("instance_id")
                ids = {row[at] for row in chain.from_iterable(chunks)}
                self._connection.executemany(
                    "DELETE FROM instances WHERE instance_id = ?", [(one,) for one in ids]
                )
            self._connection.executemany(self._insert, chain.from_iterable(chunks))

    def _connect(self, path: Path) -> sqlite3.Connection:
        files = self._draft.files
        files.close(files.open(path))  # SQLite itself would make a file that all users can read
        connection = files.sqlite(str(path))
        # Large pages and a cache that holds those of the index make inserts a seventh cheaper.
        connection.execute("PRAGMA page_size = 16384")  # only a new database takes it
        connection.execute("PRAGMA cache_size = -16000")  # kB
        return connection

    def _is_in_use(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

    def _connect_read_only(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)

    def _definitions(self) -> list[str]:
        key = ("instance_id", "task_number") if self._layout.tasks else ("instance_id",)
        unique = [f"UNIQUE ({', '.join(key)})"] if set(key) <= set(self._layout.names) else []
        return super()._definitions() + unique


_TEXTS = (Kind.TEXT, Kind.NAME, Kind.JSON)


def database_rows(layout: Layout, columns: TextColumns) -> list[tuple[object, ...]]:
    """Return rows as SQLite stores them.

    Raises:
        QueryError: an integer has more than 64 bits.
    """
    plain = (Kind.TIME, Kind.NUMBER, *(_TEXTS if columns.is_utf8 else ()))
    values = [
        columns.values(column) if column.kind in plain else _values(column, columns.values(column))
        for column in layout.columns
    ]
    return list(zip(*values, strict=True))


def _values(column: Column, values: Sequence[Any]) -> Sequence[object]:
    if column.kind is Kind.INTEGER:
        return whole(column, values)
    if column.kind is Kind.BOOLEAN:  # SQLite stores them as 0 and 1
        return values
    if column.kind is Kind.MEMBERS:
        return [None if value is None else members_text(value) for value in values]
    try:
        "".join(filter(None, values)).encode()
    except UnicodeEncodeError:  # a lone surrogate
        return [None if text is None else utf8(text) for text in values]
    return values
