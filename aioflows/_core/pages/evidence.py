"""Scan evidence: facts from the answers of one scan, for one schedule type and one filter.

A session outlives changes of the service. A service may also cap its pages by type, by filter, by the bytes
of an answer or by the rights of the user. So the facts of the session (`ServiceFacts`) only choose what to
request. The facts in this module decide whether a range is complete:

1. A page with fewer rows than other pages of this scan may be the last page, while no short page was seen to be
   cut short. A short page is believed only inside one second (`dense_second`, `id_partitions`), where no later
   row can prove the end.
2. A service may answer for only a part at the end, or at the start, of a long range. The first row of an
   answer shows how far the service looks back from the end of a window. The last row shows how far the service
   looks ahead from the start. A window of at most that width is not cut in this way. So rows that are missing
   at the near end of the window do not exist.

See docs/algorithms/keyset.md and docs/algorithms/empty-answers.md.
"""

from __future__ import annotations

from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import NARROW, ServiceFacts

__all__ = ["ScanEvidence"]

_EQUAL_PAGES = 2
"""Different pages with the same number of rows, fewer than requested, after which that number counts as a
cap."""


_MARGIN, _MORE_ROWS = 1.1, 3
"""The growth of an answer, as a factor and in rows, that another answer must have reached in bytes. The first
row that was left out may be wider than the rows that came."""

_NO_LIMIT = 10
"""The greatest depth (rows) that page numbers are assumed to reach if one page had as many rows."""


class ScanEvidence:
    """The facts of one scan.

    Args:
        service: facts of the session about the service, used only for guesses.
    """

    def __init__(self, service: ServiceFacts) -> None:
        self._service = service
        self._most: dict[int, int] = {}
        self._first_ids: dict[int, set[str]] = {}
        self._heaviest = 0
        self._back = self._ahead = NARROW
        self.cut_short = False
        """True after a page had fewer rows than others although it was not the last."""
        self.deepest = 0
        """The number of the deepest row at which a page started, counted from 1. Later rows of the page do not
        count, because a service may limit where pages start."""
        self.cuts = False
        """True after a narrower window showed rows that a wider one had left out."""
        self.rows = 0
        """Rows in all answers."""
        # A page 1 may be the second page of a service that now counts from 0.
        self.numbered = service.told or service.first_page != 1
        """True if the requested pages are known, or were seen, to be first pages."""

    def note(self, ask: PageRequest, reading: OrderedPage) -> None:
        """Note a page of trigger times."""
        self.note_size(ask.page_size, len(reading), reading.ids[0], reading.page.size)
        self._back = max(self._back, ask.until - reading.first * 1000)
        self._ahead = max(self._ahead, reading.last * 1000 + 1000 - ask.first)
        self._service.looked_back = max(self._service.looked_back, self._back)
        self._service.looked_ahead = max(self._service.looked_ahead, self._ahead)

    def note_size(self, size: int, rows: int, first: str = "", weight: int = 0) -> None:
        """Note the rows of a page.

        Args:
            size: page size that was requested (rows).
            rows: rows that came.
            first: id of the first row. Default: ``""``, which means unknown.
            weight: bytes of the answer. Default: 0, which means unknown.
        """
        self.rows += rows
        self._heaviest = max(self._heaviest, weight)
        most = self._most.get(size, 0)
        if rows > most:
            self._most[size], self._first_ids[size] = rows, {first}
        elif rows == most:
            self._first_ids[size].add(first)

    def shown(self, width: int) -> None:
        """Note that the service answers for all of a window of this width (ms)."""
        self._back, self._ahead = max(self._back, width), max(self._ahead, width)

    @property
    def seen(self) -> int:
        """The width of a window (ms) that answers of this scan were seen to cover from either end."""
        return min(self._back, self._ahead)

    def most(self, size: int) -> int:
        """Return the most rows that a page of at most *size* rows had in this scan."""
        return max((rows for asked, rows in self._most.items() if asked <= size), default=0)

    def full(self, size: int) -> int:
        """Return the expected rows of a full page: from this scan if it had pages, else from the session."""
        return self.most(size) or self._service.full(size)

    def reaches(self, rows: int) -> bool:
        """Return True if page numbers are known to reach deeper than *rows*.

        The rows of a single page, up to `_NO_LIMIT`, are always within reach.
        """
        few = min(_NO_LIMIT, max(self._most.values(), default=0))
        return rows < max(self.deepest, few)

    def answered(self, size: int) -> bool:
        """Return True if a page of at least *size* rows was answered with rows in this scan."""
        return any(asked >= size for asked in self._most)

    def light(self, rows: int, weight: int) -> bool:
        """Return True if a cap by bytes did not cut this page.

        Another page of this scan must have had at least the bytes that this page would have with further rows.

        Args:
            rows: rows of the page.
            weight: bytes of the answer. 0 means unknown.
        """
        growth = max(_MARGIN, 1 + min(_MORE_ROWS, rows) / rows)
        return not self._heaviest or weight * growth <= self._heaviest

    def ends_short(self, size: int, rows: int, weight: int = 0) -> bool:
        """Return True if an answer of *rows* rows may be complete although no later row proves it.

        One earlier page must have been full, or two pages must have had the same number of rows and none more.
        A cap by bytes, or rows left out for missing rights, would lead to different numbers. Two more facts are
        required:

        1. A page at least as large had more rows. Otherwise the service may answer a page that is too large
           with a page of a smaller default size.
        2. The page is `light`. Its rows may be wider than the rows of earlier pages.
        """
        return (
            not self.cut_short
            and any(rows < most for asked, most in self._most.items() if asked >= size)
            and any(
                rows < most
                and asked <= size
                and (most == asked or len(self._first_ids[asked]) >= _EQUAL_PAGES)
                for asked, most in self._most.items()
            )
            and self.light(rows, weight)
        )

    def sees(self, width: int, *, backward: bool) -> bool:
        """Return True if a window of this width (ms) is not cut at its near end.

        Args:
            width: width of the window (ms).
            backward: True if the near end is the window's end, because the page is sorted against scan time.
        """
        return width <= (self._ahead if backward else self._back)
