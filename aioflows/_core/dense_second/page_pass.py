"""One pass over the pages of an instant, and the place where it ends.

A pass ends at a row of another second, at a page that is not full, or where page numbers end. A service may answer
numbers behind its last page with the last page again. So a run of equal pages is an end only if a page far behind the
run has the same rows: ties alone may repeat a page.
"""

from __future__ import annotations

import attrs

from aioflows._core.dense_second.instant import InstantPage

__all__ = ["PagePass"]

_SAME = 3
"""Consecutive pages with the same rows, after which page numbers count as ended. Ties alone may repeat a
page."""

_SAME_ROW = 6
"""The same for pages of one row, which ties repeat more often."""

_FAR = 1_000
"""The distance (pages) behind the rows of a page that shows whether such numbers return the last page."""


@attrs.define(eq=False)
class PagePass:
    """One pass over the pages: first `at_once` pages together, then one by one until the end."""

    size: int
    at_once: int = 0
    cut_short: bool = False
    """True if pages of this scan had fewer rows than others although they were not the last."""
    asked: int = 0
    sheets: dict[int, InstantPage] = attrs.field(factory=dict)
    end: int | None = None
    """The number of the last page with rows."""
    run: int | None = None
    """The number of the first of several pages with the same rows. Page numbers may have ended there, or
    ties repeat."""
    far: int | None = None
    """The number of a page far behind the run. It has the same rows if the service answers high numbers
    with the last page."""
    far_sheet: InstantPage | None = None

    @property
    def answered(self) -> bool:
        """True if every page that was due so far was answered."""
        looking = self.far is not None and self.far_sheet is None
        return len(self.sheets) == self.asked >= max(1, self.at_once) and not looking

    @property
    def torn(self) -> bool:
        """True if the pass came to an empty page before it found an end."""
        empty = self.answered and self.end is None and not self.sheets[self.asked - 1].ids
        return empty and not self.cut_short

    @property
    def holed(self) -> bool:
        """True if a page was empty although later pages had rows."""
        return any(not self.sheets[number].ids for number in range(self.end or 0))

    @property
    def rows(self) -> int:
        """The number of rows on its pages up to the last."""
        return sum(
            len(sheet.ids) for number, sheet in self.sheets.items() if self.end is None or number <= self.end
        )

    @property
    def reached(self) -> bool:
        """True if a row of another second follows the rows of its pages."""
        return any(sheet.beyond for sheet in self.sheets.values())

    @property
    def count(self) -> int:
        """The number of rows by the place of its end, including rows missing from earlier pages."""
        return 0 if self.end is None else self.end * self.size + len(self.sheets[self.end].ids)

    @property
    def shortest(self) -> int:
        """The fewest rows on a page before the last."""
        return min((len(self.sheets[number].ids) for number in range(self.end or 0)), default=self.size)

    @property
    def over(self) -> bool:
        """True if no more pages of the pass are to be requested."""
        return self.torn or (self.answered and self.end is not None)

    @property
    def next_far(self) -> int | None:
        """The number of the page to request behind a run of pages with the same rows.

        None means that none is needed.
        """
        if self.run is None or self.far is not None or self.end is not None or not self.answered:
            return None
        return _FAR + 2 * self.asked

    @property
    def worth_another(self) -> bool:
        """True if another page of the pass may be requested now."""
        return self.asked < max(1, self.at_once) or (self.answered and not self.over)

    def take(self, number: int, sheet: InstantPage) -> None:
        """Add a page, and note the end of the pass if the page shows it."""
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
        """Return the number of the last page, if page *number* and those before it show it.

        None means unknown.
        """
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
        # A service may answer numbers behind the last page with the last page. If full pages repeat from the
        # first page on, the service ignores page numbers.
        first = self.sheets.get(0)
        apart = short or self.size == 1 or (first is not None and [*sheet.ids] != [*first.ids])
        if apart and self.run is None:
            self.run = number - same + 1
        return None
