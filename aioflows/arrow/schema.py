"""The Arrow types of columns, and functions on whole arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aioflows._extras import import_extra
from aioflows._tables.columns import STATUS_NAMES, Kind, Layout

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_schema", "joined", "names_of", "pyarrow", "seconds_between", "types", "with_names"]


def arrow_schema(layout: Layout) -> pa.Schema:
    """Return the schema of a layout: the names and types of its columns.

    Raises:
        QueryError: pyarrow is not installed.
    """
    type_of = types()
    return pyarrow().schema([(column.name, type_of[column.kind]) for column in layout.columns])


def with_names(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with its names dictionary-encoded, as the schema says."""
    return _with_names(pyarrow().RecordBatch, batch, schema)


def joined(
    batches: Sequence[pa.RecordBatch], schema: pa.Schema, pool: pa.MemoryPool | None = None
) -> pa.Table:
    """Return batches as one table with its names dictionary-encoded. All rows share one dictionary.

    Args:
        batches: batches in which names are strings.
        schema: the schema of the table.
        pool: the memory pool. None means pyarrow's default pool.
    """
    if not batches:
        return schema.empty_table()
    table = pyarrow().Table
    # One chunk, because every later step has a cost for each chunk.
    return _with_names(table, table.from_batches(batches).combine_chunks(pool), schema)


def _with_names(kind: Any, texts: Any, schema: pa.Schema) -> Any:
    is_name = pyarrow().types.is_dictionary
    arrays = [
        array.dictionary_encode() if is_name(field.type) else array
        for array, field in zip(texts.columns, schema, strict=True)
    ]
    return kind.from_arrays(arrays, schema=schema)


def seconds_between(starts: pa.Array, ends: pa.Array) -> pa.Array:
    """Return the time from each start to its end (seconds).

    Raises:
        ArrowInvalid: a time is so long, centuries, that a float cannot hold it to the microsecond.
    """
    arrow = pyarrow()
    microseconds = arrow.compute.subtract(ends, starts).view(arrow.int64())
    return arrow.compute.divide(microseconds.cast(arrow.float64()), 1e6)


def names_of(codes: pa.Array) -> pa.Array:
    """Return the names of status codes."""
    arrow = pyarrow()
    encoded = codes.dictionary_encode()
    names = [STATUS_NAMES[code] for code in encoded.dictionary.to_pylist()]
    return arrow.array(names, arrow.string()).take(encoded.indices)


@cache
def pyarrow() -> Any:
    """Import pyarrow, and return it. The import is late, because pyarrow is optional.

    Raises:
        QueryError: pyarrow is not installed.
    """
    for module in ("pyarrow.compute", "pyarrow.json"):
        import_extra(module)
    return import_extra("pyarrow")


@cache
def types() -> dict[Kind, Any]:
    """Return the Arrow type of each kind of column."""
    arrow = pyarrow()
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
