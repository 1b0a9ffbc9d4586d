"""Batches and tables as users get them, with names as strings or in dictionaries that all batches share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from aioflows._extras import import_extra, require_extra
from aioflows._tables.columns import STATUS_NAME, Layout
from aioflows.arrow.schema import Names, arrow_schema, check_names, pyarrow
from aioflows.models import FlowStatus

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["BatchForm", "frame_maker"]


class BatchForm:
    """The form of the batches of one scan.

    Batches come before all names are known. pyarrow groups by a dictionary only if all batches have an equal one, and an
    Arrow IPC file holds one dictionary for each column. So by default only ``status_name`` is a dictionary, which
    begins with all known statuses, and other names are strings. Strings cost 6 % more memory, and no time.

    With ``names="dictionary"``, the dictionary of a batch begins with that of the batch before it. So an index means
    the same name in all batches, and IPC streams and files may hold what was added (``emit_dictionary_deltas``). A table
    has one dictionary for all of its rows.

    Args:
        layout: the columns.
        names: the type of names, as for `arrow_schema`. Default: None.

    Raises:
        QueryError: the type of names is unknown, or pyarrow is not installed.
    """

    def __init__(self, layout: Layout, names: Names | None = None) -> None:
        check_names(names)
        require_extra("pyarrow")
        self._layout, self._names = layout, names

    @cached_property
    def schema(self) -> pa.Schema:
        """The schema of the batches. Reading it imports pyarrow."""
        return arrow_schema(self._layout, self._names)

    @cached_property
    def _known(self) -> dict[int, pa.Array]:
        arrow = pyarrow()
        return {
            at: arrow.array([one.name for one in FlowStatus] if column is STATUS_NAME else [], arrow.string())
            for at, column in enumerate(self._layout.columns)
            if arrow.types.is_dictionary(self.schema.field(at).type)
        }

    def batch(self, texts: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch in this form. In the given one, names are strings."""
        arrays = texts.columns
        for at in self._known:
            arrays[at] = self._encoded(at, arrays[at])
        return pyarrow().RecordBatch.from_arrays(arrays, schema=self.schema)

    def table(self, batches: Iterable[pa.RecordBatch]) -> pa.Table:
        """Return batches of this form as one table, in which all rows share the last dictionaries."""
        arrow = pyarrow()
        columns = arrow.Table.from_batches(batches, self.schema).columns
        for at, known in self._known.items():
            shared = [arrow.DictionaryArray.from_arrays(chunk.indices, known) for chunk in columns[at].chunks]
            columns[at] = arrow.chunked_array(shared, self.schema.field(at).type)
        return arrow.Table.from_arrays(columns, schema=self.schema)

    def stream(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatchReader:
        """Return a reader of batches of this form, which other libraries read as they go."""
        return pyarrow().RecordBatchReader.from_batches(self.schema, batches)

    def _encoded(self, at: int, texts: pa.Array) -> pa.Array:
        arrow, known = pyarrow(), self._known[at]
        here = texts.dictionary_encode()
        new = here.dictionary.filter(arrow.compute.invert(arrow.compute.is_in(here.dictionary, known)))
        if len(new):
            known = self._known[at] = arrow.concat_arrays([known, new])
        places = arrow.compute.index_in(here.dictionary, known)
        return arrow.DictionaryArray.from_arrays(places.take(here.indices), known)


def frame_maker(library: Literal["polars", "pandas"]) -> Callable[[pa.Table], Any]:
    """Return a function that makes a data frame of a table. The library is imported now, before rows are read.

    In a frame of pandas, integers and truth values stay such where some are missing.

    Raises:
        QueryError: the library is not installed.
    """
    module = import_extra(library)
    if library == "polars":
        return partial(module.from_arrow, rechunk=False)
    types = {pyarrow().int64(): module.Int64Dtype(), pyarrow().bool_(): module.BooleanDtype()}
    return lambda table: table.to_pandas(types_mapper=types.get)
