"""An ordered page: a page in scan order, and the range that it proves.

Invariants:

1. Windows have milliseconds, but answers have whole seconds. Second ``s`` of scan time covers
   ``[1000 s, 1000 s + 1000)``, mirrored or not (`page_request`).
2. The lemma: let the first page of a window be sorted away from one end of the window. Then the page holds
   every lasting row between that end and the second of its last row. The page never proves more, however few
   rows it has (`prover`).

A page that is out of order, or has a row outside its window, proves nothing and ends the scan.
See docs/algorithms/keyset.md.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import islice

from aioflows._core.clocks.daylight import ShownDates, is_steady, part_of_year
from aioflows._core.pages.page import Page
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import NARROW, ServiceFacts
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import CompletenessError

__all__ = ["PIECE", "Misplaced", "OrderedPage", "PageReader"]

_GREATEST_SHIFT = 26 * 3_600
"""The greatest difference of two zones (s): from 12 hours behind UTC to 14 hours ahead."""

PIECE = 500
"""The number of rows that are decoded and returned at once. The garbage collector checks young objects
after about 700 new ones, and rows freed by then cost it nothing. A piece of 1,000 rows would cause
frequent full collections."""


class Misplaced(CompletenessError):
    """A row is outside the window or out of order, or the zone is wrong."""


class OrderedPage:
    """A page in scan order.

    Args:
        ask: request for the page.
        page: page that came, with rows.
        second_of: function that converts the text of a trigger time to a second of real time.
        given: True if the user configured the zone offset. Default: False.

    Raises:
        CompletenessError: the page is out of order, or a row lies outside the window.
    """

    def __init__(
        self, ask: PageRequest, page: Page, second_of: Callable[[str], int], *, given: bool = False
    ) -> None:
        self.page = page
        self._given = given
        self._axis = ask.axis
        self._second_of = second_of
        self._flipped = ask.backward
        times, ids = page.times, page.ids
        in_order, apart = (operator.ge, operator.gt) if ask.descending else (operator.le, operator.lt)
        self._tied = not all(map(apart, times, islice(times, 1, None)))
        if self._tied and not all(map(in_order, times, islice(times, 1, None))):
            at = next(i for i in range(1, len(times)) if not in_order(times[i - 1], times[i]))
            raise Misplaced(
                f"the service broke the order of the request: in the window {ask.from_ms}–{ask.to_ms} ms, sorted by "
                f"trigger_time {'DESC' if ask.descending else 'ASC'}, {times[at - 1]} comes before {times[at]} "
                f"(instance {ids[at]!r}). A service that ignores the sorter cannot be read completely"
            )
        self._twice = len(set(ids)) < len(ids)
        if self._twice:
            self._check_repeated_ids(ids, times)
        self.times: Sequence[str] = times[::-1] if ask.backward else times
        self.ids: Sequence[str] = ids[::-1] if ask.backward else ids
        self.first = self.second(0)
        self.last = self.second(len(times) - 1)
        low, high = ask.first // 1000, -(-ask.until // 1000)
        if self.first < low or self.last >= high:
            raise self._outside(ask, low, high)

    def __len__(self) -> int:
        return len(self.times)

    def second(self, index: int) -> int:
        """Return the second of scan time in which a row lies."""
        return self._axis.second(self._second_of(self.times[index]))

    def index(self, second: int) -> int:
        """Return the index of the first row at or after a second of scan time."""
        # Most calls are for the start or the end of the page, or the start of its last second, and need no
        # parsing of times.
        if second <= self.first:
            return 0
        if second >= self.last:
            return len(self.times) if second > self.last else self.times.index(self.times[-1])
        return bisect_left(range(len(self.times)), second, key=self.second)

    def at(self, second: int) -> Sequence[str]:
        """Return the ids of the rows in a second of scan time."""
        return self.ids[self.index(second) : self.index(second + 1)]

    def before(self, second: int) -> int | None:
        """Return the second of the last row before a second of scan time."""
        index = self.index(second)
        return self.second(index - 1) if index else None

    def cuts(self, start: int, stop: int) -> list[int]:
        """Return the rows at which *start* to *stop* are cut into pieces, each the first row of a second."""
        cuts = []
        while stop - start > PIECE:
            second = self.second(start + PIECE)
            cut = self.index(second)
            if cut <= start:  # one second is not cut, even if it is larger than a piece
                cut = self.index(second + 1)
            if cut >= stop:
                break
            cuts.append(cut)
            start = cut
        return cuts

    def rows(self, start: int, stop: int) -> Sequence[int]:
        """Return the page's numbers of rows *start* to *stop*, ordered by trigger time and id, each id once."""
        count = len(self.times)
        plain = range(count - 1 - start, count - 1 - stop, -1) if self._flipped else range(start, stop)
        times = self.times[start:stop]
        if not (self._tied and any(map(operator.eq, islice(times, 1, None), times))):
            return plain
        # The rows are nearly sorted, so a key function would cost more than the sort.
        rows = sorted(zip(times, self.ids[start:stop], plain, strict=True), reverse=self._axis.descending)
        if not self._twice:
            return [number for _, _, number in rows]
        return list({name: number for _, name, number in rows}.values())

    @staticmethod
    def _check_repeated_ids(ids: Sequence[str], times: Sequence[str]) -> None:
        seen: dict[str, str] = {}
        for name, time in zip(ids, times, strict=True):
            if seen.setdefault(name, time) != time:
                raise CompletenessError(
                    f"instance {name!r} came with two trigger times, {seen[name]} and {time}: ids are not "
                    "unique, or trigger times change. Such a service cannot be read completely"
                )

    def _outside(self, ask: PageRequest, low: int, high: int) -> CompletenessError:
        wrong = 0 if self.first < low else len(self.times) - 1
        error = Misplaced(
            f"instance {self.ids[wrong]!r} came with trigger time {self.times[wrong]}, which lies outside the "
            f"window of the request ({ask.from_ms}–{ask.to_ms} ms){self._fitting(low, high)}"
        )
        error.add_note("The service ignores the time filter, or its times are in another zone than it says.")
        return error

    def _fitting(self, low: int, high: int) -> str:
        """Return a hint at a shift that puts every row into the window. Empty if no shift does.

        Most zones differ by whole hours, a few by half hours, and hardly any by quarters. So the smallest
        shift of whole hours comes first, then of half hours, then of quarters. A shift that is half an hour
        smaller than whole hours is named too.
        """
        for grid in (3600, 1800, 900):
            most = _GREATEST_SHIFT // grid
            shifts = sorted((hop * grid for hop in range(-most, most + 1) if hop), key=abs)
            fits = [shift for shift in shifts if self._fits(shift, low, high)]
            if fits:
                break
        else:
            return ""
        shift = fits[0] * (-1 if self._axis.descending else 1)
        finer = abs(shift) - 1_800  # as where clocks are changed by half an hour
        either = finer > 0 and self._fits(math.copysign(finer, fits[0]), low, high)
        minutes = f"{finer // 60} or {abs(shift) // 60}" if either else abs(shift) // 60
        return (
            f". Every row would lie inside if its time were {minutes} minutes {'later' if shift > 0 else 'earlier'}. "
            + (
                "The offset that this session was given is wrong: give the right offset, or none, and run the scan again"
                if self._given
                else "Give the zone of the service as FlowSession(server_timezone=...), and run the scan again"
            )
        )

    def _fits(self, shift: float, low: int, high: int) -> bool:
        return low <= self.first + shift and self.last + shift < high


class PageReader:
    """A reader of answers in the service's zone.

    Args:
        service: facts of the session about the service. A page that confirms the zone is noted there.
    """

    def __init__(self, service: ServiceFacts) -> None:
        self._zone: Zone | None = None
        self._service = service
        self._early = self._late = math.inf
        self._early_at = self._late_at = ""

    @property
    def zone(self) -> Zone | None:
        """The zone of the service's times. None means that it is not known yet."""
        return self._zone

    @zone.setter
    def zone(self, zone: Zone) -> None:
        self._zone = zone
        self._early = self._late = math.inf

    @property
    def pinned(self) -> bool:
        """True if answers confirmed the zone: a wrong offset would have put a row outside its window."""
        return self._service.pinned(self._zone)

    @property
    def dates(self) -> ShownDates | None:
        """The dates for which rows have shown the zone, as of `ServiceFacts.dates_of`."""
        return None if self._zone is None else self._service.dates_of(self._zone)

    def read(self, ask: PageRequest, page: Page) -> OrderedPage:
        """Return a page with rows in scan order.

        Raises:
            CompletenessError: the page is out of order, or a row lies outside the window.
        """
        assert self.zone is not None, "the zone is known before the first answer is read"
        offset = self.zone.offset_at(ask.from_ms // 1000)
        reading = OrderedPage(ask, page, lambda text: wall_seconds(text) - offset, given=self.zone.given)
        self._narrow_down(ask, reading)
        if reading.first != reading.last:
            self._service.sorts.add(ask.descending)
        return reading

    def _narrow_down(self, ask: PageRequest, reading: OrderedPage) -> None:
        """Note how far rows can be shifted, earlier and later, before a row leaves its window.

        Offsets lie on a grid of 15 minutes. So one narrower window confirms the zone. Two wider windows confirm
        the zone too, if one has a row at its start and the other has a row at its end.
        """
        early, late = reading.first * 1000 + 999 - ask.first, ask.until - reading.last * 1000
        if early < self._early:
            self._early, self._early_at = early, reading.times[0]
        if late < self._late:
            self._late, self._late_at = late, reading.times[-1]
        if max(self._early, self._late) <= NARROW:
            self._service.pin(self._zone)
            if (dates := self.dates) is not None:
                self._note_dates(dates, ask, reading)

    def _note_dates(self, dates: ShownDates, ask: PageRequest, reading: OrderedPage) -> None:
        """Note on which dates a page confirms the zone. The two wider windows may lie on different ones."""
        if ask.until - ask.first <= NARROW:
            dates.note((reading.times[0], reading.times[-1]))
        elif is_steady(part := part_of_year(self._early_at)) and part == part_of_year(self._late_at):
            dates.note((self._early_at,))
