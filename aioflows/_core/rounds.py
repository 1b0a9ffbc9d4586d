"""Reading by page numbers where these cannot be relied on: ties in another order in every answer, rows that come and go.

No single pass over the pages proves anything then. But each is another look at the same rows, and how often a look
overlooks a row can be measured: by the rows that were seen before and after it. So passes are repeated until a row that
was there all the time can hardly have been overlooked in all of them:

    rows in a pass x (share overlooked) ** passes  <  `_DOUBT`

The share is taken of those rows only that were overlooked at all, since where ties change between a few fixed orders
some rows are easy to see and others are not.

Pages are of one size and their numbers begin with the first that is answered, so that it does not matter whether page 1
is the second or page 0 once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from aioflows._core.instant import Instant, Sheet
from aioflows._core.pages import Ask, Page
from aioflows._core.service import Service

__all__ = ["Rounds"]

_DOUBT = 1e-6
"""Rows that may be expected to have been overlooked when an instant is taken for read."""

_MOST = 60
"""Passes after which it is given up."""

_TORN = 4
"""Passes without an end, one after the other, after which page numbers are taken not to reach that deep."""

_MIXED = 0.5
"""The share of rows that were overlooked at some time, from which ties are mixed by chance."""

_AHEAD = 3
"""Passes that may be under way at once, since each is a few pages only."""


@attrs.define(eq=False)
class _Pass:
    """One pass over the pages: so many at once, then one by one until one shows that nothing follows."""

    size: int
    at_once: int = 0
    asked: int = 0
    sheets: dict[int, Sheet] = attrs.field(factory=dict)
    end: int | None = None
    """The number of the page after which nothing follows."""

    @property
    def answered(self) -> bool:
        """Whether all that was to be asked so far was answered."""
        return len(self.sheets) == self.asked >= max(1, self.at_once)

    @property
    def torn(self) -> bool:
        """Whether it came to a page that holds nothing, and to no end."""
        return self.answered and self.end is None and not self.sheets[self.asked - 1].ids

    @property
    def holed(self) -> bool:
        """Whether a page held nothing although others behind it did."""
        return any(not self.sheets[number].ids for number in range(self.end or 0))

    @property
    def over(self) -> bool:
        """Whether nothing more of it is to be asked for."""
        return self.torn or (self.answered and self.end is not None)

    @property
    def worth_another(self) -> bool:
        """Whether another page of it may be asked for now."""
        return self.asked < max(1, self.at_once) or (self.answered and not self.over)

    def take(self, number: int, sheet: Sheet) -> None:
        """Take a page."""
        self.sheets[number] = sheet
        if sheet.beyond or 0 < len(sheet.ids) < self.size:
            self.end = number if self.end is None else min(self.end, number)


@attrs.define(eq=False)
class _Sightings:
    """In which passes a row was seen."""

    first: int
    last: int
    times: int = 1


class Rounds:
    """All rows of one instant, pass after pass.

    Args:
        instant: *what* to read.
        most: *rows* that a page is known to bring.
        service: what the session knows of the service.
    """

    def __init__(self, instant: Instant, most: int, service: Service) -> None:
        self._instant = instant
        self._service = service
        self._first = service.base if service.base is not None else service.first_page or 0
        self.rows: dict[str, tuple[Page, int]] = {}
        self._sightings: dict[str, _Sightings] = {}
        self._passes: list[_Pass] = [_Pass(most)]
        self._sent: dict[Ask, tuple[_Pass, int]] = {}
        self._ended = self._judged = self._torn = self._total = 0
        self._reached = False
        self._mixed = 0.0
        self.done = False
        self.failed = False

    @property
    def passes(self) -> int:
        """Passes so far."""
        return self._ended

    @property
    def total(self) -> int:
        """The rows of the last pass."""
        return self._total

    @property
    def clean(self) -> bool:
        """Whether it can be believed that nothing lies behind the last page.

        Either a row of another second was reached, or ties are mixed so well that whatever lies there had come up.
        """
        return self.done and (self._reached or self._mixed > _MIXED)

    def wanted(self) -> Iterator[Ask]:
        """Name the pages to ask for now, one at a time: what is not taken is not noted as asked."""
        while not (self.done or self.failed):
            current = next((one for one in self._passes if one.worth_another), None)
            if current is None:
                return
            ask = self._instant.ask(self._first + current.asked, current.size)
            self._sent[ask] = (current, current.asked)
            current.asked += 1
            if current.asked == current.at_once and len(self._passes) < _AHEAD:
                self._passes.append(_Pass(current.size, current.at_once))
            yield ask

    def received(self, ask: Ask, sheet: Sheet) -> None:
        """Take a page."""
        found = self._sent.pop(ask, None)
        if found is None or self.done or self.failed:
            return
        current, number = found
        current.take(number, sheet)
        for row, name in enumerate(sheet.ids):
            self.rows.setdefault(name, (sheet.page, row))
        if len(current.sheets) * current.size > 4 * len(self.rows) + 8 * current.size:
            self.failed = True  # whatever number is asked for, the same rows come
        while self._passes and self._passes[0].over and not (self.done or self.failed):
            self._judge(self._passes.pop(0))

    def _judge(self, past: _Pass) -> None:
        self._ended += 1
        following = _Pass(past.size, (past.end or 0) + 1)
        if past.torn:
            self._torn += 1
            following = _Pass(_uneven((past.asked - 1) * past.size, past.size))
        elif not past.holed:  # one with a hole says nothing of how rows are overlooked
            self._torn = 0
            self._judged += 1
            self._see({name for sheet in past.sheets.values() for name in sheet.ids})
            self._reached = self._reached or any(sheet.beyond for sheet in past.sheets.values())
            self._total = sum(len(sheet.ids) for sheet in past.sheets.values())
            self.done = self._judged > 1 and self._doubt() < _DOUBT
        self.failed = not self.done and (self._ended >= _MOST or self._torn >= _TORN)
        if not self._passes:
            self._passes.append(following)

    def _see(self, names: Iterable[str]) -> None:
        for name in names:
            seen = self._sightings.get(name)
            if seen is None:
                self._sightings[name] = _Sightings(self._judged, self._judged)
            else:
                seen.last = self._judged
                seen.times += 1

    def _doubt(self) -> float:
        """Give the rows that may be expected to have been there in every pass, and seen in none."""
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
    """Give a smaller size of pages that so many rows do not fill exactly, so that the last page is not full.

    Nor do they fill them less one page of the present size, which was counted twice where page 0 was answered with page 1.
    """
    return next(
        (one for one in range(size - 1, 1, -1) if rows % one and (rows <= size or (rows - size) % one)), size
    )
