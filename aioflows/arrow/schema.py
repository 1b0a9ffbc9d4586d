"""The types of columns, and what is done to whole columns whatever they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aioflows._tables.columns import STATUS_NAMES, Kind, Layout
from aioflows.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_schema", "joined", "names_of", "pyarrow", "seconds_between", "types", "with_names"]


def arrow_schema(layout: Layout) -> pa.Schema:
    """Give the names and types of a layout's columns.

    Raises:
        QueryError: pyarrow is not installed.
    """
    type_of = types()
    return pyarrow().schema([(column.name, type_of[column.kind]) for column in layout.columns])


def with_names(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Give a batch in which names are texts the types that a schema says."""
    return _with_names(pyarrow().RecordBatch, batch, schema)


def joined(
    batches: Sequence[pa.RecordBatch], schema: pa.Schema, pool: pa.MemoryPool | None = None
) -> pa.Table:
    """Do the same for many batches together, so that each name stands there once.

    Args:
        batches: *batches* in which names are texts.
        schema: what is wanted.
        pool: where pyarrow takes *memory* from; None: where it does otherwise.
    """
    if not batches:
        return schema.empty_table()
    table = pyarrow().Table
    # In one piece, since each piece costs, in each step from here on.
    return _with_names(table, table.from_batches(batches).combine_chunks(pool), schema)


def _with_names(kind: Any, texts: Any, schema: pa.Schema) -> Any:
    is_name = pyarrow().types.is_dictionary
    arrays = [
        array.dictionary_encode() if is_name(field.type) else array
        for array, field in zip(texts.columns, schema, strict=True)
    ]
    return kind.from_arrays(arrays, schema=schema)


def seconds_between(starts: pa.Array, ends: pa.Array) -> pa.Array:
    """Give how long it is from one instant to another, in seconds.

    Raises:
        ArrowInvalid: it is centuries, that a float does not hold to the microsecond.
    """
    arrow = pyarrow()
    ran = arrow.compute.subtract(ends, starts).view(arrow.int64())
    return arrow.compute.divide(ran.cast(arrow.float64()), 1e6)


def names_of(codes: pa.Array) -> pa.Array:
    """Give the names of statuses."""
    arrow = pyarrow()
    numbered = codes.dictionary_encode()
    names = [STATUS_NAMES[code] for code in numbered.dictionary.to_pylist()]
    return arrow.array(names, arrow.string()).take(numbered.indices)


@cache
def pyarrow() -> Any:
    """Give pyarrow, which is imported when it is needed.

    Raises:
        QueryError: it is not installed.
    """
    try:
        import pyarrow  # noqa: PLC0415, ICN001
        import pyarrow.compute  # noqa: PLC0415
        import pyarrow.json  # noqa: PLC0415
    except ImportError:
        raise QueryError("this needs pyarrow: install enos-aioflows[arrow]") from None
    return pyarrow


@cache
def types() -> dict[Kind, Any]:
    """Give the type of each kind of column."""
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
