"""Columns from instances, a column at a time, with as little Python for each row as the values allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from aioflows._tables.columns import (
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
from aioflows.arrow.schema import arrow_schema, pyarrow, seconds_between, types, with_names
from aioflows.models import NAIVE_EPOCH, FlowInstance, texts_of_members

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["record_batch", "text_batch"]


def record_batch(layout: Layout, instances: Sequence[FlowInstance]) -> pa.RecordBatch:
    """Give instances as a record batch.

    Raises:
        QueryError: pyarrow is not installed, or an integer has more than 64 bits.
    """
    return with_names(text_batch(layout, instances), arrow_schema(layout))


def text_batch(
    layout: Layout, instances: Sequence[FlowInstance], pool: pa.MemoryPool | None = None
) -> pa.RecordBatch:
    """Give instances as a batch in which names are texts.

    Args:
        layout: the *columns*.
        instances: the *rows*.
        pool: where pyarrow takes *memory* from; None: where it does otherwise.

    Raises:
        QueryError: pyarrow is not installed, or an integer has more than 64 bits.
    """
    rows, tasks = layout.rows(instances)
    of_rows, of_tasks = _Arrays(rows, shared_epoch(rows), pool), _Arrays(tasks, None, pool)
    arrays = [(of_tasks if column in TASK_COLUMNS else of_rows).array(column) for column in layout.columns]
    return pyarrow().RecordBatch.from_arrays(arrays, layout.names)


class _Arrays:
    """Arrays of rows.

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
        self._array = partial(pyarrow().array, memory_pool=pool)
        self._times: dict[str, pa.Array] = {}

    def array(self, column: Column) -> pa.Array:
        """Give a column."""
        arrow, kind = pyarrow(), column.kind
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
        return _names(self._array, values) if kind is Kind.NAME else self._array(values, types()[kind])

    def _instants(self, column: Column) -> pa.Array:
        if column.name in self._times:
            return self._times[column.name]
        arrow, type = pyarrow(), types()[Kind.TIME]
        since = None if self._epoch is None else _since(list(map(column.stored, self._rows)), self._epoch)
        if since is None:
            array = self._array(list(map(column.read, self._rows)), type)
        else:
            array = self._array(since, arrow.duration("us")).view(type)
        self._times[column.name] = array
        return array

    def _seconds(self) -> pa.Array:
        if self._epoch is not None:
            with suppress(pyarrow().ArrowInvalid):
                return seconds_between(self._instants(START), self._instants(END))
        return self._array(list(map(DURATION.read, self._rows)), types()[Kind.NUMBER])

    def _whole(self, column: Column) -> pa.Array:
        arrow, type = pyarrow(), types()[Kind.INTEGER]
        values = list(map(column.stored, self._rows))
        try:
            return self._array(values, type)
        except (arrow.ArrowException, OverflowError, TypeError, ValueError):
            return self._array(whole(column, values), type)

    def _members(self, column: Column) -> pa.Array:
        arrow = pyarrow()
        if column is EXTRA and not any(map(column.stored, self._rows)):  # as a rule there is nothing
            return arrow.repeat(members_text({}), len(self._rows))
        values = map(column.read, self._rows)
        return self._array(
            [None if value is None else members_text(value) for value in values], arrow.string()
        )

    def _texts(self, column: Column) -> pa.Array:
        # By way of bytes: pyarrow and msgspec would leave a second copy in UTF-8 with each text that is not ASCII.
        arrow = pyarrow()
        stored = map(column.stored, self._rows)
        texts: list[bytes | None]
        try:
            texts = list(map(str.encode, texts_of_members(stored) if column is GRAPH else stored))
        except (TypeError, ValueError):
            # There is None among them, an object, a decoded value, or a lone surrogate.
            values = map(column.read, self._rows)
            texts = [None if text is None else text.encode("utf-8", "backslashreplace") for text in values]
        return self._array(texts, arrow.binary()).view(types()[column.kind])


def _since(times: Sequence[Any], epoch: datetime) -> list[timedelta | None] | None:
    """Give how long after 1970-01-01 00:00:00 UTC these times are; None if only some of them have a zone."""
    offset = epoch.utcoffset() or timedelta()
    for start in (NAIVE_EPOCH + offset, epoch + offset):
        with suppress(TypeError):  # with zone minus without, or the other way round
            return [None if time is None else time - start for time in times]
    return None


def _names(array: Callable[..., pa.Array], values: Values) -> pa.Array:
    arrow = pyarrow()
    try:
        return array(values, arrow.string())
    except UnicodeError:
        return array([None if name is None else utf8(name) for name in values], arrow.string())
