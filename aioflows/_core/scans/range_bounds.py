"""The bounds of a request: a check for services that exclude the start of a range, or round it.

A service may compare ``trigger_time > from``. It may round the bounds of a request to whole seconds or minutes.
Then the first or last rows of a range are left out, and no answer shows that. So windows are requested a little
wider than the scan meant them:

1. A window starts one millisecond earlier. A service that excludes the start then returns its first millisecond.
2. If the query itself starts or ends inside a minute, the window reaches to the whole minute. A service that
   rounds then returns all of it.

Rows that came too much are seen by their second. A page without such a row is what was meant, whatever the service
does with the bounds. A page with such a row is not cut, because page numbers and full pages count its rows. Its
window is requested again, one step narrower, and what follows depends on the cause:

3. A row inside both windows must be on both pages. If only the wider window shows it, twice, then the service
   rounds, or excludes the start. Rows between two windows may be left out as well. The scan ends with an error.
4. If a window starts inside a second, the seconds of its rows do not show which came too much. The two
   milliseconds at its start are requested together, and then each alone. A service that excludes the start never
   has a row in a window of one millisecond (`_Start.EXCLUDED`). From then on each window starts one millisecond
   earlier, which is the window that was meant.
5. Once a row was seen in a window of one millisecond, or once the last millisecond of a second was answered apart
   from the rest of the second, the service includes the start (`_Start.INCLUDED`). From then on windows start
   where they were meant to.

A service that follows its documentation costs one request more for each window that has rows just before it, until
point 5 is known. The result holds for one scan and one schedule type. See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Generator, Iterator
from typing import TypeAlias

import attrs

from aioflows._core.pages.first_page import no_such_page, refusal
from aioflows._core.pages.ordered_page import Page, PageRequest
from aioflows._core.scans.range_end import Answer
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["RangeBounds"]

_Script: TypeAlias = Generator[PageRequest, Page, Page]
"""A script that yields requests, receives their pages, and returns the page of the window that was meant."""

_MINUTE, _DAY = 60_000, 86_400_000

_ROUNDS = 2
"""How often the two milliseconds at a start are requested before the start counts as excluded."""

_LOOKS = 3
"""How often the rest of a second is requested to show that its last millisecond is told apart."""


class _Start(enum.Enum):
    UNKNOWN = enum.auto()
    INCLUDED = enum.auto()
    EXCLUDED = enum.auto()


class _Margin(enum.IntEnum):
    NONE = 0
    MILLISECOND = 1
    MINUTE = 2


class RangeBounds:
    """The check of the bounds. It stands between a scan and the service.

    Args:
        edges: the bounds of the query (ms of real time). Windows that start or end there reach to the whole minute.
        deliver: called with a request of the scan and its answer.
    """

    def __init__(self, edges: Collection[int], deliver: Callable[[PageRequest, Answer], None]) -> None:
        self.zone: Zone | None = None
        self._edges = frozenset(edges)
        self._deliver = deliver
        self._start = _Start.UNKNOWN
        self._margins: dict[tuple[int, int], _Margin] = {}
        """For a window that is no longer requested as wide as others: how wide it is."""
        self._telling = False
        """True while it is found out whether the start is included."""
        self._held: list[tuple[PageRequest, PageRequest, Page]] = []
        """Answers that wait for it."""
        self._looks = 0
        self._first_page: int | None = None
        self._meant: dict[PageRequest, PageRequest] = {}
        """For each request that was sent wider, the request of the scan."""
        self._jobs: dict[PageRequest, Callable[[Answer], None]] = {}
        self._todo: list[PageRequest] = []

    def sent(self, ask: PageRequest) -> PageRequest:
        """Return the request to send for a request of the scan."""
        wider = self._widened(ask)
        if wider is not ask:
            self._meant[wider] = ask
        return wider

    def wanted(self) -> Iterator[PageRequest]:
        """Yield the requests to start, each once."""
        while self._todo:
            yield self._todo.pop(0)

    def received(self, ask: PageRequest, answer: Answer) -> None:
        """Process an answer."""
        if (job := self._jobs.pop(ask, None)) is not None:
            job(answer)
            return
        meant = self._meant.pop(ask, ask)
        if isinstance(answer, AioflowsError):
            if refusal(answer) and _exceeds_days(meant, ask):
                self._margins[_key(meant)] = _Margin.NONE
                if self._first_page is not None or not no_such_page(answer):
                    self._todo.append(self.sent(meant))
                    return
            self._deliver(meant, answer)
            return
        if answer.ids:
            self._first_page = min(ask.page_no, ask.page_no if self._first_page is None else self._first_page)
        elif _exceeds_days(meant, ask):
            self._margins[_key(meant)] = _Margin.NONE  # perhaps the window was too wide by its margin
        self._look_at(meant, ask, answer)

    def _look_at(self, meant: PageRequest, sent: PageRequest, page: Page) -> None:
        if self._telling and self._start is _Start.UNKNOWN and self._doubtful(meant, sent, page):
            self._held.append((meant, sent, page))
        else:
            self._run(meant, self._narrowed(meant, sent, page))

    # How wide a window is requested

    def _widened(self, ask: PageRequest) -> PageRequest:
        start, end = ask.from_ms, ask.to_ms
        margin = self._margins.get((start, end), _Margin.MINUTE)
        if ask.field != "trigger_time":
            return ask
        first, until = start, end
        if margin is _Margin.MINUTE:
            first = start // _MINUTE * _MINUTE if start in self._edges else start
            until = -(-end // _MINUTE) * _MINUTE if end in self._edges else end
        inside = start % 1000 and start not in self._edges
        if margin and self._start is _Start.UNKNOWN and not inside:
            first -= 1
        first = start if self._turns(first, start) else first
        until = end if self._turns(end, until) else until
        if self._start is _Start.EXCLUDED:
            first -= 1
        first = start if first < 0 else first
        return ask if (first, until) == (start, end) else _window(ask, first, until)

    def _turns(self, first: int, until: int) -> bool:
        """Return True if clocks change in a margin. Then wall clocks do not show which rows came too much."""
        return first < until and self.zone is not None and bool(self.zone.transitions(first - 1, until + 1))

    # A page that has rows beside its window

    def _narrowed(self, meant: PageRequest, wide: PageRequest, page: Page) -> _Script:
        """Request a window one step narrower each time, until its page is what was meant."""
        while self._doubtful(meant, wide, page):
            if not self._takes_minutes(meant, wide) and self._start is _Start.UNKNOWN:
                self._telling = True
                some = yield from self._tell_start(meant, wide, page)
                self._telling = False
                held, self._held = self._held, []
                for one in held:
                    self._look_at(*one)
                if not some:
                    return page
                if not self._doubtful(meant, wide, page):
                    continue
            narrow = self._narrower(meant, wide)
            if _key(narrow) == _key(wide):
                return page
            answer = yield narrow
            wide, page = narrow, (yield from self._compared(meant, wide, page, narrow, answer))
        return page

    def _narrower(self, meant: PageRequest, wide: PageRequest) -> PageRequest:
        minutes = self._takes_minutes(meant, wide)
        known = self._margins.get(_key(meant), _Margin.MINUTE)
        self._margins[_key(meant)] = min(known, _Margin.MILLISECOND if minutes else _Margin.NONE)
        return attrs.evolve(self._widened(meant))

    @staticmethod
    def _takes_minutes(meant: PageRequest, wide: PageRequest) -> bool:
        return wide.from_ms < meant.from_ms - 1 or wide.to_ms > meant.to_ms

    def _doubtful(self, meant: PageRequest, wide: PageRequest, page: Page) -> bool:
        """Return True if a page may have a row beside the window that was meant, or lack the row at its start."""
        if meant.field != "trigger_time":
            return False
        exact = meant.from_ms - (self._start is _Start.EXCLUDED)
        if wide.from_ms > max(exact, 0):
            return True  # it was sent before the start was known to be excluded
        if meant.from_ms % 1000 and wide.from_ms == meant.from_ms:
            return self._start is _Start.UNKNOWN
        if not page.ids or (wide.from_ms >= exact and wide.to_ms <= meant.to_ms):
            return False
        if self._turns(wide.from_ms, meant.from_ms) or self._turns(meant.to_ms, wide.to_ms):
            return True  # it was sent before the zone was known
        seconds = self._seconds(wide, page.times[0], page.times[-1])
        return bool(seconds) and (
            min(seconds) * 1000 < meant.from_ms or (max(seconds) + 1) * 1000 > meant.to_ms < wide.to_ms
        )

    def _seconds(self, ask: PageRequest, *times: str) -> list[int]:
        """Return the seconds of real time of some texts, or nothing if one cannot be read."""
        assert self.zone is not None, "the zone is known before the first answer is read"
        try:
            return [wall_seconds(time) - self.zone.offset_at(ask.from_ms // 1000) for time in times]
        except AioflowsError:  # the reader of the page reports the error
            return []

    def _compared(
        self, meant: PageRequest, wide: PageRequest, page: Page, narrow: PageRequest, answer: Page
    ) -> _Script:
        """Return the answer for the narrower window, after every row inside it came with both windows.

        Raises:
            CompletenessError: only the wider window has a row that lies in both.
        """
        missing = self._missing(meant, wide, page, answer, meant.from_ms, meant.to_ms)
        if self._takes_minutes(meant, wide):
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
            if rows and not (yield self._look(meant, *beside)).ids:
                lost |= rows
        return lost

    def _missing(
        self, meant: PageRequest, wide: PageRequest, page: Page, answer: Page, first: int, until: int
    ) -> set[str]:
        """Return the ids of rows of a stretch that the narrower page lacks, as far as it reaches."""
        if meant.page_no != self._first_page:
            return set()  # the numbers of later pages count the rows that came too much
        seconds = self._seconds(wide, *page.times)
        inside = {
            name: time
            for name, time, second in zip(page.ids, page.times, seconds, strict=False)
            if first <= second * 1000 and (second + 1) * 1000 <= until
        }
        shown = set(answer.ids)
        last = answer.times[-1] if answer.ids else None
        return {
            name
            for name, time in inside.items()
            if name not in shown
            and (
                last is None or len(shown) < len(inside) or (time > last if meant.descending else time < last)
            )
        }

    # Whether the start of a window belongs to it

    def _tell_start(
        self, meant: PageRequest, wide: PageRequest, page: Page
    ) -> Generator[PageRequest, Page, bool]:
        """Find out whether the start is included. Return False if no row stands there, or just before."""
        if meant.from_ms % 1000:
            return (yield from self._tell_start_inside_second(meant))
        if self._looks < _LOOKS:
            self._looks += 1
            seconds = self._seconds(wide, *page.times)
            last = {
                name for name, second in zip(page.ids, seconds, strict=False) if second * 1000 < meant.from_ms
            }
            rest = yield self._look(meant, meant.from_ms - 1000, meant.from_ms - 1, falling=True)
            if rest.ids and last.isdisjoint(rest.ids):
                self._start = _Start.INCLUDED
        return True

    def _tell_start_inside_second(self, meant: PageRequest) -> Generator[PageRequest, Page, bool]:
        start = meant.from_ms
        for _ in range(_ROUNDS):
            last = yield self._look(meant, start - 1, start)  # in a dense second the first row stands there
            if not last.ids and not (yield self._look(meant, start - 1, start + 1)).ids:
                return False
            if last.ids or (yield self._look(meant, start, start + 1)).ids:
                self._start = _Start.INCLUDED
                return True
        self._start = _Start.EXCLUDED
        return True

    def _look(self, meant: PageRequest, first: int, until: int, *, falling: bool = False) -> PageRequest:
        window = _window(meant, first, until)
        backward = falling != window.axis.descending
        return attrs.evolve(window, page_no=self._first_page or 0, backward=backward, tries=None)

    # Requests of a script

    def _run(self, meant: PageRequest, script: _Script, page: Page | None = None) -> None:
        try:
            ask = next(script) if page is None else script.send(page)
        except StopIteration as end:
            self._deliver(meant, end.value)
            return
        except AioflowsError as error:
            self._fail(meant, error)
            return

        def answered(answer: Answer) -> None:
            if isinstance(answer, AioflowsError):
                self._fail(meant, answer)
            else:
                self._run(meant, script, answer)

        self._jobs[ask] = answered
        self._todo.append(ask)

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


def _window(ask: PageRequest, from_ms: int, to_ms: int) -> PageRequest:
    first, until = ask.axis.window(from_ms, to_ms)
    return attrs.evolve(ask, first=first, until=until)
