"""Repeated passes: reads an instant again and again where pages do not join.

Some services return ties in another order in every answer, and rows may change meanwhile. So no single pass
over the pages proves anything.

1. Each pass is another look at the same rows. Passes are repeated until a lasting row is very unlikely to
   have been overlooked in all of them (`sightings`):

       rows in a pass x (share overlooked) ** passes  <  `_MOST_UNSEEN`

2. The passes must be independent. A database may break ties by the page that is requested, in the same way
   each time. Then all passes bring the same rows and miss the same rows. So an instant is not complete while
   fewer rows are known than a pass with an end has counted (`census`). After `_WITHOUT_NEW` incomplete passes
   without a new row, the passes have failed.
3. If no other way is left, the page size changes from pass to pass (*varied*). Pages then start at other rows
   in each pass, so the next pass may find a row that one pass misses. While rows are missing, pages shrink.
   The smallest page has one row.
4. All pages of a pass have the same size, and page numbers begin with the first page that is answered. So a
   page 1 that is page 0 again loses no row.

See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from aioflows._core.dense_second.census import Census
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_pass import PagePass, uneven
from aioflows._core.dense_second.sightings import Sightings
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.page import NOTHING, Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["RepeatedPasses"]

_MOST_UNSEEN = 1e-6
"""The expected number of overlooked rows below which an instant counts as complete."""

_MOST = 60
"""The number of passes after which the reading fails."""

_MOST_VARIED = 120
"""As `_MOST`, if the page size changes from pass to pass."""

_STEP = 16
"""The page size divided by this number is the step to the next, smaller size."""

_SHRINK = 4
"""The factor by which pages may shrink if ties are mixed by chance."""

_MOST_WITHOUT_END = 4
"""Consecutive passes without an end, after which page numbers count as not reaching that deep."""

_WITHOUT_NEW = 3
"""Consecutive passes without a new row, after which no further pass is expected to bring one."""

_WITHOUT_NEW_BASE_UNKNOWN = 8
"""As `_WITHOUT_NEW`, if page 0 may be another name for page 1. More passes must show that ties change."""

_CHANCE = 1e-6
"""If ties are mixed by chance: the probability of overlooking a row below which passes have failed."""

_MOST_FOR_BASE = 6
"""The most passes with other page sizes to find out whether page 0 is another name for page 1. Rows that change
may make every count differ, so the question may stay open."""

_MOST_ROWS, _MOST_ROWS_ALIKE = 16, 4
"""The most rows on the pages of one pass, as a multiple of the known rows. The second limit holds while the
pages of the pass are few or alike."""

_AT_ONCE = 3
"""The most passes at once. One pass has only a few pages, and would leave slots idle."""


class RepeatedPasses:
    """Repeated passes over the pages of one instant.

    Args:
        instant: instant to read.
        most: largest page size (rows): the rows of a full page.
        service: facts of the session about the service.
        evidence: facts of this scan.
        varied: True to change the page size from pass to pass. Default: False.
        rows: rows that were seen in other ways. Default: None, which means no rows.
    """

    def __init__(
        self,
        instant: Instant,
        most: int,
        service: ServiceFacts,
        evidence: ScanEvidence,
        *,
        varied: bool = False,
        rows: Mapping[str, tuple[Page, int]] | None = None,
    ) -> None:
        self._instant = instant
        self.size = most
        """The largest page size (rows)."""
        self.varied = varied
        self._service = service
        self._evidence = evidence
        self._first = service.base if service.base is not None else service.first_page or 0
        self.rows: dict[str, tuple[Page, int]] = dict(rows or {})
        # A service that has returned a false empty answer may return another. So with pages of one row, one
        # empty page is not an end.
        self._cut_short = evidence.cut_short or (most == 1 and service.false_empty_seen)
        self._open: list[PagePass] = [PagePass(most, cut_short=self._cut_short)]
        self._sent: dict[PageRequest, tuple[PagePass, int]] = {}
        self._sightings = Sightings()
        self._census = Census(base_known=service.base is not None)
        self.passes = self._without_end = self._for_base = 0
        """The number of passes so far, of the last passes without an end, and of passes added for the base."""
        self._rows_of_last = self.depth = 0
        """The rows of the last pass, and its depth (rows). If pages lack rows, the depth is greater."""
        self._incomplete = False
        """True if fewer rows are known than the passes counted."""
        self._one_row_tried = False
        """True if pages of one row have left rows missing."""
        self._reached = False
        """True if a row of another second ended a pass."""
        self.done = self.failed = False

    @property
    def ended(self) -> bool:
        """True if a pass has come to an end."""
        return self._sightings.passes > 0

    @property
    def count(self) -> int:
        """The number of rows that the passes counted. Fewer may be known."""
        return self._census.least(mixed=self._sightings.mixed > 0)

    @property
    def clean(self) -> bool:
        """True if the passes are done, and no row lies behind the last page.

        One of three facts must hold: a row of another second was reached, or page numbers are known to reach
        deeper, or ties are mixed so well that rows behind the last page would have come up.
        """
        deeper = self._evidence.reaches(self.depth)
        return self.done and (self._reached or deeper or self._sightings.well_mixed)

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        while not (self.done or self.failed):
            far = next((one for one in self._open if one.next_far is not None), None)
            if far is not None:
                far.far_number = far.next_far
                assert far.far_number is not None
                ask = attrs.evolve(self._instant.ask(self._first + far.far_number, far.size), tries=2)
                self._sent[ask] = (far, far.far_number)
                yield ask
                continue
            current = next((one for one in self._open if one.wants_another), None)
            if current is None:
                return
            ask = self._instant.ask(self._first + current.asked, current.size)
            self._sent[ask] = (current, current.asked)
            current.asked += 1
            if current.asked == current.at_once and len(self._open) < _AT_ONCE:
                self._open.append(self._pass_beside(current))
            yield ask

    def received(self, ask: PageRequest, shown: InstantPage) -> None:
        """Add a page, and use the passes that it completes."""
        found = self._sent.pop(ask, None)
        if found is None or self.done or self.failed:
            return
        current, number = found
        current.add(number, shown)
        for row, name in enumerate(shown.ids):
            self.rows.setdefault(name, (shown.page, row))
        pages = len(current.pages)
        alike = pages < _MOST_ROWS or len(current.contents) < _MOST_ROWS_ALIKE
        times = _MOST_ROWS_ALIKE if alike else _MOST_ROWS
        if pages * current.size > times * len(self.rows) + 8 * current.size:
            self.failed = True  # the service returns the same rows for every page number
        while self._open and self._open[0].done and not (self.done or self.failed):
            self._use(self._open.pop(0))

    def refused(self, ask: PageRequest) -> bool:
        """Note that a page was refused. Return True if it was far behind a run (`PagePass.far_number`)."""
        current, number = self._sent.get(ask, (None, 0))
        if current is None or number != current.far_number:
            return False
        self.received(ask, InstantPage(NOTHING, (), beyond=False))
        return True

    # Next pass, and use of passes that are done

    def _pass_beside(self, current: PagePass) -> PagePass:
        """Return a pass to begin beside one whose expected pages were all requested."""
        if not self.varied:
            return PagePass(current.size, current.at_once, self._cut_short)
        size = self._next_size(self._rows_of_last, current.size)
        return PagePass(size, self._rows_of_last // size + 1, self._cut_short)

    def _pass_after(self, past: PagePass) -> PagePass:
        """Return the pass to begin after another one."""
        rows = past.rows
        size = self._next_size(rows, past.size) if self.varied else past.size
        at_once = (past.end or 0) + 1 if size == past.size else rows // size + 1
        return PagePass(size, at_once, self._cut_short)

    def _next_size(self, rows: int, size: int) -> int:
        """Return the page size of the next pass over *rows* rows: a smaller size, or the largest again."""
        # Small steps that brought no new rows cost passes, so the step grows. Small sizes are tried one by one.
        grows = self._incomplete and self._sightings.without_new and size > _STEP
        smaller = size - max(1, size // 4 if grows else size // _STEP)
        if self._sightings.by_chance and smaller * _SHRINK < self.size:
            return self.size  # ties change by chance at every size, and small pages cost more requests
        if not (self._reached or self._incomplete):
            smaller = uneven(rows, smaller + 1)
        if 0 < smaller < size and (self._incomplete or smaller * 2 > self.size):
            return smaller
        return self.size

    def _use(self, past: PagePass) -> None:
        """Use a pass that is done, and begin the next one if no other is open."""
        self.passes += 1
        following: PagePass | None = None
        if past.without_end:
            self._without_end += 1
            if not self._searching:
                following = PagePass(uneven((past.asked - 1) * past.size, past.size))
        elif self._cut_short and past.size > 1 and past.shortest < past.size:
            # Rows left out of a page that was cut short are on no other page of this size.
            following = PagePass(max(1, past.shortest), 0, cut_short=True)
        elif self._cut_short or not past.has_empty_page:  # an empty page would count as overlooked rows
            self._without_end = 0
            self._add(past)
        most = _MOST_VARIED if self.varied else _MOST
        endless = self._without_end >= _MOST_WITHOUT_END and not self._searching
        self.failed = not self.done and (self.failed or self.passes >= most or endless)
        if not self._open:
            self._open.append(following or self._pass_after(past))

    def _add(self, past: PagePass) -> None:
        """Add a pass with an end to the statistics, and note whether all rows are known."""
        self._sightings.add(past)
        self._reached = self._reached or past.reached
        self._rows_of_last = rows = past.rows
        self.depth = (past.end or 0) * past.size + past.size if self._evidence.cut_short else rows
        # The place of a row of another second counts the rows before, even if some pages lack rows.
        exact = past.reached and not self._cut_short
        count = past.count if exact else rows
        # A service that counts from 1 may answer page 0 with page 1. No other page has two numbers.
        doubled = past.begins_twice and self._first == 0
        self._census.note(past.size, count, reached=exact, doubled=doubled, single=not past.end)
        # A row that comes twice takes the place of another row, which may never come if pages lack rows.
        hidden = self._cut_short and past.repeats(int(doubled)) and not self._sightings.by_chance
        self._incomplete = len(self.rows) < self.count or hidden
        if exact:
            self._note_base(past)
        settled = self.varied and self._reached and self._census.agreed == len(self.rows)
        seen = settled or self._sightings.expected_unseen(rows) < _MOST_UNSEEN
        self.done = self._sightings.passes > 1 and not self._incomplete and seen
        if self.done and not settled and self._base_decides(past.size):
            self.done = False
        self._one_row_tried = self._one_row_tried or (self._incomplete and past.size == 1)
        self.failed = self._incomplete and self._in_vain

    @property
    def _in_vain(self) -> bool:
        """True if no further pass is expected to bring a row that is missing."""
        without_new = self._sightings.without_new
        if self._sightings.by_chance:
            return self._sightings.overlooked**without_new < _CHANCE
        if self.varied:
            return self._one_row_tried and without_new > 0
        return without_new >= (_WITHOUT_NEW_BASE_UNKNOWN if self._service.base is None else _WITHOUT_NEW)

    @property
    def _searching(self) -> bool:
        """True if pages of other sizes are read because rows are missing that a pass counted."""
        return self.varied and self._incomplete and self.ended

    # Number that pages count from

    def _note_base(self, past: PagePass) -> None:
        """Note the number that pages count from, and how deep page numbers reach, as far as known."""
        if self._census.doubled is not None and self._service.base is None:
            self._service.base = self._first + self._census.doubled
        number = (past.end or 0) - (self._census.doubled is not False)
        self._evidence.deepest = max(self._evidence.deepest, number * past.size + 1)

    def _base_decides(self, size: int) -> bool:
        """Return True if pages of other sizes must first show the number that pages count from.

        This number matters if it decides whether all rows are known.
        """
        open_question = self._sightings.mixed and self._census.depends_on_base(len(self.rows))
        if size == 1 or self._for_base >= _MOST_FOR_BASE or not open_question:
            return False
        self._for_base += 1
        self.varied = True
        return True
