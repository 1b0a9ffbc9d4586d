"""One pass over the pages of an instant, and the place where it ends.

A pass ends at a row of another second, at a page that is not full, or where page numbers end. A service may
answer higher numbers with its last page again, but ties alone may repeat a page too. So a run of equal pages is
an end only if a page far behind the run has the same rows.
"""

from __future__ import annotations

import attrs

from aioflows._core.dense_second.instant import InstantPage

__all__ = ["PagePass", "uneven"]

_SAME = 3
"""Consecutive pages with the same rows, after which page numbers may have ended. Ties alone may repeat a page,
so a page far behind decides."""

_SAME_ROW = 6
"""As `_SAME`, for pages of one row. Ties repeat such pages more often."""

_FAR, _NEAR = 1_000, 10
"""The distance (pages) of the page that shows whether high numbers return the last page.

If that page is empty, a tenth of the distance is tried, down to the second value.
"""


@attrs.define(eq=False)
class PagePass:
    """One pass over the pages: first `at_once` pages together, then one by one until the end."""

    size: int
    at_once: int = 0
    cut_short: bool = False
    """True if pages of this scan had fewer rows than others although they were not the last."""
    asked: int = 0
    pages: dict[int, InstantPage] = attrs.field(factory=dict)
    contents: set[int] = attrs.field(factory=set)
    """The hashes of the sets of rows on its pages."""
    end: int | None = None
    """The number of the last page with rows."""
    run_start: int | None = None
    """The number of the first of several pages with the same rows. Page numbers may end with that page, or ties
    repeat."""
    far_number: int | None = None
    """The number of a page far behind the run. Equal rows show that the service answers high numbers with the
    last page."""
    far_page: InstantPage | None = None
    far: int = _FAR
    """The distance of the page far behind the run (pages)."""

    @property
    def answered(self) -> bool:
        """True if every page that was due so far was answered."""
        looking = self.far_number is not None and self.far_page is None
        return len(self.pages) == self.asked >= max(1, self.at_once) and not looking

    @property
    def without_end(self) -> bool:
        """True if the pass came to an empty page before it found an end."""
        empty = self.answered and self.end is None and not self.pages[self.asked - 1].ids
        return empty and not self.cut_short

    @property
    def has_empty_page(self) -> bool:
        """True if a page was empty although later pages had rows."""
        return any(not self.pages[number].ids for number in range(self.end or 0))

    @property
    def rows(self) -> int:
        """The number of rows on its pages up to the last."""
        return sum(
            len(shown.ids) for number, shown in self.pages.items() if self.end is None or number <= self.end
        )

    @property
    def reached(self) -> bool:
        """True if a row of another second follows the rows of its pages."""
        return any(shown.beyond for shown in self.pages.values())

    @property
    def count(self) -> int:
        """The number of rows by the place of its end, including rows missing from earlier pages."""
        return 0 if self.end is None else self.end * self.size + len(self.pages[self.end].ids)

    @property
    def begins_twice(self) -> bool:
        """True if its first two pages have the same rows, as if page 0 is another name for page 1."""
        return len(self.pages) > 1 and {*self.pages[0].ids} == {*self.pages[1].ids}

    def repeats(self, start: int) -> bool:
        """Return True if a row stands at two places of its pages from *start* up to the last."""
        names = [name for number in range(start, (self.end or 0) + 1) for name in self.pages[number].ids]
        return len(set(names)) < len(names)

    @property
    def shortest(self) -> int:
        """The fewest rows on a page before the last."""
        return min((len(self.pages[number].ids) for number in range(self.end or 0)), default=self.size)

    @property
    def done(self) -> bool:
        """True if no more pages of the pass are to be requested."""
        return self.without_end or (self.answered and self.end is not None)

    @property
    def next_far(self) -> int | None:
        """The number of the page to request behind a run of pages with the same rows.

        None means that none is needed.
        """
        if self.run_start is None or self.far_number is not None or self.end is not None or not self.answered:
            return None
        return self.far + 2 * self.asked

    @property
    def wants_another(self) -> bool:
        """True if another page of the pass may be requested now."""
        return self.asked < max(1, self.at_once) or (self.answered and not self.done)

    def add(self, number: int, shown: InstantPage) -> None:
        """Add a page, and note the end of the pass if the page shows it."""
        if number == self.far_number:
            if not shown.ids and self.far > _NEAR:
                self.far_number, self.far = None, self.far // 10
                return
            self.far_page = shown
            if self.run_start is not None and [*shown.ids] == [*self.pages[self.run_start].ids]:
                self.end = self.run_start
            return
        self.pages[number] = shown
        self.contents.add(hash(frozenset(shown.ids)))
        end = self._ends_at(number)
        if end is not None:
            self.end = end if self.end is None else min(self.end, end)

    def _ends_at(self, number: int) -> int | None:
        """Return the number of the last page if page *number* and the pages before show it, otherwise None."""
        same = _SAME_ROW if self.size == 1 else _SAME
        last = [self.pages.get(number - back) for back in range(same)]
        shown = last[0]
        assert shown is not None
        if shown.beyond:
            return number
        short = len(shown.ids) < self.size
        if not self.cut_short and short and (shown.ids or self.size == 1):
            return number
        if None in last or len({tuple(one.ids) for one in last if one}) > 1:
            return None
        if not shown.ids:
            return number if self.cut_short else None
        # Equal pages may be the last page, which some services return for all higher numbers. If full pages
        # repeat from the first page on, the service ignores page numbers.
        first = self.pages.get(0)
        apart = short or self.size == 1 or (first is not None and [*shown.ids] != [*first.ids])
        if apart and self.run_start is None:
            self.run_start = number - same + 1
        return None


def uneven(rows: int, size: int) -> int:
    """Return a smaller page size that does not divide *rows*, so that the last page is not full.

    If page 0 was answered with page 1, one page was counted twice. So the new size does not divide ``rows -
    size`` either. If no such size exists, *size* is returned.
    """
    return next(
        (one for one in range(size - 1, 1, -1) if rows % one and (rows <= size or (rows - size) % one)), size
    )
