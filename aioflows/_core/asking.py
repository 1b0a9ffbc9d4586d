"""How a gap is asked for: by which window, for how many rows, and how often before it is said that the service fails.

Which gap, and from which end, is decided elsewhere (`schedule`).
"""

from __future__ import annotations

from aioflows._core.pages import Ask, Axis
from aioflows._core.plan import Gap, Gaps
from aioflows._core.service import Service, larger

__all__ = ["ask_for"]


def ask_for(gap: Gap, *, backward: bool, gaps: Gaps, service: Service, axis: Axis, usual: int) -> Ask:
    """Make the request for an end of a gap.

    Args:
        gap: what to ask *for*.
        backward: whether its end is meant rather than its start.
        gaps: all *gaps*.
        service: what the session knows of the service.
        axis: the direction of the scan.
        usual: *rows* of a usual request.
    """
    first, until, backward = _window(gap, gaps, service, backward=backward)
    return Ask(
        first,
        until,
        axis,
        page_size=_size(gap, service, usual, until=until, backward=backward),
        backward=backward,
        page_no=service.first_page or 0,
        tries=_tries(service, until - first, beyond=until > gap.until),
    )


def _window(gap: Gap, gaps: Gaps, service: Service, *, backward: bool) -> tuple[int, int, bool]:
    """Choose the window, and whether it is read against scan time."""
    if gap.short or gap.looks:
        # A row beside the gap is read again, so that the proof does not lean on an empty answer.
        beside = gap.beside(service.reach)
        if beside is not None and (beside[2] or gap.looks):
            return beside
    elif not backward and gap.left is not None and not (service.zone_pinned or gap.forward_size):
        return gap.first, min(gap.until, gap.left.second * 1000 + 1000), False
    elif not backward and not gap.halvings:
        return gap.first, gaps.reach(gap, gap.first + service.reach), False
    return gap.first, gap.until, backward


def _size(gap: Gap, service: Service, usual: int, *, until: int, backward: bool) -> int:
    """Choose how many rows to ask for by a window that ends at *until*."""
    size = gap.backward_size if backward else gap.forward_size
    if not size and until <= gap.until and gap.expected < usual / 2 and service.crowded(usual):
        # It brings no more than a usual page would, unless here is one more of the seconds that none holds.
        size = larger(usual)
    return size or usual


def _tries(service: Service, width: int, *, beyond: bool) -> int | None:
    """Try a window twice that can be made narrower: wider than any the service has answered, or beyond its gap."""
    if service.first_page is None:
        return 1
    return 2 if beyond or width > service.reach else None
