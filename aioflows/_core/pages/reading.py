"""One page: what was asked, what came, and what that proves.

Invariants:

1. *Scan time* runs the way the scan runs. A scan in descending order mirrors time (``u = ~t``, so the window
   ``[a, b)`` becomes ``[-b, -a)``), and everything above this file knows ascending scans only.
2. Windows are half-open, in milliseconds; answers have whole seconds. Second ``s`` of scan time covers
   ``[1000 s, 1000 s + 1000)``, mirrored or not.
3. The lemma: a first page over a window, sorted away from one end of it, holds every lasting row between that end and
   the second of its last row. What it proves is never more than that, however few rows it has (`prover`).

A page that is out of order or reaches outside its window proves nothing and ends the scan.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Protocol

import attrs

from aioflows._core.pages.service_facts import NARROW, ServiceFacts
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import CompletenessError
from aioflows.models import FlowInstance

__all__ = [
    "NOTHING",
    "PIECE",
    "Batch",
    "Direction",
    "Misplaced",
    "Nothing",
    "OrderedPage",
    "Page",
    "PageReader",
    "PageRequest",
]

PIECE = 500
"""Rows that are handed out, and decoded, at once. The garbage collector looks at what is new after some 700 objects, and rows
that are gone by then cost it nothing; a page of 1,000 at once makes it go through all there is, again and again."""


class Misplaced(CompletenessError):
    """A row stands where it should not be: outside the window, or before an earlier one. Rows read in a wrong zone look like that."""


class Page(Protocol):
    """The columns of an answer that decisions are made on."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def times(self) -> Sequence[str]:
        """Trigger times as answered: texts of one format, so that they compare as the times do."""
        ...

    @property
    def body(self) -> bytes:
        """The answer, as long as its rows are not decoded; then nothing."""
        ...

    @property
    def count(self) -> int | None:
        """The rows that the service says there are."""
        ...

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:
        """Decode some rows, in the order of these numbers; *offset*: of the zone when they were triggered."""
        ...


@attrs.frozen
class Direction:
    """The direction of a scan: real time, or its mirror image."""

    descending: bool

    def window(self, first: int, until: int) -> tuple[int, int]:
        """Turn a window of scan time into real time, and back."""
        return (-until, -first) if self.descending else (first, until)

    def second(self, value: int) -> int:
        """Turn a second of real time into scan time, and back."""
        return ~value if self.descending else value


@attrs.frozen(eq=False)
class PageRequest:
    """One page to be requested.

    Args:
        first: *milliseconds* of scan time, where the window starts.
        until: *milliseconds* of scan time, where it ends.
        axis: the direction of the scan.
        page_size: *rows*.
        backward: whether it is to be sorted against scan time, so that it proves the end of its window.
        page_no: the page's *number* as it is sent.
        tries: *attempts* before it is reported that the service fails; None: as many as the policy allows.
        reads: *attempts* that may bring something that cannot be read; None: as many as the policy allows.
        expression: the *text* that rows must contain besides what the query asks for; ``""``: none.
        field: what the page is to be *sorted* by.
        ties: what rows that are alike in that are to be sorted by, one after the other.
        status: the *codes* to ask for instead of those of the query; None: those of the query.
        bare: whether the status, the owner and the text that the query asks for are *left out*.
    """

    first: int
    until: int
    axis: Direction
    page_size: int
    backward: bool = False
    page_no: int = 0
    tries: int | None = None
    reads: int | None = None
    expression: str = ""
    field: str = "trigger_time"
    ties: tuple[str, ...] = ()
    status: tuple[int, ...] | None = None
    bare: bool = False

    @property
    def sorters(self) -> tuple[tuple[str, bool], ...]:
        """The fields that the service is to sort by, each with whether it is descending."""
        return tuple((field, self.descending) for field in (self.field, *self.ties))

    @property
    def whole(self) -> bool:
        """Whether the answer is decoded in full when it comes, and not only what is planned by."""
        return self.field != "trigger_time"  # what it is ordered by has to be read

    @property
    def from_ms(self) -> int:
        """The first *millisecond* asked for, in real time."""
        return self.axis.window(self.first, self.until)[0]

    @property
    def to_ms(self) -> int:
        """The first *millisecond* no longer asked for, in real time."""
        return self.axis.window(self.first, self.until)[1]

    @property
    def descending(self) -> bool:
        """Whether the service is to sort in descending order."""
        return self.axis.descending != self.backward


class OrderedPage:
    """A page laid out in scan order.

    Args:
        ask: what was asked.
        page: what came, not empty.
        second_of: gives the *second* of real time that a trigger time's text means.
        given: whether the user has given the offset by which it does.

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
                f"the service broke the order it was asked for: in the window {ask.from_ms}–{ask.to_ms} ms, sorted by "
                f"trigger_time {'DESC' if ask.descending else 'ASC'}, {times[at - 1]} comes before {times[at]} "
                f"(instance {ids[at]!r}). A service that ignores the sorter cannot be read completely"
            )
        self._twice = len(set(ids)) < len(ids)
        if self._twice:
            self._check_twins(ids, times)
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
        """Return the second of scan time that a row lies in."""
        return self._axis.second(self._second_of(self.times[index]))

    def index(self, second: int) -> int:
        """Return the index of the first row at or after a second of scan time."""
        # Nearly always it is the page's start or end, or the start of its last second: no time need be read for these.
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
        """Return the rows between *start* and *stop* at which they are to be cut into pieces: where a second begins."""
        cuts = []
        while stop - start > PIECE:
            second = self.second(start + PIECE)
            cut = self.index(second)
            if cut <= start:  # the second alone is larger than a piece
                cut = self.index(second + 1)
            if cut >= stop:
                break
            cuts.append(cut)
            start = cut
        return cuts

    def rows(self, start: int, stop: int) -> Sequence[int]:
        """Return the page's row numbers for rows *start* to *stop*, in the order (trigger time, id), each id once."""
        count = len(self.times)
        plain = range(count - 1 - start, count - 1 - stop, -1) if self._flipped else range(start, stop)
        times = self.times[start:stop]
        if not (self._tied and any(map(operator.eq, islice(times, 1, None), times))):
            return plain
        # With no key of its own: the page is in order but for its ties, and making keys would cost more than sorting.
        rows = sorted(zip(times, self.ids[start:stop], plain, strict=True), reverse=self._axis.descending)
        if not self._twice:
            return [number for _, _, number in rows]
        return list({name: number for _, name, number in rows}.values())

    @staticmethod
    def _check_twins(ids: Sequence[str], times: Sequence[str]) -> None:
        seen: dict[str, str] = {}
        for name, time in zip(ids, times, strict=True):
            if seen.setdefault(name, time) != time:
                raise CompletenessError(
                    f"instance {name!r} was answered with two trigger times, {seen[name]} and {time}: ids are not "
                    "unique, or trigger times change, and then nothing can be proven"
                )

    def _outside(self, ask: PageRequest, low: int, high: int) -> CompletenessError:
        wrong = 0 if self.first < low else len(self.times) - 1
        error = Misplaced(
            f"instance {self.ids[wrong]!r} was answered with trigger time {self.times[wrong]}, which lies outside the "
            f"window asked for ({ask.from_ms}–{ask.to_ms} ms){self._fitting(low, high)}"
        )
        error.add_note(
            "Either the service ignores the time filter, or its times are in another zone than it says."
        )
        return error

    def _fitting(self, low: int, high: int) -> str:
        """Say which correction, on the grid of the world's zones, would put every row into the window."""
        quarter = 900
        shifts = [hop * quarter for hop in range(-104, 105) if hop]
        fits = [shift for shift in shifts if low <= self.first + shift and self.last + shift < high]
        if not fits:
            return ""
        shift = min(fits, key=abs) * (-1 if self._axis.descending else 1)
        return (
            f". Read {abs(shift) // 60} minutes {'later' if shift > 0 else 'earlier'} every row would lie inside: "
            + (
                "the offset that this session was given is not the service's. Give the right one, or none at all, and begin "
                "the scan again"
                if self._given
                else "give the zone the service really uses as FlowSession(server_timezone=...), and begin the scan again"
            )
        )


class PageReader:
    """Reads answers in the service's zone.

    Args:
        service: what the session knows of the service; told when a page shows that the zone is right.
    """

    def __init__(self, service: ServiceFacts) -> None:
        self._zone: Zone | None = None
        self._service = service
        self._early = self._late = math.inf

    @property
    def zone(self) -> Zone | None:
        """The zone that answers are read in; None: not known yet."""
        return self._zone

    @zone.setter
    def zone(self, zone: Zone) -> None:
        self._zone = zone
        self._early = self._late = math.inf

    @property
    def pinned(self) -> bool:
        """True if answers have shown that the zone is right, since a wrong offset had put a row outside its window."""
        return self._service.pinned(self._zone)

    def read(self, ask: PageRequest, page: Page) -> OrderedPage:
        """Lay out a page that is not empty.

        Raises:
            CompletenessError: it is out of order, or a row lies outside the window.
        """
        assert self.zone is not None, "the zone is known before the first answer is read"
        offset = self.zone.offset_at(ask.from_ms // 1000)
        reading = OrderedPage(ask, page, lambda text: wall_seconds(text) - offset, given=self.zone.given)
        self._narrow_down(ask, reading)
        if reading.first != reading.last:
            self._service.sorts.add(ask.descending)
        return reading

    def _narrow_down(self, ask: PageRequest, reading: OrderedPage) -> None:
        """Note how far rows could be moved until one of them lay outside the window that brought it, earlier and later.

        Offsets lie on a grid. So one window that is narrower than the grid shows the zone, and two windows do so as
        well if a row stands at the start of one, and a row at the end of the other.
        """
        self._early = min(self._early, reading.first * 1000 + 999 - ask.first)
        self._late = min(self._late, ask.until - reading.last * 1000)
        if max(self._early, self._late) <= NARROW:
            self._service.pin(self._zone)


@attrs.frozen
class Nothing:
    """A page without rows.

    Args:
        count: *rows* that there are all the same, as is said.
    """

    count: int | None = None
    ids: Sequence[str] = ()
    times: Sequence[str] = ()
    body: bytes = b""

    def instances(self, zone: Zone, rows: Sequence[int], *, offset: int | None = None) -> list[FlowInstance]:  # noqa: ARG002
        """Return none."""
        return []


NOTHING: Page = Nothing()


@attrs.frozen(eq=False)
class Batch:
    """Rows to hand out: for each page, which of its rows; then, where pages interleave, the order of them all."""

    parts: Sequence[tuple[Page, Sequence[int]]] = ()
    order: Sequence[int] | None = None

    def __len__(self) -> int:
        return sum(len(rows) for _, rows in self.parts)
