"""Repeated passes: reads an instant again and again where pages do not join.

Some services return ties in another order in every answer, and rows may change meanwhile. So no single pass
over the pages proves anything.

1. Each pass is another look at the same rows. A row that was seen before and after a pass, but not in it, was
   overlooked. So the share of overlooked rows can be measured (capture–recapture). Passes are repeated until
   a lasting row is very unlikely to have been overlooked in all of them:

       rows in a pass x (share overlooked) ** passes  <  `_DOUBT`

2. The share is taken only of rows that were overlooked at least once. If ties change between a few fixed
   orders, some rows are easy to see and others are not.
3. The passes must be independent. A database may break ties by the page that is requested, in the same way
   each time. Then all passes bring the same rows and miss the same rows. So an instant is not complete while
   fewer rows are known than a pass with an end has counted (`census`). After `_ALIKE` such passes without a
   new row, the passes have failed.
4. If no other way is left, the page size changes from pass to pass (*varied*). Then pages start at other rows
   in each pass, and a row that one pass misses is found by the next. While rows are missing, pages shrink,
   down to one row.
5. All pages of a pass have the same size, and page numbers begin with the first page that is answered. So it
   makes no difference whether page 1 is the second page or page 0 again.

See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from aioflows._core.dense_second.census import Census
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_pass import PagePass
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import NOTHING, Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["RepeatedPasses"]

_DOUBT = 1e-6
"""The expected number of overlooked rows below which an instant counts as complete."""

_MOST = 60
"""The number of passes after which the reading fails."""

_MOST_VARIED = 120
"""The same, if the page size changes from pass to pass."""

_STEP = 16
"""The divisor of the page size that gives the step to the next, smaller size."""

_SHRINK = 4
"""How much smaller pages may get if ties are mixed by chance."""

_TORN = 4
"""Consecutive passes without an end, after which page numbers count as not reaching that deep."""

_MIXED = 0.5
"""The share of rows that were overlooked at least once, above which the order of ties counts as random."""

_RENEWED = 10
"""The order of ties counts as changing by chance if at least one in so many repeated pages brings other rows."""

_ALIKE = 3
"""Consecutive passes without a new row, after which no further pass is expected to bring one."""

_CHANCE = 1e-6
"""The same, if ties are mixed by chance: the probability of overlooking a row in all of these passes."""

_ALIKE_UNKNOWN = 8
"""The same, if page 0 may be another name for page 1. More passes are needed to see that ties change."""

_VAGUE = 6
"""The number of passes with other page sizes that may decide whether page 0 is another name for page 1.
Afterwards the question stays open, because rows that change may make every count differ."""

_AROUND, _AROUND_ALIKE = 16, 4
"""The most rows on the pages of one pass, as a multiple of the known rows. The second limit holds if the
pages so far are all alike."""

_AHEAD = 3
"""The most passes at once. Each has only a few pages."""


@attrs.define(eq=False)
class _Sightings:
    """The passes in which a row was seen."""

    first: int
    last: int
    times: int = 1


class RepeatedPasses:
    """Repeated passes over the pages of one instant.

    Args:
        instant: instant to read.
        most: rows that a page is known to hold.
        service: facts of the session about the service.
        evidence: facts of this scan.
        varied: True to change the page size from pass to pass. Default: False.
        rows: rows that were seen in other ways. Default: none.
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
        self._most = most
        self.varied = varied
        self._service = service
        self._first = service.base if service.base is not None else service.first_page or 0
        self.rows: dict[str, tuple[Page, int]] = dict(rows or {})
        self._sightings: dict[str, _Sightings] = {}
        # A service that has returned false empty answers may do so again: one empty page of one row is not an
        # end.
        self._cut_short = evidence.cut_short or (most == 1 and service.false_empty_seen)
        self._passes: list[PagePass] = [PagePass(most, cut_short=self._cut_short)]
        self._evidence = evidence
        self._sent: dict[PageRequest, tuple[PagePass, int]] = {}
        self._ended = self._judged = self._torn = self._total = self._depth = 0
        self._census = Census(base_known=service.base is not None)
        self._lacking = self._exhausted = False
        self._vague = 0
        """Passes that were added because the number that pages count from decides whether all rows are
        known."""
        self._alike = 0
        self._versions: dict[tuple[int, int], set[int]] = {}
        """Hashes of the sets of rows that a page had, by its size and number."""
        self._again = self._fresh = 0
        """The number of pages that were requested again, and of those that brought a new set of rows."""
        self._reached = False
        self._mixed = 0.0
        self._overlooked = 1.0
        """The share of looks at a row that overlook it."""
        self.done = False
        self.failed = False

    @property
    def passes(self) -> int:
        """The number of passes so far."""
        return self._ended

    @property
    def size(self) -> int:
        """The largest page size (rows)."""
        return self._most

    @property
    def ends(self) -> bool:
        """True if a pass has come to an end."""
        return self._judged > 0

    @property
    def total(self) -> int:
        """The number of rows in the last pass."""
        return self._total

    @property
    def depth(self) -> int:
        """The depth of the last pass (rows). If pages lack rows, the depth exceeds the number of rows."""
        return self._depth

    @property
    def count(self) -> int:
        """The number of rows that the passes counted. Fewer may be known."""
        return self._census.least(mixed=self._mixed > 0)

    @property
    def clean(self) -> bool:
        """True if the passes are done, and no row lies behind the last page.

        One of three facts must hold: a row of another second was reached, or page numbers are known to reach
        deeper, or ties are mixed so well that rows behind the last page would have come up. For the third,
        the same pages must bring other rows each time. An order that depends on the page mixes ties too, but
        a heap, for example, mixes only the rows that it holds.
        """
        deeper = self._evidence.reaches(self._depth)
        mixed = self._mixed > _MIXED and self._fresh * 2 > self._again
        return self.done and (self._reached or deeper or mixed)

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        while not (self.done or self.failed):
            far = next((one for one in self._passes if one.next_far is not None), None)
            if far is not None:
                far.far = far.next_far
                assert far.far is not None
                ask = attrs.evolve(self._instant.ask(self._first + far.far, far.size), tries=2)
                self._sent[ask] = (far, far.far)
                yield ask
                continue
            current = next((one for one in self._passes if one.worth_another), None)
            if current is None:
                return
            ask = self._instant.ask(self._first + current.asked, current.size)
            self._sent[ask] = (current, current.asked)
            current.asked += 1
            if current.asked == current.at_once and len(self._passes) < _AHEAD:
                self._add_pass(current)
            yield ask

    def received(self, ask: PageRequest, sheet: InstantPage) -> None:
        """Add a page, and judge the passes that it completes."""
        found = self._sent.pop(ask, None)
        if found is None or self.done or self.failed:
            return
        current, number = found
        current.take(number, sheet)
        for row, name in enumerate(sheet.ids):
            self.rows.setdefault(name, (sheet.page, row))
        alike = (
            len(current.sheets) < _AROUND or len({*map(_content, current.sheets.values())}) < _AROUND_ALIKE
        )
        times = _AROUND_ALIKE if alike else _AROUND
        if len(current.sheets) * current.size > times * len(self.rows) + 8 * current.size:
            self.failed = True  # the service returns the same rows for every page number
        while self._passes and self._passes[0].over and not (self.done or self.failed):
            self._judge(self._passes.pop(0))

    def refused(self, ask: PageRequest) -> bool:
        """Note that a page was refused.

        Return False unless it was the page far behind a run (`PagePass.far`).
        """
        current, number = self._sent.get(ask, (None, 0))
        if current is None or number != current.far:
            return False
        self.received(ask, InstantPage(NOTHING, (), beyond=False))
        return True

    def _add_pass(self, current: PagePass) -> None:
        """Begin another pass beside one whose expected pages were all requested."""
        if self.varied:
            size = self._next_size(self._total, current.size)
            self._passes.append(PagePass(size, self._total // size + 1, self._cut_short))
        else:
            self._passes.append(PagePass(current.size, current.at_once, self._cut_short))

    def _next_size(self, rows: int, size: int) -> int:
        """Return the page size of the next pass over *rows* rows: a smaller size, or the largest again."""
        # If small steps brought no new rows, the step grows. Small sizes are tried one by one.
        step = size // 4 if self._lacking and self._alike and size > _STEP else size // _STEP
        smaller = size - max(1, step)
        if self._by_chance and smaller * _SHRINK < self._most:
            return self._most  # a pass of small pages costs more and sees no more
        if not (self._reached or self._lacking):
            smaller = _uneven(rows, smaller + 1)
        if 0 < smaller < size and (self._lacking or smaller * 2 > self._most):
            return smaller
        return self._most

    def _judge(self, past: PagePass) -> None:
        self._ended += 1
        rows = past.rows
        following: PagePass | None = None
        if past.torn:
            self._torn += 1
            if not self._searching:
                following = PagePass(_uneven((past.asked - 1) * past.size, past.size))
        elif self._cut_short and past.size > 1 and past.shortest < past.size:
            # The rows that such a page left out are on no other page.
            following = PagePass(max(1, past.shortest), 0, cut_short=True)
        elif self._cut_short or not past.holed:  # a pass with a hole shows no share of overlooked rows
            self._torn = 0
            self._judged += 1
            known = len(self._sightings)
            names = {name for sheet in past.sheets.values() for name in sheet.ids}
            self._compare(past)
            self._see(names)
            self._alike = self._alike + 1 if len(self._sightings) == known else 0
            self._reached = self._reached or past.reached
            self._total = rows
            self._depth = (past.end or 0) * past.size + past.size if self._evidence.cut_short else rows
            doubt = self._doubt()
            # The place of a row of another second shows how many rows come before it, even if some pages lack
            # rows.
            exact = past.reached and not self._cut_short
            first_again = self._first_again(past)
            self._census.note(
                past.size,
                past.count if exact else rows,
                reached=exact,
                doubled=first_again,
                single=not past.end,
            )
            self._lacking = len(self.rows) < self.count
            self._note_base(past, exact=exact)
            settled = self.varied and self._reached and self._census.agreed == len(self.rows)
            self.done = self._judged > 1 and not self._lacking and (settled or doubt < _DOUBT)
            if self.done and not settled and self._tell_base(past.size):
                self.done = False
            self._exhausted = self._exhausted or (self._lacking and past.size == 1)
            self.failed = self._lacking and self._in_vain
        most = _MOST_VARIED if self.varied else _MOST
        torn = self._torn >= _TORN and not self._searching
        self.failed = not self.done and (self.failed or self._ended >= most or torn)
        if not self._passes:
            self._passes.append(following or self._next_pass(past, rows))

    @property
    def _by_chance(self) -> bool:
        """True if ties are mixed, and not only by the page that is requested: the same page brings other rows."""
        return self._mixed > _MIXED and self._fresh * _RENEWED > self._again

    @property
    def _in_vain(self) -> bool:
        """True if no further pass is expected to bring a row that is missing."""
        if self._by_chance:
            return self._overlooked**self._alike < _CHANCE
        if self.varied:
            return self._exhausted and self._alike > 0
        return self._alike >= (_ALIKE_UNKNOWN if self._service.base is None else _ALIKE)

    @property
    def _searching(self) -> bool:
        """True if counted but missing rows are being looked for on pages of other sizes."""
        return self.varied and self._lacking and self._judged > 0

    def _next_pass(self, past: PagePass, rows: int) -> PagePass:
        """Return the pass after *past*, which brought *rows* rows."""
        size = self._next_size(rows, past.size) if self.varied else past.size
        at_once = (past.end or 0) + 1 if size == past.size else rows // size + 1
        return PagePass(size, at_once, self._cut_short)

    def _note_base(self, past: PagePass, *, exact: bool) -> None:
        """Note the number that pages count from, and how deep page numbers reach, as far as known."""
        if not exact:
            return
        if self._census.doubled is not None and self._service.base is None:
            self._service.base = self._first + self._census.doubled
        number = (past.end or 0) - (self._census.doubled is not False)
        self._evidence.deepest = max(self._evidence.deepest, number * past.size + 1)

    def _tell_base(self, size: int) -> bool:
        """Return True if pages of other sizes must first show the number that pages count from.

        That is necessary if this number decides whether all rows are known.
        """
        if size == 1 or self._vague >= _VAGUE or not self._mixed or not self._census.vague(len(self.rows)):
            return False
        self._vague += 1
        self.varied = True
        return True

    @staticmethod
    def _first_again(past: PagePass) -> bool:
        """Return True if page 0 had the same rows as page 1, so that the first page was counted twice."""
        return len(past.sheets) > 1 and set(past.sheets[0].ids) == set(past.sheets[1].ids)

    def _compare(self, past: PagePass) -> None:
        """Note whether pages that were requested before bring other rows now."""
        for number, sheet in past.sheets.items():
            versions = self._versions.setdefault((past.size, number), set())
            content = _content(sheet)
            self._again += bool(versions)
            self._fresh += bool(versions) and content not in versions
            versions.add(content)

    def _see(self, names: Iterable[str]) -> None:
        for name in names:
            seen = self._sightings.get(name)
            if seen is None:
                self._sightings[name] = _Sightings(self._judged, self._judged)
            else:
                seen.last = self._judged
                seen.times += 1

    def _doubt(self) -> float:
        """Return the expected number of rows that existed in every pass and were seen in none."""
        looks = overlooked = between = 0
        rows = 0
        for seen in self._sightings.values():
            inside = seen.last - seen.first - 1  # passes in which the row surely existed
            missed = seen.last - seen.first + 1 - seen.times
            between += max(0, inside)
            if missed:
                rows += 1
                looks += inside
                overlooked += missed
        self._mixed = rows / len(self._sightings) if self._sightings else 0.0
        share = (overlooked + 1) / (looks + 1) if overlooked else 1 / (between + 2)
        self._overlooked = min(share, 1.0)
        return max(1, self._total) * float(self._overlooked) ** self._judged


def _uneven(rows: int, size: int) -> int:
    """Return a smaller page size that does not divide *rows*, so that the last page is not full.

    If page 0 was answered with page 1, one page was counted twice. So the size does not divide ``rows -
    size`` either.
    """
    return next(
        (one for one in range(size - 1, 1, -1) if rows % one and (rows <= size or (rows - size) % one)), size
    )


def _content(sheet: InstantPage) -> int:
    """Return a hash of the set of rows on a page."""
    return hash(frozenset(sheet.ids))
