"""A dense second: one second that holds more rows than any page of the service.

Answers have whole seconds, so the keyset walk separates nothing inside a second. Two ways are tried, in this
order:

1. Milliseconds (`millisecond_pieces`). The second is cut until each piece fits on a page. So every piece is
   proven.
2. Page numbers and texts in ids (`counted_instant`), for a single millisecond that is still too large, with the
   part of the second that its pages run on to. If the service does not tell milliseconds apart, they are used
   for the whole second. Rows that are read in this way are marked as counted.

See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aioflows._core.dense_second.counted_instant import CountedInstant
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.millisecond_pieces import MillisecondPieces
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Batch, Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["DenseSecond"]


class DenseSecond:
    """A reading of all rows of one second.

    Args:
        ways: the second, or the part of it to read, once for each window that its pages may span. The best way
            is first.
        page_size: largest useful page size (rows).
        service: facts of the session about the service.
        evidence: facts of this scan.
        span: range of the scan, in scan time (ms).
        reader: reader of answers.
        page: page that showed the second to be dense: all its rows lie in the second.
        backward: True if `page` was sorted against scan time.
        splits: True if ids may be partitioned by a text. Must be False if the query has a text. Default: True.
    """

    def __init__(
        self,
        ways: Sequence[Instant],
        page_size: int,
        service: ServiceFacts,
        evidence: ScanEvidence,
        span: tuple[int, int],
        reader: PageReader,
        page: Page,
        *,
        backward: bool,
        splits: bool = True,
    ) -> None:
        self._instant = ways[0]
        self._first = InstantPage(page, page.ids, beyond=False)
        self._backward = backward
        self.base = service.base
        """The number that pages were assumed to count from when the reading began."""
        self._rows: dict[str, tuple[Page, int]] = {}
        self._pieces = MillisecondPieces(ways[0], page_size, service, evidence, reader, page.ids, self._rows)
        self._counting = CountedInstant(
            ways, page_size, service, evidence, span, reader, self._rows, splits=splits
        )
        if not service.milliseconds_help:
            self._count()

    @property
    def counted(self) -> bool:
        """True if some rows were counted, not proven."""
        return self._counting.begun

    @property
    def overrun(self) -> tuple[Instant, Page] | None:
        """The instant that was counted, and its page that reached another second. None means no such page."""
        return self._counting.overrun

    @property
    def done(self) -> bool:
        """True if every row was read."""
        return self._pieces.done and self._counting.done

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        return self._pieces.wanted() if self._counting.done else self._counting.wanted()

    def received(self, ask: PageRequest, page: Page) -> None:
        """Add an answer.

        Raises:
            CompletenessError: the second cannot be read completely.
        """
        if not self._counting.done:
            self._counting.received(ask, page)
            self._drop_counted()
        elif not self._pieces.received(ask, page):
            self._count()
        if self.done and self._rows.keys().isdisjoint(self._first.ids):
            raise CompletenessError(
                f"{len(self._rows):,} rows were read in the window {self._instant.name}, but none of the rows that an "
                "earlier answer had there: the answers contradict each other. Run the scan again"
            )

    def failed(self, ask: PageRequest) -> bool:
        """Note that a request failed. Return True if reading goes on without its answer, otherwise False."""
        goes_on = self._counting.failed(ask)
        self._drop_counted()
        return goes_on

    def refused(self, ask: PageRequest) -> bool:
        """Note that a page was refused.

        Return False unless the refusal may come from the page number or the sorters.
        """
        goes_on = self._counting.refused(ask)
        self._drop_counted()
        return goes_on

    def too_deep(self, ask: PageRequest, error: AioflowsError) -> AioflowsError:
        """Return the error to raise for a refused page: one about its page number, unless that is 0 or 1."""
        return self._counting.too_deep(ask, error)

    def batch(self) -> Batch:
        """Return every row of the second, ordered by id."""
        return Batch.by_id(self._rows, descending=self._instant.axis.descending)

    def _count(self) -> None:
        """Begin to count the rows that milliseconds do not separate."""
        dense_ms = self._pieces.dense_ms
        # The page that showed the second to be dense replaces the first page of the whole second, if both are
        # sorted in the same direction.
        same = dense_ms is None and self._counting.instant.backward == self._backward
        self._counting.begin(dense_ms, self._first if same else None)

    def _drop_counted(self) -> None:
        """Drop the pieces in the counted instant, once all its rows were read."""
        if self._counting.begun and self._counting.done:
            self._pieces.drop(self._counting.instant)
