"""How a gap is asked for: by which window, for how many rows, and how often before it is said that the service fails.

Which gap, and from which end, is decided elsewhere (`schedule`).
"""

from __future__ import annotations

from aioflows._core.pages.reading import Direction, PageRequest
from aioflows._core.pages.service_facts import SMALL_PAGE, ServiceFacts, larger
from aioflows._core.planning.gaps import Gap, Gaps

__all__ = ["ask_for"]

_SECOND = 1000  # milliseconds

_READS, _READS_OF_A_TRIAL = 4, 2
"""Attempts at a page that cannot be read, before a smaller one is asked for: the first and three after waits, since a gateway that
hiccups answers so for some seconds; fewer where it is the size that is being found out."""


def ask_for(
    gap: Gap, *, backward: bool, gaps: Gaps, service: ServiceFacts, axis: Direction, usual: int, pinned: bool
) -> PageRequest:
    """Make the request for an end of a gap.

    Args:
        gap: what to ask *for*.
        backward: whether its end is meant rather than its start.
        gaps: all *gaps*.
        service: what the session knows of the service.
        axis: the direction of the scan.
        usual: *rows* of a usual request.
        pinned: whether the zone was shown to be right.
    """
    first, until, backward = _window(gap, gaps, service, backward=backward, pinned=pinned)
    size = _size(gap, service, usual, until=until, backward=backward)
    if until - first <= _SECOND and size <= usual:
        size = service.answered(
            size
        )  # a few rows are all there is, so they do not tell whether the page is too large
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


def _reads(service: ServiceFacts, size: int, usual: int) -> int | None:
    """Return the attempts at a page that cannot be read; where no page is smaller, it is not the size."""
    if size <= 1:
        return None
    return _READS_OF_A_TRIAL if size > usual or service.unsure_of(size) else _READS


def _window(
    gap: Gap, gaps: Gaps, service: ServiceFacts, *, backward: bool, pinned: bool
) -> tuple[int, int, bool]:
    """Choose the window, and whether it is read against scan time.

    Where a row is known beside the gap, the window reaches over it: the row has to come along, and so it proves that the
    answer reaches to the end of the gap, at no further request.
    """
    widest = service.reach
    behind = None if gap.beyond is None else gap.beyond * 1000 + 1000
    witness = gap.witness
    if gap.beyond is not None and not gap.looks and gaps.fenced(gap.until, gap.beyond * 1000):
        behind = None  # only the service's order speaks for that end, so it is asked about without what lies behind it
    if gap.witness is not None and not gap.looks and gaps.fenced(gap.witness * 1000 + 1000, gap.first):
        witness = None
    if gap.closing:
        if behind is not None and behind - gap.first <= widest:
            before = None if witness is None or gap.left is not None else witness * 1000
            first = gap.first if before is None or behind - before > widest else before
            return first, behind, False
        if witness is not None and gap.until - witness * 1000 <= widest:
            return witness * 1000, gap.until, True
    elif not backward and gap.left is not None and not (pinned or gap.forward_size):
        return gap.first, min(gap.until, gap.left.second * 1000 + 1000), False
    elif not backward and not gap.halvings:
        if behind is not None and behind - gap.first <= widest:
            return gap.first, behind, False
        return gap.first, gaps.reach(gap, gap.first + widest), False
    return gap.first, gap.until, backward


def _size(gap: Gap, service: ServiceFacts, usual: int, *, until: int, backward: bool) -> int:
    """Choose how many rows to ask for by a window that ends at *until*."""
    if gap.looks and gap.witness is None and gap.beyond is None:
        return min(usual, SMALL_PAGE)  # a service may answer a page that is too large for it with nothing
    if gap.narrowed and gap.left is None and gap.beyond is not None and until > gap.beyond * 1000:
        return min(usual, SMALL_PAGE)  # or with its last page, so that the first row tells more
    size = gap.backward_size if backward else gap.forward_size
    known = gap.beyond is not None and until > gap.beyond * 1000
    if not size and (known or until <= gap.until) and gap.expected < usual / 2 and service.crowded(usual):
        # It brings no more than a usual page would, unless here is one more of the seconds that none holds.
        size = larger(usual)
    return size or usual


def _tries(service: ServiceFacts, size: int, width: int, *, beyond: bool) -> int | None:
    """Try a window twice that can be made narrower: wider than any the service has answered, or beyond its gap."""
    if service.first_page is None or service.unsure_of(size):
        return 1
    return 2 if beyond or width > service.reach else None
