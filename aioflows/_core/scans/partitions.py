"""The partitions of one scan, merged: a request has one schedule type, so "all types" is three scans.

Rows are decoded here, just before they are handed out. Until then a page is held as the bytes of its answer,
and rows of several partitions are merged by their ids and trigger times. An ordered scan hands out a row once
every partition has passed the row's second. Runs end at whole seconds, so the position of a partition shows
which rows may still come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import accumulate, compress

import attrs

from aioflows._core.pages.filter_checks import FilterChecks, TypeOverlapCheck
from aioflows._core.pages.page_request import PageRequest
from aioflows._core.planning.read_ahead import BATCHES_BEFORE_ALL, RowsElsewhere
from aioflows._core.planning.reorder_buffer import ProvenRun
from aioflows._core.scans.account import ScanAccount
from aioflows._core.scans.machine import (
    Machine,
    PendingEvent,
    Requester,
    Rows,
    Waiting,
)
from aioflows._core.scans.partition import PageSlice, Partition
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.scans.taken_rows import TakenRows
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows._tables.raw_rows import Part, RawRows
from aioflows._tables.row_columns import read_columns
from aioflows.checkpoint import Remainder
from aioflows.events import WindowDone
from aioflows.models import NAIVE_EPOCH, FlowInstance, ScheduleType

__all__ = ["PartitionedScan"]


class PartitionedScan(Machine):
    """The partitions of one scan as a single machine.

    Args:
        partitions: the partitions, at least one.
        ordered: True if rows are handed out in the order (trigger time, id).
        descending: True if rows are handed out in the reverse of that order.
        noted: called with the rows that were decoded, and their schedule type. Default: None, which means that
            rows may stay undecoded.
        checks: the conditions that every row has to meet. Default: None, which means no conditions.
    """

    def __init__(
        self,
        partitions: Sequence[Partition],
        *,
        ordered: bool,
        descending: bool,
        noted: Callable[[Sequence[FlowInstance], ScheduleType], None] | None = None,
        checks: FilterChecks | None = None,
    ) -> None:
        self.partitions = partitions
        self._ordered = ordered
        self._descending = descending
        self._merged = ordered and len(partitions) > 1
        self.noted = noted
        self._checks = checks
        self._first_pages = TypeOverlapCheck()
        for partition in partitions:
            partition.first_pages = self._first_pages
        self.zone: Zone | None = None
        self._open: tuple[Partition, ProvenRun] | None = None
        self._unread = False  # True if decoding the open run failed, so that no row of it was handed out
        self._given = self._turn = self._handed = 0
        self._waited_for = True
        """True if the consumer waits for rows."""
        self._pressed = partitions[0]
        self._most: int | None = None
        self._batches: Iterator[TakenRows] = iter(())
        self._later: TakenRows | None = None
        """The next batch of the rows that were taken last. None means that all of them were handed out."""
        self._begun = False
        """True if an earlier batch of these rows was handed out."""
        self._before = 0
        """The rows of the batch that was handed out last."""

    def account(self) -> ScanAccount:
        return sum((partition.account() for partition in self.partitions), ScanAccount())

    @property
    def progress(self) -> float:
        """The share of the time range that was handed out, from 0 to 1."""
        shares = [partition.scan.progress for partition in self.partitions]
        return min(shares) if self._merged else sum(shares) / len(shares)

    def drain_events(self) -> list[PendingEvent]:
        return [
            partial(WindowDone, type=partition.type, from_ms=first, to_ms=until, rows=rows, proof=proof)
            for partition in self.partitions
            for first, until, rows, proof in partition.scan.drain_events()
        ]

    def set_zone(self, zone: Zone) -> None:
        self.zone = zone
        for partition in self.partitions:
            partition.set_zone(zone)

    def wanted(self, slots: int) -> list[tuple[Requester, PageRequest]]:
        """Return the requests to start. Those of the partition that is farthest behind come first."""
        asks = self.looks()
        held = sum(partition.held for partition in self.partitions)
        # Two looks at an empty window must have no other request between the two. So requests that an answer
        # made necessary go first, and each partition's go together.
        for partition in sorted(self.partitions, key=lambda partition: partition is not self._pressed):
            if pressing := partition.pressing(slots - len(asks)):
                asks += [(partition, ask) for ask in pressing]
                self._pressed = partition
        # Partitions take turns, so that a service that fails on every n-th request does not always fail the
        # same partition.
        self._turn = (self._turn + 1) % len(self.partitions)
        partitions = [*self.partitions[self._turn :], *self.partitions[: self._turn]]
        if self._merged:
            behind = self._behind
            partitions.sort(key=lambda partition: (partition.second, partition is not behind))
        else:
            partitions.sort(key=lambda partition: not partition.unheard)  # all others wait for them
        for partition in partitions:
            if self._merged and self._given < BATCHES_BEFORE_ALL and partition.second > partitions[0].second:
                break  # the consumer may stop after a few rows, so only the first partition is read
            asks += [
                (partition, ask)
                for ask in partition.wanted(
                    slots - len(asks),
                    self._elsewhere(partition, held, first=not self._merged or partition is partitions[0]),
                )
            ]
        return asks

    def _elsewhere(self, partition: Partition, held: int, *, first: bool) -> RowsElsewhere:
        """Return the rows of the buffer that a partition may not use, of all that are held."""
        idle = not any(one.scan.under_way for one in self.partitions)
        coming = sum(one.scan.coming for one in self.partitions if one is not partition)
        others = sum(not one.ended for one in self.partitions if one is not partition) if self._merged else 0
        return RowsElsewhere(
            held - partition.scan.held,
            self._handed + coming,
            must=idle and self._waited_for,
            first=first,
            partitions=others,
        )

    def looks(self) -> list[tuple[Requester, PageRequest]]:
        """Return the requests that go before all others, even if nothing is left to be read."""
        return [(partition, ask) for partition in self.partitions for ask in partition.looks()]

    def hand_out_at_most(self, rows: int) -> None:
        self._most = rows

    def next_rows(self) -> Rows:
        taken = self._next()
        return self._read(taken) if isinstance(taken, TakenRows) else taken

    def next_raw(self) -> Rows | RawRows:
        """Return the next rows as bytes of answers, or decoded if the offset changes or rows are inspected."""
        taken = self._next()
        if not isinstance(taken, TakenRows):
            return taken
        zone = self._zone_known
        if zone.clocks is not None and (zone.clocks.differ or zone.clocks.unclear):
            return self._read(taken)
        if self.noted is not None or self._checks is not None or not zone.fixed or not taken.pieces:
            return self._read(taken)
        ahead = zone.epoch.utcoffset() or timedelta()
        parts = [self._part(piece, zone, ahead) for piece in taken.pieces]
        undecoded = RawRows(parts, taken.order, ahead, self._last_of(taken))
        # If bytes cover at most half of the rows, decoding all rows here is cheaper.
        return undecoded if 2 * undecoded.covered > len(undecoded) else self._read(taken)

    @staticmethod
    def _part(piece: PageSlice, zone: Zone, ahead: timedelta) -> Part:
        ids, numbers, read, body = piece.page.ids, piece.numbers, partial(piece.read, zone), piece.page.body
        if 2 * len(piece) <= len(ids) or not body:
            # A small piece of a page goes without the bytes, since each piece would decode the whole page.
            return Part(b"", ids, numbers, read)
        return Part(
            body, ids, numbers, read, partial(read_columns, body, ids, numbers, ahead), piece.page.plan
        )

    def _last_of(self, taken: TakenRows) -> FlowInstance:
        """Return a row that has only the id and the trigger time of the last row."""
        at = sum(map(len, taken.pieces)) - 1 if taken.order is None else taken.order[-1]
        for piece in taken.pieces:
            if at < len(piece):
                number = piece.numbers[at]
                wall = NAIVE_EPOCH + timedelta(seconds=wall_seconds(piece.page.times[number]))
                (time,) = self._zone_known.aware([wall], piece.offset)
                return FlowInstance(piece.page.ids[number], trigger_time=time)
            at -= len(piece)
        raise AssertionError("the order has the number of a row that does not exist")

    def _read(self, taken: TakenRows) -> list[FlowInstance]:
        rows: list[FlowInstance] = []
        self._unread = True
        for piece in taken.pieces:
            some = piece.read(self._zone_known)
            if self._checks is not None:
                self._checks.check(some)
            if self.noted is not None:
                self.noted(some, piece.partition.type)
            rows += some
        self._unread = False
        return rows if taken.order is None else [rows[number] for number in taken.order]

    @property
    def _zone_known(self) -> Zone:
        assert self.zone is not None, "set_zone() comes before the first answer"
        return self.zone

    def _next(self) -> TakenRows | Waiting:
        if self._first_pages.error is not None:
            raise self._first_pages.error
        if self._later is not None:
            self._begun = True
            self._handed -= self._before
            batch, self._later = self._later, next(self._batches, None)
            self._before = len(batch)
            return batch
        taken = self._next_merged() if self._merged else self._next_of_any()
        self._begun = False
        self._waited_for = taken is NEED_PAGES
        self._handed = self._before = len(taken) if isinstance(taken, TakenRows) else 0
        if isinstance(taken, TakenRows):
            self._given += 1
            if self._most is not None and len(taken) > self._most:
                self._batches = taken.in_batches(self._most)
                taken, self._later = next(self._batches), next(self._batches, None)
                self._before = len(taken)
        return taken

    def remaining(self, last: FlowInstance | None, begun: bool, all_handed: bool) -> list[Remainder]:
        mark = (
            None
            if last is None or last.trigger_time is None
            else (int(last.trigger_time.timestamp()), last.instance_id)
        )
        return [
            Remainder(partition.type, *partition.scan.axis.window(first, until), after)
            for partition in self.partitions
            for first, until, after in self._left(partition, mark, begun, all_handed)
        ]

    def _left(
        self, partition: Partition, mark: tuple[int, str] | None, begun: bool, all_handed: bool
    ) -> Iterator[tuple[int, int, tuple[int, str] | None]]:
        scan, axis = partition.scan, partition.scan.axis
        second = None if mark is None else axis.second(mark[0])
        if not self._ordered:
            yield from ((first, until, self._after(partition, first)) for first, until in scan.remaining())
            if self._open is None or self._open[0] is not partition or (all_handed and self._all_read):
                return
            run = self._open[1]
            # Rows of this run were handed out, in this batch or an earlier one.
            begun = begun or self._begun or (all_handed and not self._unread)
            if begun and second is not None:
                yield max(run.first, second * 1000), run.until, mark
            else:
                yield run.first, run.until, self._after(partition, run.first)
        elif not (self._all_read and partition.ended and all_handed and not partition.pieces):
            # All partitions share one order, so no partition has rows left before the last row.
            for first, until in scan.spans:
                if second is None or first // 1000 > second:
                    yield first, until, self._after(partition, first)
                elif second * 1000 < until:
                    yield max(first, second * 1000), until, mark

    @property
    def _all_read(self) -> bool:
        """True if all rows that were taken were decoded to be handed out."""
        return not self._unread and self._later is None

    @staticmethod
    def _after(partition: Partition, first: int) -> tuple[int, str] | None:
        name = partition.handed.get(first // 1000)
        return None if name is None else (partition.scan.axis.second(first // 1000), name)

    def _next_of_any(self) -> TakenRows | Waiting:
        # If the service ignores the type, a row of this partition may be due in another partition too.
        if len(self.partitions) > 1 and any(partition.unheard for partition in self.partitions):
            return NEED_PAGES
        for partition in self.partitions:
            got = DONE if partition.ended else self._next_of(partition)
            if isinstance(got, TakenRows):
                return got
        return self._at_the_end() if all(partition.ended for partition in self.partitions) else NEED_PAGES

    def _at_the_end(self) -> Waiting:
        """Return DONE, unless an answer in one partition puts proven windows of another in doubt."""
        doubtful = any(partition.scan.next_item() is NEED_PAGES for partition in self.partitions)
        return NEED_PAGES if doubtful else DONE

    @property
    def _behind(self) -> Partition:
        """The partition whose next row the consumer waits for."""
        return min(self.partitions, key=lambda partition: partition.second)

    def _next_merged(self) -> TakenRows | Waiting:
        while True:
            behind = self._behind
            if passed := self._passed(behind.second):
                return TakenRows(passed, self._order(passed))
            if behind.ended:
                return self._at_the_end()
            stood = behind.second
            got = self._next_of(behind)
            if isinstance(got, TakenRows):
                behind.pieces += got.pieces
            elif (
                got is NEED_PAGES and behind.second == stood
            ):  # if the second advanced, another partition may be behind now
                return NEED_PAGES

    def _passed(self, second: float) -> list[PageSlice]:
        """Remove and return the rows before a second of scan time, from all partitions."""
        passed: list[PageSlice] = []
        for partition in self.partitions:
            left: list[PageSlice] = []
            for piece in partition.pieces:
                before, after = piece.cut(second)
                passed += [before] if before else []
                left += [after] if after else []
            partition.pieces = left
        return passed

    def _order(self, pieces: Sequence[PageSlice]) -> list[int] | None:
        """Return the order of all rows by time and id. None means that the rows are in order."""
        if len(pieces) == 1:
            return None
        keys: list[tuple[str | int, str]] = []
        for piece in pieces:
            ids, times = piece.page.ids, piece.page.times
            if self._zone_known.fixed:
                keys += [(times[number], ids[number]) for number in piece.numbers]
            else:  # in an hour that clocks repeat, one wall-clock text stands for two instants
                keys += [
                    (wall_seconds(times[number]) - piece.offset, ids[number]) for number in piece.numbers
                ]
        return sorted(range(len(keys)), key=keys.__getitem__, reverse=self._descending)

    def _next_of(self, partition: Partition) -> TakenRows | Waiting:
        run = partition.scan.next_item()
        if run is DONE:
            partition.ended = True
        if not isinstance(run, ProvenRun):
            return run
        self._open = partition, run
        offset = self._zone_known.offset_at(partition.scan.axis.window(run.first, run.until)[0] // 1000)
        pieces = [PageSlice(partition, page, numbers, offset) for page, numbers in run.batch.parts]
        taken = TakenRows(pieces, run.batch.order)
        name = partition.handed.get(run.first // 1000)
        if name is None:
            return taken
        rest = self._after_row(taken, run.first // 1000, name)
        partition.scan.rows_released -= len(taken) - len(rest)  # they do not count towards a limit
        return rest

    def _after_row(self, taken: TakenRows, second: int, name: str) -> TakenRows:
        """Leave out the rows of a second up to the row with a given id, which were handed out before."""
        pieces, kept = [], []
        for piece in taken.pieces:
            ids = piece.page.ids
            keeps = [
                piece.second(number) != second
                or (ids[number] < name if self._descending else ids[number] > name)
                for number in piece.numbers
            ]
            pieces.append(attrs.evolve(piece, numbers=list(compress(piece.numbers, keeps))))
            kept += keeps
        pieces = [piece for piece in pieces if piece]
        if taken.order is None:
            return TakenRows(pieces, None)
        places = list(accumulate(kept, initial=0))
        return TakenRows(pieces, [places[number] for number in taken.order if kept[number]])
