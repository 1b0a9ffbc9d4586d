"""What a board shows, how often it asks, and where it keeps its checkpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from aioflows._sealed import digest
from aioflows.errors import QueryError
from aioflows.query import FlowQuery

__all__ = ["BoardSettings"]

_MINUTE = 60_000
_BINS = [step * _MINUTE for step in (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440)]
_MOST_BINS = 144
_LONGEST = timedelta(days=31)


def _span(value: object) -> timedelta:
    if not isinstance(value, timedelta) or not timedelta(minutes=10) <= value <= _LONGEST:
        shown = value if isinstance(value, timedelta) else repr(value)
        raise QueryError(f"last must be a timedelta from 10 minutes to 31 days, not {shown}")
    return value


def _positive(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if not isinstance(value, timedelta) or value <= timedelta():
        raise QueryError(f"{attribute.name} must be a timedelta above 0, not {value!r}")


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value)


def _selection(value: FlowQuery | None) -> FlowQuery:
    query = FlowQuery(0, 0) if value is None else value
    if not isinstance(query, FlowQuery):
        raise QueryError(f"query must be a FlowQuery, not {query!r:.200}")
    if query.status:
        raise QueryError("a board shows the instances of every status; leave status= out")
    return query


@attrs.frozen(kw_only=True)
class BoardSettings:
    """The settings of a board.

    Args:
        last: how far back the board looks.
        query: its type, owner and expression select the instances. Its range and its order are not used.
        late: the longest time from a trigger time to the start that is not late.
        min_wait: the shortest wait between two polls.
        max_wait: the longest wait between two polls.
        checkpoint: the file of the checkpoint. None means that there is none.
        title: the name of the service on the page.
        token: the first part of each path. "" means that none is asked for.
        hosts: the names that a request may have as its ``Host``. None means all.
    """

    last: timedelta = attrs.field(default=timedelta(hours=24), converter=_span)
    query: FlowQuery = attrs.field(default=None, converter=_selection)
    late: timedelta = attrs.field(default=timedelta(minutes=10), validator=_positive)
    min_wait: timedelta = attrs.field(default=timedelta(seconds=2), validator=_positive)
    max_wait: timedelta = attrs.field(default=timedelta(seconds=10), validator=_positive)
    checkpoint: Path | None = attrs.field(default=None, converter=_path)
    title: str = ""
    token: str = attrs.field(default="", repr=False)
    hosts: Sequence[str] | None = None

    @property
    def bin_ms(self) -> int:
        """The length of a bin of the grid (ms)."""
        fitting = (size for size in _BINS if self.span_ms <= size * _MOST_BINS)
        return next(fitting, _BINS[-1])

    @property
    def span_ms(self) -> int:
        """The time that the board shows (ms)."""
        return self.last // timedelta(milliseconds=1)

    def range(self, from_ms: int, to_ms: int) -> FlowQuery:
        """Return the query of a range (ms since the epoch), the latest trigger time first."""
        return attrs.evolve(
            self.query, from_trigger_time=from_ms, to_trigger_time=to_ms, order_by="-trigger_time"
        )

    @property
    def fingerprint(self) -> str:
        """A text that two boards share if they show the same."""
        query = self.query
        return digest([self.title, self.span_ms, query.type, query.owner, query.expression])
