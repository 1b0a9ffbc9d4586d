"""A page of "List Flow Instances": its columns, and its rows, which are decoded when they are handed out.

When a page comes, only the ids and trigger times of its rows are decoded, since pages are planned by them. The
rest is skipped in C. Until the rows are handed out, the page is held as the bytes of its answer. These take
half the memory of decoded rows, and the garbage collector does not visit them. When the rows are handed out,
the bytes are decoded in full. The first decoding costs a third of a full one, and saves as much: decoded rows
cost more the longer they live.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec

from aioflows._core.wire.codec import Rows, flow_instances
from aioflows._core.wire.rows import Row, RowDecoder, loose_rows, naive_times
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AnswerError
from aioflows.models import NAIVE_EPOCH, FlowInstance

__all__ = ["SearchPage", "row_decoder", "row_path"]

T = TypeVar("T")

row_decoder = RowDecoder()
"""The decoder of all pages, so that members that a service adds are learnt once."""


class SearchPage:
    """The answer to one search. `read_search` makes it.

    Args:
        body: the bytes of the answer.
        ids: the ids of the rows, in the service's order.
        times: the trigger times of the rows, as texts.
        count: the number of rows that the service reports. Default: None, which means that it reports none.
        decoded: the rows, if they are decoded already. Then the bytes are not kept. Default: None.
        sorter: the field that the page was sorted by, and True if it is descending. Default: None, unknown.

    Raises:
        AnswerError: an id is empty, or a trigger time cannot be read.
    """

    __slots__ = ("_dated", "_decoded", "_loose", "_sorter", "_walls", "body", "count", "ids", "times")

    def __init__(
        self,
        body: bytes,
        ids: list[str],
        times: list[str],
        count: int | None = None,
        decoded: Sequence[Row] | None = None,
        sorter: tuple[str, bool] | None = None,
    ) -> None:
        if not all(ids):
            raise AnswerError("there is no id", f"{row_path(list(map(bool, ids)).index(False))}.instanceId")
        # Tuples, since the garbage collector stops tracking a tuple of texts, but visits a list of them each
        # time. Times have whole seconds, as documented. Rows of one second come in the order of their ids, so
        # times with a fraction (java.sql.Timestamp writes one) would seem to run backwards.
        seconds = _plain(times)
        walls = _walls(times, ids)
        self._walls = tuple(walls if seconds is times else [wall.replace(microsecond=0) for wall in walls])
        self.ids: Sequence[str] = tuple(ids)
        self.times: Sequence[str] = tuple(seconds)
        self.count = count
        self.body = b"" if decoded is not None else body
        self._decoded = decoded
        self._loose: Sequence[dict[str, Any]] = ()
        self._sorter = sorter
        self._dated = False

    def __len__(self) -> int:
        return len(self._walls)

    @property
    def walls(self) -> Sequence[datetime]:
        """The trigger times of the rows, without a zone."""
        return self._walls

    def __repr__(self) -> str:
        return f"Page({len(self)} rows, {len(self.body):,} bytes)"

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
        if self._decoded is None and not self._loose:
            self._read()
            self._dated = False
        if self._decoded and not self._dated and zone.clocks is not None:
            # All rows of the page, since few rows show less about their clocks.
            self._dated = zone.clocks.date(self._decoded, self._walls, zone, offset, self._sorter)
        if rows is None:
            rows = range(len(self))
        if offset is not None and not isinstance(offset, int):
            offset = _picked(offset, rows)
        walls, decoded = _picked(self._walls, rows), _picked(self._decoded or (), rows)
        loose = _picked(self._loose, rows)
        paths = [row_path(row) for row in rows] if loose else ()
        if self.body and len(rows) == len(self):
            self._decoded, self._loose = None, ()  # kept only if a page is handed out in parts
        date = (
            None if zone.clocks is None else partial(zone.clocks.date, walls=walls, zone=zone, offset=offset)
        )
        return flow_instances(Rows(zone.aware(walls, offset), zone.epoch, decoded, loose, paths, date))

    def _read(self) -> None:
        try:
            self._decoded = row_decoder.answer(self.body).data.flow_insts or ()
        except msgspec.ValidationError:
            self._decoded, self._loose = (), loose_rows(self.body)


def _picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    if not (column and rows):
        return ()
    if isinstance(rows, range):  # the usual case; a range that stops before row 0 runs backwards to row 0
        return column[rows.start : rows.stop if rows.stop >= 0 else None : rows.step]
    return [column[row] for row in rows]


def row_path(number: int) -> str:
    return f"$.data.flowInsts[{number}]"


def _walls(times: list[str], ids: list[str]) -> list[datetime]:
    try:
        return naive_times(times)
    except ValueError:
        return [_wall(time, name, number) for number, (time, name) in enumerate(zip(times, ids, strict=True))]


def _wall(time: str, name: str, number: int) -> datetime:
    try:
        return NAIVE_EPOCH + timedelta(seconds=wall_seconds(time))
    except AnswerError as error:
        problem = f"instance {name!r:.80} has no trigger time that can be read: {error.problem}"
        raise AnswerError(problem, f"{row_path(number)}.triggerTime") from None


def _plain(times: list[str]) -> list[str]:
    """Return the times as texts of one form, which compare as the times do.

    Usually they have that form already.
    """
    # Each text is a time, so it has at least 19 characters, and one character between date and time.
    together = "".join(times)
    if len(together) == 19 * len(times) and together.count(" ") == len(times):
        return times
    return [f"{time[:10]} {time[11:19]}" for time in times]
