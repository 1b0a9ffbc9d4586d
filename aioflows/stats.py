"""The plan of a scan, and the statistics of scans and follows."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aioflows._display.html import facts
from aioflows.checkpoint import Remainder

__all__ = ["CountedWindow", "FollowStats", "Proof", "ScanPlan", "ScanStats"]


class Proof(enum.StrEnum):
    """The proof that a window was read completely."""

    FIRST_PAGE = "first page"
    """A first page, sorted by trigger time, holds everything before the second of its last row."""
    SHORT_PAGE = "short page"
    """The page was shorter than pages this service has returned before, or an empty page followed."""
    EMPTY = "empty"
    """The window was answered with an empty page more than once."""
    MILLISECONDS = "milliseconds"
    """A second with more rows than a page was read in milliseconds that a page holds."""
    COUNTED = "counted"
    """An instant with more rows than a page was read by page numbers.

    The proof holds if page numbers are reliable.
    """
    SORTED = "sorted"
    """A window in the service's own order was read by overlapping pages.

    The proof holds if no row changes.
    """


@attrs.frozen
class CountedWindow:
    """A window that was read by page numbers, with a count of its rows as the only proof.

    Args:
        from_ms: the first millisecond of the window since 1970-01-01 UTC.
        to_ms: the first millisecond after the window.
        rows: the number of its rows.
    """

    from_ms: int
    to_ms: int
    rows: int


@attrs.frozen(kw_only=True)
class ScanPlan:
    """The remaining work of a scan.

    Args:
        from_ms: the first millisecond of the query since 1970-01-01 UTC.
        to_ms: the first millisecond after the query's range.
        order_by: the order of the query.
        page_size: the number of rows per request.
        windows: the windows whose rows were not all handed out, each of one schedule type.
        fewest_requests: the least number of requests for these windows, as far as is known. Before the first
            answer it is one for each window, because the number of rows is unknown.
    """

    from_ms: int
    to_ms: int
    order_by: str | Sequence[str] | None
    page_size: int
    windows: tuple[Remainder, ...]
    fewest_requests: int


@attrs.frozen
class ScanStats:
    """The statistics of a scan at one moment.

    Args:
        requests: the number of searches sent. Every attempt counts.
        retries: the number of attempts after the first of their request.
        throttled: the number of answers that said "too many requests".
        rows_received: the number of rows in all answers.
        rows_yielded: the number of rows handed to the consumer.
        duplicates: the number of rows that were received again and dropped. The last second of a page is
            always read again.
        windows: the number of time windows proven complete.
        elapsed: the time since the scan began (seconds).
        waited: the time that requests waited before a retry, added up (seconds).
        proofs: the number of windows for each kind of proof.
        counted: the windows whose rows were only counted, earliest first.
        time_zone: the zone that the service's times were read in. None means not known yet.
        page_cap: the largest number of rows the service returned when it was asked for more. None means that
            no cap was found.
        first_page: the number of the service's first page, 0 or 1. None means not known yet.
        rate: the rate that the service was found to accept (requests per second). None means that the service
            has not refused requests for being too many.
        undated: windows (milliseconds since 1970) whose rows may be dated too late or too early. Clocks were
            put back there, and the service cannot distinguish the two passes of that hour.
        other_clocks: the clocks of ``start_time``, ``end_time`` and ``timestamp``, by field, if the service
            prints them in another zone than trigger times. They were found out from the rows, or given.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    rows_received: int = 0
    rows_yielded: int = 0
    duplicates: int = 0
    windows: int = 0
    elapsed: float = 0.0
    waited: float = 0.0
    proofs: Mapping[Proof, int] = attrs.field(factory=dict)
    counted: tuple[CountedWindow, ...] = ()
    time_zone: str | None = None
    page_cap: int | None = None
    first_page: int | None = None
    rate: float | None = None
    undated: tuple[tuple[int, int], ...] = ()
    other_clocks: Mapping[str, str] = attrs.field(factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the statistics as a dictionary of JSON values, under the names of the attributes."""
        return attrs.asdict(self) | {
            "proofs": {proof.value: count for proof, count in self.proofs.items()},
            "counted": [attrs.asdict(window) for window in self.counted],
            "undated": [list(window) for window in self.undated],
        }

    def _repr_html_(self) -> str:
        return facts("ScanStats", attrs.asdict(self, recurse=False).items())


@attrs.frozen
class FollowStats:
    """The statistics of a follow at one moment.

    Args:
        polls: the number of polls.
        rows_received: the number of rows that its scans received.
        rows_yielded: the number of rows handed to the consumer.
        known: the number of instances that the follow remembers.
        watched: the number of remembered instances that are unfinished and watched.
        given_up: the number of instances that were still unfinished after the watch time.
        settled_ms: the moment before which no instance appears any more (milliseconds since 1970-01-01 UTC).
            None means not known yet.
        wait: the wait before the next poll (seconds).
    """

    polls: int = 0
    rows_received: int = 0
    rows_yielded: int = 0
    known: int = 0
    watched: int = 0
    given_up: int = 0
    settled_ms: int | None = None
    wait: float = 0.0

    def _repr_html_(self) -> str:
        return facts("FollowStats", attrs.asdict(self).items())
