"""Millisecond pieces: reads a dense second by windows that begin and end at its milliseconds.

1. Requests have milliseconds, so the second is cut until each piece fits on a page, which proves the piece.
2. The first cut is at the very start of the second, where schedulers fire.
3. One empty answer is not trusted, so an empty piece is requested again.
4. A row that comes in two pieces, or in none, shows a service that rounds bounds or includes both. Then
   pieces prove nothing, and all of the second is left to page numbers.
5. A single millisecond that is still too large is left to page numbers, with the pieces that its pages run on
   to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from aioflows._core.dense_second.instant import Instant
from aioflows._core.pages.empty_answer_policy import EMPTY_ANSWERS
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["MillisecondPieces"]


class MillisecondPieces:
    """The pieces of one second. If the service does not tell milliseconds apart, there are no pieces.

    Args:
        instant: the second, or the part of it to read.
        page_size: largest useful page size (rows).
        service: facts of the session about the service.
        evidence: facts of this scan.
        reader: reader of answers.
        known: ids of rows that were seen in the second.
        rows: rows of the second that were read so far. The rows of each piece are added.
    """

    def __init__(
        self,
        instant: Instant,
        page_size: int,
        service: ServiceFacts,
        evidence: ScanEvidence,
        reader: PageReader,
        known: Collection[str],
        rows: dict[str, tuple[Page, int]],
    ) -> None:
        self.dense_ms: int | None = None
        """The millisecond that has more rows than a page. None means that no such millisecond is known."""
        self._axis = instant.axis
        self._size = page_size
        self._service = service
        self._evidence = evidence
        self._reader = reader
        self._known = known
        self._rows = rows
        self._todo: list[tuple[int, int]] = []
        self._sent: PageRequest | None = None
        self._looks: Counter[tuple[int, int]] = Counter()
        self._narrowest: dict[str, tuple[int, int]] = {}
        """The narrowest piece in which each row was seen."""
        if service.milliseconds_help:
            self._cut(instant.first, instant.until)

    @property
    def done(self) -> bool:
        """True if no piece is left to read."""
        return not self._todo and self._sent is None

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the request for the next piece. A request that the caller does not take is not sent."""
        if self._sent is None and self._todo:
            first, until = self._todo.pop()
            self._sent = PageRequest(
                first, until, self._axis, page_size=self._size, page_no=self._service.first_page or 0
            )
            yield self._sent

    def received(self, ask: PageRequest, page: Page) -> bool:
        """Add an answer. Return False if page numbers must read on: from `dense_ms`, or all of the second.

        Raises:
            CompletenessError: the page is out of order, or a row lies outside the piece.
        """
        if ask is not self._sent:
            return True
        if page.ids:
            self._reader.read(ask, page)
            self._evidence.note_size(self._size, len(page.ids), page.ids[0], page.size)
        self._sent = None
        first, until, rows = ask.first, ask.until, len(page.ids)
        if not self._narrow(first, until, page):
            return self._give_up()
        if not rows and self._looks[first, until] + 1 < EMPTY_ANSWERS:
            self._looks[first, until] += 1
            self._todo.insert(0, (first, until))
        elif not rows or self._evidence.ends_short(self._size, rows, page.size):
            for row, name in enumerate(page.ids):
                self._rows.setdefault(name, (page, row))
            if not self._todo and not self._rows.keys() >= {*self._known}:
                return self._give_up()
        elif until - first > 1:
            self._cut(first, until)
        else:
            self._service.milliseconds_help = False
            self.dense_ms = first
            return False
        return True

    def drop(self, instant: Instant) -> None:
        """Drop the pieces that lie in an instant that was counted."""
        self._todo = [piece for piece in self._todo if not instant.first <= piece[0] < instant.until]

    def _narrow(self, first: int, until: int, page: Page) -> bool:
        """Note the narrowest piece of each row of a page. Return False if a row came in two separate pieces."""
        for name in page.ids:
            low, high = self._narrowest.get(name, (first, until))
            if until <= low or high <= first:
                return False
            self._narrowest[name] = (max(first, low), min(until, high))
        return True

    def _give_up(self) -> bool:
        self._service.milliseconds_help = False
        self._todo, self.dense_ms = [], None
        self._rows.clear()
        return False

    def _cut(self, first: int, until: int) -> None:
        start, end = self._axis.window(first, until)
        cut = start + 1 if start % 1000 == 0 and end - start > 2 else (start + end) // 2
        self._todo += sorted(self._axis.window(*piece) for piece in ((start, cut), (cut, end)))
