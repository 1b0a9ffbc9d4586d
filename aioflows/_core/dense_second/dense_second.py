"""One second that holds more rows than any page the service gives.

Answers have whole seconds, so the order inside a second separates nothing. What helps, in this order:

1. Requests have milliseconds: the second is cut until its pieces fit a page, first at its very start, where schedulers
   fire. This is proof.
2. What is left when a piece is a single millisecond is read by page numbers (`walk`), together with the rest of the
   second and on to a row of a later one, or else of an earlier one.
3. Where pages do not join, since ties change or rows come and go, they are read once more with ties sorted by everything
   that the service sorts by, and then again and again (`rounds`).
4. Where pages end without a row of another second, nothing shows that the rows do, since page numbers may reach no deeper.
   A row that lies as deep in a wider window shows that they do.
5. Where that cannot be shown, or passes over the same pages lack rows that they have counted, the instant is read part by
   part, by what its ids contain (`split`).

All but the first is counting, and marked so.
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
from aioflows._core.pages.reading import Batch, Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["DenseSecond"]

_MORE_LOOKS = 2
"""How often a piece that was answered with nothing is asked for again."""

_NOT_SHOWN = "page numbers end there, and nothing shows that its rows do"

_MOST_ROWS = 1_000_000
_MOST_ANSWERS = 50_000
"""Rows and answers after which a second is given up. A service that makes up rows would otherwise be read for ever."""

_MOST_SHIFTS = 8

_WIDER = 366 * 86_400_000
"""Milliseconds on either side of what is read, in which a row is looked for that lies deep enough in a result."""


class DenseSecond:
    """All rows of one second.

    Args:
        ways: the second, or *what* of it is to be read, with the ways that pages may run on, the best first.
        page_size: *rows*, the largest page worth asking for.
        service: what the session knows of the service.
        evidence: what this scan was shown.
        span: what the scan reads, in *milliseconds* of scan time.
        reader: reads answers.
        page: the *page* that showed it to be dense, since all of its rows lie in it.
        backward: whether that page was sorted against scan time.
        splits: whether rows may be told apart by a text in their ids; not where the query asks for a text itself.
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
        """The number that page numbers were taken to count from when it was begun."""
        self._evidence = evidence
        start = max(span[0], instant.first - service.reach // 2)
        near = start, min(span[1], start + service.reach)
        year = span[0] - _WIDER, span[1] + _WIDER
        self._wider = [
            (*window, bare) for bare in (False, True) for window in dict.fromkeys((near, span, year))
        ]
        """Windows in which a row may lie as deep as pages have ended at, at last without the query's filters."""
        self._depth_sent: PageRequest | None = None
        self._shift = 0
        """How many rows further on it is looked, since what stands there may be left out for want of rights."""
        self._deep: list[str] = []
        """The rows that were brought so far to show how deep pages reach."""
        self._reader = reader
        self._splits = splits
        self._rows: dict[str, tuple[Page, int]] = {}
        self._todo = [(instant.first, instant.until)]
        self._looked: Counter[tuple[int, int]] = Counter()
        self._where: dict[str, tuple[int, int]] = {}
        """The smallest piece that each row was seen in."""
        self._piece_sent: PageRequest | None = None
        self._reading: PageWalk | RepeatedPasses | IdPartitions | None = None
        self._counted: Instant | None = None
        self._answers = 0
        self._stuck: int | None = None
        """The millisecond that no page holds; None: nothing was read by milliseconds."""
        self._torn: RepeatedPasses | None = None
        """Passes over the same pages that lack rows which they have counted, or did not come to rest."""
        self._varied: list[Instant] = []
        """The ways in which pages of other sizes were read in each pass."""
        self._parted = False
        """Whether it was read part by part."""
        self._unsure: PageWalk | RepeatedPasses | None = None
        """What was read up to an end that nothing has confirmed yet."""
        self.overrun: tuple[Instant, Page] | None = None
        """How it was read, and the page that ran on to a row of another second."""
        if service.milliseconds_help:
            self._cut(*self._todo.pop())
        else:
            self._todo.clear()
            self._count()

    @property
    def counted(self) -> bool:
        """Whether some of it could only be settled by counting."""
        return self._counted is not None

    @property
    def done(self) -> bool:
        """Whether every row was read."""
        return not self._todo and self._piece_sent is None and self._reading is None

    def wanted(self) -> Iterator[PageRequest]:
        """Name the requests to start now, one at a time: what is not taken is not noted as asked."""
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
        """Take an answer; raise `CompletenessError` if the second cannot be read whole."""
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
            self._piece_sent = None
            self._piece(ask.first, ask.until, page)
        if self.done and self._rows.keys().isdisjoint(self._first[1].ids):
            raise CompletenessError(
                f"the window {self._instant.name} was answered with {len(self._rows):,} rows, and with none of those that "
                "were seen there before: its answers contradict each other"
            )

    def refused(self, ask: PageRequest) -> bool:
        """Take the refusal of a page, if that may mean that numbers end before it."""
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
        """Return the error to end with where a page was refused: its number, unless it is one of the first."""
        if ask.page_no <= 1 or self._reading is None or not refusal(error):
            return error
        return self._unread(self._reading.rows, f"the service refuses page {ask.page_no} ({error})")

    def batch(self) -> Batch:
        """Return every row of the second, in the order of their ids."""
        names = sorted(self._rows, reverse=self._instant.axis.descending)
        parts: dict[int, tuple[Page, list[int]]] = {}
        for name in names:
            page, row = self._rows[name]
            parts.setdefault(id(page), (page, []))[1].append(row)
        # Each page gives its rows in one go, in the order of their names; this is how they interleave.
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
                # Its bounds are not what they are documented to be: rounded, or both of them included.
                self._give_up_milliseconds()
                return
            self._where[name] = (max(first, low), min(until, high))
        self._piece_rows(first, until, page)

    def _piece_rows(self, first: int, until: int, page: Page) -> None:
        rows = len(page.ids)
        if not rows and self._looked[first, until] < _MORE_LOOKS:
            self._looked[first, until] += 1  # emptiness is not believed at once
            self._todo.insert(0, (first, until))
        elif not rows or self._evidence.ends_short(self._size, rows):
            for row, name in enumerate(page.ids):
                self._rows.setdefault(name, (page, row))
            if not self._todo and not self._rows.keys() >= set(self._first[1].ids):
                self._give_up_milliseconds()  # a row that was seen in the second is in none of its pieces
        elif until - first > 1:
            self._cut(first, until)
        else:
            self._service.milliseconds_help = False
            self._stuck = first
            self._count()

    def _give_up_milliseconds(self) -> None:
        """Read the whole second by page numbers: the service does not tell its milliseconds apart as it should."""
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
        """Read the second; of one that was begun by milliseconds, the stuck one and what pages would run on to."""
        instant, first = self._instant, self._stuck
        if first is not None and instant.backward:
            self._todo = [piece for piece in self._todo if piece[0] > first]
            instant = attrs.evolve(instant, until=first + 1)
        elif first is not None:
            self._todo = [piece for piece in self._todo if piece[0] < first]
            instant = attrs.evolve(instant, first=first)
        self._counted = instant
        backward, sheet = self._first
        # The page that showed the second to be dense is the first of these, if they run the same way.
        begun = first is None and instant.backward == backward
        self._walk(instant, sheet if begun else None)
        self._go_on()

    def _walk(self, instant: Instant, first: InstantPage | None = None, most: int | None = None) -> None:
        most = self._evidence.full(self._size) if most is None else most
        self._reading = PageWalk(instant, most, self._service, self._evidence, first)

    def _give_up_sorters(self, ask: PageRequest) -> bool:
        """Read on without further sorters, if the service refuses them or does not sort by the trigger time then."""
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
        """Take what was read by the present way, or choose another one."""
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
            if not reading.varied:
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
            # It may be the end of the rows or the end of page numbers.
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
            return  # as many rows were counted, so that not all ids are of the shape that those seen have
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
        """Read pages of other sizes in each pass, once in each way, if passes over the same pages have come to an end.

        Ties may come in another order from the other end, and in a window of its own.
        """
        torn = self._torn
        if torn is None or not torn.ends or self._counted is None:
            return False
        # From its other end, other milliseconds would belong to what is read.
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
        """Ask for the row behind so many in a wider window, while that of what is read has ended there.

        Numbers that are too high may be answered with the first page again, or with the last. So the row before it and
        the first one are asked for as well: none of them may be the same as another.
        """
        if self._depth_sent is None and self._wider:
            first, until, bare = self._wider[0]
            number = self._numbers_of_depth(rows)[len(self._deep)]
            self._depth_sent = PageRequest(
                first, until, self._instant.axis, 1, page_no=number, tries=2, bare=bare
            )
            yield self._depth_sent

    def _looked_deeper(self, page: Page | None) -> None:
        """Note that pages reach deeper than where they have ended, if one has brought a row."""
        self._depth_sent = None
        reading = self._reading
        depth = self._depth_of(reading)
        needed = len(self._numbers_of_depth(depth))
        name = page.ids[0] if page is not None and page.ids else None
        if name is None and self._service.lied and self._looked[self._wider[0][:2]] < _MORE_LOOKS:
            self._looked[self._wider[0][:2]] += 1  # a service that has said "nothing" falsely is asked again
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
        """Return the pages that show that numbers reach behind so many rows: of the one behind the last, the last, and the first.

        While page 0 may be another name for page 1, that one has to differ from it; or else they count from 1.
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
        """Read part by part, if the rows seen so far show how."""
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
