"""Reading by page numbers where these cannot be relied on: ties in another order in every answer, rows that come and go.

No single pass over the pages proves anything then. But each is another look at the same rows, and how often a look
overlooks a row can be measured: by the rows that were seen before and after it. So passes are repeated until a row that
was there all the time can hardly have been overlooked in all of them:

    rows in a pass x (share overlooked) ** passes  <  `_DOUBT`

The share is taken of those rows only that were overlooked at all, since where ties change between a few fixed orders
some rows are easy to see and others are not.

That holds for looks that are independent of each other. A database may break ties in an order that depends on which page is
asked for, the same one each time: then all passes bring the same rows, and miss the same ones. So nothing is taken for read
while fewer rows are known than a pass with an end has counted (`census`), and after `_ALIKE` such passes that brought nothing
new it is given up. Where nothing else is left to try, the size of the pages changes from pass to pass (*varied*): then none
of them begins where another one began, and what one pass overlooks is in the next. While rows are lacking, pages become
smaller and smaller, down to one row; then there is no other page to ask for.

Pages are of one size and their numbers begin with the first that is answered, so that it does not matter whether page 1
is the second or page 0 once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import attrs

from aioflows._core.dense_second.census import Census
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.reading import NOTHING, Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts

__all__ = ["RepeatedPasses"]

_DOUBT = 1e-6
"""Rows that may be expected to have been overlooked when an instant is taken for read."""

_MOST = 60
"""Passes after which it is given up."""

_MOST_VARIED = 120
"""The same where the size of pages changes."""

_STEP = 16
"""The part of a page by which those of the next pass are smaller: a sixteenth."""

_TORN = 4
"""Passes without an end, one after the other, after which page numbers are taken not to reach that deep."""

_MIXED = 0.5
"""The share of rows that were overlooked at some time, from which ties are mixed by chance."""

_ALIKE = 3
"""Passes without a row that was not known before, one after the other, after which no other pass is expected to bring one."""

_ALIKE_UNKNOWN = 8
"""The same where page 0 may be another name for page 1: it takes some passes to see that ties change."""

_VAGUE = 6
"""Passes of different pages after which it is left open whether page 0 is another name for page 1, since rows come and go."""

_AROUND, _AROUND_ALIKE = 16, 4
"""How many times as many rows as are known may stand on the pages of one pass; the latter where its first pages are all alike."""

_SAME = 3
"""Pages with the same rows, one after the other, after which numbers are taken to have ended; ties may bring some twice."""

_SAME_ROW = 6
"""The same for pages of one row, which ties may well bring again and again."""

_FAR = 1_000
"""Pages further on than any row lies, where it is looked whether the last page comes again."""

_AHEAD = 3
"""Passes that may be under way at once, since each is a few pages only."""


@attrs.define(eq=False)
class _Pass:
    """One pass over the pages: so many at once, then one by one until one shows that nothing follows."""

    size: int
    at_once: int = 0
    cut_short: bool = False
    """Whether pages of this scan had fewer rows than others, and were not the last all the same."""
    asked: int = 0
    sheets: dict[int, InstantPage] = attrs.field(factory=dict)
    end: int | None = None
    """The number of the page after which nothing follows."""
    run: int | None = None
    """The number of the first page of several that had the same rows: numbers may have ended there, or ties bring some twice."""
    far: int | None = None
    """The number of a page that tells which: far behind those, the last page comes again where all such numbers bring it."""
    far_sheet: InstantPage | None = None

    @property
    def answered(self) -> bool:
        """Whether all that was to be asked so far was answered."""
        looking = self.far is not None and self.far_sheet is None
        return len(self.sheets) == self.asked >= max(1, self.at_once) and not looking

    @property
    def torn(self) -> bool:
        """Whether it came to a page that holds nothing, and to no end."""
        empty = self.answered and self.end is None and not self.sheets[self.asked - 1].ids
        return empty and not self.cut_short

    @property
    def holed(self) -> bool:
        """Whether a page held nothing although others behind it did."""
        return any(not self.sheets[number].ids for number in range(self.end or 0))

    @property
    def rows(self) -> int:
        """The rows of its pages up to the last."""
        return sum(
            len(sheet.ids) for number, sheet in self.sheets.items() if self.end is None or number <= self.end
        )

    @property
    def reached(self) -> bool:
        """Whether a row of another second follows those of its pages."""
        return any(sheet.beyond for sheet in self.sheets.values())

    @property
    def count(self) -> int:
        """The rows before the one that its last page has reached, by where that stands."""
        return 0 if self.end is None else self.end * self.size + len(self.sheets[self.end].ids)

    @property
    def shortest(self) -> int:
        """The fewest rows of a page that was not the last."""
        return min((len(self.sheets[number].ids) for number in range(self.end or 0)), default=self.size)

    @property
    def over(self) -> bool:
        """Whether nothing more of it is to be asked for."""
        return self.torn or (self.answered and self.end is not None)

    @property
    def next_far(self) -> int | None:
        """The number of the page that is to be asked for to tell what a run of pages with the same rows means, if any."""
        if self.run is None or self.far is not None or self.end is not None or not self.answered:
            return None
        return _FAR + 2 * self.asked

    @property
    def worth_another(self) -> bool:
        """Whether another page of it may be asked for now."""
        return self.asked < max(1, self.at_once) or (self.answered and not self.over)

    def take(self, number: int, sheet: InstantPage) -> None:
        """Take a page."""
        if number == self.far:
            self.far_sheet = sheet
            if self.run is not None and [*sheet.ids] == [*self.sheets[self.run].ids]:
                self.end = self.run
            return
        self.sheets[number] = sheet
        end = self._ends_at(number)
        if end is not None:
            self.end = end if self.end is None else min(self.end, end)

    def _ends_at(self, number: int) -> int | None:
        """Return the number of the page after which nothing follows, as far as this one and those before it show."""
        same = _SAME_ROW if self.size == 1 else _SAME
        last = [self.sheets.get(number - back) for back in range(same)]
        sheet = last[0]
        assert sheet is not None
        if sheet.beyond:
            return number
        short = len(sheet.ids) < self.size
        if not self.cut_short and short and (sheet.ids or self.size == 1):
            return number
        if None in last or len({tuple(one.ids) for one in last if one}) > 1:
            return None
        if not sheet.ids:
            return number if self.cut_short else None
        # A service may answer numbers behind the last page with the last page; full ones, whatever the number, are of one that
        # does not heed numbers.
        first = self.sheets.get(0)
        apart = short or self.size == 1 or (first is not None and [*sheet.ids] != [*first.ids])
        if apart and self.run is None:
            self.run = number - same + 1
        return None


@attrs.define(eq=False)
class _Sightings:
    """In which passes a row was seen."""

    first: int
    last: int
    times: int = 1


class RepeatedPasses:
    """All rows of one instant, pass after pass.

    Args:
        instant: *what* to read.
        most: *rows* that a page is known to bring.
        service: what the session knows of the service.
        evidence: what this scan was shown.
        varied: whether the size of pages changes from pass to pass.
        rows: the *rows* that were seen already, in other ways.
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
        # Where nothing was said of something, one page without a row is no end either.
        self._cut_short = evidence.cut_short or (most == 1 and service.lied)
        self._passes: list[_Pass] = [_Pass(most, cut_short=self._cut_short)]
        self._evidence = evidence
        self._sent: dict[PageRequest, tuple[_Pass, int]] = {}
        self._ended = self._judged = self._torn = self._total = self._depth = 0
        self._census = Census(base_known=service.base is not None)
        self._lacking = self._exhausted = False
        self._vague = 0
        """Passes since it depends on the number that pages count from whether all rows are known."""
        self._alike = 0
        self._versions: dict[tuple[int, int], set[int]] = {}
        """The sets of rows that were seen of each page, by its size and number."""
        self._again = self._fresh = 0
        """Pages that were asked for again, and those of them that brought rows as they never had."""
        self._reached = False
        self._mixed = 0.0
        self.done = False
        self.failed = False

    @property
    def passes(self) -> int:
        """Passes so far."""
        return self._ended

    @property
    def size(self) -> int:
        """The rows of its largest pages."""
        return self._most

    @property
    def ends(self) -> bool:
        """Whether a pass has come to an end."""
        return self._judged > 0

    @property
    def total(self) -> int:
        """The rows of the last pass."""
        return self._total

    @property
    def depth(self) -> int:
        """How deep its pages went: where these lack rows, further than rows were counted."""
        return self._depth

    @property
    def count(self) -> int:
        """The rows that its passes have counted, whether or not as many are known."""
        return self._census.least(mixed=self._mixed > 0)

    @property
    def clean(self) -> bool:
        """Whether it can be believed that nothing lies behind the last page.

        Either a row of another second was reached, or page numbers are known to reach deeper, or ties are mixed so well
        that whatever lies there had come up. The same pages have to show that by other rows each time: orders that depend
        on the page mix ties as well, but those of a heap, for one, mix no more rows than it holds.
        """
        deeper = self._evidence.reaches(self._depth)
        mixed = self._mixed > _MIXED and self._fresh * 2 > self._again
        return self.done and (self._reached or deeper or mixed)

    def wanted(self) -> Iterator[PageRequest]:
        """Name the pages to ask for now, one at a time: what is not taken is not noted as asked."""
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
        """Take a page."""
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
            self.failed = True  # whatever number is asked for, the same rows come
        while self._passes and self._passes[0].over and not (self.done or self.failed):
            self._judge(self._passes.pop(0))

    def refused(self, ask: PageRequest) -> bool:
        """Take the refusal of a page; return False if it was not asked for only to see whether the last page comes again."""
        current, number = self._sent.get(ask, (None, 0))
        if current is None or number != current.far:
            return False
        self.received(ask, InstantPage(NOTHING, (), beyond=False))
        return True

    def _add_pass(self, current: _Pass) -> None:
        """Begin another pass beside one that has asked for all pages that it is expected to take."""
        if self.varied:
            size = self._next_size(self._total, current.size)
            self._passes.append(_Pass(size, self._total // size + 1, self._cut_short))
        else:
            self._passes.append(_Pass(current.size, current.at_once, self._cut_short))

    def _next_size(self, rows: int, size: int) -> int:
        """Return the size of the pages of the next pass over so many rows: smaller, or the largest again."""
        # Where smaller steps have shown nothing new, a larger one is taken; no size is left out of the smallest.
        step = size // 4 if self._lacking and self._alike and size > _STEP else size // _STEP
        smaller = size - max(1, step)
        if not (self._reached or self._lacking):
            smaller = _uneven(rows, smaller + 1)
        if 0 < smaller < size and (self._lacking or smaller * 2 > self._most):
            return smaller
        return self._most

    def _judge(self, past: _Pass) -> None:
        self._ended += 1
        rows = past.rows
        following: _Pass | None = None
        if past.torn:
            self._torn += 1
            if not self._searching:
                following = _Pass(_uneven((past.asked - 1) * past.size, past.size))
        elif self._cut_short and past.size > 1 and past.shortest < past.size:
            # What such a page has left out stands on no other.
            following = _Pass(max(1, past.shortest), 0, cut_short=True)
        elif self._cut_short or not past.holed:  # one with a hole says nothing of how rows are overlooked
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
            # Where a row of another second stands tells how many rows come before it, even if some pages lack rows.
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
            if self.varied:
                self.failed = self._lacking and self._exhausted and self._alike > 0
            else:
                unknown = self._service.base is None
                self.failed = self._lacking and self._alike >= (_ALIKE_UNKNOWN if unknown else _ALIKE)
        most = _MOST_VARIED if self.varied else _MOST
        torn = self._torn >= _TORN and not self._searching
        self.failed = not self.done and (self.failed or self._ended >= most or torn)
        if not self._passes:
            self._passes.append(following or self._next_pass(past, rows))

    @property
    def _searching(self) -> bool:
        """Whether rows that were counted are looked for on pages of other sizes."""
        return self.varied and self._lacking and self._judged > 0

    def _next_pass(self, past: _Pass, rows: int) -> _Pass:
        """Return the pass after one that has brought so many rows."""
        size = self._next_size(rows, past.size) if self.varied else past.size
        at_once = (past.end or 0) + 1 if size == past.size else rows // size + 1
        return _Pass(size, at_once, self._cut_short)

    def _note_base(self, past: _Pass, *, exact: bool) -> None:
        """Note which number pages count from, and how deep they reach, as far as that is known now."""
        if not exact:
            return
        if self._census.doubled is not None and self._service.base is None:
            self._service.base = self._first + self._census.doubled
        number = (past.end or 0) - (self._census.doubled is not False)
        self._evidence.deepest = max(self._evidence.deepest, number * past.size + 1)

    def _tell_base(self, size: int) -> bool:
        """Return True if pages of other sizes are to tell which number they count from, since all depends on that."""
        if size == 1 or self._vague >= _VAGUE or not self._mixed or not self._census.vague(len(self.rows)):
            return False
        self._vague += 1
        self.varied = True
        return True

    @staticmethod
    def _first_again(past: _Pass) -> bool:
        """Return True if page 0 was another name for page 1, so that the first page was counted twice."""
        return len(past.sheets) > 1 and set(past.sheets[0].ids) == set(past.sheets[1].ids)

    def _compare(self, past: _Pass) -> None:
        """Note whether pages that were asked for before bring other rows now."""
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
        """Return the rows that may be expected to have been there in every pass, and seen in none."""
        looks = overlooked = between = 0
        rows = 0
        for seen in self._sightings.values():
            inside = seen.last - seen.first - 1  # passes at which it was there for sure
            missed = seen.last - seen.first + 1 - seen.times
            between += max(0, inside)
            if missed:
                rows += 1
                looks += inside
                overlooked += missed
        self._mixed = rows / len(self._sightings) if self._sightings else 0.0
        share = (overlooked + 1) / (looks + 1) if overlooked else 1 / (between + 2)
        return max(1, self._total) * float(min(share, 1.0)) ** self._judged


def _uneven(rows: int, size: int) -> int:
    """Return a smaller size of pages that so many rows do not fill exactly, so that the last page is not full.

    Nor do they fill them less one page of the present size, which was counted twice where page 0 was answered with page 1.
    """
    return next(
        (one for one in range(size - 1, 1, -1) if rows % one and (rows <= size or (rows - size) % one)), size
    )


def _content(sheet: InstantPage) -> int:
    """Return a number that is the same for pages with the same rows."""
    return hash(frozenset(sheet.ids))
