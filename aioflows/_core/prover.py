"""What an answer proves, and what it leaves to be found out.

A first page takes a window out of the gaps by the lemma (`pages`), and so does one that is all there is. What proves less
than it seems to is found out elsewhere: an answer with nothing in it (`emptiness`), a page without a row in another second
(`lone`), one that lacks a row (`doubts`), a second that holds more rows than a page (`dense`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import attrs

from aioflows._core.dense import Dense
from aioflows._core.density import Stretch, learn
from aioflows._core.doubts import Doubts
from aioflows._core.emptiness import Emptiness
from aioflows._core.errands import Errands
from aioflows._core.frontier import Frontier, covered
from aioflows._core.instant import Instant
from aioflows._core.lone import Lone
from aioflows._core.opening import refusal
from aioflows._core.pages import Ask, Page, Reader, Reading
from aioflows._core.plan import Anchor, Gap
from aioflows._core.release import Batch, Run
from aioflows._core.service import LARGEST_PAGE, Service, larger
from aioflows.errors import AioflowsError
from aioflows.stats import Proof

__all__ = ["Prover"]

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
        splits: whether rows may be told apart by a text in their ids; not where the query asks for a text itself.
        alone: whether no other scan asks in turn with this one.
        growing: whether rows still appear, many at once, where there was nothing.
    """

    def __init__(
        self,
        frontier: Frontier,
        errands: Errands,
        reader: Reader,
        service: Service,
        page_size: int,
        *,
        splits: bool,
        alone: bool,
        growing: bool,
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._errands = errands
        self._reader = reader
        self._service = service
        self._wanted_size = page_size
        self._splits = splits
        self._doubts = Doubts(frontier, errands, reader, service, self.answered)
        self._emptiness = Emptiness(frontier, errands, self._doubts, service, alone=alone, growing=growing)
        self._lone = Lone(frontier, service, self._prove)
        self.duplicates = 0
        """Rows that came again and were dropped."""

    @property
    def _page_size(self) -> int:
        return self._service.usual(self._wanted_size)

    def unsettled(self) -> bool:
        """Return True if something has to be looked at once more before the scan may end."""
        return self._emptiness.unsettled()

    def answered(self, ask: Ask, page: Page) -> None:
        """Take the first page of a window."""
        gaps = self._frontier.put_down(ask)
        if not gaps:
            self.duplicates += len(page.ids)
            return
        if not page.ids:
            self._learn(ask, Stretch(0, ask.until - ask.first, whole=True))
            self._emptiness.answered(ask, gaps)
            return
        try:
            reading = self._reader.read(ask, page)
        except AioflowsError as error:
            self._frontier.fail(gaps[0], error)
            return
        self._emptiness.disproved(reading, gaps)
        whole = self._service.ends_short(ask.page_size, len(reading))
        if not whole and self._lone.may_be_all(ask, reading, gaps[0]):
            self._lone.look_further(ask, page, reading)
        else:
            self._prove(ask, page, reading, whole)

    def _prove(self, ask: Ask, page: Page, reading: Reading, whole: bool) -> None:
        """Take what a page proves out of the gaps."""
        first, until = ask.first, ask.until
        # A window may start, or end, within the second that its page leaves off at.
        if not whole and ask.backward:
            first = min(until, max(first, (reading.first + 1) * 1000))
        elif not whole:
            until = max(first, min(until, reading.last * 1000))
        gaps = self._gaps.within(first, until) if first < until else []
        if not whole and self._order_unseen(ask, reading, gaps):
            edge = first if ask.backward else until
            for gap in gaps:
                if gap.first < edge < gap.until:
                    self._gaps.split(gap, edge)
            for gap in self._gaps.within(first, until):
                gap.short = False
            self._gaps.fences.add(edge)
            self._go_on(ask, reading, edge)
            return
        for gap in gaps:
            for anchor in covered(gap, first, until):
                if anchor.ids.isdisjoint(reading.at(anchor.second)):
                    self._doubts.raise_for(anchor, gap, ask, page)
                    return
        kept = 0
        for gap in gaps:
            low, high = max(first, gap.first), min(until, gap.until)
            start, stop = reading.index(low // 1000), reading.index(-(-high // 1000))
            known = (reading.second(start), reading.second(stop - 1)) if start < stop else None
            cuts = reading.cuts(start, stop)
            pieces = [(page, reading.rows(*ends)) for ends in pairwise([start, *cuts, stop])]
            edges = pairwise([low, *(reading.second(cut) * 1000 for cut in cuts), high])
            runs = [
                Run(*ends, Batch((piece,) if piece[1] else ()))
                for ends, piece in zip(edges, pieces, strict=True)
            ]
            kept += sum(len(run.batch) for run in runs)
            self._frontier.settle(gap, runs, Proof.SHORT_PAGE if whole else Proof.FIRST_PAGE, known)
        self.duplicates += len(reading) - kept
        self._learn(ask, Stretch(self._spread(ask, reading, whole), until - first, whole))
        if not whole:
            self._go_on(ask, reading, first if ask.backward else until)

    def _spread(self, ask: Ask, reading: Reading, whole: bool) -> int:
        """Count the rows that tell how dense the stretch is that a page proves."""
        start, end = (reading.last, reading.first) if ask.backward else (reading.first, reading.last)
        proven = len(reading) if whole else len(reading) - len(reading.at(end))
        if ask.page_size > self._page_size:
            # A second that no usual page holds says nothing of those around it.
            crowd = len(reading.at(start))
            if self._page_size <= crowd < proven:
                return proven - crowd
        return proven

    def _order_unseen(self, ask: Ask, reading: Reading, gaps: Sequence[Gap]) -> bool:
        """Tell whether a page says that there is nothing before its only second, by an order that was never seen.

        A service that ignores the sorter would say so, too. Then what lies there is asked for by itself.
        """
        flat = reading.first == reading.last and ask.descending not in self._service.sorts
        return flat and any(not gap.looks for gap in gaps)

    def _learn(self, ask: Ask, stretch: Stretch) -> None:
        learn(self._gaps, ask, stretch, self._service.full(self._page_size))

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
            if not self._service.zone_pinned:
                # What shows this second whole has to reach beyond it, and so cannot pin the zone.
                self._pin(gap, second)
        elif stuck:
            self._open_dense(gap, anchor, reading.page)

    def _pin(self, gap: Gap, second: int) -> None:
        """Have a second looked at by itself, in which a row is known, for nothing but the zone."""
        assert gap.left is not None
        until = min(gap.until, second * 1000 + 1000)
        alone = attrs.evolve(
            gap.left.ask, first=gap.first, until=until, page_size=self._page_size, tries=None
        )

        def looked(answer: Page | AioflowsError) -> None:
            if isinstance(answer, AioflowsError):
                return  # the larger page may well come, and what follows it pins the zone
            if not answer.ids:
                self._emptiness.answered(alone, self._gaps.within(alone.first, alone.until))
                return
            self.duplicates += len(answer.ids)
            try:
                self._reader.read(alone, answer)
            except AioflowsError as error:
                self._frontier.fail(gap, error)

        self._errands.add(alone, looked)

    # Seconds that no page holds

    def _larger(self, ask: Ask, rows: int, stuck: bool) -> int:
        """Give the size of a larger page that is worth asking for, or 0 if the service gives none."""
        if self._no_larger(ask, rows):
            self._service.larger_pages = False
        if not self._service.larger_pages or (stuck and ask.page_size >= LARGEST_PAGE):
            return 0
        return larger(ask.page_size if stuck else self._page_size)

    def _no_larger(self, ask: Ask, rows: int) -> bool:
        """Tell whether a page that was asked for larger than usual brought no more than a usual one."""
        return ask.page_size > self._page_size and rows <= self._service.most(self._page_size)

    def _open_dense(self, gap: Gap, anchor: Anchor, page: Page) -> None:
        second = anchor.second
        low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
        if gap.first < low:
            gap = self._gaps.split(gap, low)
        if high < gap.until:
            self._gaps.split(gap, high)
        size = LARGEST_PAGE if self._service.larger_pages else self._page_size
        ways = self._frontier.instants(gap, anchor.ask.axis, self._service.reach)
        gap.dense = Dense(
            ways,
            size,
            self._service,
            self._reader,
            page,
            backward=anchor.ask.backward,
            splits=self._splits,
        )

    def counted(self, gap: Gap, ask: Ask, answer: Page | AioflowsError) -> None:
        """Take an answer about a dense second."""
        dense = gap.dense
        if dense is None or gap not in self._gaps:
            return
        try:
            if isinstance(answer, AioflowsError):
                if not (refusal(answer) and dense.refused(ask)):
                    raise answer
            else:
                dense.received(ask, answer)
        except AioflowsError as error:
            self._frontier.fail(gap, error)
            return
        if dense.done:
            second = gap.first // 1000
            proof = Proof.COUNTED if dense.counted else Proof.MILLISECONDS
            self._frontier.settle(gap, [Run(gap.first, gap.until, dense.batch())], proof, (second, second))
            if dense.overrun is not None:
                self._go_on_from(*dense.overrun)

    def _go_on_from(self, instant: Instant, page: Page) -> None:
        """Take what a page shows that ran on from a dense second: it is the first one of what follows there."""
        first, until = (instant.reach, instant.first) if instant.backward else (instant.until, instant.reach)
        ask = Ask(
            first,
            until,
            instant.axis,
            page_size=self._page_size,
            backward=instant.backward,
            page_no=self._service.first_page or 0,
        )
        reading = self._reader.read(attrs.evolve(instant.ask(0, 1), page_size=self._page_size), page)
        self._prove(ask, page, reading, whole=False)
        self.duplicates -= len(reading.at((instant.until - 1) // 1000))
