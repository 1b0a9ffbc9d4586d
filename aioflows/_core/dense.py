"""One second that holds more rows than any page the service gives.

Answers have whole seconds, so the order inside a second separates nothing. What helps, in this order:

1. Requests have milliseconds: the second is cut until its pieces fit a page, first at its very start, where schedulers
   fire. This is proof.
2. What is left when a piece is a single millisecond is read by page numbers (`walk`), together with the rest of the
   second and on to a row of a later one, or else of an earlier one.
3. Where its end cannot be believed, or page numbers do not reach it, the instant is read part by part, by what its ids
   contain (`split`).
4. Where pages do not join, since ties change or rows come and go, they are read again and again (`rounds`).

All but the first is counting, and marked so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from itertools import accumulate

import attrs

from aioflows._core.instant import Instant, Sheet
from aioflows._core.pages import Ask, Page, Reader
from aioflows._core.release import Batch
from aioflows._core.rounds import Rounds
from aioflows._core.service import Service
from aioflows._core.split import Shape, Split
from aioflows._core.walk import Ending, Walk
from aioflows.errors import CompletenessError

__all__ = ["Dense"]

_MORE_LOOKS = 2
"""How often a piece that was answered with nothing is asked for again."""

_MOST_ROWS = 1_000_000
_MOST_ANSWERS = 50_000
"""Rows and answers after which a second is given up. A service that makes up rows would otherwise be read for ever."""

_ROUND = 100
"""Rows of which a total that nothing confirms must be no multiple: where page numbers end, they end at a round number."""


class Dense:
    """All rows of one second.

    Args:
        ways: the second, or *what* of it is to be read, with the ways that pages may run on, the best first.
        page_size: *rows*, the largest page worth asking for.
        service: what the session knows of the service.
        reader: reads answers.
        page: the *page* that showed it to be dense, since all of its rows lie in it.
        backward: whether that page was sorted against scan time.
        splits: whether rows may be told apart by a text in their ids; not where the query asks for a text itself.
    """

    def __init__(
        self,
        ways: Sequence[Instant],
        page_size: int,
        service: Service,
        reader: Reader,
        page: Page,
        *,
        backward: bool,
        splits: bool = True,
    ) -> None:
        instant, *self._other_ways = ways
        self._instant = instant
        self._first = (backward, Sheet(page, page.ids, beyond=False))
        self._size = page_size
        self._service = service
        self._reader = reader
        self._splits = splits
        self._rows: dict[str, tuple[Page, int]] = {}
        self._todo = [(instant.first, instant.until)]
        self._looked: Counter[tuple[int, int]] = Counter()
        self._where: dict[str, tuple[int, int]] = {}
        """The smallest piece that each row was seen in."""
        self._piece_sent: Ask | None = None
        self._reading: Walk | Rounds | Split | None = None
        self._counted: Instant | None = None
        self._answers = 0
        self._stuck: int | None = None
        """The millisecond that no page holds; None: nothing was read by milliseconds."""
        self._unsure: Walk | Rounds | None = None
        """What was read up to an end that nothing has confirmed yet."""
        self.overrun: tuple[Instant, Page] | None = None
        """How it was read, and the page that ran on to a row of another second."""
        self._missed = False
        """Whether pages ended before a row that is known to follow."""
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

    def wanted(self) -> Iterator[Ask]:
        """Name the requests to start now, one at a time: what is not taken is not noted as asked."""
        if self._reading is not None:
            yield from self._reading.wanted()
        elif self._piece_sent is None and self._todo:
            first, until = self._todo.pop()
            self._piece_sent = Ask(
                first, until, self._instant.axis, page_size=self._size, page_no=self._service.first_page or 0
            )
            yield self._piece_sent

    def received(self, ask: Ask, page: Page) -> None:
        """Take an answer; raise `CompletenessError` if the second cannot be read whole."""
        self._answers += 1
        if self._reading is not None:
            if self._answers > _MOST_ANSWERS or len(self._reading.rows) > _MOST_ROWS:
                raise self._unread(self._reading.rows, "ever more come")
            self._reading.received(ask, Sheet.of(self._counted or self._instant, ask, page, self._reader))
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

    def refused(self, ask: Ask) -> bool:
        """Take the refusal of a page, if that may mean that numbers end before it."""
        if ask.page_no <= 1:
            return False
        if isinstance(self._reading, Split):
            self._reading.refused(ask)
            self._go_on()
            return True
        return self._reading is not None and self._split()

    def batch(self) -> Batch:
        """Give every row of the second, in the order of their ids."""
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
        rows = len(page.ids)
        for name in page.ids:
            low, high = self._where.get(name, (first, until))
            if until <= low or high <= first:
                raise CompletenessError(
                    f"instance {name!r} was answered in two windows that share no millisecond, both within "
                    f"{self._instant.name}: the service ignores the time filter, and then nothing can be proven"
                )
            self._where[name] = (max(first, low), min(until, high))
        if not rows and self._looked[first, until] < _MORE_LOOKS:
            self._looked[first, until] += 1  # emptiness is not believed at once
            self._todo.insert(0, (first, until))
        elif not rows or self._service.ends_short(self._size, rows):
            for row, name in enumerate(page.ids):
                self._rows.setdefault(name, (page, row))
        elif until - first > 1:
            self._cut(first, until)
        else:
            self._service.milliseconds_help = False
            self._stuck = first
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
        self._reading = Walk(instant, self._service.full(self._size), self._service, sheet if begun else None)
        self._go_on()

    def _go_on(self) -> None:
        """Take what was read by the present way, or choose another one."""
        reading = self._reading
        if isinstance(reading, Split):
            self._after_split(reading)
        elif isinstance(reading, Walk) and reading.ending in (Ending.TORN, Ending.UNJOINED):
            assert self._counted is not None
            self._reading = Rounds(self._counted, self._service.full(self._size), self._service)
        elif isinstance(reading, Rounds) and reading.failed:
            if not self._split():
                raise self._unread(reading.rows, f"{reading.passes} passes over its pages did not settle")
        elif reading is not None and reading.clean:
            if isinstance(reading, Walk) and reading.overrun is not None and self._counted is not None:
                self.overrun = (self._counted, reading.overrun)
            self._take(reading.rows)
        elif reading is not None and reading.done:
            # It may be the end of the rows or the end of page numbers.
            self._unsure = reading
            self._missed = self._missed or self._instant.known
            if self._other_ways:
                self._instant, *self._other_ways = self._other_ways
                self._count()
            elif not self._split():
                self._believe(reading)

    def _after_split(self, split: Split) -> None:
        if split.done:
            self._take(split.rows)
        elif split.failed and self._unsure is not None and len(split.rows) == len(self._unsure.rows):
            self._believe(self._unsure)
        elif split.failed:
            raise self._unread(
                split.rows, "page numbers end before its rows do, and its ids do not tell them apart"
            )

    def _believe(self, reading: Walk | Rounds) -> None:
        """Take what was read up to an end that nothing confirms or disproves."""
        full = self._service.full(self._size)
        if self._missed or reading.total % _ROUND == 0 or reading.total % full == 0:
            raise self._unread(reading.rows, "page numbers end there, and nothing shows that its rows do")
        self._take(reading.rows)

    def _split(self) -> bool:
        """Read part by part, if the rows seen so far show how."""
        assert self._counted is not None
        rows = {} if self._reading is None else self._reading.rows
        shape = Shape.of(rows) if self._splits and self._service.texts_help else None
        if shape is not None:
            self._reading = Split(self._counted, self._size, self._service, dict(rows), shape)
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
