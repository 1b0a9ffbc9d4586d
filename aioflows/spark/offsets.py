"""The offsets of a stream: how far it has read, and which query it reads.

An offset holds a trigger time. Everything before it was read. It also holds the fingerprint of the query, since
Spark itself does not notice that a restarted stream asks for something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aioflows import QueryError

__all__ = ["StreamOffset"]


@attrs.frozen
class StreamOffset:
    """An offset of a stream.

    Args:
        ms: the first trigger time that was not read (ms since the epoch, whole seconds).
        query: the fingerprint of the query.
    """

    ms: int
    query: str

    def to_dict(self) -> dict[str, Any]:
        """Return the offset as Spark keeps it."""
        return {"ms": self.ms, "query": self.query}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], query: str) -> StreamOffset:
        """Return an offset that Spark kept.

        Args:
            kept: the offset.
            query: the fingerprint of the query of this stream.

        Raises:
            QueryError: the offset is not one of ours, or belongs to another query.
        """
        ms = kept.get("ms")
        if not isinstance(ms, int):
            raise QueryError("the checkpoint holds no offset of this source; give another checkpointLocation")
        if kept.get("query") != query:
            raise QueryError(
                "the checkpoint belongs to another query, whose rows differ in org_id, type, status, owner, expression "
                "or tasks. Give the options of that query, or another checkpointLocation to begin a new stream"
            )
        return cls(ms, query)
