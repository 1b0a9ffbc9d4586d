"""Rows that are still the bytes of their answers, for consumers that read them without making objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

from aioflows.models import FlowInstance

__all__ = ["Part", "RawRows"]


@attrs.frozen(eq=False)
class Part:
    """Rows of one answer.

    Args:
        body: the bytes of the answer. Empty bytes mean that these rows must be decoded with `read`.
        ids: the ids of all rows of the answer.
        numbers: the numbers of the wanted rows in the answer, in the order wanted.
        read: decodes the wanted rows.
    """

    body: bytes = attrs.field(repr=False)
    ids: Sequence[str] = attrs.field(repr=False)
    numbers: Sequence[int] = attrs.field(repr=False)
    read: Callable[[], list[FlowInstance]] = attrs.field(repr=False)


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
