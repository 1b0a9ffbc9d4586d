"""What one scan was shown: for one schedule type and one filter, in the answers of this scan alone.

A session outlives changes of the service, and a service may cap its pages by type, by filter, by the bytes of an answer
or by the rights of who asks. So what was learnt from other answers (`ServiceFacts`) chooses what to ask, and only what is
noted here decides that something is complete:

1. A page with fewer rows than others of this scan may be the last, as long as no such page was seen to be cut short. It is believed only where nothing can witness the end, which is inside one second (`dense`, `split`).
2. A service may answer about no more than some stretch at the end, or at the start, of a long range. It was seen to look
   as far back from the end of a window as the first row of an answer lies, and as far ahead from its start as the last
   row lies. A window no wider than that is not cut in this way, so that rows missing at its near end are missing indeed.
"""

from __future__ import annotations

from aioflows._core.pages.reading import OrderedPage, PageRequest
from aioflows._core.pages.service_facts import NARROW, ServiceFacts

__all__ = ["ScanEvidence"]

_ALIKE = 2
"""Different pages with as many rows, fewer than were asked for, from which that number is taken for a cap."""


_NO_LIMIT = 10
"""Rows: no service is reckoned with whose page numbers reach less deep, where one page has had as many."""


class ScanEvidence:
    """The facts of one scan.

    Args:
        service: what the session has learnt of the service, for what is only a guess.
    """

    def __init__(self, service: ServiceFacts) -> None:
        self._service = service
        self._most: dict[int, int] = {}
        self._alike: dict[int, set[str]] = {}
        self._back = self._ahead = NARROW
        self.cut_short = False
        """Whether a page was seen that had fewer rows than others, and was not the last all the same."""
        self.deepest = 0
        """The most rows into a result at which a page by its number has begun, and one more. How many rows that page had says
        nothing: a service may limit where pages begin."""
        self.cuts = False
        """Whether a narrower question has shown rows that a wider one had left out."""
        self.rows = 0
        """Rows in all answers."""
        # Page 0 cannot be a second page.
        self.numbered = service.told or service.first_page != 1
        """Whether the pages that are asked for were seen to be first pages, or are known to be."""

    def note(self, ask: PageRequest, reading: OrderedPage) -> None:
        """Note a page of trigger times."""
        self.note_size(ask.page_size, len(reading), reading.ids[0])
        self._back = max(self._back, ask.until - reading.first * 1000)
        self._ahead = max(self._ahead, reading.last * 1000 + 1000 - ask.first)
        self._service.looked_back = max(self._service.looked_back, self._back)
        self._service.looked_ahead = max(self._service.looked_ahead, self._ahead)

    def note_size(self, size: int, rows: int, first: str = "") -> None:
        """Note that a page of *size* rows was answered with so many, of which the first has the id *first*."""
        self.rows += rows
        most = self._most.get(size, 0)
        if rows > most:
            self._most[size], self._alike[size] = rows, {first}
        elif rows == most:
            self._alike[size].add(first)

    def shown(self, width: int) -> None:
        """Note that windows of so many milliseconds were seen to be answered about from end to end."""
        self._back, self._ahead = max(self._back, width), max(self._ahead, width)

    @property
    def seen(self) -> int:
        """The milliseconds of a window that answers of this scan were seen to be about, from either end."""
        return min(self._back, self._ahead)

    def most(self, size: int) -> int:
        """Return the most rows that a page of *size*, or of fewer rows, has brought in this scan."""
        return max((rows for asked, rows in self._most.items() if asked <= size), default=0)

    def full(self, size: int) -> int:
        """Return the rows to expect of a full page, by the pages of this scan if it has had any."""
        return self.most(size) or self._service.full(size)

    def reaches(self, rows: int) -> bool:
        """Return True if page numbers are known to reach behind so many rows; a few rows that one page has had are no limit."""
        few = min(_NO_LIMIT, max(self._most.values(), default=0))
        return rows < max(self.deepest, few)

    def answered(self, size: int) -> bool:
        """Return True if a page of so many rows, or of more, was answered with rows in this scan."""
        return any(asked >= size for asked in self._most)

    def ends_short(self, size: int, rows: int) -> bool:
        """Return True if an answer of so many rows may be taken for all there is, where no row can witness that.

        That is so where a page was full, or where several had the same number of rows, and none had more: a cap by the
        bytes of an answer, or rows that are left out for want of rights, give another number each time.
        """
        return not self.cut_short and any(
            rows < most and asked <= size and (most == asked or len(self._alike[asked]) >= _ALIKE)
            for asked, most in self._most.items()
        )

    def sees(self, width: int, *, backward: bool) -> bool:
        """Return True if a window of this width (ms) is not cut at its near end.

        Args:
            width: milliseconds that were asked about.
            backward: the near end is the window's end, since the page was sorted against scan time.
        """
        return width <= (self._ahead if backward else self._back)
