"""A window that was answered with nothing.

An empty answer is the one that a broken service gives as easily as a whole one, so it is not believed at once:

1. where a row is known beside the window, it is asked for together with that row, which then proves the answer.
2. while such a row may soon be known, nothing is decided.
3. where there is none, as in a scan without any row, the window is looked at again; and once more if requests about other
   windows come between.
4. a service that has said "nothing" of something is looked at far more often, and what it had been believed before, once
   more before the scan ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from aioflows._core.doubts import Doubts
from aioflows._core.errands import Errands
from aioflows._core.frontier import Frontier, covered
from aioflows._core.pages import NOTHING, Ask, Page, Reading
from aioflows._core.plan import Gap
from aioflows._core.release import Batch, Run
from aioflows._core.service import Service
from aioflows.errors import AioflowsError, CompletenessError
from aioflows.stats import Proof

__all__ = ["Emptiness"]

_LOOKS = 3
"""Empty answers after which a window is believed to be empty, where no row is known that should have come along. The last
two of these looks are taken at once, with no other request between: a service whose every n-th answer is wrong, for
whatever n, gives the true one to one of them."""

_LOOKS_AT_ALL = 2
"""The same where the window is all there is to ask about, so that there are no others whose requests come between."""

_LOOKS_AGAINST_A_ROW = 6
"""The same where a row is known: it may have gone, but more likely the answers are wrong."""

_LOOKS_AT_A_LIAR = 24
"""The same once the service has said that there is nothing where there was something."""

_ROWS_OF_A_LIE = 3
"""Rows in a window that was answered with nothing, from which that was false rather than true at that time."""


class Emptiness:
    """Takes empty answers.

    Args:
        frontier: the gaps of the scan, and the runs that they become.
        errands: where requests go that answers make necessary.
        doubts: finds out what became of rows that are missed.
        service: what the session knows of the service.
        alone: whether no other scan asks in turn with this one.
        growing: whether many rows may appear at once where there was nothing, so that they convict nobody.
    """

    def __init__(
        self,
        frontier: Frontier,
        errands: Errands,
        doubts: Doubts,
        service: Service,
        *,
        alone: bool,
        growing: bool,
    ) -> None:
        self._frontier = frontier
        self._gaps = frontier.gaps
        self._errands = errands
        self._doubts = doubts
        self._service = service
        self._alone = alone
        self._growing = growing
        self._believed: list[tuple[Ask, int]] = []
        """Requests whose window is believed to be empty, and how often it was looked at."""
        self._unsettled = 0

    def answered(self, ask: Ask, gaps: Sequence[Gap]) -> None:
        """Take an empty answer: it is not believed at once, and hardly ever against a row that was seen."""
        for gap in gaps:
            for anchor in covered(gap, ask.first, ask.until):
                self._doubts.raise_for(anchor, gap, ask, NOTHING)
                return
        for gap in gaps:
            if not (ask.first <= gap.first and gap.until <= ask.until):
                continue
            gap.looks += 1
            witness = gap.witness if ask.first < gap.first else gap.beyond if gap.until < ask.until else None
            gap.denied = gap.denied if witness is None else witness
            if witness is None and self._may_know_more(gap):
                continue
            needed = self._looks_needed(witness)
            if gap.looks < needed:
                known = self._service.first_page is not None
                if witness is None and known and gap.looks == 1 and needed > _LOOKS_AT_ALL:
                    self._look_twice_at_once(gap, ask)
            elif witness is None or self._service.zone_pinned:
                if witness is None:
                    self._believed.append((ask, gap.looks))
                self._frontier.settle(gap, [Run(gap.first, gap.until, Batch())], Proof.EMPTY)
            else:
                self._frontier.fail(gap, self._doubts.misread(ask, witness))

    def disproved(self, reading: Reading, gaps: Sequence[Gap]) -> None:
        """Note that the service has answered falsely with nothing, if a page shows that."""
        for gap in gaps:
            if gap.looks and self._shows(reading, gap):
                self._service.lied = True

    def unsettled(self) -> bool:
        """Return True if something has to be looked at once more before the scan may end.

        That a window is empty may have been believed before the service was found to say so falsely.
        """
        while self._service.lied and self._believed:
            ask, looks = self._believed.pop()
            if looks < _LOOKS_AT_A_LIAR:
                self._unsettled += 1
                self._look_at_the_end(ask, looks)
        return self._unsettled > 0

    def _look_at_the_end(self, ask: Ask, looks: int, shown: int = 0) -> None:
        again = attrs.evolve(
            ask, tries=None, backward=not ask.backward, page_no=self._service.first_page or 0
        )

        def looked(answer: Page | AioflowsError) -> None:
            if isinstance(answer, AioflowsError):
                self._frontier.error = answer
            elif answer.ids:
                # These rows were there all the time, or have come since. A service that says "nothing" falsely does
                # so again, if it is asked as often.
                if shown + 1 < _LOOKS_AT_A_LIAR:
                    self._look_at_the_end(again, looks, shown + 1)
                    return
            elif shown:
                self._frontier.error = CompletenessError(
                    f"the window {ask.from_ms}–{ask.to_ms} ms was answered with nothing, {looks} times, then with rows, "
                    "and with nothing again: what this service says of emptiness cannot be relied on"
                )
            elif looks + 1 < _LOOKS_AT_A_LIAR:
                self._look_at_the_end(again, looks + 1)
                return
            self._unsettled -= 1

        self._errands.add(again, looked)

    def _may_know_more(self, gap: Gap) -> bool:
        """Tell whether a row beside a gap is known meanwhile, or may soon be, so that another look is a proof."""
        known = gap.beside(self._service.reach) is not None
        return known or any(one.asked and not one.looks for one in self._gaps)

    def _look_twice_at_once(self, gap: Gap, ask: Ask) -> None:
        """Ask about a gap from both its ends, with no other request between."""
        window = attrs.evolve(
            ask, first=gap.first, until=gap.until, tries=None, page_no=self._service.first_page or 0
        )
        gap.forward, gap.backward = attrs.evolve(window, backward=False), attrs.evolve(window, backward=True)
        self._errands.add(gap.forward)
        self._errands.add(gap.backward)

    def _shows(self, reading: Reading, gap: Gap) -> bool:
        """Tell whether a page has a row that was left out, or more than may have come since there was nothing."""
        if gap.denied is not None and reading.index(gap.denied + 1) > reading.index(gap.denied):
            return True
        rows = reading.index(-(-gap.until // 1000)) - reading.index(gap.first // 1000)
        return rows >= _ROWS_OF_A_LIE and not self._growing

    def _looks_needed(self, witness: int | None) -> int:
        """Tell how many empty answers are believed, about a window beside which a row is known or not."""
        looks = _LOOKS if witness is None else _LOOKS_AGAINST_A_ROW
        if witness is None and self._alone and len(self._gaps) == 1 and not self._frontier.proofs:
            looks = _LOOKS_AT_ALL
        return max(looks, _LOOKS_AT_A_LIAR) if self._service.lied else looks
