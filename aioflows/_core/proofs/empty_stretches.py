"""Stretches between the near end of a window and the first row of its page.

By the lemma of the keyset walk, the stretch is empty if the service answers about the whole window. But a
service that answers only about the last 31 days of a longer range shows the same page. So:

1. If the window is not wider than the service was seen to look (`ScanEvidence.sees`), the stretch is empty.
2. A stretch that is wide compared with the distances of the rows on the page is not taken for empty. The
   stretch stays unproven and is requested alone, up to the first row behind. A service that answers about a
   part of the range then shows more rows.
3. A narrower stretch is taken for empty, so that the first rows need not wait. The stretch is requested before
   the scan ends. If rows come that the wider window still leaves out, the scan ends with an error.
4. With filters, too few rows may match to show how far the service looks. Then the rows without the filters
   show the limit (`range_limit`), as soon as the first page is not full (`prover`). If that page seemed full,
   but few rows came, they are requested at the end. A limit that is found so late is an error, since the scan
   has relied on wider windows.
5. If the page is all that a query returns, and the session knows the service, step 3 is left out. So is step
   2, if the session has seen the service look as far. Otherwise every small query would cost twice as much.
   Once the session has seen the service answer about a part of a range, no step is left out.

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import attrs

from aioflows._core.pages.ordered_page import OrderedPage
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.follow_ups import Script
from aioflows._core.planning.gaps import Gap
from aioflows._core.planning.keyset_state import KeysetState
from aioflows._core.proofs.range_limit import cut_to
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["EmptyStretches"]

_STALLS = 4
"""Answers that prove nothing about a stretch, after which the stretch is taken for empty."""

_SURPRISE = 0.05
"""The probability, by the rows of the page, below which a stretch is too wide to be taken for empty."""

_ROUNDS = 3
"""How many times the stretch must have a row that the wider window lacks, before the scan ends with an error.

Rows may appear and disappear between two answers.
"""

_NEAR = 4
"""Rows nearer to each other than the mean distance divided by this number count as one event: a burst."""


@attrs.frozen(eq=False)
class _Stretch:
    """A stretch that was taken for empty.

    Args:
        ask: the request whose page began behind the stretch.
        row: the second of the first row of that page (scan time).
    """

    ask: PageRequest
    row: int

    @property
    def narrower(self) -> PageRequest:
        """The request for only the stretch and the row behind it."""
        if self.ask.backward:
            return attrs.evolve(self.ask, first=self.row * 1000, tries=None)
        return attrs.evolve(self.ask, until=self.row * 1000 + 1000, tries=None)


class EmptyStretches:
    """A judge of stretches before the first row of a page. Stretches taken for empty are requested again."""

    def __init__(self, state: KeysetState) -> None:
        self._state = state
        self._frontier, self._gaps = state.frontier, state.gaps
        self._service, self._evidence = state.service, state.evidence
        self._used_before = state.service.first_page is not None
        self._confirm = state.options.confirm
        self._filtered = state.options.filtered and self._confirm
        self._parted: tuple[int, int] | None = None
        self._taken: deque[_Stretch] = deque()
        self._asked = 0
        self._widest: PageRequest | None = None
        """The widest request that returned rows."""

    @property
    def _known(self) -> bool:
        """True if the session knows the service as one that answers about whole ranges."""
        return self._used_before and not self._service.cuts

    def unproven(self, ask: PageRequest, reading: OrderedPage) -> tuple[int, int] | None:
        """Return the stretch before the first row of a page (milliseconds of scan time).

        None means that the stretch is empty, or is taken for empty.

        Args:
            ask: the request.
            reading: the answer to the request.
        """
        if self._widest is None or ask.until - ask.first > self._widest.until - self._widest.first:
            self._widest = ask
        row = reading.last if ask.backward else reading.first
        first, until = (row * 1000 + 1000, ask.until) if ask.backward else (ask.first, row * 1000)
        width = ask.until - ask.first
        if not self._confirm or first >= until or self._evidence.sees(width, backward=ask.backward):
            return None
        gaps = self._gaps.within(first, until)
        if any(gap.stalls > _STALLS for gap in gaps):
            return None
        if any(self._shows_more(gap, ask, row) for gap in gaps):
            self.note_cut()
        if self._evidence.cuts and until - first > self._evidence.seen:
            self._parted = first, until
            self._state.read_in_parts(first, until)
            for gap in self._gaps.within(first, until):
                gap.narrowed = False
            return first, until
        if not gaps or all(self._asked_again(gap, ask, row) for gap in gaps):
            return None
        narrowed = any(gap.narrowed for gap in gaps)
        size = self._state.full_page
        # While the page may be all rows of the query, its stretch is only noted. `settle` requests or drops it.
        later = self._known and len(reading) < size and self._service.sees(width, backward=ask.backward)
        if narrowed or (not later and _surprising(reading, (until - first) / width, width, size)):
            return first, until
        self._taken.append(_Stretch(ask, row))
        return None

    @staticmethod
    def _shows_more(gap: Gap, ask: PageRequest, row: int) -> bool:
        """Return True if a narrower request shows rows that the wider one before it left out."""
        known = gap.edge(not ask.backward).known
        return gap.narrowed and known is not None and _before(ask, row, known)

    @staticmethod
    def _asked_again(gap: Gap, ask: PageRequest, row: int) -> bool:
        """Return True if a second request about a gap shows no more rows than the first one.

        The second request was narrower, or started from the other end.
        """
        known, anchor = gap.edge(not ask.backward).known, gap.start.anchor
        if ask.backward and anchor is not None:
            known = anchor.second
        if known is None or _before(ask, row, known):
            # A service that answers about a part of the range may have left out more rows.
            return False
        if ask.backward:
            start = gap.first if gap.start.known is None else gap.start.known * 1000
            return bool(gap.maybe_last or gap.narrowed) and ask.first >= min(start, known * 1000)
        return gap.narrowed and ask.first >= gap.first and ask.until <= known * 1000 + 1000

    def drop(self, ask: PageRequest) -> None:
        """Drop the stretch that was just taken for empty, since the page of *ask* does not prove it."""
        if self._taken and self._taken[-1].ask is ask:
            self._taken.pop()

    def note_cut(self) -> None:
        """Record that a narrower window showed rows that a wider one had left out."""
        self._evidence.cuts = self._service.cuts = True

    def reach_known(self) -> None:
        """Record that no request without the query's filters is needed: the service looks far enough."""
        self._filtered = False

    def narrow(self, first: int, until: int) -> None:
        """Mark a stretch to be requested by a narrower window, up to the row behind it."""
        if self._parted != (first, until):
            for gap in self._gaps.within(first, until):
                gap.narrowed = True
        self._parted = None

    def settle(self, slots: int, under_way: Iterable[PageRequest] = (), *, at_once: bool = False) -> None:
        """Request the stretches that were taken for empty, as far as slots are free.

        Args:
            slots: the number of requests that may be started.
            under_way: requests under way. Stretches wait if the answers may show that the service looks far
                enough. Default: none.
            at_once: True to request only the first stretch of the scan, since other answers may settle the
                rest.
        """
        if at_once and (not self._taken or self._taken[0].ask.first > self._frontier.spans[0][0]):
            return
        if self._evidence.rows < self._state.page_size:
            if self._filtered:
                self._filtered = False
                self._request_without_filters()
            # The query has no other rows. One stretch is requested of an unknown service, none of a known one.
            most = math.inf if self._service.cuts else 0 if self._known else 1
            while len(self._taken) > most:
                self._taken.pop()
        if not self._taken:
            return
        may_see = {
            backward: max((ask.until - ask.first for ask in under_way if ask.backward is backward), default=0)
            for backward in (False, True)
        }
        later = []
        while self._taken and self._asked < (1 if at_once else slots):
            stretch = self._taken.popleft()
            width = stretch.ask.until - stretch.ask.first
            if self._evidence.sees(width, backward=stretch.ask.backward):
                continue
            if may_see[stretch.ask.backward] > width:
                later.append(stretch)
            else:
                self._state.follow_ups.start(self._check(stretch))
        self._taken.extendleft(reversed(later))

    def _request_without_filters(self) -> None:
        """Request rows without the filters, to find out how far the service looks, since few rows match."""
        ask = self._widest
        if ask is None or self._service.looks_as_far_as(ask.until - ask.first):
            return
        self._asked += 1

        def done(width: int | None) -> None:
            self._asked -= 1
            if width and self._frontier.error is None:
                self._frontier.error = CompletenessError(
                    f"the service seems to answer about {width // 1000:,} seconds of the window {ask.from_ms}–{ask.to_ms} ms: "
                    "without the filters, an answer about a part of the window has rows that the answer about the whole window "
                    "lacks. Query shorter ranges, one after another"
                )

        self._state.follow_ups.run(cut_to(ask, self._state.reader), done)

    @property
    def unsettled(self) -> bool:
        """True if a request about a stretch waits or is under way."""
        return bool(self._taken) or self._asked > 0

    def _check(self, stretch: _Stretch) -> Script:
        """Request a stretch alone. If a row comes, request the wider window that lacked the row."""
        self._asked += 1
        found, rounds = "", _ROUNDS
        try:
            while True:
                ask = attrs.evolve(stretch.ask, tries=None) if found else stretch.narrower
                page = yield ask
                self._frontier.duplicates += len(page.ids)
                if not page.ids:
                    break  # even the row behind the stretch was deleted
                reading = self._state.reader.read(ask, page)
                row = reading.last if ask.backward else reading.first
                if _before(ask, row, stretch.row) == bool(found):
                    break
                if not found:
                    found = reading.ids[-1 if ask.backward else 0]
                elif rounds > 1:
                    found, rounds = "", rounds - 1  # the row may be new, or deleted meanwhile
                else:
                    self._service.cuts = True
                    raise _answers_in_part(ask, stretch.row, found)
        except AioflowsError as error:
            self._frontier.error = self._frontier.error or error
        self._asked -= 1


def _before(ask: PageRequest, row: int, other: int) -> bool:
    """Return True if the second of a row comes before another one in the order of a request."""
    return row > other if ask.backward else row < other


def _answers_in_part(ask: PageRequest, row: int, found: str) -> CompletenessError:
    seen = (row * 1000 - ask.first) if ask.backward else (ask.until - row * 1000)
    return CompletenessError(
        f"the answer about the window {ask.from_ms}–{ask.to_ms} ms lacks instance {found!r}, which an answer about a "
        "narrower window has: the service answers about a part of a long range only. Query shorter ranges, one after "
        f"another, of {seen // 1000:,} seconds at most"
    )


def _surprising(reading: OrderedPage, share: float, width: int, size: int) -> bool:
    """Return True if the rows of a page make it unlikely that a stretch is empty.

    Args:
        reading: the page.
        share: the share of the window that the stretch takes.
        width: the length of the window (milliseconds).
        size: the size of a full page (rows).
    """
    seconds = [reading.second(index) for index in range(len(reading))]
    span = seconds[-1] - seconds[0]
    near = span / len(seconds) / _NEAR
    events = 1 + sum(after - before > near for before, after in pairwise(seconds))
    if len(reading) < size or events == 1:
        return (1.0 - share) ** events < _SURPRISE  # the page is all rows of the window
    return math.exp(-share * width / 1000 * (events - 1) / span) < _SURPRISE
