"""A DuckDB database: rows and their mark in one transaction.

The table ``instances`` has a column for each column, ``TIMESTAMPTZ`` for times and ``VARCHAR`` for texts, JSON and names; rows
travel as Arrow batches. The mark stays in the table ``aioflows_export``.
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
_LOG = ".wal"  # what DuckDB keeps beside a database, and takes for a part of it


class DuckSink:
    """Writes rows to a table.

    Args:
        draft: where.
        layout: the *columns*.
    """

    patience = 1.0
    takes_answers = True
    worth = 10_000

    def __init__(self, draft: Draft, layout: Layout) -> None:
        arrow_schema(layout)  # which says it if pyarrow is missing
        self._draft = draft
        self._layout = layout
        self._columns = AnswerColumns(layout)
        self._duck = _duckdb()
        self._connection: Any = None
        self._within = False

    def encode(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        """Give these instances as columns."""
        return text_batch(self._layout, instances)

    def weight(self, _: pa.RecordBatch | RawRows) -> float:
        """Nothing stays in memory."""
        return 0.0

    def kept(self) -> JournalEntry | None:
        """Give the mark of the draft, or, where there is none, that of the target."""
        rows, target = self._draft.rows, self._draft.target
        with self._told():
            if rows.exists():
                return _mark(self._draft.files.duckdb(rows))
        if not target.is_file():
            return None
        try:
            return _mark(self._duck.connect(str(target), read_only=True))
        except self._duck.Error:
            return None  # somebody else's

    def finished(self, mark: JournalEntry) -> bool:
        """Tell whether the target is what this mark is the account of: it was read there."""
        return mark.done

    def open(self, mark: JournalEntry) -> None:
        """Go on behind what a mark counts, which is all there is."""
        with self._told():
            self._connection = self._draft.files.duckdb(self._draft.rows)
            if mark.checkpoint is None:
                columns = ", ".join(
                    f"{column.name} {_TYPES.get(column.kind, 'VARCHAR')}" for column in self._layout.columns
                )
                self._begin()
                self._connection.execute(f"CREATE TABLE instances ({columns})")
                self._connection.execute("CREATE TABLE aioflows_export (mark VARCHAR NOT NULL)")
                self._connection.execute("INSERT INTO aioflows_export VALUES (?)", (mark.to_json(),))

    def write(self, chunks: Sequence[pa.RecordBatch | RawRows]) -> None:
        """Add rows."""
        import pyarrow as pa  # noqa: PLC0415

        if not chunks:
            return
        table = pa.Table.from_batches(self._columns.batches(chunks))
        with self._told():
            self._begin()
            self._connection.register("rows_of_export", table)
            self._connection.execute("INSERT INTO instances SELECT * FROM rows_of_export")
            self._connection.unregister("rows_of_export")

    def commit(self, mark: JournalEntry) -> JournalEntry:
        """Keep what was written until now, together with a mark."""
        with self._told():
            self._begin()
            self._connection.execute("UPDATE aioflows_export SET mark = ?", (mark.to_json(),))
            self._connection.execute("COMMIT")
        self._within = False
        return mark

    def finish(self, mark: JournalEntry) -> None:
        """Make the database the target."""
        self.close()
        files, rows = self._draft.files, self._draft.rows
        if rows.exists():
            with self._told(), closing(files.duckdb(rows)) as connection:
                connection.execute("FORCE CHECKPOINT")  # so that nothing is left in its log
            if rows.with_name(f"{rows.name}{_LOG}").exists():
                raise SinkError(f"{self._draft.name} cannot be written: DuckDB keeps its log")
            self._draft.check_alone((_LOG,))
            rows.chmod(0o600)
        self._draft.publish(mark)

    def close(self) -> None:
        """Close the database; what does not count yet is rolled back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin(self) -> None:
        if not self._within:
            self._connection.execute("BEGIN")
            self._within = True

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._duck.Error as error:
            raise SinkError(
                f"{self._draft.name} cannot be written: {' '.join(str(error).split())}"
            ) from error


def _mark(connection: Any) -> JournalEntry | None:
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
        raise QueryError("this needs duckdb: install enos-aioflows[arrow]") from None
    return duckdb
