"""Databases: rows and their journal entry are committed in one transaction.

The table ``instances`` has the columns of the export. The journal entry stays in the table
``aioflows_export``, so the database itself names its export.

Rows of an increment replace earlier rows of the same instances. They come in order behind all others, so the table
stays in order.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from aioflows._tables.columns import Kind, Layout
from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.filesystem import write_atomically
from aioflows.export.journal import JournalEntry
from aioflows.export.sink import GrowingSink, Tail

__all__ = ["DatabaseSink"]


class DatabaseSink(GrowingSink[Draft]):
    """A sink that writes rows to a table.

    Args:
        draft: the draft that holds the database.
        layout: the columns.
    """

    replaces = True
    INSERT: ClassVar[str] = "INSERT"
    """The SQL words that insert rows. A resumed scan may bring an instance again, and the later state counts."""
    SECOND: ClassVar[str]
    """The SQL expression of a row's trigger time (whole seconds since 1970-01-01 UTC)."""
    LOGS: ClassVar[tuple[str, ...]]
    """The endings of log files beside the database, which are applied when the database is opened."""
    TEXT: ClassVar[str]
    TYPES: ClassVar[Mapping[Kind, str]]
    """The SQL types of columns, by kind. Columns of other kinds have the type `TEXT`."""

    def __init__(self, draft: Draft, layout: Layout) -> None:
        super().__init__(draft)
        self._layout = layout
        self._connection: Any = None
        self._in_transaction = False
        self._replacing = False

    @property
    @abstractmethod
    def _error(self) -> type[Exception]:
        """The errors of the database."""

    @abstractmethod
    def _connect(self, path: Path) -> Any:
        """Open a database for writing."""

    @abstractmethod
    def _connect_read_only(self, path: Path) -> Any:
        """Open a database for reading."""

    def kept(self) -> JournalEntry | None:
        """Return the journal entry in the database of the draft, or otherwise in the target."""
        with self._as_sink_error():
            if self._draft.rows.exists():
                return _read_entry(self._connect(self._draft.rows))
        return self.published()

    def published(self) -> JournalEntry | None:
        if not self._draft.target.is_file():
            return None
        try:
            return _read_entry(self._connect_read_only(self._draft.target))
        except self._error as error:
            if self._is_in_use(error):
                raise SinkError(
                    f"{self._draft.name} cannot be read: another program has opened it, and locked it; close it there"
                ) from error
            return None  # the target is another file, so no export can be continued

    def tail(self) -> Tail | None:
        try:
            with closing(self._connect_read_only(self._draft.target)) as connection:
                columns = connection.execute("SELECT * FROM instances LIMIT 0").description
                rows = f"SELECT {self.SECOND} AS second, instance_id FROM instances"  # noqa: S608  (a constant)
                latest = (
                    f"{rows} WHERE trigger_time IS NOT NULL ORDER BY second DESC, instance_id DESC LIMIT 1"
                )
                row = connection.execute(latest).fetchone()
        except self._error as error:
            raise QueryError(
                f"nothing can be appended to {self._draft.name!r}: it has no table of instances that can be read; "
                "name another target"
            ) from error
        if tuple(one[0] for one in columns) != self._layout.names:
            raise QueryError(
                f"nothing can be appended to {self._draft.name!r}: it has other columns; "
                "give those of its first export, or name another target"
            )
        return None if row is None else Tail(int(row[0]), row[1])

    def adopt(self, entry: JournalEntry) -> JournalEntry:
        files, target, rows = self._draft.files, self._draft.target, self._draft.rows
        self._draft.check_alone(self.LOGS)
        write_atomically(files, rows, lambda part: files.copy(target, part))
        with self._as_sink_error(), closing(self._connect(rows)) as connection:
            connection.execute("UPDATE aioflows_export SET mark = ?", (entry.to_json(),))
        return entry

    @abstractmethod
    def _is_in_use(self, error: Exception) -> bool:
        """Return True if a database cannot be opened because another program has locked it."""

    def finished(self, entry: JournalEntry) -> bool:
        return entry.done  # the target has its own entry, so the rows belong to the entry

    def open(self, entry: JournalEntry) -> None:
        with self._as_sink_error():
            self._connection = self._connect(self._draft.rows)
            self._replacing = bool(entry.base)
            if entry.checkpoint is None:
                self._begin()
                self._connection.execute(f"CREATE TABLE instances ({', '.join(self._definitions())})")
                self._connection.execute(f"CREATE TABLE aioflows_export (mark {self.TEXT} NOT NULL)")
                self._connection.execute("INSERT INTO aioflows_export VALUES (?)", (entry.to_json(),))

    def commit(self, entry: JournalEntry) -> JournalEntry:
        with self._as_sink_error():
            self._begin()
            self._connection.execute("UPDATE aioflows_export SET mark = ?", (entry.to_json(),))
            self._connection.execute("COMMIT")
        self._in_transaction = False
        return entry

    def add_rows_of(self, path: Path) -> None:
        """Add the rows of another database with the same columns, in their order."""
        quoted = str(path).replace("'", "''")
        with self._as_sink_error():
            if self._in_transaction:
                self._connection.execute("COMMIT")  # SQLite attaches a database between transactions only
            self._connection.execute(f"ATTACH '{quoted}' AS part")
            self._connection.execute("BEGIN")
            if self._replacing:
                self._connection.execute(
                    "DELETE FROM instances WHERE instance_id IN (SELECT instance_id FROM part.instances)"
                )
            rows = "SELECT * FROM part.instances ORDER BY rowid"
            self._connection.execute(f"{self.INSERT} INTO instances {rows}")
            self._connection.execute("COMMIT")
            self._in_transaction = False
            self._connection.execute("DETACH part")

    def finish(self, entry: JournalEntry) -> None:
        if self._draft.rows.exists():  # an earlier run may have published the rows
            self._draft.check_alone(self.LOGS)
        super().finish(entry)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _definitions(self) -> list[str]:
        return [f"{column.name} {self.TYPES.get(column.kind, self.TEXT)}" for column in self._layout.columns]

    def _begin(self) -> None:
        if not self._in_transaction:
            self._connection.execute("BEGIN")
            self._in_transaction = True

    @contextmanager
    def _as_sink_error(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise SinkError(
                f"{self._draft.name} cannot be written: {' '.join(str(error).split())}"
            ) from error


def _read_entry(connection: Any) -> JournalEntry | None:
    with closing(connection):
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'aioflows_export'").fetchone():
            return None
        ((text,),) = connection.execute("SELECT mark FROM aioflows_export").fetchall()
    return JournalEntry.from_json(text)
