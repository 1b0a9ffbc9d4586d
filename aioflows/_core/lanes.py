"""Several scans as one: the service answers one schedule type per request, and "all types" is three scans merged.

A lane (`lane`) is one scan. Rows are decoded here, just before they are handed out, so that until then a page is held as the
bytes it came as. In order, a row may go out once every lane has passed its second: a run ends at a whole second, so
where a lane stands says all about what it may still bring.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeVar

from aioflows._core.heed import FirstPages, check_statuses
from aioflows._core.lane import Lane
from aioflows._core.machine import Asker, Load, News, Rows, Store, Waiting
from aioflows._core.pages import Ask
from aioflows._core.release import Run
from aioflows._core.scan import DONE, NEED_PAGES, Signal
from aioflows._core.times import Zone, wall_seconds
from aioflows.checkpoint import Position, Remainder
from aioflows.errors import AioflowsError
from aioflows.events import WindowDone
from aioflows.models import FlowInstance, ScheduleType
from aioflows.stats import CountedWindow, Proof
from aioflows.undecoded import Undecoded

__all__ = ["Lanes"]

_R = TypeVar("_R", bound="list[FlowInstance] | Undecoded")

_BATCHES_FOR_SURE = 2
"""Batches that the consumer has to take before lanes are read ahead that have no row to give next."""


class Lanes:
    """The lanes of one scan.

    Args:
        lanes: at least one.
        ordered: whether rows go out in the order (trigger time, id).
        descending: whether in the reverse of it.
        noted: is told the *rows* that were decoded, and their schedule type.
        statuses: the *codes* that rows may have; none: any.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        ordered: bool,
        descending: bool,
        noted: Callable[[Sequence[FlowInstance], ScheduleType], None] | None = None,
        statuses: Collection[int] = (),
    ) -> None:
        self.lanes = lanes
        self._ordered = ordered
        self._descending = descending
        self._merged = ordered and len(lanes) > 1
        self._noted = noted
        self._statuses = statuses
        self._first_pages = FirstPages()
        for lane in lanes:
            lane.first_pages = self._first_pages
        self.zone: Zone | None = None
        self._open: tuple[Lane, Run] | None = None
        self._unread = False  # whether the open run could not be read, so that nothing of it was handed out
        self._given = self._turn = 0

    @property
    def rows_received(self) -> int:
        """Rows in all answers."""
        return sum(lane.scan.rows_received for lane in self.lanes)

    @property
    def duplicates(self) -> int:
        """Rows that came again and were dropped."""
        return sum(lane.scan.duplicates for lane in self.lanes)

    @property
    def windows(self) -> int:
        """Time windows that were proven."""
        return self.proofs.total()

    @property
    def proofs(self) -> Counter[Proof]:
        """How many of them in which way."""
        return sum((lane.scan.proofs for lane in self.lanes), Counter())

    @property
    def counted(self) -> list[CountedWindow]:
        """Those whose rows could only be counted."""
        return [window for lane in self.lanes for window in lane.scan.counted]

    @property
    def expected(self) -> float:
        """The rows to be expected in what is not proven yet."""
        return sum(lane.scan.expected for lane in self.lanes)

    @property
    def progress(self) -> float:
        """The share of the time range that was handed out, from 0 to 1."""
        shares = [lane.scan.progress for lane in self.lanes]
        return min(shares) if self._merged else sum(shares) / len(shares)

    def news(self) -> list[News]:
        """Give the windows that were proven since the last call."""
        return [
            partial(WindowDone, type=lane.type, from_ms=first, to_ms=until, rows=rows, proof=proof)
            for lane in self.lanes
            for first, until, rows, proof in lane.scan.news()
        ]

    def read_in(self, zone: Zone) -> None:
        """Say which zone the service's times are in; needed before the first answer."""
        self.zone = zone
        for lane in self.lanes:
            lane.scan.read_in(zone)

    def wanted(self, slots: int) -> list[tuple[Asker, Ask]]:
        """Name requests to start, those of the lane that is farthest behind first."""
        asks: list[tuple[Asker, Ask]] = []
        held = sum(lane.held for lane in self.lanes)
        # In turn, so that a service which fails at every n-th request does not always fail the same lane.
        self._turn = (self._turn + 1) % len(self.lanes)
        lanes = [*self.lanes[self._turn :], *self.lanes[: self._turn]]
        if self._merged:
            lanes.sort(key=lambda lane: lane.second)
        for lane in lanes:
            if self._merged and self._given < _BATCHES_FOR_SURE and lane.second > lanes[0].second:
                break  # as long as the consumer may stop after a few rows, only what they need is asked for
            asks += [(lane, ask) for ask in lane.scan.wanted(slots - len(asks), held - lane.scan.held)]
        return asks

    def beside(self) -> list[Store | Load]:
        """Name nothing: rows are held in memory alone."""
        return []

    def broken(self, error: AioflowsError) -> None:
        """Raise, since nothing was laid aside."""
        raise error

    def position(self, last: FlowInstance | None) -> Position | None:  # noqa: ARG002
        """Give none: the windows that are left tell it."""
        return None

    def next_rows(self) -> Rows:
        """Give the next rows in order; raise the scan's error after everything before it was given."""
        self._check_types()
        rows = self._next_merged() if self._merged else self._next_of_any(self._next_of)
        if isinstance(rows, list):
            self._given += 1
        return rows

    def next_undecoded(self) -> Rows | Undecoded:
        """Give the same as the answer they stand in, where they are the rows of one and need not be looked at."""
        if self._merged:
            return self.next_rows()
        self._check_types()
        rows = self._next_of_any(self._next_undecoded_of)
        if not isinstance(rows, Signal):
            self._given += 1
        return rows

    def _check_types(self) -> None:
        if self._first_pages.error is not None:
            raise self._first_pages.error

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        """Give the windows that are left.

        Args:
            last: the last *row* that was handed out; None: none was.
            begun: whether it is one of those that `next_rows` gave last.
            all_handed: whether all of those were handed out.
        """
        mark = (
            None
            if last is None or last.trigger_time is None
            else (int(last.trigger_time.timestamp()), last.instance_id)
        )
        return [
            Remainder(lane.type, *lane.scan.axis.window(first, until), after)
            for lane in self.lanes
            for first, until, after in self._left(lane, mark, begun, all_handed)
        ]

    def _left(
        self, lane: Lane, mark: tuple[int, str] | None, begun: bool, all_handed: bool
    ) -> Iterator[tuple[int, int, tuple[int, str] | None]]:
        scan, axis = lane.scan, lane.scan.axis
        second = None if mark is None else axis.second(mark[0])
        if not self._ordered:
            yield from ((first, until, self._after(lane, first)) for first, until in scan.remaining())
            if self._open is None or self._open[0] is not lane or (all_handed and not self._unread):
                return
            run = self._open[1]
            if begun and second is not None:
                yield max(run.first, second * 1000), run.until, mark
            else:
                yield run.first, run.until, self._after(lane, run.first)
        elif not (lane.ended and all_handed and not lane.rows):
            # Whatever the lane, nothing at or before the last row is left, since all lanes make one order.
            for first, until in scan.spans:
                if second is None or first // 1000 > second:
                    yield first, until, self._after(lane, first)
                elif second * 1000 < until:
                    yield max(first, second * 1000), until, mark

    @staticmethod
    def _after(lane: Lane, first: int) -> tuple[int, str] | None:
        name = lane.handed.get(first // 1000)
        return None if name is None else (lane.scan.axis.second(first // 1000), name)

    def _next_of_any(self, next_of: Callable[[Lane], _R | Waiting]) -> _R | Waiting:
        # A row whose type is not what was asked for would go out for one lane and be left to another.
        if len(self.lanes) > 1 and any(lane.unheard for lane in self.lanes):
            return NEED_PAGES
        for lane in self.lanes:
            got = DONE if lane.ended else next_of(lane)
            if not isinstance(got, Signal):
                return got
        return self._at_the_end() if all(lane.ended for lane in self.lanes) else NEED_PAGES

    def _at_the_end(self) -> Waiting:
        """End, unless what one lane has found out meanwhile makes another one doubt what it took for proven."""
        doubtful = any(lane.scan.next_item() is NEED_PAGES for lane in self.lanes)
        return NEED_PAGES if doubtful else DONE

    def _next_merged(self) -> Rows:
        while True:
            behind = min(self.lanes, key=lambda lane: lane.second)
            if rows := self._passed(behind.second):
                return rows
            if behind.ended:
                return self._at_the_end()
            stood = behind.second
            got = self._next_of(behind)
            if isinstance(got, list):
                behind.rows += got
            elif got is NEED_PAGES and behind.second == stood:  # it may have passed an empty stretch
                return NEED_PAGES

    def _passed(self, second: float) -> list[FlowInstance]:
        """Take the rows that lie before a second of scan time, from all lanes, in order."""
        passed: list[FlowInstance] = []
        for lane in self.lanes:
            ready = bisect_left(lane.rows, second, key=lambda row: self._second(lane, row))
            passed += lane.rows[:ready]
            del lane.rows[:ready]
        passed.sort(key=_rank, reverse=self._descending)
        return passed

    def _second(self, lane: Lane, row: FlowInstance) -> int:
        return lane.scan.axis.second(_rank(row)[0])

    def _next_of(self, lane: Lane) -> Rows:
        run = self._next_run(lane)
        return self._rows_of(lane, run) if isinstance(run, Run) else run

    def _next_undecoded_of(self, lane: Lane) -> Rows | Undecoded:
        run = self._next_run(lane)
        if not isinstance(run, Run):
            return run
        undecoded = self._undecoded(lane, run)
        if undecoded is None:
            return self._rows_of(lane, run)
        self._open = (lane, run)
        return undecoded

    @staticmethod
    def _next_run(lane: Lane) -> Run | Waiting:
        run = lane.scan.next_item()
        if run is DONE:
            lane.ended = True
        return run

    def _undecoded(self, lane: Lane, run: Run) -> Undecoded | None:
        zone, batch = self.zone, run.batch
        assert zone is not None, "read_in() comes before the first answer"
        if (
            self._noted is not None
            or self._statuses
            or lane.handed.get(run.first // 1000) is not None
            or not zone.fixed
            or batch.order is not None
            or len(batch.parts) != 1
        ):
            return None
        ((page, numbers),) = batch.parts
        # Of a page that goes out in parts, each would read all of it again.
        if not page.body or 2 * len(numbers) <= len(page.ids):
            return None
        time = zone.epoch + timedelta(seconds=wall_seconds(page.times[numbers[-1]]))
        return Undecoded(
            page.body,
            page.ids,
            numbers,
            zone.epoch.utcoffset() or timedelta(),
            FlowInstance(page.ids[numbers[-1]], trigger_time=time),
            partial(page.instances, zone, numbers),
        )

    def _rows_of(self, lane: Lane, run: Run) -> list[FlowInstance]:
        self._open, self._unread = (lane, run), True
        rows = self._decode(lane, run)
        if self._statuses:
            check_statuses(rows, self._statuses)
        self._unread = False
        if self._noted is not None:
            self._noted(rows, lane.type)
        name = lane.handed.get(run.first // 1000)
        if name is None:
            return rows
        second = run.first // 1000
        return [
            row
            for row in rows
            if self._second(lane, row) != second
            or (row.instance_id < name if self._descending else row.instance_id > name)
        ]

    def _decode(self, lane: Lane, run: Run) -> list[FlowInstance]:
        zone = self.zone
        assert zone is not None, "read_in() comes before the first answer"
        # No window spans a change of the offset, so that of its start tells apart two hours that look alike.
        offset = (
            None if zone.fixed else zone.offset_at(lane.scan.axis.window(run.first, run.until)[0] // 1000)
        )
        rows: list[FlowInstance] = []
        for page, numbers in run.batch.parts:
            rows += page.instances(zone, numbers, offset=offset)
        return rows if run.batch.order is None else [rows[number] for number in run.batch.order]


def _rank(row: FlowInstance) -> tuple[int, str]:
    assert row.trigger_time is not None, "a row without a trigger time is refused where it is read"
    return int(row.trigger_time.timestamp()), row.instance_id
