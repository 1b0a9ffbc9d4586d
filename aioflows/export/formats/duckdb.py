"""A DuckDB database: rows and their journal entry are committed in one transaction.

The table ``instances`` has the columns of the export: times are ``TIMESTAMPTZ``; texts, JSON and names are
``VARCHAR``. Rows are inserted as Arrow batches. The journal entry stays in the table ``aioflows_export``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from aioflows._tables.columns import Kind, Layout
from aioflows._tables.raw_rows import RawRows
from aioflows.arrow import AnswerColumns, arrow_schema, text_batch
from aioflows.errors import QueryError
from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.journal import JournalEntry
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DuckSink"]

_TYPES = {
    Kind.INTEGER: "BIGINT",
    Kind.NUMBER: "DOUBLE",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.TIME: "TIMESTAMPTZ",
}
_LOG = ".wal"  # DuckDB's write-ahead log lies beside a database, and is applied when the database is opened


class DuckSink:
    """A sink that writes rows to a DuckDB table.

    Args:
        draft: the draft that holds the database.
        layout: the columns.
    """

    commit_interval = 1.0
    accepts_raw_rows = True
    write_threshold = 10_000

    def __init__(self, draft: Draft, layout: Layout) -> None:
        arrow_schema(layout)  # raises a QueryError if pyarrow is missing
        self._draft = draft
        self._layout = layout
        self._columns = AnswerColumns(layout)
        self._duck = _duckdb()
        self._connection: Any = None
        self._in_transaction = False

    def encode(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        """Return these instances as a record batch."""
        return text_batch(self._layout, instances)

    def weight(self, _: pa.RecordBatch | RawRows) -> float:
        """Return 0, since written rows do not stay in memory."""
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Return the journal entry in the draft's database, or else the one in the target's."""
        rows, target = self._draft.rows, self._draft.target
        with self._as_sink_error():
            if rows.exists():
                return _read_entry(self._draft.files.duckdb(rows))
        if not target.is_file():
            return None
        try:
            return _read_entry(self._duck.connect(str(target), read_only=True))
        except self._duck.Error:
            return None  # not a database of an export

    def finished(self, entry: JournalEntry) -> bool:
        """Return True if the target is the export of this entry. The entry was read in the target itself."""
        return entry.done

    def open(self, entry: JournalEntry) -> None:
        """Open the database. It holds exactly the rows that the entry counts."""
        with self._as_sink_error():
            self._connection = self._draft.files.duckdb(self._draft.rows)
            if entry.checkpoint is None:
                columns = ", ".join(
                    f"{column.name} {_TYPES.get(column.kind, 'VARCHAR')}" for column in self._layout.columns
                )
                self._begin()
                self._connection.execute(f"CREATE TABLE instances ({columns})")
                self._connection.execute("CREATE TABLE aioflows_export (mark VARCHAR NOT NULL)")
                self._connection.execute("INSERT INTO aioflows_export VALUES (?)", (entry.to_json(),))

    def write(self, chunks: Sequence[pa.RecordBatch | RawRows]) -> None:
        """Add rows."""
        import pyarrow as pa  # noqa: PLC0415

        if not chunks:
            return
        table = pa.Table.from_batches(self._columns.batches(chunks))
        with self._as_sink_error():
            self._begin()
            self._connection.register("rows_of_export", table)
            self._connection.execute("INSERT INTO instances SELECT * FROM rows_of_export")
            self._connection.unregister("rows_of_export")

    def commit(self, entry: JournalEntry) -> JournalEntry:
        """Commit the rows added so far, together with their journal entry."""
        with self._as_sink_error():
            self._begin()
            self._connection.execute("UPDATE aioflows_export SET mark = ?", (entry.to_json(),))
            self._connection.execute("COMMIT")
        self._in_transaction = False
        return entry

    def finish(self, entry: JournalEntry) -> None:
        """Publish the database as the target."""
        self.close()
        files, rows = self._draft.files, self._draft.rows
        if rows.exists():
            with self._as_sink_error(), closing(files.duckdb(rows)) as connection:
                connection.execute("FORCE CHECKPOINT")  # moves all rows from the log into the file
            if rows.with_name(f"{rows.name}{_LOG}").exists():
                raise SinkError(f"{self._draft.name} cannot be written: DuckDB did not empty its log")
            self._draft.check_alone((_LOG,))
            rows.chmod(0o600)
        self._draft.publish(entry)

    def close(self) -> None:
        """Close the database. Rows that were not committed are rolled back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self) -> None:
        if not self._in_transaction:
            self._connection.execute("BEGIN")
            self._in_transaction = True

    @contextmanager
    def _as_sink_error(self) -> Iterator[None]:
        try:
            yield
        except self._duck.Error as error:
            raise SinkError(
                f"{self._draft.name} cannot be written: {' '.join(str(error).split())}"
            ) from error


def _read_entry(connection: Any) -> JournalEntry | None:
    with closing(connection):
        found = connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_name = 'aioflows_export'"
        ).fetchone()
        if not found:
            return None
        ((text,),) = connection.execute("SELECT mark FROM aioflows_export").fetchall()
    return JournalEntry.from_json(text)


def _duckdb() -> Any:
    try:
        import duckdb  # noqa: PLC0415
    except ImportError:
        raise QueryError("an export to DuckDB needs duckdb; install enos-aioflows[arrow]") from None
    return duckdb
