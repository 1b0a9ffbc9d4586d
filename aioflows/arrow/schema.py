"""The Arrow types of columns, and functions on whole arrays."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from aioflows._extras import import_extra
from aioflows._tables.columns import STATUS_NAME, STATUS_NAMES, Column, Kind, Layout
from aioflows.errors import QueryError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "Names",
    "arrow_schema",
    "check_names",
    "is_imported",
    "joined",
    "names_of",
    "pyarrow",
    "seconds_between",
    "types",
    "wire_name",
]

Names: TypeAlias = Literal["text", "dictionary"]
"""The type of names, which are equal in many rows: strings, or dictionaries of strings."""


def arrow_schema(layout: Layout, names: Names | None = None) -> pa.Schema:
    """Return the schema of a layout: the names and types of its columns.

    Args:
        layout: the columns.
        names: the type of names, "text" or "dictionary". None means that ``status_name`` is a dictionary, because
            all statuses are known beforehand, and other names are strings. Default: None.

    Raises:
        QueryError: the type of names is unknown, or pyarrow is not installed.
    """
    check_names(names)
    arrow, type_of = pyarrow(), types()
    fields = []
    for column in layout.columns:
        is_text = column.kind is Kind.NAME and (
            names == "text" or (names is None and column is not STATUS_NAME)
        )
        fields.append((column.name, arrow.string() if is_text else type_of[column.kind]))
    return arrow.schema(fields)


def check_names(names: object) -> None:
    """Check the type of names. Raise a QueryError if it is unknown."""
    if names not in (None, *get_args(Names)):
        raise QueryError(f"names must be 'text', 'dictionary' or None, not {names!r}")


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
    arrow = pyarrow()
    # One chunk, because every later step has a cost for each chunk.
    texts = arrow.Table.from_batches(batches).combine_chunks(pool)
    arrays = [
        array.dictionary_encode() if arrow.types.is_dictionary(field.type) else array
        for array, field in zip(texts.columns, schema, strict=True)
    ]
    return arrow.Table.from_arrays(arrays, schema=schema)


def seconds_between(starts: pa.Array, ends: pa.Array) -> pa.Array:
    """Return the time from each start to its end (seconds).

    Raises:
        ArrowInvalid: a time is so long, centuries, that a float cannot hold it to the microsecond.
    """
    arrow = pyarrow()
    microseconds = arrow.compute.subtract(ends, starts).view(arrow.int64())
    return arrow.compute.divide(microseconds.cast(arrow.float64()), 1e6)


@cache
def wire_name(column: Column) -> str:
    """Return the name of a column in answers."""
    first, *others = column.name.split("_")
    return "".join([first, *map(str.capitalize, others)])


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


def is_imported() -> bool:
    """Return True if `pyarrow` needs to import nothing. The first import takes some tenths of a second."""
    return pyarrow.cache_info().currsize > 0


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
