"""Filters that a service applies by halves: what no row shows, since each row that comes does match. One more question shows it.

Two slips are known (`MyBatis`, over real databases):

1. ``IN (#{status})``: the database casts "1,-1" to its first number, so of several statuses one is read, and the rows of the
   others never come. Where a status never came in a whole scan, that status is asked for *alone*. A row that comes
   then, and does not come when all are asked for, shows it.
2. ``<if test="type != ''">``: 0 counts as "not given", so `ScheduleType.MANUAL` is dropped, and the rows of all types come.
   *Another* type is asked for over the window of the first page. A row that comes for both types shows it; a row of the other type
   that the first page would have had to hold shows that the type is applied. While neither was seen, no later page may hold a
   row that came for the other type.

What it costs. Statuses: nothing where one status is asked for, where every status came, or where both the least and the greatest
code of them came, since then no part of the list was left out at either end; otherwise one search for each status that never
came and each schedule type, when the scan is at its end. Type: one search when ``type=MANUAL`` has brought its first page, two
where there are not two periodic rows beside it, and none once the session has seen that the service applies the type. A follow, which reads the same windows again and again, probes
all that is missing after its first such scan and one status after every 16th later one.

What is found must hold in both directions before a scan fails by it. A row may have got its status after the scan passed it, an
answer may be empty by accident, and a crowded second may be cut off at the page's end. So the row's own second is
asked about by turns with all statuses and with its status alone. An empty answer to a probe is believed at once,
unless the service has answered with nothing before where there was something.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import attrs

from aioflows._core.filters.inquiries import Script
from aioflows._core.pages.reading import Direction, Page, PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import CompletenessError
from aioflows.models import ScheduleType
from aioflows.query import FlowQuery

__all__ = ["LeftOut", "SeenFilters", "StatusProbes", "type_ignored", "type_probe"]

T = TypeVar("T")

_ROWS = 10
"""Rows that a probe asks for; the vendor's own sample asks for pages of ten."""

_TRIES = 2
_HALVINGS = 6
"""Times that a window is halved which the service fails to answer about."""

_WITNESSES = 3
"""Rows of one status that are looked at more closely, before it is left open what they show."""

_SHOWN = 2
"""Instances of another type that a page of manual ones lacks, before the type counts as applied: one may be new."""

_POLLS_BETWEEN_PROBES = 16

_TURNS = ("together", "alone", "together", "together", "alone", "together")
"""How a row's second is asked about: with all statuses, or with its own alone. Twice in turn, since rows change meanwhile, and
twice running with all, since every second answer may be empty by accident."""


@attrs.define
class SeenFilters:
    """What a session has seen of how its service applies filters: it saves probes, and proves nothing."""

    manual: bool = False
    """Whether type 0 was seen to be applied."""
    polls: int = 0
    """Scans that read the same windows again and again, and missed a status."""

    def due(self, missing: Sequence[T]) -> Sequence[T]:
        """Count a scan of a poll, and return what to probe after it: after the first all that is missing, then seldom one in turn."""
        poll, self.polls = self.polls, self.polls + 1
        if not poll:
            return missing
        turn, rest = divmod(poll, _POLLS_BETWEEN_PROBES)
        return [] if rest else [missing[turn % len(missing)]]


@attrs.frozen
class LeftOut:
    """An instance that a scan was not given.

    Args:
        type: its schedule type.
        from_ms: where its second begins, in milliseconds since 1970-01-01 UTC.
    """

    type: ScheduleType
    from_ms: int


class StatusProbes:
    """The probes for statuses that never came in a scan.

    Args:
        query: what was asked for, with several statuses.
        service: what the session knows of the service.
        page_size: rows a request.
        seen: what the session has seen.
        polling: whether the same window is read again and again: then only some of the scans are followed by probes.
    """

    def __init__(
        self, query: FlowQuery, service: ServiceFacts, page_size: int, seen: SeenFilters, *, polling: bool
    ) -> None:
        self.came: set[int | None] = set()
        """The statuses of all rows so far."""
        self.largest = 0
        """Rows in the largest page so far."""
        self.left_out: LeftOut | None = None
        """The row that was found, if one was."""
        self._query = query
        self._service = service
        self._size = page_size
        self._seen = seen
        self._polling = polling
        self._page_no: int | None = None

    def scripts(self, types: Sequence[ScheduleType], zone: Zone) -> Iterator[Script]:
        """Return the probes that are due now that the scan is at its end."""
        self._page_no = self._service.first_page
        asked = sorted(self._query.status)
        if None in self.came or {asked[0], asked[-1]} <= self.came:
            return  # a row without a status may have any
        missing = [(status, type) for status in asked if status not in self.came for type in types]
        for status, type in self._seen.due(missing) if self._polling and missing else missing:
            yield self._alone(status, type, zone)

    def _alone(self, status: int, type: ScheduleType, zone: Zone) -> Script:
        windows = [(self._query.from_ms, self._query.to_ms, 0)]
        while windows:
            first, until, halvings = windows.pop(0)
            page = yield from self._first_page(status, type, first, until)
            if page is None:
                middle = (first + until) // 2
                if halvings < _HALVINGS and first < middle:
                    windows[:0] = [(first, middle, halvings + 1), (middle, until, halvings + 1)]
                continue
            for name, second in _witnesses(page, status, zone):
                error = yield from self._confirmed(status, type, name, second, zone)
                if error is not None:
                    self.left_out = LeftOut(type, second * 1000)
                    return error
            if page.ids:
                break
        return None

    def _first_page(
        self, status: int, type: ScheduleType, first: int, until: int
    ) -> Generator[tuple[ScheduleType, PageRequest], Page | None, Page | None]:
        page = yield type, self._ask(first, until, _ROWS, (status,))
        if _empty(page) and self._page_no is None:
            # No row has shown yet whether the first page is 0 or 1.
            page = yield type, self._ask(first, until, _ROWS, (status,), page_no=1)
            if not _empty(page) and self._page_no is None:
                self._page_no = 1
        elif _empty(page) and self._service.lied:
            page = yield type, self._ask(first, until, _ROWS, (status,))
        elif not _empty(page) and self._page_no is None:
            self._page_no = 0
        return page

    def _confirmed(self, status: int, type: ScheduleType, name: str, second: int, zone: Zone) -> Script:
        """Ask about a row's own second, by turns with all statuses and with its status alone."""
        # A second on each side, since times may be rounded.
        first = max(self._query.from_ms, second * 1000 - 1000)
        until = min(self._query.to_ms, second * 1000 + 2000)
        text = "" if self._query.expression or "\\" in name else name
        for asked in _TURNS:
            statuses = (status,) if asked == "alone" else ()
            page = yield type, self._ask(first, until, self._size, statuses, expression=text)
            if asked == "alone" and _empty(page):  # by accident, perhaps
                page = yield type, self._ask(first, until, self._size, statuses, expression=text)
            if page is None or any(_witnesses(page, status, zone)) != (asked == "alone"):
                return None
            if asked == "together" and not self._whole(page, text):
                # Page numbers that go on behind it tell that it was cut off.
                more = yield (
                    type,
                    self._ask(
                        first,
                        until,
                        len(page.ids),
                        statuses,
                        expression=text,
                        page_no=(self._page_no or 0) + 1,
                    ),
                )
                if more is None or more.ids:
                    return None
        several = ", ".join(str(int(one)) for one in sorted(self._query.status))
        return CompletenessError(
            f"instance {name!r} comes when status {int(status)} is asked for alone, and does not come when statuses {several} are "
            "asked for together: of several statuses the service most likely reads only the first. Ask for one status at a "
            "time, in a scan for each"
        )

    def _whole(self, page: Page, text: str) -> bool:
        """Return True if an answer was not cut off: it holds nothing but the text's own rows, or fewer than another page held."""
        named = all(text in name for name in page.ids) if text else not page.ids
        return named or len(page.ids) < self.largest

    def _ask(
        self,
        first: int,
        until: int,
        size: int,
        statuses: tuple[int, ...],
        *,
        expression: str = "",
        page_no: int | None = None,
    ) -> PageRequest:
        return PageRequest(
            first,
            until,
            Direction(descending=False),
            size,
            page_no=(self._page_no or 0) if page_no is None else page_no,
            tries=_TRIES,
            expression=expression,
            status=statuses or None,
        )


def _empty(page: Page | None) -> bool:
    return page is None or not page.ids


def _witnesses(page: Page, status: int, zone: Zone) -> Iterator[tuple[str, int]]:
    """Return rows of a page that have a status, each with its second of real time, and each of another second."""
    rows = page.instances(zone, range(len(page.ids))) if page.ids else []
    seconds = {
        int(row.trigger_time.timestamp()): row.instance_id
        for row in reversed(rows)
        if row.status == status and row.trigger_time is not None
    }
    yield from islice(((name, second) for second, name in sorted(seconds.items())), _WITNESSES)


def type_probe(
    ask: PageRequest, page: Page, zone: Zone, seen: SeenFilters, others: dict[str, ScheduleType]
) -> Script:
    """Find out whether the service applies `ScheduleType.MANUAL`.

    Args:
        ask: the request for manual instances that brought a page, with the text that the query asks for.
        page: that page, not empty.
        zone: the zone that the service's times are in.
        seen: what the session has seen; told when the type is applied.
        others: takes instances of other types, by their ids: while it is left open whether the type is applied, no page of
            manual instances may hold one of them.
    """
    for other in (ScheduleType.PERIODIC, ScheduleType.TEMPORARY):
        found = yield (
            other,
            attrs.evolve(ask, page_size=min(_ROWS, ask.page_size), tries=_TRIES, expression=""),
        )
        if found is None or not found.ids:
            continue
        if shared := {*found.ids} & {*page.ids}:
            return type_ignored(min(shared), other)
        last = page.times[-1]
        before = [time for time in found.times if (time > last if ask.descending else time < last)]
        if len(before) >= _SHOWN:
            seen.manual = True  # the page reaches beyond them, and would have had to hold them
            return None
        name, time = found.ids[0], found.times[0]
        # It lies behind what the page shows, or came about meanwhile. So its own second is asked about, by its id if possible.
        second = wall_seconds(time)
        first = (second - zone.offset_at(second)) * 1000 - 1000
        text = "" if ask.expression or "\\" in name else name
        axis = Direction(descending=False)
        narrow = attrs.evolve(
            ask, first=first, until=first + 3000, axis=axis, backward=False, tries=_TRIES, expression=text
        )
        again = yield ScheduleType.MANUAL, narrow
        if again is not None and name in again.ids:
            return type_ignored(name, other)
        if again is not None and not text and 0 < len(again.ids) < len(page.ids):
            seen.manual = True
            return None
        others.update(dict.fromkeys(found.ids, other))
        return None
    return None


def type_ignored(name: str, other: ScheduleType) -> CompletenessError:
    """Return the error of a service that answers with an instance for two types, of which one is MANUAL."""
    return CompletenessError(
        f"instance {name!r} was answered both for type MANUAL and for type {other.name}: the service ignores type MANUAL (0), "
        "most likely since it takes 0 for 'not given', and answers with the instances of every type. Its answers do not "
        "tell the type, so manual instances cannot be read from it alone. Ask for PERIODIC or TEMPORARY"
    )
