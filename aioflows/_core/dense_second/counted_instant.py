"""A counted instant: reads a dense second, or a part of it, by page numbers and by texts in its ids.

The ways are tried in this order. None of them is a proof.

1. A page walk (`page_walk`): overlapping pages, on to a row of a later second, or else of an earlier one.
2. Repeated passes (`repeated_passes`). If ties or rows change, pages do not join. Then a second walk sorts ties
   by every field that the service sorts by. If its pages do not join either, passes follow.
3. A depth check (`depth_check`). If pages end without a row of another second, the rows may continue although
   page numbers reach no deeper.
4. Id partitions (`id_partitions`). The instant is read in parts, by a text in its ids, if the depth is not
   shown, or if passes over the same pages lack rows that the passes counted.
5. Passes with changing page sizes, if partitions are not possible or lack rows too.

See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized

from aioflows._core.dense_second.depth_check import DepthCheck
from aioflows._core.dense_second.id_partitions import IdPartitions
from aioflows._core.dense_second.id_shape import IdShape
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_walk import Ending, PageWalk
from aioflows._core.dense_second.repeated_passes import RepeatedPasses
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.ordered_page import PageReader
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["CountedInstant"]

_MOST_ROWS = 1_000_000
_MOST_ANSWERS = 50_000
"""The rows and answers after which a reading fails. Otherwise a service that invents rows would never end."""

_DEPTH_NOT_SHOWN = "page numbers end there, and no deeper row shows that the rows end there too"
_NOT_SEPARATED = "page numbers end before the rows, and no text in the ids separates the rows"


class CountedInstant:
    """A reading of an instant by other ways than milliseconds. The reading starts with `begin`.

    Args:
        ways: the instant, once for each window that its pages may span. The best way is first.
        page_size: largest useful page size (rows).
        service: facts of the session about the service.
        evidence: facts of this scan.
        span: range of the scan, in scan time (ms).
        reader: reader of answers.
        rows: mapping of ids to rows, to which the rows of a complete reading are added.
        splits: True if ids may be partitioned by a text.
    """

    def __init__(
        self,
        ways: Sequence[Instant],
        page_size: int,
        service: ServiceFacts,
        evidence: ScanEvidence,
        span: tuple[int, int],
        reader: PageReader,
        rows: dict[str, tuple[Page, int]],
        *,
        splits: bool,
    ) -> None:
        self._way, *self._other_ways = ways
        self._size = page_size
        self._service = service
        self._evidence = evidence
        self._reader = reader
        self._rows = rows
        self._splits = splits
        self.instant = self._way
        """The instant that is read: one of the ways, from the dense millisecond on."""
        self.begun = False
        """True if a reading was begun."""
        self.overrun: tuple[Instant, Page] | None = None
        """The instant that was read, and its page that reached another second. None means no such page."""
        self._dense_ms: int | None = None
        self._reading: PageWalk | RepeatedPasses | IdPartitions | None = None
        self._answers = 0
        self._depth_check = DepthCheck(self._way, service, evidence, span)
        self._unconfirmed: PageWalk | RepeatedPasses | None = None
        """The reading whose end is not confirmed yet."""
        self._failed_passes: RepeatedPasses | None = None
        """The first passes that failed: fewer rows were known than counted, or the passes did not settle."""
        self._partitioned = False
        self._varied: list[Instant] = []
        """The ways in which passes with changing page sizes were tried."""

    @property
    def done(self) -> bool:
        """True if no reading is under way."""
        return self._reading is None

    def begin(self, dense_ms: int | None, first: InstantPage | None = None) -> None:
        """Begin to read the instant.

        Args:
            dense_ms: the millisecond to begin with. None means that all of the instant is read.
            first: first page of the instant, if it was read before. Default: None, which means that the page is
                requested.
        """
        self.begun, self._dense_ms = True, dense_ms
        self.instant = self._way if dense_ms is None else self._way.beginning_with(dense_ms)
        self._walk(self.instant, self._evidence.full(self._size), first)
        self._go_on()

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        depth = self._depth_to_check
        if depth is not None:
            yield from self._depth_check.wanted(depth)
        elif self._reading is not None:
            yield from self._reading.wanted()

    def received(self, ask: PageRequest, page: Page) -> None:
        """Add an answer.

        Raises:
            CompletenessError: the instant cannot be read completely.
        """
        self._answers += 1
        if ask is self._depth_check.sent:
            self._depth_answered(page)
        elif self._reading is not None:
            if self._answers > _MOST_ANSWERS or len(self._reading.rows) > _MOST_ROWS:
                raise self._unread(self._reading.rows, "more rows keep coming")
            try:
                shown = InstantPage.of(self.instant, ask, page, self._reader)
            except CompletenessError:
                if not self._give_up_sorters(ask):
                    raise
            else:
                self._reading.received(ask, shown)
                self._go_on()

    def failed(self, ask: PageRequest) -> bool:
        """Note that a request failed.

        Return True if it belonged to the depth check, which can use another window. Otherwise return False.
        """
        if ask is not self._depth_check.sent:
            return False
        self._depth_answered(None)
        return True

    def refused(self, ask: PageRequest) -> bool:
        """Note that a page was refused.

        Return False unless the refusal may come from the page number or the sorters.
        """
        if self._give_up_sorters(ask):
            return True
        reading = self._reading
        if ask.page_no <= 1 or reading is None:
            return False
        if isinstance(reading, PageWalk):
            return self._partition(reading)
        if not reading.refused(ask) and isinstance(reading, RepeatedPasses):
            return self._partition(reading)
        self._go_on()
        return True

    def too_deep(self, ask: PageRequest, error: AioflowsError) -> AioflowsError:
        """Return the error to raise for a refused page: one about its page number, unless that is 0 or 1."""
        if ask.page_no <= 1 or self._reading is None or not refusal(error):
            return error
        return self._unread(self._reading.rows, f"the service refuses page {ask.page_no} ({error})")

    def _walk(self, instant: Instant, most: int, first: InstantPage | None = None) -> None:
        self._reading = PageWalk(instant, most, self._service, self._evidence, first)

    def _repeat(self, most: int) -> None:
        self._reading = RepeatedPasses(self.instant, most, self._service, self._evidence)

    def _give_up_sorters(self, ask: PageRequest) -> bool:
        """Continue without further sorters, if the service does not support them.

        The service may refuse further sorters, or no longer sort by the trigger time. Return False if the
        request had no further sorters.
        """
        if not ask.ties:
            return False
        self._service.sorters_help = False
        if isinstance(self._reading, IdPartitions):
            self._reading.give_up_sorters(ask)
            self._go_on()
        else:
            walk = self._reading if isinstance(self._reading, PageWalk) else None
            self._repeat(self._evidence.full(self._size) if walk is None else walk.most)
        return True

    # Choice of the way

    def _go_on(self) -> None:
        """Accept the rows of the present way if it is done, or choose another way."""
        reading = self._reading
        if isinstance(reading, IdPartitions):
            self._after_partitions(reading)
        elif isinstance(reading, PageWalk) and reading.ending in (Ending.EMPTY_PAGE, Ending.UNJOINED):
            if self._service.sorters_help and not reading.tied:
                self._walk(self.instant.tied, reading.most)
            else:
                self._repeat(reading.most)
        elif isinstance(reading, RepeatedPasses) and reading.failed:
            if self._failed_passes is None:  # partitions are tried once, after the first passes that fail
                self._failed_passes = reading
                if self._partition(reading):
                    return
            if not self._vary(reading.rows):
                why = f"{reading.passes} passes over its pages do not agree on its rows"
                raise self._unread(reading.rows, why)
        elif reading is not None and reading.clean:
            if isinstance(reading, PageWalk) and reading.overrun is not None:
                self.overrun = (self.instant, reading.overrun)
            self._accept(reading.rows)
        elif reading is not None and reading.done:
            # Rows may follow the last page if page numbers end before the rows.
            self._unconfirmed = reading
            if self._other_ways:
                self._way, *self._other_ways = self._other_ways
                self.begin(self._dense_ms)
            elif self._depth_check.exhausted and not self._partition(reading):
                raise self._unread(reading.rows, _DEPTH_NOT_SHOWN)

    def _after_partitions(self, reading: IdPartitions) -> None:
        if reading.depth is not None and self._depth_check.exhausted:
            reading.deepened(reached=False)
        rows, passes, unconfirmed = reading.rows, self._failed_passes, self._unconfirmed
        if reading.done and passes is not None and len(rows) < passes.count and self._vary(rows):
            return  # passes counted more rows, so the shape of the ids seen does not hold for all ids
        if reading.done:
            self._accept(rows)
        elif reading.failed and not self._vary(rows):
            nothing_more = unconfirmed is not None and len(rows) == len(unconfirmed.rows)
            raise self._unread(rows, _DEPTH_NOT_SHOWN if nothing_more else _NOT_SEPARATED)

    def _vary(self, rows: dict[str, tuple[Page, int]]) -> bool:
        """Begin passes with changing page sizes, once in each way. Return False if that is not possible.

        Earlier passes over the same pages must have come to an end. Ties may have another order in another way:
        from the other end, or with pages that end with the instant.
        """
        passes = self._failed_passes
        if passes is None or not passes.ended:
            return False
        # From a dense millisecond on, each way covers other milliseconds of the second.
        ways = [self.instant, *(self._other_ways if self._dense_ms is None else ())]
        ways += [way.alone for way in ways]
        way = next((one for one in ways if one not in self._varied), None)
        if way is None:
            return False
        self._varied.append(way)
        instant = way.tied if self._service.sorters_help else way
        self._reading = RepeatedPasses(
            instant, passes.size, self._service, self._evidence, varied=True, rows=rows
        )
        return True

    def _partition(self, reading: PageWalk | RepeatedPasses) -> bool:
        """Begin to read by id partitions, once. Return False if they are not possible."""
        rows = reading.rows
        possible = self._splits and self._service.texts_help and not self._partitioned
        shape = IdShape.of(rows) if possible else None
        if shape is None:
            return False
        self._partitioned = True
        count = reading.count if isinstance(reading, RepeatedPasses) else None
        self._reading = IdPartitions(
            self.instant, self._size, self._service, self._evidence, dict(rows), shape, count
        )
        return True

    # Depth check, and end of a reading

    @property
    def _depth_to_check(self) -> int | None:
        """The depth (rows) that page numbers must be shown to exceed. None means that no check is due."""
        reading = self._reading
        if isinstance(reading, IdPartitions):
            return reading.depth
        if reading is None or reading is not self._unconfirmed or not reading.done:
            return None
        return reading.depth

    def _depth_answered(self, page: Page | None) -> None:
        """Add an answer to the depth check. None means that the page was refused."""
        reached, reading = self._depth_check.received(page), self._reading
        if reached and isinstance(reading, (PageWalk, RepeatedPasses)):
            self._accept(reading.rows)
        elif reached is not None:
            if isinstance(reading, IdPartitions) and (reached or self._depth_check.exhausted):
                reading.deepened(reached=reached)
            self._go_on()

    def _accept(self, rows: dict[str, tuple[Page, int]]) -> None:
        self._rows.update(rows)
        self._reading = None

    def _unread(self, rows: Sized, why: str) -> CompletenessError:
        return CompletenessError(
            f"the window {self.instant.name} holds more rows than the service gives in one page: {len(rows):,} were seen, but {why}. "
            "Use a narrower query (status, owner, expression), or a service that allows larger pages"
        )
