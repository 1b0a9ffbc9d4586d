"""The end of the range: a check for services that include it, as SQL's BETWEEN does.

A row may come with the very second at which its window ends. There are four possible causes:

1. The service includes the end. Then the second that begins there holds the row as well. From then on each
   window is requested with an end one millisecond earlier. That is the window that was meant, to the
   millisecond.
2. The service includes the end and compares whole seconds. Then a window that begins one millisecond later
   holds the row as well. The rows that such a service leaves out for an earlier end are unknown, so the scan
   ends with an error.
3. The service rounds its times up, or to the nearest second. Then the second that ends there holds the row,
   even without its last millisecond. The row cannot be placed.
4. The zone is wrong, or the filter is ignored. The reader of the page reports that
   (`aioflows._core.pages.ordered_page`).

If a window ends inside a second, the texts do not distinguish a row at its end from the rows before the end.
Such a row is found by its id: the millisecond that begins at the end holds the row as well, or the next
window does. This is checked if the range itself ends inside a second, and if a dense second is read in
pieces. It is checked only until another row has shown that the end is included.

Three searches of a second or less each find the cause. They are sent when such a row comes, and its answer
waits for them. The result holds for one scan and one schedule type. A service that excludes the end causes no
extra request.

See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from functools import partial
from itertools import takewhile

import attrs

from aioflows._core.bounds.range_check import Answer, RangeCheck, window
from aioflows._core.bounds.range_start import look
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AioflowsError, CompletenessError

__all__ = ["RangeEnd"]

_ROUNDS = 3
"""How often to look for a row at the end of a window that is in neither second beside it, as if deleted."""


class _Verdict(enum.Enum):
    EXCLUDED = "nothing else was seen"
    INCLUDED = "the end is included"
    MISREAD = "a row at the end is in neither second beside it"


@attrs.define(eq=False)
class _Case:
    """A row at the end of a window, whose cause is being searched.

    Args:
        ask: the request that brought the row.
        ids: the ids of the rows at its end.
        end_ms: the end of the window (ms of real time).
        rows: the number of rows in the second that begins there. Default: 0.
    """

    ask: PageRequest
    ids: frozenset[str]
    end_ms: int
    rows: int = 0


class RangeEnd(RangeCheck):
    """The check of the range's end. It stands between a scan and the service.

    Args:
        ends: the ends of the scan's own windows (ms of real time).
        deliver: called with a request of the scan and its answer.
    """

    def __init__(self, ends: Collection[int], deliver: Callable[[PageRequest, Answer], None]) -> None:
        super().__init__(deliver)
        self.zone: Zone | None = None
        self._ends = frozenset(ends)
        self._begun: dict[int, frozenset[str]] = {}
        """For each window that begins inside a second, the ids of the rows in that second or the next one."""
        self._clear: set[int] = set()
        """Ends inside a second at which no row was found."""
        self._verdict = _Verdict.EXCLUDED
        self._error: CompletenessError | None = None
        self._case: _Case | None = None
        self._rounds = 0
        self._first_page: int | None = None
        self._held: list[tuple[PageRequest, Page]] = []

    def sent(self, ask: PageRequest) -> PageRequest:
        """Return the request to send for a request of the scan."""
        if self._verdict is not _Verdict.INCLUDED:
            return ask
        narrower = window(ask, ask.from_ms, ask.to_ms - 1)
        self._meant[narrower] = ask
        return narrower

    def _answered(self, meant: PageRequest, sent: PageRequest, answer: Answer) -> None:
        if meant is not sent or isinstance(answer, AioflowsError):
            self._deliver(meant, answer)
        else:
            self._look(meant, answer)

    def _look(self, ask: PageRequest, page: Page) -> None:
        if page.ids:
            if self._first_page is not None and ask.page_no < self._first_page:
                self._forget()
            self._first_page = ask.page_no if self._first_page is None else min(self._first_page, ask.page_no)
        if ask.from_ms % 1000:
            self._begun[ask.from_ms] = self._at_the_start(ask, page)
        ids = self._inside(ask, page) if ask.to_ms % 1000 else self._at_the_end(ask, page)
        if self._verdict is _Verdict.INCLUDED and (ids or ask.to_ms % 1000):
            self._todo.append(self.sent(ask))
        elif not ids or self._verdict is not _Verdict.EXCLUDED:
            self._deliver(ask, page)
        elif self._error is not None:
            self._deliver(ask, self._error)
        else:
            self._held.append((ask, page))
            if self._case is None:
                self._begin(_Case(ask, ids, ask.to_ms))

    def _forget(self) -> None:
        """Start the search for the cause again, because the requests so far were not for the first page."""
        if self._case is None:
            self._verdict, self._error, self._rounds = _Verdict.EXCLUDED, None, 0
            self._begun.clear()
            self._clear.clear()

    def _at_the_start(self, ask: PageRequest, page: Page) -> frozenset[str]:
        """Return the ids of the rows that may lie at the start of a window that begins inside a second.

        A service that rounds its times shows the second behind it.
        """
        if ask.field != "trigger_time":
            return frozenset()
        assert self.zone is not None, "the zone is known before the first answer is read"
        last = ask.from_ms // 1000 + 1 + self.zone.offset_at(ask.from_ms // 1000)
        step = -1 if ask.descending else 1  # a page out of order is refused later
        try:
            rows = zip(page.ids[::step], page.times[::step], strict=True)
            return frozenset(name for name, _ in takewhile(lambda row: wall_seconds(row[1]) <= last, rows))
        except AioflowsError:  # the reader of the page reports the error
            return frozenset()

    def _at_the_end(self, ask: PageRequest, page: Page) -> frozenset[str]:
        """Return the ids of the rows in the second that begins at the end of a window."""
        if ask.to_ms % 1000 or not page.ids or ask.field != "trigger_time":
            return frozenset()
        assert self.zone is not None, "the zone is known before the first answer is read"
        wall = ask.to_ms // 1000 + self.zone.offset_at(ask.from_ms // 1000)
        times = page.times
        try:
            # A page out of order is refused later. In a sorted page such rows stand at one end.
            if wall not in (wall_seconds(times[0]), wall_seconds(times[-1])):
                return frozenset()
            return _at(page, wall)
        except AioflowsError:  # the reader of the page reports the error
            return frozenset()

    def _inside(self, ask: PageRequest, page: Page) -> frozenset[str]:
        """Return the ids of the rows that may lie at the end of a window that ends inside a second."""
        end = ask.to_ms
        if not page.ids or ask.field != "trigger_time" or end in self._clear:
            return frozenset()
        if (begun := self._begun.get(end)) is not None:
            return frozenset(begun).intersection(page.ids)
        # A dense second is read from its end, so only an ascending scan has the window behind it first.
        if end not in self._ends and not ask.axis.descending:
            return frozenset()
        return self._within(page, end)

    # Which of the four causes it is

    def _begin(self, case: _Case) -> None:
        self._case = case
        width = 1 if case.end_ms % 1000 else 1000
        self._ask(case.end_ms, case.end_ms + width, partial(self._looked_behind, case))

    def _ask(self, from_ms: int, to_ms: int, job: Callable[[Page], None], *, falling: bool = False) -> None:
        """Request a window, sorted so that the rows next to the end in question come first."""
        assert self._case is not None
        ask = look(self._case.ask, from_ms, to_ms, page_no=self._first_page or 0, falling=falling)
        self._request(ask, job, self._fail)

    def _looked_behind(self, case: _Case, page: Page) -> None:
        shown = case.ids & self._within(page, case.end_ms)
        if shown:
            case.ids, case.rows = shown, len(page.ids)
            self._ask(case.end_ms + 1, case.end_ms + 2, partial(self._looked_later, case))
        elif case.end_ms % 1000:
            self._clear.add(case.end_ms)
            self._settle(_Verdict.EXCLUDED)
        else:
            first, job = case.end_ms - 1000, partial(self._looked_before, case)
            self._ask(first, case.end_ms - 1, job, falling=True)

    def _looked_later(self, case: _Case, page: Page) -> None:
        if case.ids.isdisjoint(page.ids) and len(page.ids) < case.rows:
            self._settle(_Verdict.INCLUDED)
            return
        self._error = CompletenessError(
            f"the service includes the end of the range, and compares whole seconds: instance {min(case.ids)!r} was answered "
            f"for the window {case.ask.from_ms}–{case.ask.to_ms} ms, for the second that begins there, and for a window that "
            "begins a millisecond later. Rows between two seconds may be left out at the end of a window, so nothing can be "
            "proven. A service that leaves out the end of the range, or compares milliseconds, can be read"
        )
        self._fail(self._error)

    def _looked_before(self, case: _Case, page: Page) -> None:
        if case.ids & self._within(page, case.end_ms):
            self._error = CompletenessError(
                f"the service rounds its times up, or to the nearest second: instance {min(case.ids)!r} is answered for the "
                f"second {case.end_ms - 1000}–{case.end_ms} ms with the time at which that ends, and not for the next one. "
                "Such a row cannot be placed, so nothing can be proven. A service that cuts its times to whole seconds "
                "can be read"
            )
            self._fail(self._error)
        else:
            job = partial(self._looked_just_before, case)
            self._ask(case.end_ms - 1, case.end_ms, job, falling=True)

    def _looked_just_before(self, case: _Case, page: Page) -> None:
        if case.ids & self._within(page, case.end_ms):
            self._error = CompletenessError(
                f"the service includes the end of the range, or rounds its times: instance {min(case.ids)!r} is answered for "
                f"the millisecond before {case.end_ms} ms with the time {case.end_ms} ms itself, and was not seen in the second "
                "that begins there. Such a row cannot be placed, so nothing can be proven. A service that leaves out the end "
                "of the range, and cuts its times to whole seconds, can be read"
            )
            self._fail(self._error)
            return
        self._rounds += 1
        if self._rounds == _ROUNDS:
            self._settle(_Verdict.MISREAD)
        else:  # the row may be deleted
            self._case = None
            held, self._held = self._held, []
            self._todo += [ask for ask, _ in held]

    def _within(self, page: Page, at_ms: int) -> frozenset[str]:
        assert self.zone is not None
        try:
            return _at(page, at_ms // 1000 + self.zone.offset_at(at_ms // 1000))
        except AioflowsError:
            return frozenset()

    def _settle(self, verdict: _Verdict) -> None:
        self._verdict, self._case = verdict, None
        held, self._held = self._held, []
        for ask, page in held:
            self._look(ask, page)

    def _fail(self, error: AioflowsError) -> None:
        self._case = None
        held, self._held = self._held, []
        for ask, _ in held:
            self._deliver(ask, error)


def _at(page: Page, wall: int) -> frozenset[str]:
    return frozenset(
        name for name, time in zip(page.ids, page.times, strict=True) if wall_seconds(time) == wall
    )
