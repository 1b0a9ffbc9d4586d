"""What an answer proves, and what it leaves to be found out.

A first page takes a window out of the gaps by the lemma (`pages`). Everything else here is about answers that prove
less than they seem to: a page that may or may not have been the last, an answer with nothing in it, a second that holds
more rows than a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from aioflows._core.dense import Dense
from aioflows._core.density import Stretch, learn
from aioflows._core.doubts import Doubts
from aioflows._core.errands import Errands
from aioflows._core.frontier import Frontier, covered
from aioflows._core.instant import Instant
from aioflows._core.opening import refusal
from aioflows._core.pages import NARROW, NOTHING, Ask, Page, Reader, Reading
from aioflows._core.plan import Anchor, Gap
from aioflows._core.release import Batch, Run
from aioflows._core.service import LARGEST_PAGE, Service
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.stats import Proof

__all__ = ["Prover"]

_LOOKS = 2
"""Empty answers after which a window is believed to be empty, where no row is known that should have come along."""

_LOOKS_IN_COMPANY = 3
"""The same where other scans ask in turn, so that a service whose every n-th answer is wrong may always fail this one.
Two of these looks are taken at once: then other requests do not come between them."""

_LOOKS_AGAINST_A_ROW = 6
"""The same where a row is known: it may have gone, but more likely the answers are wrong."""

_LOOKS_AT_A_LIAR = 24
"""The same once the service has said that there is nothing where there was something."""

_ROWS_OF_A_LIE = 3
"""Rows in a window that was answered with nothing, from which that was false rather than true at that time."""

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
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._reader = reader
        self._service = service
        self._page_size = page_size
        self._splits = splits
        self._looks = _LOOKS if alone else _LOOKS_IN_COMPANY
        self._errands = errands
        self._doubts = Doubts(frontier, errands, reader, service, self.answered)
        self._believed: list[tuple[Ask, int]] = []
        """Requests whose window is believed to be empty, and how often it was looked at."""
        self._unsettled = 0
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
        if any(gap.denied or (gap.looks and self._shows(reading, gap)) for gap in gaps):
            self._service.lied = True
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
            rows = reading.rows(start, stop)
            kept += len(rows)
            known = (reading.second(start), reading.second(stop - 1)) if start < stop else None
            run = Run(low, high, Batch(((page, rows),) if rows else ()))
            self._frontier.settle(gap, run, Proof.SHORT_PAGE if whole else Proof.FIRST_PAGE, known)
        self.duplicates += len(reading) - kept
        edge = reading.first if ask.backward else reading.last
        proven = len(reading) if whole else len(reading) - len(reading.at(edge))
        self._learn(ask, Stretch(proven, until - first, whole))
        if not whole:
            self._go_on(ask, reading, first if ask.backward else until)

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
        elif stuck:
            self._open_dense(gap, anchor, reading.page)

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

    def _open_dense(self, gap: Gap, anchor: Anchor, page: Page) -> None:
        second = anchor.second
        low, high = max(gap.first, second * 1000), min(gap.until, second * 1000 + 1000)
        if gap.first < low:
            gap = self._gaps.split(gap, low)
        if high < gap.until:
            self._gaps.split(gap, high)
        size = LARGEST_PAGE if self._service.larger_pages else self._page_size
        ways = self._frontier.instants(gap, anchor.ask.axis, self._widest)
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
            self._frontier.settle(gap, Run(gap.first, gap.until, dense.batch()), proof, (second, second))
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

    # Answers that may not be all there is

    def _nothing(self, ask: Ask, gaps: Sequence[Gap]) -> None:
        """Take an empty answer: it is not believed at once, and hardly ever against a row that was seen."""
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                self._doubts.raise_for(anchor, gap, ask, NOTHING)
                return
        self._learn(ask, Stretch(0, ask.until - ask.first, whole=True))
        for gap in gaps:
            if not (ask.first <= gap.first and gap.until <= ask.until):
                continue
            gap.looks += 1
            witness = gap.witness if ask.first < gap.first else gap.beyond if gap.until < ask.until else None
            gap.denied = gap.denied or witness is not None
            if witness is None and self._may_know_more(gap):
                continue
            if gap.looks < self._looks_needed(witness):
                known = self._service.first_page is not None
                if witness is None and known and gap.looks == 1 and self._looks > _LOOKS:
                    self._look_twice_at_once(gap, ask)
            elif witness is None or self._service.zone_pinned:
                if witness is None:
                    self._believed.append((ask, gap.looks))
                self._frontier.settle(gap, Run(gap.first, gap.until, Batch()), Proof.EMPTY)
            else:
                self._frontier.fail(gap, self._doubts.misread(ask, witness))

    def unsettled(self) -> bool:
        """Tell whether something has to be looked at once more before the scan may end.

        That a window is empty may have been believed before the service was found to say so falsely.
        """
        while self._service.lied and self._believed:
            ask, looks = self._believed.pop()
            if looks < _LOOKS_AT_A_LIAR:
                self._unsettled += 1
                self._look_at_the_end(ask, looks)
        return self._unsettled > 0

    def _look_at_the_end(self, ask: Ask, looks: int) -> None:
        again = attrs.evolve(
            ask, tries=None, backward=not ask.backward, page_no=self._service.first_page or 0
        )

        def looked(answer: Page | AioflowsError) -> None:
            if not isinstance(answer, AioflowsError) and not answer.ids and looks + 1 < _LOOKS_AT_A_LIAR:
                self._look_at_the_end(again, looks + 1)
                return
            self._unsettled -= 1
            if isinstance(answer, AioflowsError):
                self._frontier.error = answer
            elif answer.ids:
                self._frontier.error = CompletenessError(
                    f"the window {ask.from_ms}–{ask.to_ms} ms was answered with nothing, {looks} times, and now with "
                    f"{len(answer.ids):,} rows: what this service says of emptiness cannot be relied on"
                )

        self._errands.add(again, looked)

    @property
    def _widest(self) -> int:
        """Milliseconds that the service is known to be able to answer about at once."""
        return max(self._service.widest, NARROW)

    def _may_know_more(self, gap: Gap) -> bool:
        """Tell whether a row beside a gap is known meanwhile, or may soon be, so that another look is a proof."""
        known = gap.beside(self._widest) is not None
        return known or any(one.asked and not one.looks for one in self._gaps)

    def _look_twice_at_once(self, gap: Gap, ask: Ask) -> None:
        """Ask about a gap from both its ends, with no other request between."""
        window = attrs.evolve(
            ask, first=gap.first, until=gap.until, tries=None, page_no=self._service.first_page or 0
        )
        gap.forward, gap.backward = attrs.evolve(window, backward=False), attrs.evolve(window, backward=True)
        self._errands.add(gap.forward)
        self._errands.add(gap.backward)

    @staticmethod
    def _shows(reading: Reading, gap: Gap) -> bool:
        """Tell whether a page has more rows in a gap than may have come there since it was answered with nothing."""
        rows = reading.index(-(-gap.until // 1000)) - reading.index(gap.first // 1000)
        return rows >= _ROWS_OF_A_LIE

    def _looks_needed(self, witness: int | None) -> int:
        """Tell how many empty answers are believed, about a window beside which a row is known or not."""
        looks = self._looks if witness is None else _LOOKS_AGAINST_A_ROW
        return max(looks, _LOOKS_AT_A_LIAR) if self._service.lied else looks

    def _stands_alone(self, ask: Ask, reading: Reading, gap: Gap) -> bool:
        """Tell whether a page may be all there is, but has no row in another second that could show it."""
        return (
            self._service.may_be_last(ask.page_size, len(reading))
            and not ask.backward
            and gap.witness is None
            and reading.first == reading.last
            and (gap.left is None or gap.left.ids <= set(reading.ids))
        )

    def _look_further(self, ask: Ask, page: Page, reading: Reading, base: int | None = None) -> None:
        """Ask for what would follow the only rows there are.

        Where there are three or more, the last of them is asked for once more, so that an answer without any row
        proves nothing.

        Args:
            ask: the *request* that brought them.
            page: what it *brought*.
            reading: the same, laid out.
            base: the number that pages seem to count from, after page 0 seems to have been answered with page 1.
        """
        known = self._service.base if self._service.base is not None else ask.page_no
        rows = len(reading)
        size = rows - 1 if rows > 2 else rows

        def looked(answer: Page) -> None:
            same = set(answer.ids) <= set(page.ids)
            if same and len(answer.ids) == rows - size and (base is None or rows == 1):
                self._nothing_follows(ask, page, reading)
            elif same and len(answer.ids) == rows - size:
                self._look_for_one_more(ask, page, reading)
            elif same and len(answer.ids) == size and self._service.base is None and base is None:
                self._look_further(ask, page, reading, ask.page_no + 1)
            else:
                if not same:
                    self._service.capped(ask.page_size, rows)
                self._prove(ask, page, reading, whole=False)

        self._look(ask, (known if base is None else base) + 1, size, looked)

    def _nothing_follows(self, ask: Ask, page: Page, reading: Reading) -> None:
        """Take a page for all there is, after looks at what would follow it.

        Of two rows none could come again there, so the first page has to be what it was; one row alone is believed.
        """

        def looked(answer: Page) -> None:
            self._prove(ask, page, reading, whole=set(answer.ids) == set(page.ids))

        if len(reading) == 2:
            self._look(ask, ask.page_no, ask.page_size, looked)
        else:
            self._prove(ask, page, reading, whole=True)

    def _look_for_one_more(self, ask: Ask, page: Page, reading: Reading) -> None:
        """Tell a second name for the first page from a second page that had the same rows by chance.

        The latter would mean at least two rows more than the page holds, and one of them stands at this number.
        """

        def looked(answer: Page) -> None:
            if answer.ids:
                self._prove(ask, page, reading, whole=False)
            else:
                self._service.base = ask.page_no + 1
                self._nothing_follows(ask, page, reading)

        self._look(ask, ask.page_no + len(reading) + 1, 1, looked)

    def _look(self, ask: Ask, number: int, size: int, looked: Callable[[Page], None]) -> None:
        """Ask for another page of a window before its first page is judged."""
        again = attrs.evolve(ask, page_no=number, page_size=size, tries=None)

        def answered(answer: Page | AioflowsError) -> None:
            for gap in self._frontier.put_down(ask):
                gap.held = False
            if not isinstance(answer, AioflowsError):
                looked(answer)
            elif refusal(answer):
                looked(NOTHING)  # a number beyond the last page may be refused
            else:
                self._refuse(ask, answer)

        self._frontier.follow(ask, again, answered)

    def _refuse(self, ask: Ask, error: AioflowsError) -> None:
        for gap in self._frontier.put_down(ask)[:1]:
            self._frontier.fail(gap, error)
