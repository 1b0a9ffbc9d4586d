"""Rows that are handed out as the answers they stand in, for whoever does better than to make objects of them."""

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
        body: the *bytes* of the answer; none where it is better to decode these rows.
        ids: the *ids* of all its rows.
        numbers: which rows are meant, by their *numbers*, in the order wanted.
        read: decodes them.
    """

    body: bytes = attrs.field(repr=False)
    ids: Sequence[str] = attrs.field(repr=False)
    numbers: Sequence[int] = attrs.field(repr=False)
    read: Callable[[], list[FlowInstance]] = attrs.field(repr=False)


@attrs.frozen(eq=False)
class RawRows:
    """Rows of some answers.

    Args:
        parts: the *rows*, at least one.
        order: where these interleave, the *order* of them all.
        offset: how far the clocks that their times were read from are *ahead* of UTC.
        last: a stand-in for the last of them, with its *id* and trigger *time*.
    """

    parts: Sequence[Part]
    order: Sequence[int] | None
    offset: timedelta
    last: FlowInstance

    def __len__(self) -> int:
        return sum(len(part.numbers) for part in self.parts)

    @property
    def covered(self) -> int:
        """The rows that need not be decoded."""
        return sum(len(part.numbers) for part in self.parts if part.body)

    @property
    def size(self) -> int:
        """The bytes of the answers."""
        return sum(len(part.body) for part in self.parts)

    def read(self) -> list[FlowInstance]:
        """Decode them."""
        rows = [row for part in self.parts for row in part.read()]
        return rows if self.order is None else [rows[number] for number in self.order]
