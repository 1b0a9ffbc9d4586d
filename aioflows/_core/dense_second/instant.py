"""An instant: a range of time that holds more rows than a page, and the part of it that one page shows.

Pages may run on beyond the instant. A row of another second on a page proves that no row of the instant
follows. A short page alone does not prove that (`page_walk`).
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import NOTHING, Page
from aioflows._core.pages.page_request import Direction, PageRequest

__all__ = ["Instant", "InstantPage"]

TIES = ("create_time", "update_time", "start_time", "end_time")
"""The fields that the service sorts by besides the trigger time. The order of rows with equal sort fields
may depend on the page that is requested, for example if a database keeps only a heap of the first rows.
Further fields make equal rows rare."""


@attrs.frozen
class Instant:
    """An instant, usually a second or one of its milliseconds.

    Args:
        first: start, in scan time (ms).
        until: end, exclusive, in scan time (ms). At most the end of the second that contains `first`.
        axis: direction of the scan.
        reach: end of the window of its pages, in scan time (ms): at or after `until`, or at or before `first`
            if pages are sorted against scan time. Pages may leave the instant only at a whole second.
        backward: True if pages are sorted against scan time. Default: False.
        known: True if a row is known at `reach`. Default: False.
        expression: text that rows of the instant must contain. Default: ``""``, which means all rows.
        ties: further fields to sort by, for rows of one trigger time. Default: no further fields.
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
        """Return the request for a page of the instant."""
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
        """Return the part of the instant whose rows contain a text. Its pages end with it."""
        return attrs.evolve(self, reach=self.until, backward=False, expression=expression, ties=())

    def beginning_with(self, ms: int) -> Instant:
        """Return the part of the instant from a millisecond of scan time on, in the order of its pages."""
        return attrs.evolve(self, until=ms + 1) if self.backward else attrs.evolve(self, first=ms)

    @property
    def tied(self) -> Instant:
        """The same instant, with rows of one trigger time sorted by all fields in `TIES`."""
        return attrs.evolve(self, ties=TIES)

    @property
    def alone(self) -> Instant:
        """The same instant, with pages that end with it."""
        return attrs.evolve(self, reach=self.first if self.backward else self.until, known=False)

    @property
    def width(self) -> int:
        """The width of the window that its pages may span (ms)."""
        return self.until - self.reach if self.backward else self.reach - self.first

    @property
    def name(self) -> str:
        """The window in real time, as a text for messages."""
        start, end = self.axis.window(self.first, self.until)
        return f"{start}–{end} ms"


@attrs.frozen(eq=False)
class InstantPage:
    """The part of an instant that one page shows.

    Args:
        page: the page.
        ids: ids of its rows in the instant, which are its first rows.
        beyond: True if a row of another second follows these rows on the page.
    """

    page: Page
    ids: Sequence[str]
    beyond: bool

    @classmethod
    def of(cls, instant: Instant, ask: PageRequest, page: Page, reader: PageReader) -> InstantPage:
        """Return the part of an instant that a page shows.

        Raises:
            CompletenessError: the page is out of order, or a row lies outside its window.
        """
        if not page.ids:
            return cls(NOTHING, (), beyond=False)
        reading = reader.read(ask, page)
        start, stop = reading.index(instant.first // 1000), reading.index(-(-instant.until // 1000))
        return cls(page, page.ids[: stop - start], beyond=stop - start < len(reading))
