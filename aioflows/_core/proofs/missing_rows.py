"""Rows at the edge of a window that did not come again.

There are three causes: the row was deleted, the answer without it was wrong, or the time of the row was
misread. In the last case every window that was cut at such a time is in the wrong place, and rows between the
windows are lost. So the row is searched in two places: in the window that returned it, and in its own second.

- Not in that window: the row was deleted, and the answer holds.
- In both: the answer was wrong, and its window is requested again.
- In that window, and never in its second: the time was misread. The scan ends with an error.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from aioflows._core.pages.ordered_page import Page, PageReader, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.planning.follow_ups import FollowUps
from aioflows._core.planning.frontier import Frontier
from aioflows._core.planning.gaps import Anchor, Gap
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["MissingRows"]

_ROUNDS = 5
"""How many times a row is searched in both places.

A row that comes and goes is soon found in both, or in neither.
"""

_EMPTY = 3
"""Empty answers about the window that returned a row, after which the row counts as deleted."""

_TOO_LARGE = 3
"""Empty answers to a larger page, each beside a smaller page with rows, that show a limit on the page size.
"""

_MOST_SIZES = 16
"""Page sizes that are taken to be too large in one gap, after which its answers are taken to contradict each other."""

_ANEW = 2
"""Disproved answers about one gap, after which narrower windows are requested.

A service that answers about a part of a long range leaves out the same rows each time.
"""

_MOST = 8
"""Disproved answers about one gap, after which the scan ends with an error."""


@attrs.define(eq=False)
class _Doubt:
    """A missing row, and the answer without it."""

    anchor: Anchor
    gap: Gap
    ask: PageRequest
    page: Page
    rounds: int = _ROUNDS
    empty: int = 0
    """How many times the window that returned the row was answered with no rows."""
    shown: bool = False
    """True if the window that returned the row has been answered with rows since."""


class MissingRows:
    """A search for missing rows.

    Args:
        frontier: the gaps of the scan.
        follow_ups: the queue of follow-up requests.
        reader: the reader of answers.
        service: the facts about the service that the session knows.
        go_on: the callback for an answer that turned out to hold.
    """

    def __init__(
        self,
        frontier: Frontier,
        follow_ups: FollowUps,
        reader: PageReader,
        service: ServiceFacts,
        go_on: Callable[[PageRequest, Page], None],
    ) -> None:
        self._frontier = frontier
        self._follow_ups = follow_ups
        self._reader = reader
        self._service = service
        self._go_on = go_on
        self.raised = False
        """True if an answer has lacked a row."""

    def raise_for(self, anchor: Anchor, gap: Gap, ask: PageRequest, page: Page) -> None:
        """Start the search for a row, and keep the answer without it until the search ends."""
        gap.on_hold = self.raised = True
        self._look_where_it_was(_Doubt(anchor, gap, ask, page))

    def misread(self, ask: PageRequest, second: int) -> CompletenessError:
        """Return the error for a second of scan time whose rows appear at another time."""
        zone = self._reader.zone
        assert zone is not None, "rows were read"
        told = (
            "the zone that this session was given is not the service's. Give the right one, or none at all"
            if zone.given
            else f"its times are not in the zone {zone.tzinfo} that it names. Give the one it really uses as "
            "FlowSession(server_timezone=...)"
        )
        return CompletenessError(
            f"the service shows rows that are read as triggered at {ask.axis.second(second) * 1000} ms when one window is "
            f"asked for, and none when another is that holds that second too. Likeliest, {told}, and begin the scan again. "
            "If the zone is right, the service answers about a part of a long range only, or rounds the range: ask for shorter "
            "ranges then, of whole minutes"
        )

    def _look_where_it_was(self, doubt: _Doubt) -> None:
        again = attrs.evolve(doubt.anchor.ask, tries=None)
        self._follow_ups.add(again, lambda answer: self._looked_where_it_was(doubt, again, answer))

    def _looked_where_it_was(self, doubt: _Doubt, again: PageRequest, answer: Page | AioflowsError) -> None:
        try:
            if isinstance(answer, AioflowsError):
                raise answer
            doubt.shown = doubt.shown or bool(answer.ids)
            there = self._may_hold(again, answer, doubt)
        except AioflowsError as error:
            self._frontier.fail(doubt.gap, error)
            return
        if there and doubt.gap.contradictions % 2:
            self._ask_anew(
                doubt
            )  # without the second look, to get out of step with a service whose every n-th answer is wrong
        elif there:
            self._look_where_it_should_be(doubt)
        else:
            self._let_go(doubt)

    def _may_hold(self, ask: PageRequest, page: Page, doubt: _Doubt) -> bool:
        """Return True if a page shows a row in the second, or does not prove that there is none.

        If a second holds more rows than a page, and ties change their order, another row may take the place
        of the missing one.
        """
        second = doubt.anchor.second
        if not page.ids:  # an empty answer about a window with rows is not a proof
            doubt.empty += 1
            return doubt.empty < _EMPTY or doubt.shown or not self._reader.pinned
        reading = self._reader.read(ask, page)
        if reading.at(second):
            return True
        reached = reading.first < second if ask.backward else reading.last > second
        fewer = len(reading) < doubt.anchor.rows  # than in the answer with the row
        return not (reached or fewer or self._reader.pinned)

    def _look_where_it_should_be(self, doubt: _Doubt) -> None:
        first = doubt.anchor.second * 1000
        near = attrs.evolve(doubt.anchor.ask, first=first, until=first + 1000, tries=None)
        self._follow_ups.add(near, lambda answer: self._looked_where_it_should_be(doubt, near, answer))

    def _looked_where_it_should_be(
        self, doubt: _Doubt, near: PageRequest, answer: Page | AioflowsError
    ) -> None:
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
        gap.on_hold = False
        too_large = ask.page_size > doubt.anchor.ask.page_size
        if doubt.empty:  # the smaller page was answered both with rows and with no rows
            self._service.false_empty_seen, too_large = True, False
        size_blamed = too_large and (self._service.refuses_sizes or gap.contradictions + 1 >= _TOO_LARGE)
        if size_blamed and gap.sizes_blamed < _MOST_SIZES:
            gap.sizes_blamed += 1
            self._service.refuse_size(ask.page_size)
            return
        gap.contradictions += 1
        if not doubt.page.ids and not too_large:
            self._service.false_empty_seen = True
        if not doubt.page.ids and gap.contradictions >= _TOO_LARGE and gap in self._frontier.gaps:
            # The service may answer a window of this length with no rows.
            cut = (gap.first + gap.until) // 2000 * 1000
            gap.halvings += 1
            if gap.first < cut < gap.until:
                self._frontier.gaps.split(gap, cut)
        if doubt.page.ids and gap.contradictions > _ANEW:
            self._narrow(gap, ask)
        if gap.contradictions > _MOST:
            self._frontier.fail(
                gap,
                CompletenessError(
                    f"answers about the window {ask.from_ms}–{ask.to_ms} ms left out, again and again, rows that other "
                    "answers showed there, so nothing shows which answer is whole. Several servers that are not in step "
                    "with each other, or a cache, answer so: ask one server, or read again when the data is at rest"
                ),
            )

    def _narrow(self, gap: Gap, ask: PageRequest) -> None:
        """Request a gap without the rows beside it. If that was done already, cut the gap in two."""
        if ask.first < gap.first or gap.until < ask.until:
            gap.witness = gap.beyond = None
            return
        cut = (gap.first + gap.until) // 2000 * 1000
        if gap in self._frontier.gaps and gap.first < cut < gap.until:
            gap.halvings += 1
            self._frontier.gaps.split(gap, cut)

    def _let_go(self, doubt: _Doubt) -> None:
        gap = doubt.gap
        gap.on_hold = False
        if gap.left is doubt.anchor:
            gap.left = None
        if gap.right is doubt.anchor:
            gap.right = None
        self._go_on(doubt.ask, doubt.page)
