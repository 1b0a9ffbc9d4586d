"""The offsets of a stream: how far it has read, and which query it reads.

An offset holds a trigger time. Everything before it was read. It also holds what Spark itself does not keep:

1. The fingerprint of the query, because a restarted stream may ask for something else.
2. The start of the stream. If a stream ends before its first batch is done, Spark keeps the end of that batch only, and
   asks the restarted stream for its start. That may be another one.
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
        start: the start of the stream (ms since the epoch, whole seconds).
    """

    ms: int
    query: str
    start: int

    def range_to(self, end: StreamOffset) -> tuple[int, int]:
        """Return the range of the batch from this offset to another one (ms since the epoch).

        A stream that has read nothing begins where its first batch was planned to begin.
        """
        return (end.start if self.ms == self.start else self.ms), end.ms

    def to_dict(self) -> dict[str, Any]:
        """Return the offset as Spark keeps it."""
        return {"ms": self.ms, "query": self.query, "start": self.start}

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any], query: str) -> StreamOffset:
        """Return an offset that Spark kept.

        Args:
            kept: the offset.
            query: the fingerprint of the query of this stream.

        Raises:
            QueryError: the offset is not one of ours, or belongs to another query.
        """
        ms, start = kept.get("ms"), kept.get("start")
        if not isinstance(ms, int) or not isinstance(start, int):
            raise QueryError("the checkpoint holds no offset of this source; give another checkpointLocation")
        if kept.get("query") != query:
            raise QueryError(
                "the checkpoint belongs to another query, whose rows differ in org_id, type, status, owner, expression "
                "or tasks. Give the options of that query, or another checkpointLocation to begin a new stream"
            )
        return cls(ms, query, start)
