"""A dense second: one second that holds more rows than any page of the service.

Answers have whole seconds, so the keyset walk separates nothing inside a second. Five ways are tried, in this
order:

1. Milliseconds. Requests have milliseconds, so the second is cut until its pieces fit a page. The first cut
   is at its very start, where schedulers fire. This is a proof.
2. Page numbers (`page_walk`). They read a single millisecond that is still too large, with the rest of the
   second and on to a row of a later second, or else of an earlier one.
3. Repeated passes (`repeated_passes`). Pages do not join if ties change or rows change. Then they are read
   once more with ties sorted by every field that the service sorts by, and after that again and again.
4. A look for depth. Pages may end without a row of another second. Then the rows may continue although page
   numbers reach no deeper. A row at the same depth in a wider window shows that page numbers do reach deeper.
5. Id partitions (`id_partitions`). The instant is read in parts, by a text in its ids. This is done if the
   depth is not shown, or if passes over the same pages lack rows that they have counted.

Only the first way is a proof. All others are marked as counted. See docs/algorithms/dense-seconds.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from itertools import accumulate

import attrs

from aioflows._core.dense_second.id_partitions import IdPartitions, IdShape
from aioflows._core.dense_second.instant import Instant, InstantPage
from aioflows._core.dense_second.page_walk import Ending, PageWalk
from aioflows._core.dense_second.repeated_passes import RepeatedPasses
from aioflows._core.pages.evidence import ScanEvidence
from aioflows._core.pages.first_page import refusal
from aioflows._core.pages.ordered_page import Batch, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["DenseSecond"]

_MORE_LOOKS = 2
"""How many times an empty piece is requested again."""

_NOT_SHOWN = "page numbers end there, and nothing shows that its rows do"

_MOST_ROWS = 1_000_000
_MOST_ANSWERS = 50_000
"""The rows and answers after which reading a second fails. A service that invents rows would otherwise
never end."""

_MOST_SHIFTS = 8

_WIDER = 366 * 86_400_000
"""The margin on either side of the scan's range (ms), in which a row is looked for at the depth of the
last page."""


class DenseSecond:
    """A reading of all rows of one second.

    Args:
        ways: the second, or the part of it to read, once for each way that pages may run on. The best way is
            first.
        page_size: largest useful page size (rows).
        service: facts of the session about the service.
        evidence: facts of this scan.
        span: range of the scan, in scan time (ms).
        reader: reader of answers.
        page: page that showed the second to be dense: all its rows lie in the second.
        backward: True if that page was sorted against scan time.
        splits: True if ids may be partitioned by a text. Must be False if the query has a text itself.
            Default: True.
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
        instant, *self._other_ways = ways
        self._instant = instant
        self._first = (backward, InstantPage(page, page.ids, beyond=False))
        self._size = page_size
        self._service = service
        self.base = service.base
        """The number that pages were assumed to count from when the reading began."""
        self._evidence = evidence
        start = max(span[0], instant.first - service.reach // 2)
        near = start, min(span[1], start + service.reach)
        year = span[0] - _WIDER, span[1] + _WIDER
        self._wider = [
            (*window, bare) for bare in (False, True) for window in dict.fromkeys((near, span, year))
        ]
        """The windows in which to look for a row as deep as the end of the pages. The last ones have no
        filters."""
        self._depth_sent: PageRequest | None = None
        self._shift = 0
        """How many rows deeper the look goes. The service may leave out the row at the exact depth for
        missing rights."""
        self._deep: list[str] = []
        """The ids of the rows that the look for depth brought so far."""
        self._reader = reader
        self._splits = splits
        self._rows: dict[str, tuple[Page, int]] = {}
        self._todo = [(instant.first, instant.until)]
        self._looked: Counter[tuple[int, int]] = Counter()
        self._where: dict[str, tuple[int, int]] = {}
        """The smallest piece in which each row was seen."""
        self._piece_sent: PageRequest | None = None
        self._reading: PageWalk | RepeatedPasses | IdPartitions | None = None
        self._counted: Instant | None = None
        self._answers = 0
        self._stuck: int | None = None
        """The millisecond that has more rows than a page. None means that no millisecond was found too
        large."""
        self._torn: RepeatedPasses | None = None
        """Passes over the same pages that failed: they lack rows that they counted, or did not settle."""
        self._varied: list[Instant] = []
        """The ways in which passes with changing page sizes were tried."""
        self._parted = False
        """True if id partitions were tried."""
        self._unsure: PageWalk | RepeatedPasses | None = None
        """The reading whose end is not confirmed yet."""
        self.overrun: tuple[Instant, Page] | None = None
        """The instant that was read, and the page that ran on to a row of another second. None means no
        such page."""
        if service.milliseconds_help:
            self._cut(*self._todo.pop())
        else:
            self._todo.clear()
            self._count()

    @property
    def counted(self) -> bool:
        """True if some rows were counted, not proven."""
        return self._counted is not None

    @property
    def done(self) -> bool:
        """True if every row was read."""
        return not self._todo and self._piece_sent is None and self._reading is None

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the next requests. A request that the caller does not take does not count as sent."""
        if isinstance(self._reading, IdPartitions) and self._reading.depth is not None:
            yield from self._look_deeper(self._reading.depth)
        elif (
            isinstance(self._reading, (PageWalk, RepeatedPasses))
            and self._reading.done
            and self._reading is self._unsure
        ):
            yield from self._look_deeper(self._depth_of(self._unsure))
        elif self._reading is not None:
            yield from self._reading.wanted()
        elif self._piece_sent is None and self._todo:
            first, until = self._todo.pop()
            self._piece_sent = PageRequest(
                first,
                until,
                self._instant.axis,
                page_size=self._size,
                page_no=self._service.first_page or 0,
            )
            yield self._piece_sent

    def received(self, ask: PageRequest, page: Page) -> None:
        """Add an answer.

        Raises:
            CompletenessError: the second cannot be read completely.
        """
        self._answers += 1
        if ask is self._depth_sent:
            self._looked_deeper(page)
        elif self._reading is not None:
            if self._answers > _MOST_ANSWERS or len(self._reading.rows) > _MOST_ROWS:
                raise self._unread(self._reading.rows, "ever more come")
            try:
                sheet = InstantPage.of(self._counted or self._instant, ask, page, self._reader)
            except CompletenessError:
                if not self._give_up_sorters(ask):
                    raise
            else:
                self._reading.received(ask, sheet)
                self._go_on()
        elif ask is self._piece_sent:
            if page.ids:
                self._reader.read(ask, page)
                self._evidence.note_size(self._size, len(page.ids), page.ids[0], len(page.body))
            self._piece_sent = None
            self._piece(ask.first, ask.until, page)
        if self.done and self._rows.keys().isdisjoint(self._first[1].ids):
            raise CompletenessError(
                f"the window {self._instant.name} was answered with {len(self._rows):,} rows, and with none of those that "
                "were seen there before: its answers contradict each other"
            )

    def refused(self, ask: PageRequest) -> bool:
        """Note that a page was refused.

        Return False unless the refusal may come from the page number or the sorters.
        """
        if ask is self._depth_sent:
            self._looked_deeper(None)
            return True
        if self._give_up_sorters(ask):
            return True
        if ask.page_no <= 1:
            return False
        if isinstance(self._reading, RepeatedPasses) and self._reading.refused(ask):
            self._go_on()
            return True
        if isinstance(self._reading, IdPartitions):
            self._reading.refused(ask)
            self._go_on()
            return True
        return self._reading is not None and self._split()

    def too_deep(self, ask: PageRequest, error: AioflowsError) -> AioflowsError:
        """Return the error to raise for a refused page: one about its page number, unless that is 0 or 1."""
        if ask.page_no <= 1 or self._reading is None or not refusal(error):
            return error
        return self._unread(self._reading.rows, f"the service refuses page {ask.page_no} ({error})")

    def batch(self) -> Batch:
        """Return every row of the second, ordered by id."""
        names = sorted(self._rows, reverse=self._instant.axis.descending)
        parts: dict[int, tuple[Page, list[int]]] = {}
        for name in names:
            page, row = self._rows[name]
            parts.setdefault(id(page), (page, []))[1].append(row)
        # Each page decodes its rows together, in the order of their ids. `order` interleaves the pages.
        starts = dict(
            zip(parts, accumulate((len(rows) for _, rows in parts.values()), initial=0), strict=False)
        )
        order = []
        for name in names:
            key = id(self._rows[name][0])
            order.append(starts[key])
            starts[key] += 1
        return Batch(tuple(parts.values()), order)

    # Piece by piece

    def _piece(self, first: int, until: int, page: Page) -> None:
        for name in page.ids:
            low, high = self._where.get(name, (first, until))
            if until <= low or high <= first:
                # The service does not treat bounds as documented: it rounds them, or includes both.
                self._give_up_milliseconds()
                return
            self._where[name] = (max(first, low), min(until, high))
        self._piece_rows(first, until, page)

    def _piece_rows(self, first: int, until: int, page: Page) -> None:
        rows = len(page.ids)
        if not rows and self._looked[first, until] < _MORE_LOOKS:
            self._looked[first, until] += 1  # one empty answer is not trusted
            self._todo.insert(0, (first, until))
        elif not rows or self._evidence.ends_short(self._size, rows, len(page.body)):
            for row, name in enumerate(page.ids):
                self._rows.setdefault(name, (page, row))
            if not self._todo and not self._rows.keys() >= set(self._first[1].ids):
                self._give_up_milliseconds()  # a row of the second appears in none of its pieces
        elif until - first > 1:
            self._cut(first, until)
        else:
            self._service.milliseconds_help = False
            self._stuck = first
            self._count()

    def _give_up_milliseconds(self) -> None:
        """Read the whole second by page numbers, because the service does not tell milliseconds apart."""
        self._service.milliseconds_help = False
        self._todo, self._rows, self._stuck = [], {}, None
        self._count()

    def _cut(self, first: int, until: int) -> None:
        axis = self._instant.axis
        start, end = axis.window(first, until)
        cut = start + 1 if start % 1000 == 0 and end - start > 2 else (start + end) // 2
        for window in sorted(axis.window(*piece) for piece in ((start, cut), (cut, end))):
            self._todo.append(window)

    # By page numbers

    def _count(self) -> None:
        """Begin to read the second by page numbers.

        If milliseconds were tried first, this reads only the stuck millisecond and the part that pages run on
        to.
        """
        instant, first = self._instant, self._stuck
        if first is not None and instant.backward:
            self._todo = [piece for piece in self._todo if piece[0] > first]
            instant = attrs.evolve(instant, until=first + 1)
        elif first is not None:
            self._todo = [piece for piece in self._todo if piece[0] < first]
            instant = attrs.evolve(instant, first=first)
        self._counted = instant
        backward, sheet = self._first
        # The page that showed the second to be dense is the first page of this walk, if both run the same
        # way.
        begun = first is None and instant.backward == backward
        self._walk(instant, sheet if begun else None)
        self._go_on()

    def _walk(self, instant: Instant, first: InstantPage | None = None, most: int | None = None) -> None:
        most = self._evidence.full(self._size) if most is None else most
        self._reading = PageWalk(instant, most, self._service, self._evidence, first)

    def _give_up_sorters(self, ask: PageRequest) -> bool:
        """Continue without further sorters, if the service does not support them.

        It may refuse them, or no longer sort by the trigger time. Return False if the request had no further
        sorters.
        """
        if not ask.ties:
            return False
        self._service.sorters_help = False
        assert self._counted is not None
        if isinstance(self._reading, IdPartitions):
            self._reading.give_up_sorters(ask)
            self._go_on()
        else:
            most = (
                self._reading.most if isinstance(self._reading, PageWalk) else self._evidence.full(self._size)
            )
            self._reading = RepeatedPasses(self._counted, most, self._service, self._evidence)
        return True

    def _go_on(self) -> None:
        """Accept the rows of the present way if it is done, or choose another way."""
        reading = self._reading
        if isinstance(reading, IdPartitions):
            self._after_split(reading)
        elif isinstance(reading, PageWalk) and reading.ending in (Ending.TORN, Ending.UNJOINED):
            assert self._counted is not None
            if self._service.sorters_help and not reading.tied:
                self._walk(self._counted.tied, most=reading.most)
            else:
                self._reading = RepeatedPasses(self._counted, reading.most, self._service, self._evidence)
        elif isinstance(reading, RepeatedPasses) and reading.failed:
            if self._torn is None:  # the first passes, which may have changed to other page sizes
                self._torn = reading
                if self._split():
                    return
            if not self._vary(reading.rows):
                raise self._unread(reading.rows, f"{reading.passes} passes over its pages did not settle")
        elif reading is not None and reading.clean:
            if isinstance(reading, PageWalk) and reading.overrun is not None and self._counted is not None:
                self.overrun = (self._counted, reading.overrun)
            self._take(reading.rows)
        elif reading is not None and reading.done:
            # This may be the end of the rows or the end of the page numbers.
            self._unsure = reading
            if self._other_ways:
                self._instant, *self._other_ways = self._other_ways
                self._count()
            elif not self._wider and not self._split():
                raise self._unread(reading.rows, _NOT_SHOWN)

    def _after_split(self, split: IdPartitions) -> None:
        if split.depth is not None and not self._wider:
            split.deepened(reached=False)
        torn = self._torn
        if split.done and torn is not None and len(split.rows) < torn.count and self._vary(split.rows):
            return  # passes counted more rows, so some ids have another shape than those seen
        if split.done:
            self._take(split.rows)
        elif split.failed and self._vary(split.rows):
            return
        elif split.failed and self._unsure is not None and len(split.rows) == len(self._unsure.rows):
            raise self._unread(split.rows, _NOT_SHOWN)
        elif split.failed:
            raise self._unread(
                split.rows, "page numbers end before its rows do, and its ids do not tell them apart"
            )

    def _vary(self, rows: dict[str, tuple[Page, int]]) -> bool:
        """Begin passes with changing page sizes, once in each way. Return False if that is not possible.

        Earlier passes over the same pages must have come to an end. Each way may bring ties in another order:
        from the other end, or with pages that do not run on.
        """
        torn = self._torn
        if torn is None or not torn.ends or self._counted is None:
            return False
        # After milliseconds, the other way would cover other milliseconds of the second.
        ways = [self._counted, *(self._other_ways if self._stuck is None else ())]
        ways += [way.alone for way in ways]
        way = next((one for one in ways if one not in self._varied), None)
        if way is None:
            return False
        self._varied.append(way)
        instant = way.tied if self._service.sorters_help else way
        self._reading = RepeatedPasses(
            instant, torn.size, self._service, self._evidence, varied=True, rows=rows
        )
        return True

    def _look_deeper(self, rows: int) -> Iterator[PageRequest]:
        """Yield the request for the row after *rows* rows in a wider window.

        A service may answer a number that is too high with the first or the last page. So the row before it
        and the first row are requested too, and all must differ.
        """
        if self._depth_sent is None and self._wider:
            first, until, bare = self._wider[0]
            number = self._numbers_of_depth(rows)[len(self._deep)]
            self._depth_sent = PageRequest(
                first, until, self._instant.axis, 1, page_no=number, tries=2, bare=bare
            )
            yield self._depth_sent

    def _looked_deeper(self, page: Page | None) -> None:
        """Note the answer to a look for depth. None means that the page was refused."""
        self._depth_sent = None
        reading = self._reading
        depth = self._depth_of(reading)
        needed = len(self._numbers_of_depth(depth))
        name = page.ids[0] if page is not None and page.ids else None
        if name is None and self._service.false_empty_seen and self._looked[self._wider[0][:2]] < _MORE_LOOKS:
            self._looked[self._wider[0][:2]] += 1  # it may be another false empty answer
            return
        if name is not None and name not in self._deep:
            self._deep.append(name)
            if len(self._deep) < needed:
                return
        reached = len(self._deep) == needed
        self._deep.clear()
        if reached:
            self._evidence.deepest = max(self._evidence.deepest, depth + 1)
        elif self._shift < (_MOST_SHIFTS if self._evidence.cut_short else self._service.base is None):
            self._shift += 1
        else:
            del self._wider[0]
            self._shift = 0
        if isinstance(reading, IdPartitions):
            if reached or not self._wider:
                reading.deepened(reached=reached)
            self._go_on()
        elif reached and reading is not None:
            self._take(reading.rows)
        else:
            self._go_on()

    def _numbers_of_depth(self, rows: int) -> list[int]:
        """Return the numbers of one-row pages that show whether numbers reach deeper than *rows* rows.

        These are the row after the last, the last row and the first row. While page 0 may be another name for
        page 1, both are requested and must differ. Otherwise pages may count from 1.
        """
        base, further = self._service.base, self._shift
        numbers = [rows + further, rows - 1 + further, further]
        if base is None and not further:
            numbers = [rows, rows - 1, 1, 0]
        return [number + (base or 0) for number in dict.fromkeys(numbers)]

    @staticmethod
    def _depth_of(reading: PageWalk | RepeatedPasses | IdPartitions | None) -> int:
        if isinstance(reading, IdPartitions):
            return reading.depth or 0
        if isinstance(reading, RepeatedPasses):
            return reading.depth
        return reading.total if reading is not None else 0

    def _split(self) -> bool:
        """Begin to read by id partitions. Return False if the ids seen so far share no shape."""
        assert self._counted is not None
        rows = {} if self._reading is None else self._reading.rows
        shape = IdShape.of(rows) if self._splits and self._service.texts_help and not self._parted else None
        if shape is not None:
            self._parted = True
            count = self._reading.count if isinstance(self._reading, RepeatedPasses) else None
            self._reading = IdPartitions(
                self._counted, self._size, self._service, self._evidence, dict(rows), shape, count
            )
        return shape is not None

    def _take(self, rows: dict[str, tuple[Page, int]]) -> None:
        self._rows.update(rows)
        self._reading = None

    def _unread(self, rows: Sized, why: str) -> CompletenessError:
        name = (self._counted or self._instant).name
        return CompletenessError(
            f"the window {name} holds more rows than the service gives in one page: {len(rows):,} were seen, but {why}. "
            "A narrower query (status, owner, expression) can be read completely, or a service that allows larger pages"
        )
