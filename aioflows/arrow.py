"""Flow instances as Arrow record batches, for whatever reads these: Polars, pandas, DuckDB, Parquet.

The types follow from the kind of a column, so that a batch without rows has them too:

- texts are ``string``; names, which many rows share, are ``dictionary<int32, string>``, ``status_name`` among them;
- times are ``timestamp[us, UTC]``; the service's zone is gone, the instant is the same;
- integers are ``int64``, numbers ``double``, truth values ``bool``;
- JSON (``graph``, ``parameters``, ``extra``) is ``string``, the text that the service sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from aioflows.columns import Column, Kind, Layout, Values, members_text, utf8, whole
from aioflows.errors import QueryError
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["arrow_schema", "record_batch"]


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
    arrays = [
        _array(column, values)
        for column, values in zip(layout.columns, layout.values(instances), strict=True)
    ]
    return _arrow().RecordBatch.from_arrays(arrays, schema=arrow_schema(layout))


def _array(column: Column, values: Values) -> pa.Array:
    arrow, type = _arrow(), _types()[column.kind]
    if column.kind is Kind.INTEGER:
        return arrow.array(whole(column, values), type)
    if column.kind is Kind.MEMBERS:
        values = [None if value is None else members_text(value) for value in values]
    if column.kind in (Kind.TIME, Kind.NUMBER, Kind.BOOLEAN):
        return arrow.array(values, type)
    if column.kind is not Kind.NAME:
        # By way of bytes: pyarrow would leave a second copy of a text in UTF-8 with each text that is not ASCII.
        texts = [None if text is None else text.encode("utf-8", "backslashreplace") for text in values]
        return arrow.array(texts, arrow.binary()).cast(type)
    try:
        return arrow.array(values, arrow.string()).dictionary_encode()
    except UnicodeError:
        names = [None if name is None else utf8(name) for name in values]
        return arrow.array(names, arrow.string()).dictionary_encode()


@cache
def _arrow() -> Any:
    try:
        import pyarrow  # noqa: PLC0415, ICN001
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
