"""Rows that are handed out as the answer they stand in, for whoever does better than to make objects of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

import attrs

from aioflows.models import FlowInstance

__all__ = ["Undecoded"]


@attrs.frozen(eq=False)
class Undecoded:
    """Rows of one answer.

    Args:
        body: the *bytes* of the answer.
        ids: the *ids* of all its rows.
        numbers: which rows are meant, by their *numbers*, in the order wanted.
        offset: how far the clocks that its times were read from are *ahead* of UTC.
        last: a stand-in for the last of them, with its *id* and trigger *time*.
        read: decodes them.
    """

    body: bytes = attrs.field(repr=False)
    ids: Sequence[str] = attrs.field(repr=False)
    numbers: Sequence[int] = attrs.field(repr=False)
    offset: timedelta
    last: FlowInstance
    read: Callable[[], list[FlowInstance]] = attrs.field(repr=False)

    def __len__(self) -> int:
        return len(self.numbers)
