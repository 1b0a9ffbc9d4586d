"""The operation "List Flow Instances": the body of a request, and the page in its answer.

A page is decoded twice. When it comes, only the ids and trigger times of its rows are decoded, since pages
are planned by them. The rest is skipped in C. Until the rows are handed out, the page is held as the bytes of
its answer. These take half the memory of decoded rows, and the garbage collector does not visit them. When
the rows are handed out, the bytes are decoded in full. The first decoding costs a third of a full one, and
saves as much: decoded rows cost more the longer they live.

``whole=True`` is for pages of which every row is needed when they come.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import msgspec

from aioflows._core.wire.codec import Rows, flow_instances
from aioflows._core.wire.envelope import (
    BOM,
    Unlisted,
    check,
    code_of,
    opened,
    parse,
    refuse_twins,
    with_graphs_escaped,
)
from aioflows._core.wire.rows import Head, Loose, Row, RowDecoder, loose_answer, loose_rows, naive_times
from aioflows._core.wire.zone import Zone, wall_seconds
from aioflows.errors import AnswerError
from aioflows.models import NAIVE_EPOCH, FlowInstance, ScheduleType
from aioflows.query import FlowQuery

__all__ = ["SearchPage", "read_search", "search_body"]

T = TypeVar("T")

_LIST = b'"flowInsts"'
_LONGEST_START = 4096  # bytes in which the envelope's list of rows is looked for
_DIGITS = re.compile(r"[0-9]{1,18}")
_COUNTS = ("count", "total", "totalCount", "totalSize")
"""Members that hold the number of rows: the documented one, and those of other services of the vendor and of
most paging libraries.
"""
_FIRST_ID = re.compile(rb'"instanceId"\s*:\s*"?')
_DOCUMENTED = re.compile(rb'\{"code":0,"msg":"[^"\\]*","data":\{"flowInsts":0,"count":[0-9]+\}\}')
"""The usual envelope, in which no member comes twice."""

_head = msgspec.json.Decoder(Head, strict=False)
_reader = RowDecoder()


def search_body(
    query: FlowQuery,
    *,
    type: ScheduleType,
    from_ms: int,
    to_ms: int,
    page_no: int,
    page_size: int,
    sorters: Sequence[tuple[str, bool]] = (("trigger_time", False),),
    expression: str = "",
    status: Collection[int] | None = None,
) -> bytes:
    """Return the body of a search request.

    Args:
        query: the query, for its owner, expression and status.
        type: the schedule type. A request takes only one.
        from_ms: the first trigger time (ms since the epoch).
        to_ms: the trigger time before which the range ends (ms since the epoch).
        page_no: the number of the page.
        page_size: rows per page.
        sorters: sort fields, each with True if it is descending. Default: trigger time, ascending.
        expression: a text to search for, if the query has none. Default: none.
        status: status codes to use instead of the query's. Default: None, which means those of the query.
    """
    return msgspec.json.encode(
        {
            "type": int(type),
            "fromTriggerTime": from_ms,
            "toTriggerTime": to_ms,
            "status": ",".join(str(int(code)) for code in sorted(query.status if status is None else status)),
            "owner": query.owner,
            "expression": query.expression or expression,
            "pagination": {
                "pageNo": page_no,
                "pageSize": page_size,
                "sorters": [
                    {"field": field, "order": "DESC" if descending else "ASC"}
                    for field, descending in sorters
                ],
            },
        }
    )


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
            raise AnswerError("there is no id", f"{_path(list(map(bool, ids)).index(False))}.instanceId")
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
            zone.clocks.date(self._decoded, self._walls, zone, offset, self._sorter)
            self._dated = True
        if rows is None:
            rows = range(len(self))
        if offset is not None and not isinstance(offset, int):
            offset = _picked(offset, rows)
        walls, decoded = _picked(self._walls, rows), _picked(self._decoded or (), rows)
        loose = _picked(self._loose, rows)
        paths = [_path(row) for row in rows] if loose else ()
        if self.body and len(rows) == len(self):
            self._decoded, self._loose = None, ()  # kept only if a page is handed out in parts
        date = (
            None if zone.clocks is None else partial(zone.clocks.date, walls=walls, zone=zone, offset=offset)
        )
        return flow_instances(Rows(zone.aware(walls, offset), zone.epoch, decoded, loose, paths, date))

    def _read(self) -> None:
        try:
            self._decoded = _reader.answer(self.body).data.flow_insts or ()
        except msgspec.ValidationError:
            self._decoded, self._loose = (), loose_rows(self.body)


def _picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    if not (column and rows):
        return ()
    if isinstance(rows, range):  # the usual case; a range that stops before row 0 runs backwards to row 0
        return column[rows.start : rows.stop if rows.stop >= 0 else None : rows.step]
    return [column[row] for row in rows]


def _path(number: int) -> str:
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
        raise AnswerError(problem, f"{_path(number)}.triggerTime") from None


def _plain(times: list[str]) -> list[str]:
    """Return the times as texts of one form, which compare as the times do.

    Usually they have that form already.
    """
    # Each text is a time, so it has at least 19 characters, and one character between date and time.
    together = "".join(times)
    if len(together) == 19 * len(times) and together.count(" ") == len(times):
        return times
    return [f"{time[:10]} {time[11:19]}" for time in times]


def _count(value: object) -> int | None:
    # The count is documented as the number of rows on the page. It is a hint, so a wrong type is not an
    # error.
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def read_search(
    body: bytes,
    throttle_codes: Collection[int] = (),
    *,
    whole: bool = False,
    page_no: int = 0,
    sorter: tuple[str, bool] | None = None,
) -> SearchPage:
    """Return the page of an answer, with only the columns decoded by which pages are planned.

    An empty page has many forms: an empty list, null in place of the list, no list, or no data, as
    serializers do that omit empty values. It may also have the empty value of another language (`LooseData`).
    All of these are an empty page, if the code means success and no count says that there are rows.

    Args:
        body: the body of the answer.
        throttle_codes: codes that mean "too many requests". Default: none.
        whole: True if all of it is decoded now, since it is handed out at once. Default: False.
        page_no: the page number in the request. The count of a later page may be that of all rows. Default:
            0.
        sorter: the field that the page was sorted by, and True if it is descending. Default: None, unknown.

    Raises:
        ServiceError: the service refused.
        AnswerError: this is not a page. The error names the problem and the path.
        BrokenBody: the answer ends too early.
    """
    body = body.removeprefix(BOM)
    try:
        answer = _answer(body, throttle_codes, whole=whole)
    except AnswerError:
        mended = with_graphs_escaped(body)
        if mended is None:
            raise
        body = mended
        answer = _answer(body, throttle_codes, whole=whole)
    check(answer, throttle_codes)
    rows, count = _rows(answer)
    if not rows:
        said = _most_said(body)
        if said and page_no == 0 and rows is None:
            raise Unlisted(f"the answer reports {said:,} rows, but has no list of them", "$.data.flowInsts")
        rows, count = (), said or count
    if isinstance(answer, Loose):
        ids, times = _columns(rows)
    else:
        ids, times = [row.instance_id for row in rows], [row.trigger_time for row in rows]
    decoded = None if isinstance(answer, (Head, Loose)) else rows
    page = SearchPage(body, ids, times, count, decoded, sorter)
    if _may_hold_twins(body, ids):
        refuse_twins(body)
    return page


def _rows(answer: Any) -> tuple[Any, int | None]:
    """Return the rows of a successful answer, or None if it has no list, and the count.

    Raises:
        AnswerError: there is no list of rows, and no code that means success.
    """
    data = answer.data or None
    rows, count = (None, None) if data is None else (data.flow_insts, _count(data.count))
    rows = rows if isinstance(rows, list) else None
    if rows is None and code_of(answer) is None:
        raise AnswerError(
            "there is no data" if data is None else "there is neither a list nor a code", "$.data"
        )
    return rows, count


def _most_said(body: bytes) -> int:
    """Return the largest number of rows that an answer without a list reports, in any member. 0 means none.

    Such an answer is not an empty one (`aioflows._core.proofs.empty_answers`). The page was too large, or its
    rows were lost on the way.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return 0  # the body was read in another way, so it shows no count
    data = answer.get("data")
    paging = data.get("pagination") if isinstance(data, dict) else None
    places = [place for place in (answer, data, paging) if isinstance(place, dict)]
    return max(0, *(_count(place.get(name)) or 0 for place in places for name in _COUNTS))


def _answer(body: bytes, throttle_codes: Collection[int], *, whole: bool) -> Any:
    if whole:
        with contextlib.suppress(msgspec.ValidationError):
            return _reader.answer(body)
    try:
        return parse(_head, body)
    except msgspec.ValidationError:
        check(opened(body), throttle_codes)  # if the service refused, its data may be anything
        return loose_answer(body)


def _columns(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    ids = [_id(row.get("instanceId"), number) for number, row in enumerate(rows)]
    return ids, [_time(row.get("triggerTime"), number) for number, row in enumerate(rows)]


def _id(value: object, number: int) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise AnswerError(f"{value!r:.60} is not an id", f"{_path(number)}.instanceId")


def _time(value: object, number: int) -> str:
    if isinstance(value, str):
        return value
    raise AnswerError(f"{value!r:.60} is not a time", f"{_path(number)}.triggerTime")


def _may_hold_twins(body: bytes, ids: Sequence[str]) -> bool:
    """Return True if a member of the envelope may have come twice, without decoding the rows again.

    A decoder keeps the last of two lists. Then the first row of the first list differs from the first row
    decoded.
    """
    start, end = body.find(_LIST, 0, _LONGEST_START), body.rfind(b"]") + 1
    if len(body) <= _LONGEST_START or start < 0:
        return True
    envelope = body[:start] + b'"flowInsts":0' + body[end:]
    if not (_DOCUMENTED.fullmatch(envelope) or refuse_twins(envelope)):
        return True
    first = _FIRST_ID.search(body, start)
    if not ids or first is None:
        return bool(ids) or first is not None
    return not body.startswith(ids[0].encode(errors="replace"), first.end())
