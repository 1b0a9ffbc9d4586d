"""The schema of a read, in the words of Spark."""

from __future__ import annotations

from collections.abc import Sequence

from aioflows import QueryError
from aioflows._tables.columns import Kind, Layout

__all__ = ["checked_names", "ddl"]

_TYPES = {
    Kind.TEXT: "string",
    Kind.NAME: "string",
    Kind.INTEGER: "bigint",
    Kind.NUMBER: "double",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "timestamp",
    Kind.JSON: "string",
    Kind.MEMBERS: "string",
}


def ddl(layout: Layout) -> str:
    """Return the columns of a layout and their types, as Spark SQL writes them."""
    return ", ".join(f"`{column.name}` {_TYPES[column.kind]}" for column in layout.columns)


def checked_names(
    fields: Sequence[tuple[str, str, bool]], columns: Sequence[str] | None = None, *, tasks: bool
) -> tuple[str, ...]:
    """Return the names of the columns of a schema that the user or this source gave.

    Args:
        fields: the name, the type and whether it may be null, of each column.
        columns: the option ``columns``. None means that it was not given. Default: None.
        tasks: True for a row for each task.

    Raises:
        QueryError: a column is unknown, or has another type, or the option names other columns.
    """
    if columns is not None and list(columns) != [name for name, _, _ in fields]:
        raise QueryError("option columns names other columns than .schema(...); give one of them")
    layout = Layout([name for name, _, _ in fields], tasks=tasks)
    for (name, given, nullable), column in zip(fields, layout.columns, strict=True):
        if given != _TYPES[column.kind]:
            raise QueryError(
                f"column {name} is of type {_TYPES[column.kind]}, not {given}; give that in .schema(...)"
            )
        if not nullable:
            raise QueryError(f"column {name} may be null; leave NOT NULL out of .schema(...)")
    return layout.names
