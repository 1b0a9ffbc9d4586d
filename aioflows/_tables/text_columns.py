"""The columns of rows for formats that write texts: times are texts already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, timedelta, tzinfo
from typing import Any

from aioflows._json_text import texts_of_members
from aioflows._tables.columns import (
    CREATED,
    GRAPH,
    STATUS_NAME,
    STATUS_NAMES,
    TASK_COLUMNS,
    TRIGGER,
    Column,
    Kind,
    Layout,
    shared_epoch,
)
from aioflows._tables.time_text import time_text
from aioflows.models import NAIVE_EPOCH, FlowInstance

__all__ = ["InstanceColumns", "TextColumns"]

_NO_GRAPH = b"null"


class TextColumns(ABC):
    """The columns of some rows, all of the same length."""

    is_utf8 = False
    """True if no text has a lone surrogate, which UTF-8 cannot encode."""

    @abstractmethod
    def values(self, column: Column, /) -> Sequence[Any]:
        """Return the values of a column, as `Column.read` returns them.

        Times are texts as of `time_text`. A status is its code.
        """

    @abstractmethod
    def json_texts(self, column: Column, /) -> Sequence[str | None]:
        """Return the values of a column of JSON texts, if the service sent all of them as texts, or nothing.

        Raises:
            ValueError: a value is not a text.
            TypeError: a value was decoded, or given by a user.
        """


class InstanceColumns(TextColumns):
    """The columns of instances.

    Args:
        layout: the columns that are wanted.
        instances: the instances.
        zone: the zone of times. Default: UTC.
    """

    def __init__(self, layout: Layout, instances: Sequence[FlowInstance], zone: tzinfo = UTC) -> None:
        self._rows, self._tasks = layout.rows(instances)
        self._zone = zone
        self._epoch = shared_epoch(self._rows) if zone is UTC else None

    def values(self, column: Column) -> Sequence[Any]:
        if column in TASK_COLUMNS:
            return list(map(column.read, self._tasks))
        if column.kind is Kind.TIME:
            return self._times(column)
        if column is STATUS_NAME:
            return list(map(STATUS_NAMES.__getitem__, map(column.stored, self._rows)))
        if column.kind is Kind.JSON:
            with suppress(TypeError, ValueError):
                return self.json_texts(column)
        return list(map(column.stored if column.kind is Kind.INTEGER else column.read, self._rows))

    def json_texts(self, column: Column) -> Sequence[str | None]:
        stored = list(map(column.stored, self._rows))
        if column is GRAPH:
            if _NO_GRAPH not in stored:
                return texts_of_members(stored)
            texts = iter(texts_of_members(member for member in stored if member != _NO_GRAPH))
            return [None if member == _NO_GRAPH else next(texts) for member in stored]
        if not set(map(type, stored)) <= {str, type(None)}:
            raise ValueError(f"some {column.name} are not texts")
        return stored

    def _times(self, column: Column) -> Sequence[str | None]:
        if self._epoch is not None:
            # A time with a zone of its own raises a TypeError, and a placeholder such as year 1 an OverflowError.
            with suppress(TypeError, OverflowError):
                return self._times_by_offset(column)
        return list(map(time_text(column, self._zone), map(column.read, self._rows)))

    def _times_by_offset(self, column: Column) -> Sequence[str | None]:
        assert self._epoch is not None
        stored = map(column.stored, self._rows)
        digits = "microseconds" if column is CREATED else "auto"
        start: Any = NAIVE_EPOCH if column is not TRIGGER else self._epoch
        utc = NAIVE_EPOCH - (self._epoch.utcoffset() or timedelta())
        return [
            None if time is None else f"{(time - start + utc).isoformat(timespec=digits)}+00:00"
            for time in stored
        ]
