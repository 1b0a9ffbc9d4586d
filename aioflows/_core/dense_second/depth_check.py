"""The depth check: do page numbers reach rows behind the last row of the pages of a walk?

If pages end without a row of another second, the rows may continue although page numbers reach no deeper. A
row behind the same depth in a wider window shows that page numbers do reach deeper.

1. A service may answer a number that is too high with the first or the last page. So the row after the last
   row, the last row and the first row are requested, each as a page of one row. All must differ.
2. Three windows are tried: the stretch that the service is known to answer for at once, the range of the
   scan, and that range with a year on either side. After that, they are tried without the query's filters.
3. A service may leave out the row at the exact depth if the user may not see it. So a row a little deeper
   counts too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.empty_answer_policy import EMPTY_ANSWERS
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["DepthCheck"]

_MOST_SHIFTS = 8
"""How many rows deeper than the exact depth a row may be found."""

_YEAR = 366 * 86_400_000
"""The margin of the widest window on either side of the scan's range (ms)."""


class DepthCheck:
    """The check of one dense second.

    Args:
        instant: the second.
        service: facts of the session about the service.
        evidence: facts of this scan. `ScanEvidence.deepest` is raised to each depth that is shown.
        span: range of the scan, in scan time (ms).
    """

    def __init__(
        self, instant: Instant, service: ServiceFacts, evidence: ScanEvidence, span: tuple[int, int]
    ) -> None:
        self.sent: PageRequest | None = None
        """The request under way."""
        self._axis = instant.axis
        self._service = service
        self._evidence = evidence
        start = max(span[0], instant.first - service.reach // 2)
        near = start, min(span[1], start + service.reach)
        year = span[0] - _YEAR, span[1] + _YEAR
        self._windows = [
            (*window, bare) for bare in (False, True) for window in dict.fromkeys((near, span, year))
        ]
        """The windows that are left to try, each with True if filters are left out."""
        self._depth = self._shift = 0
        self._numbers: list[int] = []
        """The numbers of the pages to request for this depth."""
        self._found: list[str] = []
        """The ids of the rows that these pages have brought so far."""
        self._repeats: Counter[tuple[int, int]] = Counter()

    @property
    def exhausted(self) -> bool:
        """True if no window is left to try."""
        return not self._windows

    def wanted(self, depth: int) -> Iterator[PageRequest]:
        """Yield the next request, if one is due.

        Args:
            depth: the depth (rows) that page numbers must exceed. A check that has begun keeps its first depth.
        """
        if self.sent is None and self._windows:
            if not self._found:
                self._depth, self._numbers = depth, self._page_numbers(depth)
            first, until, bare = self._windows[0]
            number = self._numbers[len(self._found)]
            self.sent = PageRequest(first, until, self._axis, 1, page_no=number, tries=2, bare=bare)
            yield self.sent

    def received(self, page: Page | None) -> bool | None:
        """Add the answer to the request under way. None as *page* means that the request was refused.

        Return True if page numbers reach deeper, and False if this window does not show that. None means that
        the window needs another request.
        """
        self.sent = None
        name = page.ids[0] if page is not None and page.ids else None
        window = self._windows[0][:2]
        if name is None and self._service.false_empty_seen and self._repeats[window] + 1 < EMPTY_ANSWERS:
            self._repeats[window] += 1  # a service with false empty answers may return another
            return None
        if name is not None and name not in self._found:
            self._found.append(name)
            if len(self._found) < len(self._numbers):
                return None
        reached = len(self._found) == len(self._numbers)
        self._found.clear()
        if reached:
            self._evidence.deepest = max(self._evidence.deepest, self._depth + 1)
        elif self._shift < (_MOST_SHIFTS if self._evidence.cut_short else self._service.base is None):
            self._shift += 1
        else:
            del self._windows[0]
            self._shift = 0
        return reached

    def _page_numbers(self, depth: int) -> list[int]:
        """Return the numbers of the one-row pages: the row after the last, the last row and the first row.

        While page 0 may be another name for page 1, both pages are requested and must differ.
        """
        base = self._service.base
        if base is None and not self._shift:
            numbers = [depth, depth - 1, 1, 0]
        else:
            numbers = [depth + self._shift, depth - 1 + self._shift, self._shift]
        return [number + (base or 0) for number in dict.fromkeys(numbers)]
