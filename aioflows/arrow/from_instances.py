"""Columns from instances, one column at a time, with as little Python code for each row as possible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from aioflows._json_text import texts_of_members
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
from aioflows.arrow.schema import pyarrow, seconds_between, types
from aioflows.models import NAIVE_EPOCH, FlowInstance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["text_batch"]


def text_batch(
    layout: Layout, instances: Sequence[FlowInstance], pool: pa.MemoryPool | None = None
) -> pa.RecordBatch:
    """Return instances as a batch in which names are strings.

    Args:
        layout: the columns.
        instances: the rows.
        pool: the memory pool. None means pyarrow's default pool.

    Raises:
        QueryError: pyarrow is not installed, or an integer has more than 64 bits.
    """
    rows, tasks = layout.rows(instances)
    of_rows, of_tasks = _Arrays(rows, shared_epoch(rows), pool), _Arrays(tasks, None, pool)
    arrays = [(of_tasks if column in TASK_COLUMNS else of_rows).array(column) for column in layout.columns]
    return pyarrow().RecordBatch.from_arrays(arrays, layout.names)


class _Arrays:
    """The arrays of rows.

    The values of a column are those of its `Column.read`. Each method first tries a faster way from the
    stored values (`Column.stored`). If a row has an unusual value, the method reads the column row by row.

    Args:
        rows: the rows.
        epoch: 1970-01-01 00:00:00 in the zone of all rows. None means that the rows do not share one offset.
        pool: the memory pool. None means pyarrow's default pool.
    """

    def __init__(self, rows: Sequence[Any], epoch: datetime | None, pool: pa.MemoryPool | None) -> None:
        self._rows = rows
        self._epoch = epoch
        self._array = partial(pyarrow().array, memory_pool=pool)
        self._times: dict[str, pa.Array] = {}

    def array(self, column: Column) -> pa.Array:
        """Return a column as an array."""
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
        durations = (
            None if self._epoch is None else _since_epoch(list(map(column.stored, self._rows)), self._epoch)
        )
        if durations is None:
            array = self._array(list(map(column.read, self._rows)), type)
        else:
            array = self._array(durations, arrow.duration("us")).view(type)
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
        if column is EXTRA and not any(map(column.stored, self._rows)):  # the usual case
            return arrow.repeat(members_text({}), len(self._rows))
        values = map(column.read, self._rows)
        return self._array(
            [None if value is None else members_text(value) for value in values], arrow.string()
        )

    def _texts(self, column: Column) -> pa.Array:
        # Encoded here, because pyarrow and msgspec would cache a second copy, in UTF-8, in each str that is
        # not ASCII.
        arrow = pyarrow()
        stored = map(column.stored, self._rows)
        texts: list[bytes | None]
        try:
            texts = list(map(str.encode, texts_of_members(stored) if column is GRAPH else stored))
        except (TypeError, ValueError):
            # A value is None, an object, a decoded value, or a text with a lone surrogate.
            values = map(column.read, self._rows)
            texts = [None if text is None else text.encode("utf-8", "backslashreplace") for text in values]
        return self._array(texts, arrow.binary()).view(types()[column.kind])


def _since_epoch(times: Sequence[Any], epoch: datetime) -> list[timedelta | None] | None:
    """Return the durations from 1970-01-01 00:00:00 UTC to these times. Return None if only some have a zone."""
    offset = epoch.utcoffset() or timedelta()
    for start in (NAIVE_EPOCH + offset, epoch + offset):
        with suppress(TypeError):  # Python does not subtract a naive from an aware datetime, nor the reverse
            return [None if time is None else time - start for time in times]
    return None


def _names(array: Callable[..., pa.Array], values: Values) -> pa.Array:
    arrow = pyarrow()
    try:
        return array(values, arrow.string())
    except UnicodeError:
        return array([None if name is None else utf8(name) for name in values], arrow.string())
