"""Rows that are still the bytes of their answers, for consumers that read them without making objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from aioflows._tables.columns import Layout
from aioflows._tables.text_columns import InstanceColumns, TextColumns
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    from aioflows_decoder import Plan

__all__ = ["EncodedRows", "Part", "RawRows", "encoded_rows"]

_T = TypeVar("_T")
_MOST_AT_ONCE = 2_000  # rows, which take about 20 ms, in which the event loop waits


@attrs.frozen(eq=False)
class Part:
    """Rows of one answer.

    Args:
        body: the bytes of the answer. Empty bytes mean that these rows must be decoded with `read`.
        ids: the ids of all rows of the answer.
        numbers: the numbers of the wanted rows in the answer, in the order wanted.
        read: decodes the wanted rows.
        columns: returns the wanted rows as columns, or None if they must be decoded with `read`. Default: None is
            returned.
        plan: what the compiled decoder has noted of the answer. Default: None, nothing.
    """

    body: bytes = attrs.field(repr=False)
    ids: Sequence[str] = attrs.field(repr=False)
    numbers: Sequence[int] = attrs.field(repr=False)
    read: Callable[[], list[FlowInstance]] = attrs.field(repr=False)
    columns: Callable[[], TextColumns | None] = attrs.field(default=lambda: None, repr=False)
    plan: Plan | None = attrs.field(default=None, repr=False)


@attrs.frozen(eq=False)
class RawRows:
    """Rows of several answers.

    Args:
        parts: the rows of each answer, at least one row.
        order: the order of all rows, by their numbers in `parts`. None means the order of `parts`.
        offset: the offset of the service's clock from UTC.
        last: a stand-in for the last row, with its id and its trigger time only.
    """

    parts: Sequence[Part]
    order: Sequence[int] | None
    offset: timedelta
    last: FlowInstance

    def __len__(self) -> int:
        return sum(len(part.numbers) for part in self.parts)

    @property
    def covered(self) -> int:
        """The number of rows that need not be decoded."""
        return sum(len(part.numbers) for part in self.parts if part.body)

    @property
    def size(self) -> int:
        """The size of the answers (bytes)."""
        return sum(len(part.body) for part in self.parts)

    def read(self) -> list[FlowInstance]:
        """Decode the rows, and return them in order."""
        rows = [row for part in self.parts for row in part.read()]
        return rows if self.order is None else [rows[number] for number in self.order]

    def encoded(self, layout: Layout, encode: Callable[[TextColumns], list[_T]]) -> list[_T]:
        """Return what a function makes of the rows by their columns, in order.

        Raises:
            AnswerError: a value in a row cannot be read. The error names its path.
        """
        rows: list[_T] = []
        for part in self.parts:
            columns = part.columns()
            rows += encode(InstanceColumns(layout, part.read()) if columns is None else columns)
        return rows if self.order is None else [rows[number] for number in self.order]


class EncodedRows:
    """Rows in the form of a file format.

    Args:
        chunk: the rows.
        count: the number of rows.
    """

    __slots__ = ("_count", "chunk")

    def __init__(self, chunk: Any, count: int) -> None:
        self.chunk = chunk
        self._count = count

    def __len__(self) -> int:
        return self._count


def encoded_rows(encode: Callable[[RawRows], Any]) -> Callable[[RawRows], EncodedRows | list[FlowInstance]]:
    """Return a function that encodes rows. It decodes them instead if they are too many to encode at once."""

    def convert(rows: RawRows) -> EncodedRows | list[FlowInstance]:
        return rows.read() if len(rows) > _MOST_AT_ONCE else EncodedRows(encode(rows), len(rows))

    return convert
