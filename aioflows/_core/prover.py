"""What an answer proves, and what it leaves to be found out.

A first page takes a window out of the gaps by the lemma (`pages`). Everything else here is about answers that prove
less than they seem to: a page that may or may not have been the last, an answer with nothing in it, a second that holds
more rows than a page.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.dense import Dense
from aioflows._core.density import Proof, learn
from aioflows._core.doubts import Doubts
from aioflows._core.errands import Errands
from aioflows._core.frontier import Frontier, covered
from aioflows._core.pages import NOTHING, Ask, Page, Reader, Reading
from aioflows._core.plan import Anchor, Gap
from aioflows._core.release import Batch, Run
from aioflows._core.service import LARGEST_PAGE, Service
from aioflows.errors import AioflowsError

__all__ = ["Prover"]

_LOOKS = 3
"""Empty answers after which a window is believed to be empty, where no row is known that should have come along."""

_LOOKS_AGAINST_A_ROW = 6
"""The same where one is: it may have gone, but more likely the answers are wrong."""

_TIES_TO_GO_LARGER = 0.25
"""The share of a full page in its last second from which that second is asked for with a larger page."""


class Prover:
    """Takes answers.

    Args:
        frontier: the gaps of the scan, and the runs that they become.
        errands: where requests go that answers make necessary.
        reader: reads answers.
        service: what the session knows of the service.
        page_size: *rows* a request.
    """

    def __init__(
        self, frontier: Frontier, errands: Errands, reader: Reader, service: Service, page_size: int
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._reader = reader
        self._service = service
        self._page_size = page_size
        self._doubts = Doubts(frontier, errands, reader, service, self.answered)
        self.duplicates = 0
        """Rows that came again and were dropped."""

    def answered(self, ask: Ask, page: Page) -> None:
        """Take the first page of a window."""
        gaps = self._frontier.put_down(ask)
        if not gaps:
            self.duplicates += len(page.ids)
            return
        if not page.ids:
            self._nothing(ask, gaps)
            return
        try:
            reading = self._reader.read(ask, page)
        except AioflowsError as error:
            self._frontier.fail(gaps[0], error)
            return
        whole = self._service.ends_short(ask.page_size, len(reading))
        if not whole and self._stands_alone(ask, reading, gaps[0]):
            self._look_further(ask, page, reading)
        else:
            self._prove(ask, page, reading, whole)

    def _prove(self, ask: Ask, page: Page, reading: Reading, whole: bool) -> None:
        """Take what a page proves out of the gaps."""
        first, until = ask.first, ask.until
        if not whole and ask.backward:
            first = max(first, (reading.first + 1) * 1000)
        elif not whole:
            until = min(until, reading.last * 1000)
        gaps = self._gaps.within(first, until) if first < until else []
        for gap in gaps:
            for anchor in covered(gap, first, until):
                if anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self._doubts.raise_for(anchor, gap, ask, page)
                    return
        kept = 0
        for gap in gaps:
            low, high = max(first, gap.first), min(until, gap.until)
            start, stop = reading.index(low // 1000), reading.index(-(-high // 1000))
            rows = reading.rows(start, stop)
            kept += len(rows)
            known = (reading.second(start), reading.second(stop - 1)) if start < stop else None
            self._frontier.settle(gap, Run(low, high, Batch(((page, rows),) if rows else ())), known)
        self.duplicates += len(reading) - kept
        edge = reading.first if ask.backward else reading.last
        proven = len(reading) if whole else len(reading) - len(reading.at(edge))
        self._learn(ask, Proof(proven, until - first, whole))
        if not whole:
            self._go_on(ask, reading, first if ask.backward else until)

    def _learn(self, ask: Ask, proof: Proof) -> None:
        learn(self._gaps, ask, proof, self._service.full(self._page_size))

    def _go_on(self, ask: Ask, reading: Reading, edge: int) -> None:
        """Mark where a page left off: at the second of its last row, which may hold more."""
        second = reading.first if ask.backward else reading.last
        gap = self._gaps.ending(edge) if ask.backward else self._gaps.starting(edge)
        if gap is None:
            return
        ties = reading.at(second)
        anchor = Anchor(second, frozenset(ties), ask)
        stuck = len(ties) == len(reading)
        if ask.backward:
            gap.right = anchor
            if gap.short:
                gap.short = False  # the page that may have been the last was not
                size = gap.left.ask.page_size if gap.left is not None else self._page_size
                self._service.capped(size, self._service.most(size))
        else:
            gap.left = anchor
            gap.short = (
                gap.witness is not None
                and self._service.may_be_last(ask.page_size, len(reading))
                and not self._no_larger(ask, len(reading))
            )
        if gap.short or (not stuck and len(ties) < _TIES_TO_GO_LARGER * self._service.full(self._page_size)):
            return
        size = self._larger(ask, len(reading), stuck)
        if size and ask.backward:
            gap.backward_size = size
        elif size:
            gap.forward_size = size
        elif stuck:
            self._open_dense(gap, anchor, None if ask.backward else reading.page)

    # Seconds that no page holds

    def _larger(self, ask: Ask, rows: int, stuck: bool) -> int:
        """Give the size of a larger page that is worth asking for, or 0 if the service gives none."""
        if self._no_larger(ask, rows):
            self._service.larger_pages = False
        if not self._service.larger_pages or (stuck and ask.page_size >= LARGEST_PAGE):
            return 0
        return min(LARGEST_PAGE, 4 * (ask.page_size if stuck else self._page_size))

    def _no_larger(self, ask: Ask, rows: int) -> bool:
        """Tell whether a page that was asked for larger than usual brought no more than a usual one."""
        return ask.page_size > self._page_size and rows <= self._service.most(self._page_size)

    def _open_dense(self, gap: Gap, anchor: Anchor, page: Page | None) -> None:
        second = anchor.second
        low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
        if gap.first < low:
            gap = self._gaps.split(gap, low)
        if high < gap.until:
            self._gaps.split(gap, high)
        size = LARGEST_PAGE if self._service.larger_pages else self._page_size
        gap.dense = Dense(low, high, anchor.ask.axis, size, self._service, anchor.ids, page)

    def counted(self, gap: Gap, ask: Ask, answer: Page | AioflowsError) -> None:
        """Take an answer about a dense second."""
        dense = gap.dense
        if dense is None or gap not in self._gaps:
            return
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            if answer.ids:
                self._reader.read(ask, answer)
            dense.received(ask, answer)
        except AioflowsError as error:
            self._frontier.fail(gap, error)
            return
        if dense.done:
            second = gap.first // 1000
            self._frontier.settle(gap, Run(gap.first, gap.until, dense.batch()), (second, second))

    # Answers that may not be all there is

    def _nothing(self, ask: Ask, gaps: Sequence[Gap]) -> None:
        """Take an empty answer: it is not believed at once, and hardly ever against a row that was seen."""
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                self._doubts.raise_for(anchor, gap, ask, NOTHING)
                return
        self._learn(ask, Proof(0, ask.until - ask.first, whole=True))
        for gap in gaps:
            if not (ask.first <= gap.first and gap.until <= ask.until):
                continue
            gap.looks += 1
            witness = gap.witness if ask.first < gap.first else gap.beyond if gap.until < ask.until else None
            if gap.looks < (_LOOKS if witness is None else _LOOKS_AGAINST_A_ROW):
                continue
            if witness is None or self._service.zone_pinned:
                self._frontier.settle(gap, Run(gap.first, gap.until, Batch()))
            else:
                self._frontier.fail(gap, self._doubts.misread(ask, witness))

    def _stands_alone(self, ask: Ask, reading: Reading, gap: Gap) -> bool:
        """Tell whether a page may be all there is, but has no row in another second that could show it."""
        return (
            self._service.may_be_last(ask.page_size, len(reading))
            and not ask.backward
            and gap.witness is None
            and reading.first == reading.last
            and (gap.left is None or gap.left.ids <= set(reading.ids))
        )

    def _look_further(self, ask: Ask, page: Page, reading: Reading) -> None:
        """Ask for what would follow the only rows there are.

        Where there are three or more, the last of them is asked for once more, so that an answer without any row
        proves nothing.
        """
        base = self._service.base if self._service.base is not None else ask.page_no
        size = len(reading) - 1 if len(reading) > 2 else len(reading)
        again = attrs.evolve(ask, page_no=base + 1, page_size=size, tries=None)

        def looked(answer: Page | AioflowsError) -> None:
            for gap in self._frontier.put_down(ask):
                gap.held = False
            if isinstance(answer, AioflowsError):
                self._refuse(ask, answer)
                return
            same = set(answer.ids) <= set(page.ids)
            if same and len(answer.ids) == len(reading) - size:
                self._prove(ask, page, reading, whole=True)
            elif same and len(answer.ids) == size and self._service.base is None:
                self._service.base = ask.page_no + 1  # page 0 was answered with page 1
                self._look_further(ask, page, reading)
            else:
                if not same:
                    self._service.capped(ask.page_size, len(reading))
                self._prove(ask, page, reading, whole=False)

        self._frontier.follow(ask, again, looked)

    def _refuse(self, ask: Ask, error: AioflowsError) -> None:
        for gap in self._frontier.put_down(ask)[:1]:
            self._frontier.fail(gap, error)
