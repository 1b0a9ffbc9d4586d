"""What a scan is going to do, and what it, or a follow, has done so far."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import attrs

from aioflows._display.html import facts
from aioflows.checkpoint import Remainder

__all__ = ["CountedWindow", "FollowStats", "Proof", "ScanPlan", "ScanStats"]


class Proof(enum.StrEnum):
    """How it is known that a window was read whole."""

    FIRST_PAGE = "first page"
    """A first page, sorted by trigger time, holds everything before the second of its last row."""
    SHORT_PAGE = "short page"
    """It held fewer rows than the service has been seen to return, or nothing followed."""
    EMPTY = "empty"
    """It was answered with nothing, more than once."""
    MILLISECONDS = "milliseconds"
    """A second with more rows than a page, read in pieces that a page holds."""
    COUNTED = "counted"
    """An instant with more rows than a page, read by page numbers; sure as long as these can be relied on."""
    SORTED = "sorted"
    """A window in the service's own order, read by page numbers that overlap; sure as long as nothing changes."""


@attrs.frozen
class CountedWindow:
    """A window whose rows could only be counted.

    Args:
        from_ms: its first *millisecond* since 1970-01-01 UTC.
        to_ms: the first millisecond behind it.
        rows: how *many* it held.
    """

    from_ms: int
    to_ms: int
    rows: int


@attrs.frozen(kw_only=True)
class ScanPlan:
    """What is left of a scan.

    Args:
        from_ms: the query's first *millisecond* since 1970-01-01 UTC.
        to_ms: the first millisecond behind it.
        order_by: the query's *order*.
        page_size: *rows* a request.
        windows: the windows of which not all was handed out, each of one *schedule type*.
        fewest_requests: *requests* without which these cannot be read, as far as is known. Before the first answer that
            is one for each window, since nothing tells how many rows there are.
    """

    from_ms: int
    to_ms: int
    order_by: str | Sequence[str] | None
    page_size: int
    windows: tuple[Remainder, ...]
    fewest_requests: int


@attrs.frozen
class ScanStats:
    """The account of a scan, as of the moment it was asked for.

    Args:
        requests: *searches* sent, every attempt counted.
        retries: *attempts* that were sent again.
        throttled: *answers* that said "too many requests".
        rows_received: *rows* in all answers.
        rows_yielded: *rows* handed to the consumer.
        duplicates: *rows* that came again and were dropped (the second that ends a page is always read again).
        windows: *time windows* that were proven complete.
        elapsed: *seconds* since the scan's first request.
        waited: *seconds* that its requests have waited before they were sent again, added up.
        proofs: how *many* of these windows were proven in which way.
        counted: the windows in which rows could only be *counted*, earliest first.
        time_zone: the *zone* that the service's times were read in; None: not known yet.
        page_cap: *rows* that the service was found to give at most, though more were asked for; None: no cap was found.
        first_page: the *number* of the service's first page; None: not known yet.
        rate: *requests per second* that the service was found to bear; None: it has not complained of too many.
        undated: windows in *milliseconds* since 1970 whose rows may be dated too late or too early: clocks were put back there,
            and the service cannot tell the two passes of that hour apart.
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

    def _repr_html_(self) -> str:
        return facts("ScanStats", attrs.asdict(self, recurse=False).items())


@attrs.frozen
class FollowStats:
    """The account of a follow, as of the moment it was asked for.

    Args:
        polls: how *often* it has looked.
        rows_received: *rows* that its scans have brought.
        rows_yielded: *rows* handed to the consumer.
        known: *instances* that it remembers.
        watched: how many of these are not finished, and watched.
        given_up: *instances* that were watched for as long as was asked for, and have not finished.
        settled_ms: the moment, in *milliseconds* since 1970-01-01 UTC, before which nothing appears any more; None: not
            known yet.
        wait: the *seconds* to the next poll.
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
