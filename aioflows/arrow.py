"""Flow instances as Arrow record batches, for whatever reads these: Polars, pandas, DuckDB, Parquet.

The types follow from the kind of a column, so that a batch without rows has them too:

- texts are ``string``; names, which many rows share, are ``dictionary<int32, string>``, ``status_name`` among them;
- times are ``timestamp[us, UTC]``; the service's zone is gone, the instant is the same;
- integers are ``int64``, numbers ``double``, truth values ``bool``;
- JSON (``graph``, ``parameters``, ``extra``) is ``string``, the text that the service sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from aioflows.columns import (
    DURATION,
    END,
    EXTRA,
    GRAPH,
    START,
    STATUS_NAME,
    STATUS_NAMES,
    TASK_COLUMNS,
    Column,
    Kind,
    Layout,
    Values,
    members_text,
    shared_epoch,
    utf8,
    whole,
)
from aioflows.errors import QueryError
from aioflows.models import NAIVE_EPOCH, FlowInstance, texts_of_members

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_schema", "joined", "record_batch", "text_batch"]


def arrow_schema(layout: Layout) -> pa.Schema:
    """Give the names and types of a layout's columns.

    Raises:
        QueryError: pyarrow is not installed.
    """
    arrow, types = _arrow(), _types()
    return arrow.schema([(column.name, types[column.kind]) for column in layout.columns])


def record_batch(layout: Layout, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
    """Give instances as a record batch.

    Raises:
        QueryError: pyarrow is not installed, or an integer has more than 64 bits.
    """
    return _with_names(_arrow().RecordBatch, text_batch(layout, instances), arrow_schema(layout))


def text_batch(
    layout: Layout, instances: Sequence[FlowInstance], pool: pa.MemoryPool | None = None
) -> pa.RecordBatch:
    """Give the same with names as texts: the half of the work that needs Python, and so cannot be done beside it.

    Args:
        layout: the *columns*.
        instances: the *rows*.
        pool: where pyarrow takes *memory* from; None: where it does otherwise.
    """
    rows, tasks = layout.rows(instances)
    of_rows, of_tasks = _Arrays(rows, shared_epoch(rows), pool), _Arrays(tasks, None, pool)
    arrays = [(of_tasks if column in TASK_COLUMNS else of_rows).array(column) for column in layout.columns]
    return _arrow().RecordBatch.from_arrays(arrays, layout.names)


def joined(batches: Sequence[pa.RecordBatch], schema: pa.Schema) -> pa.Table:
    """Do the other half, for all rows together, so that each name stands there once."""
    if not batches:
        return schema.empty_table()
    table = _arrow().Table
    return _with_names(table, table.from_batches(batches), schema)


def _with_names(kind: Any, texts: Any, schema: pa.Schema) -> Any:
    is_name = _arrow().types.is_dictionary
    arrays = [
        array.dictionary_encode() if is_name(field.type) else array
        for array, field in zip(texts.columns, schema, strict=True)
    ]
    return kind.from_arrays(arrays, schema=schema)


class _Arrays:
    """Arrays of rows, a column at a time, with as little Python for each row as their values allow.

    What a column holds is what its `Column.read` gives; here is how to get there from what is stored, as long as nothing among
    the rows is out of the ordinary. Where something is, that column is read.

    Args:
        rows: the *rows*.
        epoch: 1970-01-01 00:00:00 by the clocks of all rows, if these have one *offset*.
        pool: where *memory* is taken from.
    """

    def __init__(self, rows: Sequence[Any], epoch: datetime | None, pool: pa.MemoryPool | None) -> None:
        self._rows = rows
        self._epoch = epoch
        self._array = partial(_arrow().array, memory_pool=pool)
        self._times: dict[str, pa.Array] = {}

    def array(self, column: Column) -> pa.Array:
        """Give a column."""
        arrow, kind = _arrow(), column.kind
        if kind is Kind.TIME:
            return self._instants(column)
        if column is DURATION:
            return self._seconds()
        if kind is Kind.INTEGER:
            return self._whole(column)
        if kind in (Kind.TEXT, Kind.JSON):
            return self._texts(column)
        if kind is Kind.MEMBERS:
            return self._members(column)
        if column is STATUS_NAME:
            return self._array(
                list(map(STATUS_NAMES.__getitem__, map(column.stored, self._rows))), arrow.string()
            )
        values = list(map(column.read, self._rows))
        return _names(self._array, values) if kind is Kind.NAME else self._array(values, _types()[kind])

    def _instants(self, column: Column) -> pa.Array:
        if column.name in self._times:
            return self._times[column.name]
        arrow, type = _arrow(), _types()[Kind.TIME]
        since = None if self._epoch is None else _since(list(map(column.stored, self._rows)), self._epoch)
        if since is None:
            array = self._array(list(map(column.read, self._rows)), type)
        else:
            array = self._array(since, arrow.duration("us")).view(type)
        self._times[column.name] = array
        return array

    def _seconds(self) -> pa.Array:
        arrow, type = _arrow(), _types()[Kind.NUMBER]
        if self._epoch is not None:
            ran = arrow.compute.subtract(self._instants(END), self._instants(START)).view(arrow.int64())
            with suppress(arrow.ArrowInvalid):  # centuries, that a float does not hold to the microsecond
                return arrow.compute.divide(ran.cast(type), 1e6)
        return self._array(list(map(DURATION.read, self._rows)), type)

    def _whole(self, column: Column) -> pa.Array:
        arrow, type = _arrow(), _types()[Kind.INTEGER]
        values = list(map(column.stored, self._rows))
        try:
            return self._array(values, type)
        except (arrow.ArrowException, OverflowError, TypeError, ValueError):
            return self._array(whole(column, values), type)

    def _members(self, column: Column) -> pa.Array:
        arrow = _arrow()
        if column is EXTRA and not any(map(column.stored, self._rows)):  # as a rule there is nothing
            return arrow.repeat(members_text({}), len(self._rows))
        values = map(column.read, self._rows)
        return self._array(
            [None if value is None else members_text(value) for value in values], arrow.string()
        )

    def _texts(self, column: Column) -> pa.Array:
        # By way of bytes: pyarrow and msgspec would leave a second copy in UTF-8 with each text that is not ASCII.
        arrow = _arrow()
        stored = map(column.stored, self._rows)
        texts: list[bytes | None]
        try:
            texts = list(map(str.encode, texts_of_members(stored) if column is GRAPH else stored))
        except (TypeError, ValueError):
            # There is None among them, an object, a decoded value, or a lone surrogate.
            values = map(column.read, self._rows)
            texts = [None if text is None else text.encode("utf-8", "backslashreplace") for text in values]
        return self._array(texts, arrow.binary()).view(_types()[column.kind])


def _since(times: Sequence[Any], epoch: datetime) -> list[timedelta | None] | None:
    """Give how long after 1970-01-01 00:00:00 UTC these times are; None if only some of them have a zone."""
    offset = epoch.utcoffset() or timedelta()
    for start in (NAIVE_EPOCH + offset, epoch + offset):
        with suppress(TypeError):  # with zone minus without, or the other way round
            return [None if time is None else time - start for time in times]
    return None


def _names(array: Callable[..., pa.Array], values: Values) -> pa.Array:
    arrow = _arrow()
    try:
        return array(values, arrow.string())
    except UnicodeError:
        return array([None if name is None else utf8(name) for name in values], arrow.string())


@cache
def _arrow() -> Any:
    try:
        import pyarrow  # noqa: PLC0415, ICN001
        import pyarrow.compute  # noqa: PLC0415
    except ImportError:
        raise QueryError("this needs pyarrow: install aioflows[arrow]") from None
    return pyarrow


@cache
def _types() -> dict[Kind, Any]:
    arrow = _arrow()
    return {
        Kind.TEXT: arrow.string(),
        Kind.NAME: arrow.dictionary(arrow.int32(), arrow.string()),
        Kind.INTEGER: arrow.int64(),
        Kind.NUMBER: arrow.float64(),
        Kind.BOOLEAN: arrow.bool_(),
        Kind.TIME: arrow.timestamp("us", tz="UTC"),
        Kind.JSON: arrow.string(),
        Kind.MEMBERS: arrow.string(),
    }
