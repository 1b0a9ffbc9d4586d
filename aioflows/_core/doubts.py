"""A row at the edge of a window that did not come again where it should have.

Either it is gone, which is nobody's fault; or the answer that left it out was wrong; or its time was misread, and then
every window that was cut at such a time is in the wrong place, and rows between them are lost. So it is looked for where
it was, in the window that brought it, and where it should be, in its very second:

- not where it was: it is gone, and the answer holds;
- in both places: the answer was wrong, and what it left out is asked for again;
- where it was and never where it should be: misread, and the scan ends with an error.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.errands import Errands
from aioflows._core.frontier import Frontier
from aioflows._core.pages import Ask, Page, Reader
from aioflows._core.plan import Anchor, Gap
from aioflows._core.service import Service
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["Doubts"]

_ROUNDS = 5
"""How often a row is looked for in both places: one that comes and goes by itself is soon found in both or in none."""

_MOST = 8
"""Answers about one gap that were disproved, after which the service is not believed at all."""


@attrs.define(eq=False)
class _Doubt:
    """A row that is missed, and the answer that it is missing from."""

    anchor: Anchor
    gap: Gap
    ask: Ask
    page: Page
    rounds: int = _ROUNDS
    shown: bool = False
    """Whether the window that brought the row has been answered with rows since."""


class Doubts:
    """Finds out what became of rows that are missed.

    Args:
        frontier: the gaps of the scan.
        errands: where requests go.
        reader: reads answers.
        service: what the session knows of the service.
        go_on: takes an answer that turned out to hold.
    """

    def __init__(
        self,
        frontier: Frontier,
        errands: Errands,
        reader: Reader,
        service: Service,
        go_on: Callable[[Ask, Page], None],
    ) -> None:
        self._frontier = frontier
        self._errands = errands
        self._reader = reader
        self._service = service
        self._go_on = go_on

    def raise_for(self, anchor: Anchor, gap: Gap, ask: Ask, page: Page) -> None:
        """Look for a row, and keep the answer that it is missing from until it is found or known to be gone."""
        gap.held = True
        self._look_where_it_was(_Doubt(anchor, gap, ask, page))

    def misread(self, ask: Ask, second: int) -> CompletenessError:
        """Give the error for a second of scan time whose rows are elsewhere."""
        return CompletenessError(
            f"rows that are read as triggered at {ask.axis.second(second) * 1000} ms are there when a wide window is "
            f"asked for, but not when that second is: the service's times are not in the zone {self._reader.zone} that "
            "it names, or not always. Give the zone it really uses as FlowSession(server_timezone=...)"
        )

    def _look_where_it_was(self, doubt: _Doubt) -> None:
        again = attrs.evolve(doubt.anchor.ask, tries=None)
        self._errands.add(again, lambda answer: self._looked_where_it_was(doubt, again, answer))

    def _looked_where_it_was(self, doubt: _Doubt, again: Ask, answer: Page | AioflowsError) -> None:
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            doubt.shown = doubt.shown or bool(answer.ids)
            there = self._may_hold(again, answer, doubt)
        except AioflowsError as error:
            self._frontier.fail(doubt.gap, error)
            return
        if there:
            self._look_where_it_should_be(doubt)
        else:
            self._let_go(doubt)

    def _may_hold(self, ask: Ask, page: Page, doubt: _Doubt) -> bool:
        """Tell whether a page shows a row in a second, or is no proof that there is none.

        Another row may stand for the one that is missed, where a second holds more than a page and ties change.
        """
        second = doubt.anchor.second
        if not page.ids:  # which says nothing where there were rows a moment ago
            return doubt.shown or not self._service.zone_pinned
        reading = self._reader.read(ask, page)
        if reading.at(second):
            return True
        reached = reading.first < second if ask.backward else reading.last > second
        whole = self._service.ends_short(ask.page_size, len(reading))
        return not (reached or whole or self._service.zone_pinned)

    def _look_where_it_should_be(self, doubt: _Doubt) -> None:
        first = doubt.anchor.second * 1000
        near = attrs.evolve(doubt.anchor.ask, first=first, until=first + 1000, tries=None)
        self._errands.add(near, lambda answer: self._looked_where_it_should_be(doubt, near, answer))

    def _looked_where_it_should_be(self, doubt: _Doubt, near: Ask, answer: Page | AioflowsError) -> None:
        doubt.rounds -= 1
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            if answer.ids:
                self._reader.read(near, answer)
            elif not doubt.rounds and doubt.shown:
                raise self.misread(near, doubt.anchor.second)
        except AioflowsError as error:
            self._frontier.fail(doubt.gap, error)
            return
        if answer.ids:
            self._ask_anew(doubt)
        elif doubt.rounds:
            self._look_where_it_was(doubt)
        else:
            self._let_go(doubt)

    def _ask_anew(self, doubt: _Doubt) -> None:
        gap, ask = doubt.gap, doubt.ask
        gap.held = False
        gap.doubts += 1
        self._service.lied = self._service.lied or not doubt.page.ids
        if gap.doubts > _MOST:
            self._frontier.fail(
                gap,
                CompletenessError(
                    f"answers about the window {ask.from_ms}–{ask.to_ms} ms leave out, again and again, rows that "
                    "other answers show there: nothing that this service answers can be relied on"
                ),
            )

    def _let_go(self, doubt: _Doubt) -> None:
        gap = doubt.gap
        gap.held = False
        if gap.left is doubt.anchor:
            gap.left = None
        if gap.right is doubt.anchor:
            gap.right = None
        self._go_on(doubt.ask, doubt.page)
