"""A page of "List Flow Instances": its columns, and its rows, which are decoded when they are handed out.

When a page comes, only the ids and trigger times of its rows are decoded, since pages are planned by them. The
rest is skipped in C. Until the rows are handed out, the page is held as the bytes of its answer. These take
half the memory of decoded rows, and the garbage collector does not visit them. When the rows are handed out,
the bytes are decoded in full. The first decoding costs a third of a full one, and saves as much: decoded rows
cost more the longer they live.

If memory is short, the bytes are compressed (`SearchPage.pack`).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from aioflows._core.wire.codec import Rows, flow_instances
from aioflows._core.wire.rows import (
    OTHER_TIMES,
    PACKED_TOGETHER,
    PackedRows,
    PackedTimes,
    RowDecoder,
    aware_times,
    instant_rows,
    loose_rows,
    naive_times,
)
from aioflows._core.wire.zone import Zone
from aioflows._moments import in_utc, moment
from aioflows.errors import AnswerError
from aioflows.models import FlowInstance

if TYPE_CHECKING:
    from aioflows_decoder import Decoder, Plan

__all__ = ["SearchPage", "row_decoder", "row_path"]

T = TypeVar("T")

_FRACTION = re.compile(r"(:[0-9]{2})[.,][0-9]+")

_COLUMNS, _PACKED_COLUMNS = 230, 110
"""The bytes of memory for the id and the trigger time of a row, and those of a packed page."""

_DECODED = 1.75
"""Bytes of memory for a byte of an answer whose rows are decoded."""

row_decoder = RowDecoder()
"""The decoder of all pages, so that members that a service adds are learnt once."""


class SearchPage:
    """The answer to one search. `read_search` makes it.

    Args:
        body: the bytes of the answer.
        ids: the ids of the rows, in the service's order.
        times: the trigger times of the rows, in any form that `moment` reads.
        count: the number of rows that the service reports. Default: None, which means that it reports none.
        decoded: the rows, if they are decoded already. Then the bytes are not kept. Default: None.
        sorter: the field that the page was sorted by, and True if it is descending. Default: None, unknown.
        decoder: the compiled decoder, if the rows are read by it. Default: None.
        plan: what it has made of the answer, if it is still to read the rows. Default: None.

    Raises:
        AnswerError: an id is empty, or a trigger time cannot be read.
    """

    __slots__ = (
        "__weakref__",
        "_dated",
        "_decoded",
        "_decoder",
        "_first",
        "_handed",
        "_instants",
        "_loose",
        "_packed",
        "_plan",
        "_shown_in",
        "_sorter",
        "_walls",
        "body",
        "count",
        "ids",
        "size",
        "times",
    )

    def __init__(
        self,
        body: bytes,
        ids: Sequence[str],
        times: Sequence[Any],
        count: int | None = None,
        decoded: Sequence[Any] | None = None,
        sorter: tuple[str, bool] | None = None,
        decoder: Decoder | None = None,
        plan: Plan | None = None,
    ) -> None:
        if plan is None and not all(ids):
            raise AnswerError("there is no id", f"{row_path(list(map(bool, ids)).index(False))}.instanceId")
        # Tuples, since the garbage collector stops tracking a tuple of texts, but visits a list of them each
        # time.
        seconds, walls, instants = _read_times(times, ids) if plan is None else (times, plan.walls, ())
        self._walls = tuple(walls)
        self.ids: Sequence[str] = tuple(ids)
        self.times: Sequence[str] = tuple(seconds)
        self._instants = instants
        self._shown_in: Zone | None = None
        self.count = count
        self.size = 0 if decoded is not None else len(body)
        """The bytes of the answer. 0 means that it was decoded at once."""
        self.body = body if self.size else b""
        self._decoded = decoded
        """Decoded rows: those of `Row`, or with a compiled decoder those of `StoredInstance`."""
        self._decoder, self._plan = decoder, plan if decoded is None else None
        self._handed = False
        """True if some of the decoded rows were handed out themselves, not as instances made of them."""
        self._loose: Sequence[dict[str, Any]] = ()
        self._sorter = sorter
        self._dated = False
        self._packed: PackedRows | None = None
        self._first = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def walls(self) -> Sequence[datetime]:
        """The trigger times of the rows, without a zone."""
        return self._walls or naive_times([*self.times])

    @property
    def plan(self) -> Plan | None:
        """What the compiled decoder has noted of the answer, if it is to read the rows."""
        return self._plan

    @property
    def needs_no_zone(self) -> bool:
        """True if there are rows, and all of their times say the instant."""
        if not self._instants or not all(self._instants):
            return False
        body = self.body if self._packed is None else self._packed.body()
        others = [row.get(name) for row in loose_rows(body) for name in OTHER_TIMES]
        times = [moment(value) for value in others if value not in (None, "")]
        return all(time is not None and time.tzinfo is not None for time in times)

    def show_in(self, zone: Zone) -> None:
        """Show trigger times that say the instant as the clocks of a zone do, so that all times of a page are alike.

        Scans plan by wall clocks, because that is what services are documented to send. Call it before a page is
        looked at, once the zone is known.
        """
        if not self._instants or zone == self._shown_in:
            return
        if zone.fixed and all(self._instants):
            ahead = zone.epoch.utcoffset() or timedelta()
            self._walls = tuple(map(operator.add, self._instants, repeat(ahead)))
        else:
            self._walls = tuple(
                wall if instant is None else zone.shown_at(instant).replace(tzinfo=None, fold=0)
                for wall, instant in zip(self._walls, self._instants, strict=True)
            )
        self.times = tuple(map(str, self._walls))
        self._shown_in = zone

    def _offsets(self, zone: Zone, offset: int | Sequence[int] | None) -> int | Sequence[int] | None:
        """Return the offset at each trigger time, if a row says its instant. Otherwise return the given ones."""
        if not self._instants:
            return offset
        self.show_in(zone)
        given = [offset] * len(self) if offset is None or isinstance(offset, int) else offset
        found = [
            other if instant is None else int((wall - instant).total_seconds())
            for wall, instant, other in zip(self._walls, self._instants, given, strict=True)
        ]
        known = [one for one in found if one is not None]
        return known if len(known) == len(found) else offset

    @property
    def weight(self) -> int:
        """The memory that the page takes (bytes), estimated."""
        if self._packed is not None:
            return _PACKED_COLUMNS * len(self) + self._packed.size
        columns = _COLUMNS * len(self)
        decoded = self._decoded or self._loose
        columns += 0 if self._plan is None else self._plan.size
        return columns + len(self.body) + (int(_DECODED * self.size) if decoded else 0)

    def pack(self) -> bool:
        """Compress the bytes of the rows, if they are not decoded. Return True if that saved memory."""
        if not (self.body and self.ids) or self._decoded or self._loose:
            return False
        self._packed = PackedRows.of(self.body)
        if self._packed is None:
            return False
        self.body, self._plan = b"", None
        if not self._instants:
            self.times, self._walls = PackedTimes(self.times), ()
        return True

    def _unpack(self) -> None:
        assert self._packed is not None
        self.body, self._packed = self._packed.body(), None
        if not self._instants:
            self._walls = tuple(naive_times([*self.times]))
            self.times = tuple(self.times)

    def _part(self, number: int) -> SearchPage:
        """Return a page with the rows of one packed part."""
        assert self._packed is not None
        first = number * PACKED_TOGETHER
        rows = slice(first, first + PACKED_TOGETHER)
        part = SearchPage(self._packed.body(number), [*self.ids[rows]], self.times[rows], sorter=self._sorter)
        part._first, part._decoder = first, self._decoder
        return part

    def _instances_of_parts(
        self, zone: Zone, rows: Sequence[int], offset: int | Sequence[int] | None
    ) -> list[FlowInstance]:
        """Return few rows of a packed page. Only the parts that hold them are decoded."""
        by_part: dict[int, list[int]] = {}
        for row in rows:
            by_part.setdefault(row // PACKED_TOGETHER, []).append(row)
        found: dict[int, FlowInstance] = {}
        for number, some in by_part.items():
            first = number * PACKED_TOGETHER
            own = offset
            if offset is not None and not isinstance(offset, int):
                own = offset[first : first + PACKED_TOGETHER]
            part = self._part(number).instances(zone, [row - first for row in some], offset=own)
            found.update(zip(some, part, strict=True))
        return [found[row] for row in rows]

    def __repr__(self) -> str:
        return f"Page({len(self)} rows, {self.size:,} bytes)"

    def instances(
        self, zone: Zone, rows: Sequence[int] | None = None, *, offset: int | Sequence[int] | None = None
    ) -> list[FlowInstance]:
        """Return rows, decoded in full.

        Args:
            zone: the zone of their times.
            rows: numbers of the rows, in the wanted order. Default: None, which means all rows in the
                service's order.
            offset: the offset in force when the rows were triggered (s east of Greenwich), or one for each row
                of the page. It distinguishes the two hours that wall clocks show alike. Default: None, which
                means unknown.

        Raises:
            AnswerError: a row cannot be read. The error names the path.
        """
        if not self.ids:
            return []  # an empty answer may have no list
        offset = self._offsets(zone, offset)
        if self._packed is not None:
            if rows is not None and 2 * len(rows) < len(self) and not self._instants:
                return self._instances_of_parts(zone, rows, offset)
            self._unpack()
        if self._decoded is None and not self._loose:
            self._read()
            self._dated = False
        if self._decoded and not self._dated and zone.clocks is not None:
            # All rows of the page, since few rows show less about their clocks.
            if self._handed and self._decoder is not None:
                self._decoded, self._handed = self._decoder.copies(self._decoded), False
            self._dated = zone.clocks.date(self._decoded, self._walls, zone, offset, self._sorter)
        if rows is None:
            rows = range(len(self))
        if offset is not None and not isinstance(offset, int):
            offset = _picked(offset, rows)
        walls, decoded = _picked(self._walls, rows), _picked(self._decoded or (), rows)
        loose = _picked(self._loose, rows)
        paths = [row_path(self._first + row) for row in rows] if loose else ()
        if self.body and len(rows) == len(self):
            self._decoded, self._loose = None, ()
        else:  # a page that is handed out in parts is decoded once, and not kept in both forms
            self.body, self._plan = b"", None
        if self._decoder is not None and decoded:
            return self._finished(self._decoder, decoded, rows, zone.aware(walls, offset), zone)
        date = (
            None if zone.clocks is None else partial(zone.clocks.date, walls=walls, zone=zone, offset=offset)
        )
        return flow_instances(Rows(zone.aware(walls, offset), zone.epoch, decoded, loose, paths, date))

    def _finished(
        self,
        decoder: Decoder,
        decoded: Sequence[Any],
        rows: Sequence[int],
        times: Sequence[datetime],
        zone: Zone,
    ) -> list[FlowInstance]:
        """Return rows of the compiled decoder as instances. Rows that may have been handed out are copied."""
        if self._handed or not isinstance(rows, range):
            return decoder.finish(decoder.copies(decoded), times, zone.epoch)
        self._handed = self._decoded is not None
        return decoder.finish(list(decoded), times, zone.epoch)

    def _read(self) -> None:
        self._handed = False
        if self._decoder is not None:
            plan = self._plan or self._decoder.plan(self.body)
            if plan is not None:
                self._decoded = self._decoder.rows(plan)
                return
            self._decoder = None
        try:
            self._decoded = row_decoder.answer(self.body).data.flow_insts or ()
        except msgspec.ValidationError:
            self._decoded = instant_rows(self.body)
            if self._decoded is None:
                self._decoded, self._loose = (), loose_rows(self.body)


def _picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    if not (column and rows):
        return ()
    if isinstance(rows, range):  # the usual case; a range that stops before row 0 runs backwards to row 0
        return column[rows.start : rows.stop if rows.stop >= 0 else None : rows.step]
    return [column[row] for row in rows]


def row_path(number: int) -> str:
    return f"$.data.flowInsts[{number}]"


def _read_times(
    times: Sequence[Any], ids: Sequence[str]
) -> tuple[Sequence[str], Sequence[datetime], Sequence[datetime | None]]:
    """Return trigger times as texts of one form, which compare as the times do, and as times without zone.

    Times have whole seconds, as documented. Rows of one second come in the order of their ids, so times with a
    fraction (java.sql.Timestamp writes one) would seem to run backwards.

    Returns:
        The texts, the times, and the instants (in UTC, without zone) of rows whose trigger time says the instant. Their
        texts and times are those of UTC. If no row says its instant, the last sequence is empty.

    Raises:
        AnswerError: a trigger time cannot be read.
    """
    try:
        walls = naive_times(times)
    except ValueError:
        return _read_forms(times, ids)
    # Each text is a time, so it has at least 19 characters, and one character between date and time.
    together = "".join(times)
    if len(together) == 19 * len(times) and together.count(" ") == len(times):
        return times, walls, ()
    seconds = [f"{time[:10]} {time[11:19]}" for time in times]
    return seconds, naive_times(seconds), ()


def _read_forms(
    times: Sequence[Any], ids: Sequence[str]
) -> tuple[Sequence[str], Sequence[datetime], Sequence[datetime | None]]:
    texts = [_FRACTION.sub(r"\1", time) if isinstance(time, str) else time for time in times]
    walls: list[datetime] = []
    instants: list[datetime | None] = []
    if (known := aware_times(texts)) is not None:
        instants = [in_utc(time.replace(microsecond=0)) for time in known]
        if all(instants):
            walls = [time for time in instants if time is not None]
            return list(map(str, walls)), walls, instants
        instants = []
    for number, (time, name) in enumerate(zip(times, ids, strict=True)):
        found = moment(texts[number])
        instant = (
            in_utc(found.replace(microsecond=0)) if found is not None and found.tzinfo is not None else None
        )
        wall = found.replace(microsecond=0) if found is not None and found.tzinfo is None else instant
        if wall is None:
            raise AnswerError(
                f"instance {name!r:.80} has no trigger time that can be read: {time!r:.60} is not a time; "
                "expected YYYY-MM-DD HH:MM:SS, ISO 8601 with an offset, or milliseconds since 1970-01-01 UTC",
                f"{row_path(number)}.triggerTime",
            )
        walls.append(wall)
        instants.append(instant)
    seconds = [wall.isoformat(" ") for wall in walls]
    return seconds, walls, instants if any(instants) else ()
