"""A SQLite database, whose rowid follows the order of the export.

Times are ISO 8601, all with the offset of one zone, so that SQL compares and sorts them as instants.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from itertools import chain
from pathlib import Path
from typing import Any

from aioflows._tables.columns import Column, Kind, Layout, members_text, utf8, whole
from aioflows._tables.time_text import time_text
from aioflows.export.draft import Draft
from aioflows.export.formats.database import DatabaseSink
from aioflows.models import FlowInstance

__all__ = ["SqliteSink"]


class SqliteSink(DatabaseSink):
    """A sink that writes rows to a SQLite table.

    Args:
        draft: the draft that holds the database.
        layout: the columns.
        zone: the zone of times. Default: UTC.
    """

    accepts_raw_rows = False
    write_threshold = 2_000
    LAST_SECOND = "max(CAST(strftime('%s', trigger_time) AS INTEGER))"
    LOGS = ("-journal", "-wal", "-shm")  # https://sqlite.org/tempfiles.html
    TEXT = "TEXT"
    TYPES = {Kind.INTEGER: "INTEGER", Kind.BOOLEAN: "INTEGER", Kind.NUMBER: "REAL"}  # noqa: RUF012  (never changed)
    _error = sqlite3.Error

    def __init__(self, draft: Draft, layout: Layout, *, zone: tzinfo = UTC) -> None:
        super().__init__(draft, layout)
        self._zone = zone
        places = ", ".join("?" * len(layout.columns))
        # A resumed scan may bring an instance again, and the later state counts.
        self._insert = f"INSERT OR REPLACE INTO instances VALUES ({places})"  # noqa: S608  (only question marks)

    def encode(self, instances: Sequence[FlowInstance]) -> list[tuple[object, ...]]:
        columns = [
            whole(column, values) if column.kind is Kind.INTEGER else list(map(self._value(column), values))
            for column, values in zip(self._layout.columns, self._layout.values(instances), strict=True)
        ]
        return list(zip(*columns, strict=True))

    def _value(self, column: Column) -> Callable[[Any], object]:
        return time_text(column, self._zone) if column.kind is Kind.TIME else _VALUES[column.kind]

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
        return files.sqlite(str(path))

    def _is_in_use(self, error: Exception) -> bool:
        return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

    def _connect_read_only(self, path: Path) -> sqlite3.Connection:
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)

    def _definitions(self) -> list[str]:
        key = ("instance_id", "task_number") if self._layout.tasks else ("instance_id",)
        unique = [f"UNIQUE ({', '.join(key)})"] if set(key) <= set(self._layout.names) else []
        return super()._definitions() + unique


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
