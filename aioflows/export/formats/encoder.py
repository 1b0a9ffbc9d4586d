"""The interface of the encoders of text files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from aioflows._tables.raw_rows import RawRows
from aioflows.models import FlowInstance

__all__ = ["Encoder"]


class Encoder(Protocol):
    """An encoder of instances as lines that can be concatenated."""

    head: bytes
    """The first bytes of a file, such as the header of CSV."""
    end: bytes
    """The bytes that end a record."""
    quoted: bool
    """True if the bytes that end a record may also stand within it, between quotes."""

    accepts_raw_rows: bool
    """True if `convert` may be called."""

    def encode(self, instances: Sequence[FlowInstance], /) -> bytes:
        """Return the lines of these instances."""

    def decode(self, record: bytes, /) -> Mapping[str, str]:
        """Return the trigger time and the id in a record, under the names of their columns.

        Raises:
            ValueError: the record has other columns.
        """

    def convert(self, rows: RawRows, /) -> bytes:
        """Return the lines of rows that are bytes of answers."""
