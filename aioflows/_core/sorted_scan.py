"""A scan in an order that is not that of trigger times.

Small results, and all that have to be proven, are collected by the keyset walk and sorted. Large ones begin in the same
way; once more was read than may be held, what is left is cut into windows that the service sorts (`strip`), and these
are merged with what was collected. Nothing that was read is asked for again.

Invariants:

1. The windows that were walked and the windows of the strips tile the range, so no row comes from two sources.
2. All strips together hold about the buffer; only the one that is farthest behind may ask for a page beyond it. What was
   collected is held beside them, as much again, until it is given.
3. A strip that is torn is read again by the keyset walk, and whatever of it was given already is known by its ids. While
   that is read, nothing is given; a row that would have had to be given before ends the scan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TypeAlias

from aioflows._core.lanes import Lanes
from aioflows._core.machine import Asker, Load, Rows, Store
from aioflows._core.merge import Merge, Shelf
from aioflows._core.orders import Key, Order
from aioflows._core.pages import Ask
from aioflows._core.probes import Probes
from aioflows._core.scan import DONE, NEED_PAGES
from aioflows._core.service import Service
from aioflows._core.sorter import Sorter
from aioflows._core.strip import Strip
from aioflows._core.times import Zone
from aioflows.checkpoint import Position, Remainder
from aioflows.errors import AioflowsError
from aioflows.models import FlowInstance, ScheduleType
from aioflows.stats import CountedWindow, Proof

__all__ = ["SortedScan", "Window"]

Window: TypeAlias = tuple[ScheduleType, int, int]
"""A schedule type, and a window of it in *milliseconds* of real time."""

_PAGES_OF_A_WINDOW = 4
"""Pages from which cutting a window out is worth the page that its end costs."""

_SMALLEST_PAGE = 8
_LARGEST_GROUP = 2  # pages that rows alike in the field may fill, however small the buffer
_BATCHES_FOR_SURE = 2
"""Batches that the consumer of a few rows has to take before anything is read ahead."""


class SortedScan:
    """The machine.

    Args:
        lanes: the keyset walk of everything, unordered.
        order: the order asked for.
        service: what the session knows of the service.
        again: gives a keyset walk of some windows.
        page_size: *rows* a request.
        buffer: *rows* that may be held, about: while the walk's rows are given, as many in strips beside them.
        limit: *rows* that will be taken in all; None: every one.
        proven: whether everything is to be walked, however much it is.
        after: the place after which rows are given; None: every one.
    """

    def __init__(
        self,
        lanes: Lanes,
        order: Order,
        *,
        service: Service,
        again: Callable[[Sequence[Window]], Lanes],
        page_size: int,
        buffer: int,
        limit: int | None = None,
        proven: bool = False,
        after: Position | None = None,
    ) -> None:
        self._lanes = lanes
        self._order = order
        self._service = service
        self._again = again
        self._page_size = page_size
        self._buffer = buffer
        self._few = limit is not None and limit <= page_size and not proven
        self._proven = proven
        self._after = after
        windows = [
            (lane.type, *lane.scan.axis.window(lane.scan.spans[0][0], lane.scan.spans[-1][1]))
            for lane in lanes.lanes
            if lane.scan.spans
        ]
        self._probes = Probes(order, windows, service)
        self._walk = Sorter(
            lanes, order, page=self._page, buffer=buffer, keep=buffer if proven else 2 * buffer
        )
        self._stopped = False
        self._merge: Merge | None = None
        self._strips: list[Strip] = []
        self._second: tuple[Sorter, list[Strip]] | None = None
        self._walks = [lanes]
        self._past = (0, 0, 0)
        self._given = self._rows_given = 0
        self._expected = self._begun = 0.0
        self._zone: Zone | None = None
        self._error: AioflowsError | None = None

    def __repr__(self) -> str:
        state = "collecting" if self._merge is None else f"merging {len(self._merge.sources)} sources"
        return f"<SortedScan {self._order!r} {state}, {self._rows_given} rows given, {self.held} held>"

    # What it tells

    @property
    def held(self) -> int:
        """Rows in memory, and those that are under way to a strip."""
        sources = () if self._merge is None else self._merge.sources
        merged = sum(len(source.entries) for source in sources if not isinstance(source, Strip))
        second = 0 if self._second is None else self._second[0].held
        return (
            merged
            + second
            + sum(strip.held for strip in self._strips)
            + self._walk.held * (self._merge is None)
        )

    @property
    def progress(self) -> float:
        """The share that was handed out, from 0 to 1: half of it is for what has to be collected before the first row."""
        if self._merge is None:
            return self._lanes.progress / 2
        total = max(self._expected, self._rows_given, 1)
        return self._begun + (1 - self._begun) * min(1.0, self._rows_given / total)

    @property
    def rows_received(self) -> int:
        """Rows in all answers."""
        walked = sum(lanes.rows_received for lanes in self._walks) + self._probes.rows_received
        return walked + self._past[0] + sum(strip.rows_received for strip in self._strips)

    @property
    def duplicates(self) -> int:
        """Rows that came again and were dropped."""
        walked = sum(lanes.duplicates for lanes in self._walks)
        return walked + self._past[1] + sum(strip.duplicates for strip in self._strips)

    @property
    def windows(self) -> int:
        """Windows that were read to their end."""
        return self.proofs.total()

    @property
    def proofs(self) -> Counter[Proof]:
        """How many of them were proven in which way."""
        walked: Counter[Proof] = sum((lanes.proofs for lanes in self._walks), Counter())
        return walked + Counter({Proof.SORTED: self._past[2]})

    @property
    def counted(self) -> list[CountedWindow]:
        """Those whose rows could only be counted."""
        return [window for lanes in self._walks for window in lanes.counted]

    @property
    def expected(self) -> float:
        """Rows to be expected in what was not read yet."""
        return self._lanes.expected if self._merge is None else max(0.0, self._expected - self._rows_given)

    def read_in(self, zone: Zone) -> None:
        """Say which zone the service's times are in; needed before the first answer."""
        self._zone = self._probes.zone = zone
        for lanes in self._walks:
            lanes.read_in(zone)

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:  # noqa: ARG002
        """Give the windows that are left, which are all: only the place in the order tells what was given."""
        return [
            Remainder(lane.type, *lane.scan.axis.window(first, until))
            for lane in self._lanes.lanes
            for first, until in lane.scan.spans
        ]

    def position(self, last: FlowInstance | None) -> Position | None:
        """Give the place of the last row in the order."""
        return self._after if last is None else self._order.position(last)

    # What to ask

    def wanted(self, slots: int) -> list[tuple[Asker, Ask]]:
        """Name requests to start."""
        asks = self._probes.wanted()
        if self._merge is None:
            if not self._stopped:
                walking = sum(lane.scan.under_way for lane in self._lanes.lanes)
                asks += self._walk.wanted(len(self._lanes.lanes) - walking if self._few else slots)
            return asks
        if self._second is not None:
            asks += self._second[0].wanted(slots - len(asks))
        return asks + self._of_strips(slots - len(asks))

    def _of_strips(self, slots: int) -> list[tuple[Asker, Ask]]:
        """Name pages of strips: one for who is farthest behind, then as far ahead as the buffer allows, of those that
        run dry first.
        """
        asks: list[tuple[Asker, Ask]] = []
        strips = [strip for strip in self._strips if strip.bound is not None and not strip.torn]
        least = self._least()
        held = sum(strip.held for strip in self._strips) + (self._second[0].held if self._second else 0)
        eager = not self._few or self._given >= _BATCHES_FOR_SURE
        waited_for = any(strip.under_way for strip in strips if strip.bound == least)
        for strip in sorted(strips, key=lambda strip: strip.horizon):
            while len(asks) < slots:
                room = held + strip.page_size <= self._buffer
                due = not strip.under_way and (
                    (strip.bound == least and (room or not waited_for)) or not strip.begun
                )
                if not due and not (eager and room):
                    break
                before = strip.held
                ask = strip.ask()
                if ask is None:
                    break
                asks.append((strip, ask))
                waited_for = waited_for or strip.bound == least
                held += strip.held - before
        return asks

    def beside(self) -> list[Store | Load]:
        """Name what is to be laid aside or read back; each once."""
        tasks: list[Store | Load] = [*self._walk.stores()]
        if self._second is not None:
            tasks += self._second[0].stores()
        if self._merge is not None:
            shelves = (source for source in self._merge.sources if isinstance(source, Shelf))
            tasks += [load for shelf in shelves if (load := shelf.load()) is not None]
        return tasks

    def broken(self, error: AioflowsError) -> None:
        """Take the error that laying aside or reading back ended with."""
        self._error = error

    # What to hand out

    def next_rows(self) -> Rows:
        """Give the next rows in order; raise the scan's error after everything before it was given."""
        error = self._error or self._probes.error
        if error is not None:
            raise error
        if self._merge is None and not self._collected():
            return NEED_PAGES
        merge = self._merge
        assert merge is not None, "everything is collected"
        for strip in self._strips:
            strip.advance()
        while True:
            reached = merge.reached
            if rows := merge.next():
                self._given += 1
                self._rows_given += len(rows)
                return rows
            if merge.reached == reached and not self._read_again(merge):
                break
        self._forget(merge)
        if merge.over:
            return DONE
        self._raise_next()
        return NEED_PAGES

    def _raise_next(self) -> None:
        """Raise the error of a strip that nothing can precede any more."""
        least = self._least()
        for strip in self._strips:
            if strip.error is not None and strip.bound == least:
                raise strip.error

    def _least(self) -> Key | None:
        assert self._merge is not None, "there are strips only where sources are merged"
        return min((bound for one in self._merge.sources if (bound := one.bound) is not None), default=None)

    # From collecting to merging

    def _collected(self) -> bool:
        """Collect; True once there is something to merge."""
        walk = self._walk
        walk.advance()
        if not (walk.done or self._stopped):
            self._stopped = self._enough()
        if self._stopped:
            walk.stop()
        after = () if self._after is None else self._order.key_at(self._after)
        if not walk.done or after is None or (self._stopped and not self._order.settled()):
            return False
        self._begun = self._lanes.progress / 2
        pending = sum(rows for lane in self._lanes.lanes for *_, rows in lane.scan.pending())
        self._expected = walk.total + pending
        self._strips = self._part()
        self._merge = Merge([*walk.sources(), *self._strips], after)
        return True

    def _enough(self) -> bool:
        """Tell whether more was read than is to be collected."""
        rows = self._walk.total
        if self._proven or not rows:
            return False
        if not self._few:
            return rows > self._buffer
        most = self._service.most(self._page_size)
        return most >= self._page_size or rows > most

    def _part(self) -> list[Strip]:
        """Cut what is left into windows."""
        assert self._zone is not None, "the zone is known before the first answer is read"
        windows = self._cut()
        page = self._page()
        size = min(page, max(_SMALLEST_PAGE, 3 * self._buffer // (4 * max(1, len(windows)))))
        share = self._buffer // ((1 if self._few else 2) * max(1, len(windows)))
        return [
            Strip(
                *window,
                page_size=size,
                largest_group=max(_LARGEST_GROUP * size, share),
                order=self._order,
                service=self._service,
                zone=self._zone,
            )
            for window in windows
        ]

    def _cut(self) -> list[tuple[ScheduleType, int, int, float]]:
        """Give windows of about equal expected rows, as many as a page of each may be held twice."""
        page = self._page()
        gaps = [(lane.type, *gap) for lane in self._lanes.lanes for gap in lane.scan.pending()]
        if self._few:
            return gaps
        total = sum(rows for *_, rows in gaps)
        share = max(total / max(1, self._buffer // (2 * page)), _PAGES_OF_A_WINDOW * page)
        windows = []
        for type, first, until, rows in gaps:
            pieces = max(1, min(round(rows / share), (until - first) // 1000))
            edges = [
                first,
                *((first + (until - first) * n // pieces) // 1000 * 1000 for n in range(1, pieces)),
                until,
            ]
            windows += [(type, low, high, rows / pieces) for low, high in pairwise(edges) if low < high]
        return windows

    # Reading again

    def _page(self) -> int:
        return self._service.full(self._page_size)

    def _read_again(self, merge: Merge) -> bool:
        """Read windows again whose strips are torn; True: their rows can be merged now."""
        if self._second is None:
            torn = [strip for strip in self._strips if strip.torn and strip.error is None]
            if torn:
                self._begin_again(merge, torn)
        if self._second is None:
            return False
        sorter, strips = self._second
        try:
            sorter.advance()
        except AioflowsError as error:
            for strip in strips:
                strip.error, strip.given_up = error, False
            self._second = None
            return True
        if not sorter.done:
            return False
        self._second = None
        gone = set(strips)
        merge.sources = [source for source in merge.sources if source not in gone] + sorter.sources()
        self._drop(gone)
        return True

    def _begin_again(self, merge: Merge, torn: list[Strip]) -> None:
        assert self._zone is not None, "the zone is known before the first answer is read"
        lanes = self._again([(strip.type, *strip.window) for strip in torn])
        lanes.read_in(self._zone)
        self._walks.append(lanes)
        handed = frozenset().union(*(strip.seen for strip in torn))
        sorter = Sorter(
            lanes,
            self._order,
            page=self._page,
            buffer=self._buffer // 2,
            keep=self._page(),
            handed=handed,
            reached=merge.reached,
            after=merge.after,
        )
        for strip in torn:
            strip.given_up = True
        self._second = sorter, torn

    def _forget(self, merge: Merge) -> None:
        """Let go of strips that have given everything."""
        gone = {strip for strip in self._strips if strip.done}
        if gone:
            merge.sources = [source for source in merge.sources if source not in gone]
            self._drop(gone)

    def _drop(self, gone: set[Strip]) -> None:
        received, twice, windows = self._past
        self._past = (
            received + sum(strip.rows_received for strip in gone),
            twice + sum(strip.duplicates for strip in gone),
            windows + sum(not strip.torn for strip in gone),
        )
        self._strips = [strip for strip in self._strips if strip not in gone]
