"""The check of the zone that a service names, for single instances and pages.

A scan checks the zone itself (`aioflows._core.scans.zone_shown`). A single instance or a page does not show it. So
a session searches once for a row that was read in the zone. What is shown holds for all later calls, and for
scans. At offsets of places with daylight saving time it holds for a part of the year
(`aioflows._core.clocks.daylight`).

Nothing is sent if the user gave the zone, if a scan has shown it, or if the rows of the page show it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone

from aioflows._core.clocks.daylight import ShownDates, is_steady, part_of_year, telling_times
from aioflows._core.clocks.named_zone import Shown, WindowSearch, calm_days, find_shift
from aioflows._core.pages.service_facts import NARROW, ServiceFacts
from aioflows._core.wire.zone import Zone
from aioflows._net.call import CallTally
from aioflows._net.observers import Observers
from aioflows._net.operations import Operations
from aioflows.errors import AioflowsError, CompletenessError, ServiceError
from aioflows.models import NAIVE_EPOCH, FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["ZoneCheck", "likely_types"]

_PAGE_SIZE = 100
_TRIES = 2
_MOST_VAIN = 3
"""Searches for rows that no answer shows, after which no further one is made for the same days."""
_SECOND = 1_000  # ms
_MILLISECOND = timedelta(milliseconds=1)


class ZoneCheck:
    """The check of one session.

    Args:
        operations: the operations of the service.
        service: the facts that the session knows about the service.
        watch: writes warnings to the log.
    """

    def __init__(self, operations: Operations, service: ServiceFacts, watch: Observers) -> None:
        self._operations = operations
        self._service = service
        self._watch = watch
        self._lock = asyncio.Lock()
        self._settled: set[object] = set()
        self._vain: Counter[object] = Counter()
        self._warned_of: set[object] = set()
        self._dates: dict[Zone, ShownDates] = {}
        self._warned = False
        self._shift: int | None = None  # the last one that was found (s)
        self._first_page: int | None = None

    async def check(
        self,
        zone: Zone,
        walls: Sequence[datetime],
        ids: Sequence[str],
        types: Sequence[ScheduleType],
        tally: CallTally,
    ) -> None:
        """Check that rows were read in the right zone.

        Args:
            zone: the zone.
            walls: the trigger times of the rows, as clocks show them.
            ids: the ids of the rows.
            types: the schedule types that they may have, most likely first.
            tally: the costs of the call, and its rules.

        Raises:
            CompletenessError: the zone is wrong.
        """
        if zone.given or not walls or self._next(zone, walls) is None:
            return
        async with self._lock:  # calls at the same time share what is found
            while (row := self._next(zone, walls)) is not None:
                if not await self._search_for(zone, walls[row], ids[row], types, tally):
                    return

    async def warn(
        self,
        zone: Zone,
        instances: Sequence[FlowInstance],
        types: Sequence[ScheduleType] | None,
        spend: Callable[[], bool],
    ) -> None:
        """Write a warning to the log if instances were read in a wrong zone. Only the first one is checked.

        Args:
            zone: the zone.
            instances: the instances.
            types: the schedule types that they may have, most likely first. None means unknown.
            spend: returns True if a search may be sent.
        """
        for one in instances[:1]:
            assert one.trigger_time is not None, "an answer without a trigger time is refused"
            walls = [one.trigger_time.replace(tzinfo=None)]
            key = _key(zone, self._dates_of(zone), str(walls[0]))
            if zone.given or key in self._warned_of or self._next(zone, walls) is None or not spend():
                return
            try:
                await self.check(zone, walls, [one.instance_id], types or likely_types(one), CallTally())
            except CompletenessError as error:
                self._watch.warn(str(error))
                self._warned_of.add(key)

    async def check_row(
        self, zone: Zone, wall: datetime, name: str, types: Sequence[ScheduleType], tally: CallTally
    ) -> None:
        """Check one row, although the zone was shown before: the row contradicts it.

        Raises:
            CompletenessError: the zone is wrong.
        """
        async with self._lock:
            await self._search_for(zone, wall, name, types, tally)

    def note_page(self, zone: Zone, walls: Sequence[datetime], query: FlowQuery) -> None:
        """Note that the rows of a page show the zone, if they do: with another offset, some would lie outside."""
        if zone.given or not walls:
            return
        first, last = min(walls), max(walls)
        early = _ms(zone.instants(first)[0]) + _SECOND - 1 - query.from_ms
        late = query.to_ms - _ms(zone.instants(last)[-1])
        if min(early, late) <= 0 or max(early, late) > NARROW:
            return
        self._service.pin(zone)
        parts = {part_of_year(str(first)), part_of_year(str(last))}
        if (dates := self._dates_of(zone)) is not None:
            if query.to_ms - query.from_ms <= NARROW:
                dates.note((str(first), str(last)))
            elif len(parts) == 1 and all(map(is_steady, parts)):
                dates.note((str(first),))

    def _dates_of(self, zone: Zone) -> ShownDates | None:
        """Return the dates for which rows have shown a zone. None means that it holds for all dates.

        A service may name a place, and not change its clocks as that place does.
        """
        return self._service.dates_of(zone) if zone.fixed else self._dates.setdefault(zone, ShownDates())

    def _next(self, zone: Zone, walls: Sequence[datetime]) -> int | None:
        """Return a row to search for. None means that the zone is shown for all rows, or cannot be shown."""
        dates = self._dates_of(zone)
        if dates is None:
            known = self._service.pinned(zone) or (zone, None) in self._settled
            return None if known else _clearest(zone, walls)
        by_text = {str(wall): row for row, wall in enumerate(walls)}
        open_ = [time for time in telling_times(sorted(by_text)) if not self._is_settled(zone, dates, time)]
        return by_text[min(open_, key=lambda time: not is_steady(part_of_year(time)))] if open_ else None

    def _is_settled(self, zone: Zone, dates: ShownDates, time: str) -> bool:
        return (self._service.pinned(zone) and dates.include(time)) or _key(
            zone, dates, time
        ) in self._settled

    async def _search_for(
        self, zone: Zone, wall: datetime, name: str, types: Sequence[ScheduleType], tally: CallTally
    ) -> bool:
        """Search for a row. Return True if the zone is right, and False if nothing shows it.

        Raises:
            CompletenessError: the zone is wrong.
        """
        shift = await self._find_shift(zone, wall, name, types, tally)
        if shift:
            self._shift = shift
            raise _wrong(zone, wall, name, shift)
        dates, time = self._dates_of(zone), str(wall)
        key = _key(zone, dates, time)
        self._vain[key] += shift is None
        if shift == 0 or self._vain[key] == _MOST_VAIN:
            self._settled.add(key)
        if shift == 0:
            self._service.pin(zone)
            if dates is not None:
                dates.note((time,))
        elif not self._warned:
            self._warned = True
            self._watch.warn(
                f"no search shows instance {name!r:.80}, so nothing proves that the service's times are in the zone {zone.tzinfo} that it "
                "names. If they are not, give their zone as FlowSession(server_timezone=...)"
            )
        return shift == 0

    async def _find_shift(
        self, zone: Zone, wall: datetime, name: str, types: Sequence[ScheduleType], tally: CallTally
    ) -> int | None:
        script = find_shift(name, wall, zone.instants(wall), types, self._shift)
        rows: Shown | None = None
        try:
            while True:
                rows = await self._rows(zone, next(script) if rows is None else script.send(rows), tally)
        except StopIteration as end:
            found: int | None = end.value
            return found
        except AioflowsError:  # a search may be denied where an instance is not
            return None

    async def _rows(self, zone: Zone, ask: WindowSearch, tally: CallTally) -> Shown:
        """Return the first page of a window. While its number is unknown, page 1 is tried where page 0 has no rows."""
        known = self._first_page if self._service.first_page is None else self._service.first_page
        query = FlowQuery(max(ask.first, 0), ask.until, type=ask.type, expression=ask.text)
        for number in (0, 1) if known is None else (known,):
            try:
                page = await self._operations.page(
                    query, ask.type, number, self._service.usual(_PAGE_SIZE), tries=_TRIES, tally=tally
                )
            except ServiceError:
                if known is not None or number:
                    raise
                continue
            if page.ids:
                self._first_page = number
                page.show_in(zone)
                return list(zip(page.ids, page.walls, strict=True))
        return ()


def likely_types(instance: FlowInstance) -> list[ScheduleType]:
    """Return the schedule types that an instance may have, most likely first. It does not show its type."""
    types = [ScheduleType.MANUAL, ScheduleType.TEMPORARY]
    types.insert(0 if instance.freq else 2, ScheduleType.PERIODIC)
    return types


def _clearest(zone: Zone, walls: Sequence[datetime]) -> int:
    """Return a row whose time stands for one instant, if there is one."""
    return next((row for row, wall in enumerate(walls) if len(zone.instants(wall)) == 1), 0)


def _key(zone: Zone, dates: ShownDates | None, time: str) -> object:
    """Return what one search settles: the zone, or the zone for some days."""
    if dates is None:
        return zone, None
    part = part_of_year(time)
    days = None if is_steady(part) else calm_days(datetime.fromisoformat(time)) or time
    return zone, part, days


def _wrong(zone: Zone, wall: datetime, name: str, shift: int) -> CompletenessError:
    offset = timezone(timedelta(seconds=int((wall - zone.instants(wall)[0]).total_seconds()) + shift))
    return CompletenessError(
        f"instance {name!r:.80} was triggered at {wall} {offset}, and not in the zone {zone.tzinfo} that the service names, so its "
        f"times would be {abs(shift) // 60} minutes off. Give the zone of the service's times as "
        "FlowSession(server_timezone=...), by its name if it has daylight saving time, such as 'Europe/Berlin'"
    )


def _ms(instant: datetime) -> int:
    return (instant - NAIVE_EPOCH) // _MILLISECOND
