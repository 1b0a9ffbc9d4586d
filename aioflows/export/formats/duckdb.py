"""A DuckDB database. Times are ``TIMESTAMPTZ``; texts, JSON and names are ``VARCHAR``.

Rows are inserted as Arrow batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from aioflows._extras import import_extra, pa
from aioflows._tables.columns import Kind, Layout
from aioflows._tables.raw_rows import RawRows
from aioflows.arrow import AnswerColumns, arrow_schema, text_batch
from aioflows.export.draft import Draft
from aioflows.export.errors import SinkError
from aioflows.export.formats.database import DatabaseSink
from aioflows.export.journal import JournalEntry
from aioflows.models import FlowInstance

__all__ = ["DuckSink"]


class DuckSink(DatabaseSink):
    """A sink that writes rows to a DuckDB table.

    Args:
        draft: the draft that holds the database.
        layout: the columns.
    """

    accepts_raw_rows = True
    write_threshold = 10_000
    SECOND = "epoch_ms(trigger_time) // 1000"
    LOGS = (".wal",)
    TEXT = "VARCHAR"
    TYPES = {  # noqa: RUF012  (never changed)
        Kind.INTEGER: "BIGINT",
        Kind.NUMBER: "DOUBLE",
        Kind.BOOLEAN: "BOOLEAN",
        Kind.TIME: "TIMESTAMPTZ",
    }

    def __init__(self, draft: Draft, layout: Layout) -> None:
        arrow_schema(layout)  # raises a QueryError if pyarrow is missing
        super().__init__(draft, layout)
        self._columns = AnswerColumns(layout)
        self._duck = import_extra("duckdb")

    def encode(self, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
        return text_batch(self._layout, instances)

    def write(self, chunks: Sequence[pa.RecordBatch | RawRows]) -> None:
        if not chunks:
            return
        table = pa.Table.from_batches(self._columns.batches(chunks))
        with self._as_sink_error():
            self._begin()
            self._connection.register("rows_of_export", table)
            if self._replacing:
                self._connection.execute(
                    "DELETE FROM instances WHERE instance_id IN (SELECT instance_id FROM rows_of_export)"
                )
            self._connection.execute("INSERT INTO instances SELECT * FROM rows_of_export")
            self._connection.unregister("rows_of_export")

    def finish(self, entry: JournalEntry) -> None:
        self.close()
        rows = self._draft.rows
        if rows.exists():
            with self._as_sink_error(), closing(self._connect(rows)) as connection:
                connection.execute("FORCE CHECKPOINT")  # moves all rows from the log into the file
            if rows.with_name(f"{rows.name}{self.LOGS[0]}").exists():
                raise SinkError(
                    f"{self._draft.name} cannot be written: DuckDB did not empty its log; "
                    "run the export again with resume=True (--resume)"
                )
            rows.chmod(0o600)
        super().finish(entry)

    @property
    def _error(self) -> type[Exception]:
        error: type[Exception] = self._duck.Error
        return error

    def _is_in_use(self, error: Exception) -> bool:
        # Within one process, DuckDB refuses a second connection with other options instead.
        other = isinstance(error, self._duck.ConnectionException)
        return other or (isinstance(error, self._duck.IOException) and "lock" in str(error))

    def _connect(self, path: Path) -> Any:
        return self._draft.files.duckdb(path)

    def _connect_read_only(self, path: Path) -> Any:
        return self._duck.connect(str(path), read_only=True)
