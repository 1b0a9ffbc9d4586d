"""The request for a gap: its window, its page size, and its number of attempts.

`request_choice` decides which gap is requested, and from which end.
"""

from __future__ import annotations

from aioflows._core.pages.page_request import Direction, PageRequest
from aioflows._core.pages.service_facts import SMALL_PAGE, ServiceFacts, larger
from aioflows._core.planning.gaps import Anchor, Gap, Gaps

__all__ = ["ask_for"]

_SECOND = 1000  # ms, the resolution of trigger times in answers

_READS, _READS_OF_A_TRIAL = 4, 2
"""Attempts at a page that cannot be read, before a smaller page is requested.

A failing gateway returns unreadable pages for some seconds, so three of four attempts follow a wait. A page
size that is being tested gets two attempts.
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
        size = service.answered(size)  # one second with few rows cannot show whether a size is too large
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
    """Return True if a page of this size was full when the second of an anchor was requested alone."""
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

    If a row is known beside the gap, the window includes this row, and the answer must contain it. So one
    answer proves the gap up to its end.
    """
    widest = service.reach
    before = None if gap.start.known is None else gap.start.known * 1000
    behind = None if gap.end.known is None else gap.end.known * 1000 + 1000
    # The window stops at a fence: the offset changes, or only an untested order supports this end of the gap.
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
        return min(usual, SMALL_PAGE)  # or with the last page: a small page shows where the rows begin
    size = gap.edge(backward).page_size
    if not size and (known or until <= gap.until) and gap.expected < usual / 2 and service.crowded(usual):
        # With few rows expected, a larger page costs nothing, and saves a request if a second is dense.
        size = larger(usual)
    return size or usual


def _tries(service: ServiceFacts, size: int, width: int, *, beyond: bool) -> int | None:
    """Return the number of attempts at a window. None means as many as usual.

    One attempt, while the first page number is unknown or the page size is being tested. Two attempts, if the
    window can be made narrower: if no window as wide was answered, or if the window reaches beyond its gap.
    """
    if service.first_page is None or service.unsure_of(size):
        return 1
    return 2 if beyond or width > service.reach else None
