"""The operation "List Flow Instances": what is sent, and the page that comes back.

A page is decoded twice. When it comes, only what it is planned by: the rows' ids and trigger times, while the rest is
skipped in C. What waits to be handed out then waits as the bytes that came, which weigh half of what is made of them
and are nothing to the garbage collector. When rows are handed out, the bytes are decoded in full. The skipping costs a
third of a full decoding, and saves as much: decoded rows cost more the longer they live, and these are dropped at once.
``whole=True`` is for pages of which every row is needed when it comes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
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
"""Members that say how many rows there are: the documented one, and those of other services of the vendor's and of most
paging libraries."""
_FIRST_ID = re.compile(rb'"instanceId"\s*:\s*"?')
_DOCUMENTED = re.compile(rb'\{"code":0,"msg":"[^"\\]*","data":\{"flowInsts":0,"count":[0-9]+\}\}')
"""The envelope as it is as a rule, in which no member comes twice."""

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
    """Write the body of a search.

    Args:
        query: which *owner*, *expression* and *status* are meant.
        type: the one *schedule type* that a request takes.
        from_ms: the first trigger time, in *milliseconds* since the epoch.
        to_ms: the first trigger time no longer meant, likewise.
        page_no: number of the *page*.
        page_size: *rows* on it.
        sorters: *fields*, each with whether it is descending.
        expression: a *text* to ask for where the query asks for none.
        status: *codes* to ask for instead of those of the query; None: those of the query.
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
    """One answer to a search; made by `read_search`.

    Args:
        body: the *bytes* that came.
        ids: the rows' *ids*, in the service's order.
        times: their trigger *times*, as texts.
        count: the *number* that the service says.
        decoded: the rows, if they are *decoded* already; the bytes are not kept then.

    Raises:
        AnswerError: an id is empty, or a trigger time is none.
    """

    __slots__ = ("_decoded", "_loose", "_walls", "body", "count", "ids", "times")

    def __init__(
        self,
        body: bytes,
        ids: list[str],
        times: list[str],
        count: int | None = None,
        decoded: Sequence[Row] | None = None,
    ) -> None:
        if not all(ids):
            raise AnswerError("there is no id", f"{_path(list(map(bool, ids)).index(False))}.instanceId")
        # Tuples, since the collector stops looking at a tuple of texts, and goes through a list of them again and again.
        # Of whole seconds, as documented: rows of one second come in the order of their ids, and times that are shown with a
        # fraction (java.sql.Timestamp writes one) would seem to run backwards.
        seconds = _plain(times)
        walls = _walls(times, ids)
        self._walls = tuple(walls if seconds is times else [wall.replace(microsecond=0) for wall in walls])
        self.ids: Sequence[str] = tuple(ids)
        self.times: Sequence[str] = tuple(seconds)
        self.count = count
        self.body = b"" if decoded is not None else body
        self._decoded = decoded
        self._loose: Sequence[dict[str, Any]] = ()

    def __len__(self) -> int:
        return len(self._walls)

    def __repr__(self) -> str:
        return f"Page({len(self)} rows, {len(self.body):,} bytes)"

    def instances(
        self, zone: Zone, rows: Sequence[int] | None = None, *, offset: int | None = None
    ) -> list[FlowInstance]:
        """Decode rows in full.

        Args:
            zone: the *zone* that their times are in.
            rows: *numbers* of the rows, in the order that is wanted; None: all, in the service's order.
            offset: the *seconds* east of Greenwich that were in force when they were triggered, where that is known.
                It tells the first from the second of two hours that wall clocks show alike.

        Raises:
            AnswerError: something in a row cannot be read; the error says where it stands.
        """
        if not self.ids:
            return []  # there may not even be a list
        if self._decoded is None and not self._loose:
            self._read()
        if rows is None:
            rows = range(len(self))
        walls, decoded = _picked(self._walls, rows), _picked(self._decoded or (), rows)
        loose = _picked(self._loose, rows)
        paths = [_path(row) for row in rows] if loose else ()
        if self.body and len(rows) == len(self):
            self._decoded, self._loose = None, ()  # kept only for who takes a page in parts
        return flow_instances(Rows(zone.aware(walls, offset), zone.epoch, decoded, loose, paths))

    def _read(self) -> None:
        try:
            self._decoded = _reader.answer(self.body).data.flow_insts or ()
        except msgspec.ValidationError:
            self._decoded, self._loose = (), loose_rows(self.body)


def _picked(column: Sequence[T], rows: Sequence[int]) -> Sequence[T]:
    if not (column and rows):
        return ()
    if isinstance(rows, range):  # as nearly always; one that ends before row 0 runs backwards, to it
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
    """Return texts of one form, which compare as the times do; as a rule they are of that form already."""
    # Each is a time, so at least 19 characters long, and has one character between date and time.
    together = "".join(times)
    if len(together) == 19 * len(times) and together.count(" ") == len(times):
        return times
    return [f"{time[:10]} {time[11:19]}" for time in times]


def _count(value: object) -> int | None:
    # A hint, documented as the number of rows on the page; if it is no number, that is no reason to stop.
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if _DIGITS.fullmatch(value) else None
    return int(value) if isinstance(value, int) or (isinstance(value, float) and value.is_integer()) else None


def read_search(
    body: bytes, throttle_codes: Collection[int] = (), *, whole: bool = False, page_no: int = 0
) -> SearchPage:
    """Read what a page is planned by, and keep the rest.

    A service says that there is nothing with an empty list, with null in its place, or by leaving out the list or all
    of the data, as serializers do that omit what is empty; or with what another language takes for nothing (`LooseData`).
    All of these are an empty page, if the code says yes and no count says that there are rows.

    Args:
        body: the *bytes* of the answer.
        throttle_codes: *codes* that mean "too many requests".
        whole: whether to decode all of it now, since it will be handed out at once.
        page_no: the page's *number* as it was sent. The count of a later page may be that of all rows.

    Raises:
        ServiceError: the service said no.
        AnswerError: this is no page; the error says what is wrong, and where.
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
            raise Unlisted(f"there are {said:,} rows, as is said, but no list of them", "$.data.flowInsts")
        rows, count = (), said or count
    if isinstance(answer, Loose):
        ids, times = _columns(rows)
    else:
        ids, times = [row.instance_id for row in rows], [row.trigger_time for row in rows]
    decoded = None if isinstance(answer, (Head, Loose)) else rows
    page = SearchPage(body, ids, times, count, decoded)
    if _may_hold_twins(body, ids):
        refuse_twins(body)
    return page


def _rows(answer: Any) -> tuple[Any, int | None]:
    """Return the rows of an answer that says yes, or None if there is no list, and the count.

    Raises:
        AnswerError: there is no list of rows, and no code that says yes.
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
    """Return the rows that an answer without any says there are, in whichever member; 0: none.

    It is no empty answer then (`aioflows._core.emptiness`): a page that was too large, or rows that were lost on the way.
    """
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return 0  # what it was read from otherwise says no more
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
        check(opened(body), throttle_codes)  # where the service says no, its data may be anything
        return loose_answer(body)


def _columns(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[str]]:
    ids = [_id(row.get("instanceId"), number) for number, row in enumerate(rows)]
    return ids, [_time(row.get("triggerTime"), number) for number, row in enumerate(rows)]


def _id(value: object, number: int) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise AnswerError(f"{value!r:.60} is no id", f"{_path(number)}.instanceId")


def _time(value: object, number: int) -> str:
    if isinstance(value, str):
        return value
    raise AnswerError(f"{value!r:.60} is no time", f"{_path(number)}.triggerTime")


def _may_hold_twins(body: bytes, ids: Sequence[str]) -> bool:
    """Return True if a member of the envelope may have come twice, without reading the rows again.

    A decoder keeps the last of two lists; the first row of the first list is then not the first row that it found.
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
