"""One second that holds more rows than any page the service gives.

Answers have whole seconds, so the order inside a second separates nothing. Requests have milliseconds, though: the
second is cut until its pieces fit a page, first at its very start, where schedulers fire. What is left when a piece is
a single millisecond is counted (`counting`), and marked so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from aioflows._core.counting import Counting
from aioflows._core.pages import Ask, Axis, Page
from aioflows._core.release import Batch
from aioflows._core.service import Service
from aioflows.errors import CompletenessError

__all__ = ["Dense"]

_MORE_LOOKS = 2
"""How often a piece that was answered with nothing is asked for again."""


class Dense:
    """All rows of one second.

    Args:
        first: *milliseconds* of scan time, where what is to be read starts.
        until: *milliseconds* of scan time, where it ends; at most a second later.
        axis: the direction of the scan.
        page_size: *rows*, the largest page worth asking for.
        service: what the session knows of the service.
        known: *ids* of rows that were seen in it.
        page: its first page, sorted along scan time, if that was what showed that it is dense.
    """

    def __init__(
        self,
        first: int,
        until: int,
        axis: Axis,
        page_size: int,
        service: Service,
        known: frozenset[str],
        page: Page | None = None,
    ) -> None:
        self._window = (first, until)
        self._known = known
        self._axis = axis
        self._size = page_size
        self._service = service
        self._rows: dict[str, tuple[Page, int]] = {}
        self._todo = [(first, until)]
        self._looked: Counter[tuple[int, int]] = Counter()
        self._sent: Ask | None = None
        self._counting: Counting | None = None
        self.counted = False
        if service.milliseconds_help:
            self._cut(*self._todo.pop())
        else:
            self._count(*self._todo.pop(), page)

    @property
    def done(self) -> bool:
        """Whether every row was read."""
        return not self._todo and self._sent is None and self._counting is None

    def wanted(self) -> Iterator[Ask]:
        """Name the requests to start now, one at a time: what is not taken is not noted as asked."""
        if self._counting is not None:
            yield from self._counting.wanted()
        elif self._sent is None and self._todo:
            first, until = self._todo.pop()
            self._sent = Ask(
                first, until, self._axis, page_size=self._size, page_no=self._service.first_page or 0
            )
            yield self._sent

    def received(self, ask: Ask, page: Page) -> None:
        """Take an answer; raise `CompletenessError` if the second cannot be read whole."""
        if self._counting is not None:
            self._counting.received(ask, page)
            if self._counting.failed:
                raise self._unread(self._counting)
            if self._counting.done:
                self._rows.update(self._counting.rows)
                self._counting = None
        elif ask is self._sent:
            self._sent = None
            self._piece(ask.first, ask.until, page)
        if self.done and self._known and self._known.isdisjoint(self._rows):
            start, end = self._axis.window(*self._window)
            raise CompletenessError(
                f"the window {start}–{end} ms was answered with {len(self._rows):,} rows, and with none of those that were "
                "seen there before: its answers contradict each other"
            )

    def batch(self) -> Batch:
        """Give every row of the second, in the order of their ids."""
        names = sorted(self._rows, reverse=self._axis.descending)
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

    def _piece(self, first: int, until: int, page: Page) -> None:
        rows = len(page.ids)
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
            self._count(first, until)

    def _cut(self, first: int, until: int) -> None:
        start, end = self._axis.window(first, until)
        cut = start + 1 if start % 1000 == 0 and end - start > 2 else (start + end) // 2
        for window in sorted(self._axis.window(*piece) for piece in ((start, cut), (cut, end))):
            self._todo.append(window)

    def _count(self, first: int, until: int, page: Page | None = None) -> None:
        self.counted = True
        most = self._service.full(self._size)
        self._counting = Counting(first, until, self._axis, self._size, most, self._service, page)

    def _unread(self, counting: Counting) -> CompletenessError:
        start, end = self._axis.window(*counting.window)
        return CompletenessError(
            f"the window {start}–{end} ms holds more rows than the service gives in one page, and reading it by page "
            f"numbers did not settle: {len(counting.rows):,} rows were seen. A narrower query (status, owner, "
            "expression) can be read completely, or a service that allows larger pages"
        )
