"""A stretch of time that holds more rows than a page, and what one page shows of it.

Pages may run on beyond the stretch: the row of another second that ends up on one shows that nothing of the stretch is
left, where a short page alone would not (`walk`).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.reading import NOTHING, Direction, Page, PageReader, PageRequest

__all__ = ["Instant", "InstantPage"]

TIES = ("create_time", "update_time", "start_time", "end_time")
"""What the service sorts by besides the trigger time. Rows that are alike in that come in an order that may depend on which page
is asked for, as where a database keeps a heap of the first rows only; those that are alike in nothing do not."""


@attrs.frozen
class Instant:
    """What is to be read, usually a second or one of its milliseconds.

    Args:
        first: *milliseconds* of scan time, where it starts.
        until: *milliseconds* of scan time, where it ends; at most the end of the second that it starts in.
        axis: the direction of the scan.
        reach: *milliseconds* of scan time that pages may run on to: at or after `until`, or where pages are sorted
            against scan time, at or before `first`. What it crosses must be a whole second's edge.
        backward: whether pages are sorted against scan time.
        known: whether a row is known to be there.
        expression: the *text* that rows must contain to be meant; ``""``: all of the query's.
        ties: what rows of one trigger time are to be *sorted* by.
    """

    first: int
    until: int
    axis: Direction
    reach: int
    backward: bool = False
    known: bool = False
    expression: str = ""
    ties: tuple[str, ...] = ()

    def ask(self, page_no: int, page_size: int) -> PageRequest:
        """Name a page of it."""
        return PageRequest(
            self.reach if self.backward else self.first,
            self.until if self.backward else self.reach,
            self.axis,
            page_size=page_size,
            backward=self.backward,
            page_no=page_no,
            expression=self.expression,
            ties=self.ties,
        )

    def narrowed(self, expression: str) -> Instant:
        """Return the part of it whose rows contain a text; such pages need not run on."""
        return attrs.evolve(self, reach=self.until, backward=False, expression=expression, ties=())

    @property
    def tied(self) -> Instant:
        """The same, with rows of one trigger time sorted by all that the service sorts by."""
        return attrs.evolve(self, ties=TIES)

    @property
    def alone(self) -> Instant:
        """The same, with pages that do not run on."""
        return attrs.evolve(self, reach=self.first if self.backward else self.until, known=False)

    @property
    def width(self) -> int:
        """Milliseconds that its pages may span."""
        return self.until - self.reach if self.backward else self.reach - self.first

    @property
    def name(self) -> str:
        """The window in real time, for messages."""
        start, end = self.axis.window(self.first, self.until)
        return f"{start}–{end} ms"


@attrs.frozen(eq=False)
class InstantPage:
    """What one page shows of an instant.

    Args:
        page: the *page*.
        ids: those of its *rows* that lie in the instant, which are its first ones.
        beyond: whether a row of another second follows them.
    """

    page: Page
    ids: Sequence[str]
    beyond: bool

    @classmethod
    def of(cls, instant: Instant, ask: PageRequest, page: Page, reader: PageReader) -> InstantPage:
        """Read a page; raise `CompletenessError` if it is out of order or reaches outside its window."""
        if not page.ids:
            return cls(NOTHING, (), beyond=False)
        reading = reader.read(ask, page)
        start, stop = reading.index(instant.first // 1000), reading.index(-(-instant.until // 1000))
        return cls(page, page.ids[: stop - start], beyond=stop - start < len(reading))
