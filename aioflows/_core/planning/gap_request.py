"""The request for a gap: its window, its page size, and its number of attempts.

`request_choice` decides which gap is requested, and from which end.
"""

from __future__ import annotations

from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import SMALL_PAGE, ServiceFacts, larger
from aioflows._core.planning.gaps import Anchor, Gap, Gaps

__all__ = ["ask_for"]

_SECOND = 1000  # milliseconds

_READS, _READS_OF_A_TRIAL = 4, 2
"""Attempts at a page that cannot be read, before a smaller page is requested.

The first attempt is followed by three after waits, since a failing gateway returns unreadable pages for some
seconds. Fewer attempts are made where the page size itself is being tested.
"""


def ask_for(
    gap: Gap, *, backward: bool, gaps: Gaps, service: ServiceFacts, axis: Direction, usual: int, pinned: bool
) -> PageRequest:
    """Return the request for one end of a gap.

    Args:
        gap: the gap to request.
        backward: True for the end of the gap, False for its start.
        gaps: all gaps.
        service: the facts about the service that the session knows.
        axis: the direction of the scan.
        usual: the usual page size (rows).
        pinned: True if rows have shown that the time zone is right.
    """
    first, until, backward = _window(gap, gaps, service, backward=backward, pinned=pinned)
    size = _size(gap, service, usual, until=until, backward=backward)
    if until - first <= _SECOND and size <= usual and not _filled(gap.start.anchor, service.answered(size)):
        size = service.answered(size)  # one second with few rows does not show whether a size is too large
    return PageRequest(
        first,
        until,
        axis,
        page_size=size,
        backward=backward,
        page_no=service.first_page or 0,
        tries=_tries(service, size, until - first, beyond=until > gap.until),
        reads=_reads(service, size, usual),
    )


def _filled(anchor: Anchor | None, size: int) -> bool:
    """Return True if a page of this size was full when the second was requested alone."""
    return anchor is not None and anchor.rows >= size and anchor.ask.until - anchor.ask.first <= _SECOND


def _reads(service: ServiceFacts, size: int, usual: int) -> int | None:
    """Return the number of attempts at a page that cannot be read.

    None means no limit: a smaller page is not possible, so the page size is not the cause.
    """
    if size <= 1:
        return None
    return _READS_OF_A_TRIAL if size > usual or service.unsure_of(size) else _READS


def _window(
    gap: Gap, gaps: Gaps, service: ServiceFacts, *, backward: bool, pinned: bool
) -> tuple[int, int, bool]:
    """Return the window of a request, and True if it is read against scan time.

    If a row is known beside the gap, the window includes it. The answer must then contain this row. So it
    proves that the answer covers the gap up to its end, without another request.
    """
    widest = service.reach
    before = None if gap.start.known is None else gap.start.known * 1000
    behind = None if gap.end.known is None else gap.end.known * 1000 + 1000
    # If only the row order supports an end of the gap, the window stops there.
    if before is not None and not gap.empty_answers and gaps.fenced(before + 1000, gap.first):
        before = None
    if behind is not None and not gap.empty_answers and gaps.fenced(gap.until, behind - 1000):
        behind = None
    anchor = gap.start.anchor
    if gap.closing:
        if behind is not None and behind - gap.first <= widest:
            if before is not None and anchor is None and behind - before <= widest:
                return before, behind, False
            return gap.first, behind, False
        if before is not None and gap.until - before <= widest:
            return before, gap.until, True
    elif not backward and anchor is not None and not (pinned or gap.start.page_size):
        return gap.first, min(gap.until, anchor.second * 1000 + 1000), False
    elif not backward and not gap.halvings:
        if behind is not None and behind - gap.first <= widest:
            return gap.first, behind, False
        return gap.first, gaps.reach(gap, gap.first + widest), False
    return gap.first, gap.until, backward


def _size(gap: Gap, service: ServiceFacts, usual: int, *, until: int, backward: bool) -> int:
    """Return the page size for a window that ends at *until*."""
    if gap.empty_answers and gap.isolated:
        return min(usual, SMALL_PAGE)  # a service may answer a page that is too large with no rows
    known = gap.end.known is not None and until > gap.end.known * 1000
    if gap.narrowed and gap.start.anchor is None and known:
        return min(usual, SMALL_PAGE)  # or with its last page: a small page shows where the rows begin
    size = gap.edge(backward).page_size
    if not size and (known or until <= gap.until) and gap.expected < usual / 2 and service.crowded(usual):
        # The larger page returns no more rows than a usual one, unless the window has another dense second.
        size = larger(usual)
    return size or usual


def _tries(service: ServiceFacts, size: int, width: int, *, beyond: bool) -> int | None:
    """Return the number of attempts at a window. None means as many as usual.

    One, while the first page number is unknown or the page size is being tested. Two, if the window can be
    made narrower: it is wider than all windows answered so far, or it reaches beyond its gap.
    """
    if service.first_page is None or service.unsure_of(size):
        return 1
    return 2 if beyond or width > service.reach else None
