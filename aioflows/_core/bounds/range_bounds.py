"""The bounds of a range: a check for services that exclude its start, or round its bounds.

A service may compare ``trigger_time > from``. It may round bounds to whole seconds or minutes. Then the first or
last rows of a range are left out, and no answer shows that. So windows are requested a little wider than the scan
meant them:

1. A window that starts at a whole second starts one millisecond earlier. A service that excludes the start then
   returns the rows of its first millisecond.
2. A bound of the query itself is moved out to the whole minute. A service that rounds then returns all of the range.

Rows that came too much show it by their second. A page without such a row is what was meant, whatever the service
does with bounds. A page with such a row is not cut, because full pages and page numbers count the row. Its window
is requested again, one step narrower, and the two pages are compared:

3. A row inside both windows must be on both pages. If twice only the wider window has the row, then the service
   rounds, or excludes the start. Then rows at other bounds may be left out too, and the scan ends with an error.
4. If a bound of the query lies inside a second, its second does not show which rows came too much. Such a row must
   come with what lies before the bound, or with what lies behind it.
5. Once the start is known to be included, windows start where they were meant to. Once it is known to be excluded,
   each window starts one millisecond earlier (`aioflows._core.bounds.range_start`).

A service that follows its documentation costs one more request where rows stand just beside a window, until point 5
is known. The result holds for one scan and one schedule type. See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection, Generator
from functools import partial
from typing import TypeAlias

import attrs

from aioflows._core.bounds.range_check import Answer, RangeCheck, window
from aioflows._core.bounds.range_start import RangeStart, look, seconds_of
from aioflows._core.pages.first_page import no_such_page, refusal
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.wire.zone import Zone
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["RangeBounds"]

_Script: TypeAlias = Generator[PageRequest, Page, Page]
"""A script that yields requests, receives their pages, and returns the page of the window that was meant."""

_MINUTE, _DAY = 60_000, 86_400_000


class _Margin(enum.IntEnum):
    NONE = 0
    MILLISECOND = 1
    MINUTE = 2


class RangeBounds(RangeCheck):
    """The check of the bounds. It stands between a scan and the service.

    Args:
        edges: the bounds of the query (ms of real time). Windows that start or end there reach to the whole minute.
        deliver: called with a request of the scan and its answer.
    """

    def __init__(self, edges: Collection[int], deliver: Callable[[PageRequest, Answer], None]) -> None:
        super().__init__(deliver)
        self.zone: Zone | None = None
        self._edges = frozenset(edges)
        self._start = RangeStart()
        self._margins: dict[int, _Margin] = {}
        """For a bound beside which a row stands: the margin that windows still have there."""
        self._too_wide: set[tuple[int, int]] = set()
        """Windows that were refused, or had no rows, perhaps since their margin exceeds a number of whole days."""
        self._refused: set[tuple[int, int]] = set()
        """Windows that were refused, perhaps for the number of their page."""
        self._telling = False
        """True while it is found out whether the start is included."""
        self._held: list[tuple[PageRequest, PageRequest, Page]] = []
        """Answers that wait for it."""
        self._first_page: int | None = None

    def sent(self, ask: PageRequest) -> PageRequest:
        """Return the request to send for a request of the scan."""
        wider = self._widened(ask)
        if wider is not ask:
            self._meant[wider] = ask
        return wider

    def _answered(self, meant: PageRequest, sent: PageRequest, answer: Answer) -> None:
        if isinstance(answer, AioflowsError):
            first = math.inf if self._first_page is None else self._first_page
            if refusal(answer) and _exceeds_days(meant, sent):
                if not no_such_page(answer) or sent.page_no >= first:
                    self._too_wide.add(_key(meant))
                    self._todo.append(self.sent(meant))
                    return
                if self._first_page is None:
                    # The number of the page may be what was refused, unless another number is refused too.
                    (self._too_wide if _key(meant) in self._refused else self._refused).add(_key(meant))
            self._deliver(meant, answer)
            return
        if answer.ids:
            self._first_page = min(
                sent.page_no, sent.page_no if self._first_page is None else self._first_page
            )
        elif _exceeds_days(meant, sent):
            self._too_wide.add(_key(meant))
        self._look_at(meant, sent, answer)

    def _look_at(self, meant: PageRequest, sent: PageRequest, page: Page) -> None:
        if self._telling and self._start.included is None and self._doubtful(meant, sent, page):
            self._held.append((meant, sent, page))
        else:
            self._run(meant, self._narrowed(meant, sent, page))

    # How wide a window is requested

    def _margin(self, bound: int) -> _Margin:
        usual = _Margin.MINUTE if bound in self._edges else _Margin.MILLISECOND
        return self._margins.get(bound, usual)

    def _widened(self, ask: PageRequest) -> PageRequest:
        start, end = ask.from_ms, ask.to_ms
        if ask.field != "trigger_time":
            return ask
        first = start // _MINUTE * _MINUTE if self._margin(start) is _Margin.MINUTE else start
        until = -(-end // _MINUTE) * _MINUTE if self._margin(end) is _Margin.MINUTE else end
        inside = start % 1000 and start not in self._edges
        if self._margin(start) and self._start.included is None and not inside:
            first -= 1
        first = start if self._turns(first, start) else first
        until = end if self._turns(end, until) else until
        if self._start.included is False:
            first -= 1
        first = start if first < 0 else first
        too_wide = self._start.included is not False and (start, end) in self._too_wide
        return ask if too_wide or (first, until) == (start, end) else window(ask, first, until)

    @property
    def _zone(self) -> Zone:
        assert self.zone is not None, "the zone is known before the first answer is read"
        return self.zone

    def _turns(self, first: int, until: int) -> bool:
        """Return True if clocks change in a margin. Then wall clocks do not show which rows came too much."""
        return first < until and self.zone is not None and bool(self.zone.transitions(first - 1, until + 1))

    # A page that has rows beside its window

    def _narrowed(self, meant: PageRequest, wide: PageRequest, page: Page) -> _Script:
        """Request a window one step narrower each time, until its page is what was meant."""
        while self._doubtful(meant, wide, page):
            if not self._drop_minutes(meant, wide, page):
                if self._start.included is None and not (yield from self._tell_start(meant, page)):
                    return page
                self._margins[meant.from_ms] = _Margin.NONE
            narrow = attrs.evolve(self._widened(meant))
            if _key(narrow) == _key(wide):
                return page
            answer = yield narrow
            wide, page = narrow, (yield from self._compared(meant, wide, page, narrow, answer))
        return page

    def _doubtful(self, meant: PageRequest, wide: PageRequest, page: Page) -> bool:
        """Return True if a page may have a row beside the window that was meant, or lack the row at its start."""
        if meant.field != "trigger_time":
            return False
        if wide.from_ms > max(meant.from_ms - (self._start.included is False), 0):
            return True  # it was sent before the start was known to be excluded
        if meant.from_ms % 1000 and wide.from_ms == meant.from_ms:
            return self._start.included is None
        if self._turns(wide.from_ms, meant.from_ms) or self._turns(meant.to_ms, wide.to_ms):
            return True  # it was sent before the zone was known
        return any(self._beside(meant, wide, page))

    def _beside(self, meant: PageRequest, wide: PageRequest, page: Page) -> tuple[bool, bool]:
        """Return whether a page may have rows before its window, and behind it."""
        exact = meant.from_ms - (self._start.included is False)
        if not page.ids or (wide.from_ms >= exact and wide.to_ms <= meant.to_ms):
            return False, False
        seconds = sorted(seconds_of(self._zone, wide, (page.times[0], page.times[-1])))
        before = wide.from_ms < exact and any(second * 1000 < meant.from_ms for second in seconds[:1])
        behind = wide.to_ms > meant.to_ms and any((second + 1) * 1000 > meant.to_ms for second in seconds[1:])
        return before, behind

    def _drop_minutes(self, meant: PageRequest, wide: PageRequest, page: Page) -> bool:
        """No longer request whole minutes where rows stand beside a bound. Return False if there are none."""
        before, behind = self._beside(meant, wide, page)
        before = before and wide.from_ms < meant.from_ms - 1
        for bound, dropped in ((meant.from_ms, before), (meant.to_ms, behind)):
            if dropped:
                self._margins[bound] = min(self._margin(bound), _Margin.MILLISECOND)
        return before or behind

    def _tell_start(self, meant: PageRequest, page: Page) -> Generator[PageRequest, Page, bool]:
        """Find out whether the start is included, while other answers wait."""
        self._telling = True
        some = yield from self._start.tell(meant, page, self._zone, self._first_page or 0)
        self._telling = False
        held, self._held = self._held, []
        for one in held:
            self._look_at(*one)
        return some

    def _compared(
        self, meant: PageRequest, wide: PageRequest, page: Page, narrow: PageRequest, answer: Page
    ) -> _Script:
        """Return the answer for the narrower window, after every row inside it came with both windows.

        Raises:
            CompletenessError: only the wider window has a row that lies in both.
        """
        missing = self._missing(meant, wide, page, answer, meant.from_ms, meant.to_ms)
        if wide.from_ms < meant.from_ms - 1 or wide.to_ms > meant.to_ms:
            missing |= yield from self._lost_at_edges(meant, wide, page, answer)
        if missing:  # it may be deleted, or the answer false
            missing &= set((yield attrs.evolve(wide, tries=None)).ids)
        if missing:
            answer = yield attrs.evolve(narrow, tries=None)
            missing -= set(answer.ids)
        if missing:
            raise CompletenessError(
                f"the service rounds the range, or excludes its start: instance {min(missing)!r} is answered for the window "
                f"{wide.from_ms}–{wide.to_ms} ms, and not for {narrow.from_ms}–{narrow.to_ms} ms, although its time lies in both. "
                "So rows at the bounds of other windows may be left out too, and nothing can be proven. Give a range of whole "
                "minutes, or have the service compare milliseconds"
            )
        return answer

    def _lost_at_edges(
        self, meant: PageRequest, wide: PageRequest, page: Page, answer: Page
    ) -> Generator[PageRequest, Page, set[str]]:
        """Return rows of the seconds in which a range starts and ends that neither side of its bound shows."""
        lost = set()
        for bound, before in ((meant.from_ms, True), (meant.to_ms, False)):
            first = bound // 1000 * 1000
            rows = self._missing(meant, wide, page, answer, first, first + 1000) if bound % 1000 else set()
            beside = (first - 1, bound) if before else (bound - 1, first + 1000)
            if rows and not (yield look(meant, *beside, page_no=self._first_page or 0)).ids:
                lost |= rows
        return lost

    def _missing(
        self, meant: PageRequest, wide: PageRequest, page: Page, answer: Page, first: int, until: int
    ) -> set[str]:
        """Return the ids of rows of a stretch that the narrower page lacks, as far as it reaches."""
        if meant.page_no != self._first_page:
            return set()  # the numbers of later pages count the rows that came too much
        whole = len(answer.ids) < len(page.ids)  # no cap on pages has cut it
        last, shown = None if whole or not answer.ids else answer.times[-1], set(answer.ids)
        seconds = seconds_of(self._zone, wide, page.times)
        return {
            name
            for name, time, second in zip(page.ids, page.times, seconds, strict=False)
            if name not in shown
            and first <= second * 1000 <= until - 1000
            and (last is None or (time > last if meant.descending else time < last))
        }

    # Requests of a script

    def _run(self, meant: PageRequest, script: _Script, page: Page | None = None) -> None:
        try:
            ask = next(script) if page is None else script.send(page)
        except StopIteration as end:
            self._deliver(meant, end.value)
            return
        except AioflowsError as error:
            self._fail(meant, error)
        else:
            self._request(ask, partial(self._run, meant, script), partial(self._fail, meant))

    def _fail(self, meant: PageRequest, error: AioflowsError) -> None:
        held, self._held, self._telling = self._held, [], False
        self._deliver(meant, error)
        for one in held:
            self._look_at(*one)


def _key(ask: PageRequest) -> tuple[int, int]:
    return ask.from_ms, ask.to_ms


def _exceeds_days(meant: PageRequest, wide: PageRequest) -> bool:
    """Return True if a window is wider than a number of whole days because of its margin alone."""
    days = -(-(meant.until - meant.first) // _DAY)
    return wide.until - wide.first > days * _DAY
