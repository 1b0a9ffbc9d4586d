"""A fast service in memory that lists flow instances honestly, with any mixture of the oddities that real ones have.

It shares no code with the client nor with the emulator. A request is the decoded body of a search; an answer is an HTTP
status and the bytes of its JSON. Nothing it does depends on a clock, so a world that is drawn from a seed repeats.

In the order in which a request meets them: the size that is refused, the page number, the cap, the depth, the width of
the range, the filter, the order with its ties, the bytes of a page, the rights, and what `count` says.
"""

from __future__ import annotations

import heapq
import json
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import Any

__all__ = ["BAD_SIZE", "NEVER", "Answered", "Quirks", "Row", "Service", "Unanswered"]

NEVER = 1 << 60
DAY = 86_400_000
BAD_SIZE = ("1004", "62102", "62109", "62109 bare", "70001", "HTTP 400", "HTTP 413", "HTTP 500")
"""The errors by which a service refuses what is too large."""

_STATUS_NAMES = {
    -1: "FAIL", 0: "INIT", 1: "SUCCESS", 2: "RUNNING", 3: "SUSPEND", 4: "INTERNAL_ERROR", 5: "WAIT", 6: "READY",
    7: "TIMEOUT", 8: "CANCEL", 9: "RERUN", 10: "SKIP",
}  # fmt: skip


@dataclass(slots=True, eq=False)
class Row:
    """A flow instance.

    Args:
        number: its place in the table (rows are inserted in this order).
        type: the schedule type.
        ms: the trigger time (ms since 1970).
        id: the id.
        name: the name of its flow.
        owner: the name of its owner.
        status: the status code.
        start: when it started (ms); None: it has not.
        end: when it ended (ms); None: it has not.
        created: when it was created (ms).
        width: characters of its graph.
        visible: whether the user may see it.
    """

    number: int
    type: int
    ms: int
    id: str
    name: str
    owner: str
    status: int
    start: int | None
    end: int | None
    created: int
    width: int
    visible: bool = True
    body: bytes = b""


@dataclass(frozen=True)
class Quirks:
    """What is odd about a service. The defaults are what is documented.

    Args:
        base: the number of the first page.
        page_zero: what page 0 answers where the first is 1: first, empty, error, 1004.
        cap: rows of a page at most, without a word.
        cap_by_type: the same for one schedule type.
        cap_filtered: the same where a status, an owner or an expression is given.
        cap_bytes: bytes of the rows of a page at most; one row always comes.
        offset_by_asked: whether a page begins at its number times the size that was asked for, not the capped one.
        largest: the largest size that is accepted.
        too_large: what a larger one gets: nothing, default, silent, or one of `BAD_SIZE`.
        default_size: the default number of rows.
        depth: the last row that pages reach.
        too_deep: what reaches beyond gets: nothing, last, first, cut, or one of `BAD_SIZE`.
        past_end: what a page behind the last row answers: nothing, last.
        nothing: how no rows are said: empty, null, absent, no data, null data.
        zero_count: whether `count` is said where there are no rows.
        count: what `count` says: page, total, absent.
        raw_total: whether a total counts the rows that the user may not see.
        ties: the order of equal times: insertion, id, random, top, heap, flip.
        ties_fall: whether descending order turns the ties around as well.
        flip_at: the offset from which on ties are in another order.
        resolution: what times are sorted by (ms).
        sorters: what becomes of several: all, first, refused.
        bounds: half-open, included, cut, rounded, cut and included.
        offset_minutes: the zone (minutes east of Greenwich).
        zone_name: the zone as the service says it.
        time_form: how a trigger time is written: plain, T, fraction, T fraction.
        widest: the widest range that is answered (days).
        too_wide: what a wider one gets: last, first, or one of `BAD_SIZE`.
        expression: how a text is looked for: contains, any case, wildcards.
        owner: how an owner is compared: exact, any case.
        nulls: where rows without a start stand: smallest, largest, first, last.
        rights: whether rows that the user may not see are dropped after paging.
    """

    base: int = 0
    page_zero: str = "first"
    cap: int = NEVER
    cap_by_type: tuple[int, int] | None = None
    cap_filtered: int = NEVER
    cap_bytes: int = NEVER
    offset_by_asked: bool = False
    largest: int = NEVER
    too_large: str = "silent"
    default_size: int = 10
    depth: int = NEVER
    too_deep: str = "cut"
    past_end: str = "nothing"
    nothing: str = "empty"
    zero_count: bool = True
    count: str = "page"
    raw_total: bool = False
    ties: str = "insertion"
    ties_fall: bool = False
    flip_at: int = 0
    resolution: int = 1
    sorters: str = "all"
    bounds: str = "half-open"
    offset_minutes: int = 0
    zone_name: str = "GMT+0"
    time_form: str = "plain"
    widest: int = 0
    too_wide: str = "last"
    expression: str = "contains"
    owner: str = "exact"
    nulls: str = "smallest"
    rights: bool = False

    def __str__(self) -> str:
        return self.beside(Quirks()) or "no quirks"

    def beside(self, other: Quirks) -> str:
        """Return what is not as it is with others."""
        names = [one.name for one in fields(self) if getattr(self, one.name) != getattr(other, one.name)]
        values = [(name, getattr(self, name)) for name in names]
        return " ".join(
            f"{name}={'none' if value == NEVER else repr(value).replace(' ', '_')}" for name, value in values
        )


@dataclass(slots=True)
class Answered:
    """What a search was answered with.

    Args:
        status: the HTTP status.
        body: the bytes.
        rows: the rows in them.
        words: what it was, in a word or two, for a log.
        total: how many rows the window holds.
        counted: what `count` says; None: it is left out.
    """

    status: int
    body: bytes
    rows: Sequence[Row] = ()
    words: str = ""
    total: int = 0
    counted: int | None = None


class Unanswered(Exception):
    """Internal: the request is refused, with this answer."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(answered.words)
        self.answered = answered


@dataclass(slots=True)
class _Found:
    rows: list[Row]
    times: list[int] = field(default_factory=list)


class _Timed(int):
    """A number that brings a row; two of them compare by the number alone."""

    row: Row


class Service:
    """A table of rows behind a search.

    Args:
        rows: the table, in the order of insertion.
        quirks: what is odd about it; may be exchanged between requests.
        rng: draws the order of ties that are random each time.
    """

    def __init__(self, rows: Sequence[Row], quirks: Quirks, rng: Random) -> None:
        self.rows = rows
        self.quirks = quirks
        self.rng = rng
        self._found: dict[tuple[Any, ...], _Found] = {}

    def forget(self) -> None:
        """Drop what was kept of the texts of rows, since the quirks were exchanged."""
        self._found.clear()

    # The search

    def search(self, asked: dict[str, Any]) -> Answered:
        """Answer the body of a search."""
        try:
            rows, total = self._page(asked)
        except Unanswered as refusal:
            return refusal.answered
        return self.written(rows, total)

    def _page(self, asked: dict[str, Any]) -> tuple[list[Row], int]:
        quirks, paging = self.quirks, asked["pagination"]
        size, number = paging["pageSize"], paging["pageNo"]
        sorters = paging.get("sorters") or []
        if len(sorters) > 1 and quirks.sorters != "all":
            if quirks.sorters == "refused":
                raise Unanswered(self.refusal("62102", "illegal sorted by field"))
            sorters = sorters[:1]
        size = self._accepted(size)
        index = self._index(number)
        limit = min(size, self._cap(asked))
        step = size if quirks.offset_by_asked else limit
        index, deepest = self._reached(index, step)
        found, low, high = self.window(asked)
        total = high - low
        reached = min(total, deepest)
        offset = index * step
        if offset >= reached and index and reached and quirks.past_end == "last":
            offset = (reached - 1) // step * step
        limit = min(limit, reached - offset)
        if limit <= 0:
            return [], total
        rows = self._ordered(found, low, high, sorters, offset, limit)
        if quirks.cap_bytes < NEVER:
            rows = self._within(rows, quirks.cap_bytes)
        if quirks.rights:
            rows = [row for row in rows if row.visible]
            if not quirks.raw_total:
                total = sum(row.visible for row in found.rows[low:high]) if quirks.count == "total" else 0
        return rows, total

    def _accepted(self, size: int) -> int:
        quirks = self.quirks
        if size <= quirks.largest:
            return size
        if quirks.too_large == "silent":
            return quirks.largest
        if quirks.too_large == "default":
            return min(quirks.default_size, quirks.largest)
        if quirks.too_large == "nothing":
            raise Unanswered(self.none("too large"))
        raise Unanswered(self.refusal(quirks.too_large, f"pageSize must be between 1 and {quirks.largest}"))

    def _index(self, number: int) -> int:
        quirks = self.quirks
        index = number - quirks.base
        if index >= 0:
            return index
        if quirks.page_zero == "first":
            return 0
        if quirks.page_zero == "empty":
            raise Unanswered(self.none("page 0"))
        raise Unanswered(
            self.refusal("62109" if quirks.page_zero == "error" else "1004", "pageNo must start from 1")
        )

    def _cap(self, asked: dict[str, Any]) -> int:
        quirks = self.quirks
        cap = quirks.cap
        if quirks.cap_by_type and quirks.cap_by_type[0] == asked["type"]:
            cap = min(cap, quirks.cap_by_type[1])
        if asked["status"] or asked["owner"] or asked["expression"]:
            cap = min(cap, quirks.cap_filtered)
        return cap

    def _reached(self, index: int, step: int) -> tuple[int, int]:
        """Return the page that is answered and the row at which it is cut off."""
        quirks = self.quirks
        if (index + 1) * step <= quirks.depth:
            return index, NEVER
        if quirks.too_deep == "cut":
            return index, quirks.depth
        if quirks.too_deep == "last":
            return max(0, quirks.depth // step - 1), quirks.depth
        if quirks.too_deep == "first":
            return 0, quirks.depth
        if quirks.too_deep == "nothing":
            raise Unanswered(self.none("too deep"))
        raise Unanswered(self.refusal(quirks.too_deep, f"Result window is too large: {quirks.depth}"))

    # The filter

    def window(self, asked: dict[str, Any]) -> tuple[_Found, int, int]:
        """Return what the filter finds, by time, and where in it the window begins and ends."""
        quirks = self.quirks
        first, last = asked["fromTriggerTime"], asked["toTriggerTime"]
        if quirks.widest and last - first > quirks.widest * DAY:
            if quirks.too_wide == "last":
                first = last - quirks.widest * DAY
            elif quirks.too_wide == "first":
                last = first + quirks.widest * DAY
            else:
                words = f"time range must not exceed {quirks.widest} days"
                raise Unanswered(self.refusal(quirks.too_wide, words))
        if quirks.bounds.startswith("cut"):
            first, last = first // 1000 * 1000, last // 1000 * 1000
        elif quirks.bounds == "rounded":
            first, last = (first + 500) // 1000 * 1000, (last + 500) // 1000 * 1000
        if quirks.bounds == "included":
            last += 1
        elif quirks.bounds == "cut and included":
            last += 1000
        found = self.found(asked["type"], asked["status"], asked["owner"], asked["expression"])
        low = bisect_left(found.times, first)
        return found, low, max(low, bisect_left(found.times, last))

    def found(self, type: int | None, status: str, owner: str, expression: str) -> _Found:
        """Return the rows that a filter finds, by time, those of one time as they were inserted."""
        key = type, status, owner, expression
        found = self._found.get(key)
        if found is None:
            codes = {int(code) for code in status.split(",")} if status else None
            rows = [
                row
                for row in self.rows
                if (type is None or row.type == type)
                and (codes is None or row.status in codes)
                and (not owner or self.same_owner(owner, row))
                and (not expression or self.matches(expression, row))
            ]
            rows.sort(key=lambda row: row.ms)
            found = self._found[key] = _Found(rows, [row.ms for row in rows])
        return found

    def same_owner(self, owner: str, row: Row) -> bool:
        """Return True if the service takes the row for that owner's."""
        return row.owner == owner or (
            self.quirks.owner == "any case" and row.owner.casefold() == owner.casefold()
        )

    def matches(self, expression: str, row: Row) -> bool:
        """Return True if the service finds the text in the row."""
        how = self.quirks.expression
        if expression in row.id or expression in row.name:
            return True
        if how == "contains":
            return False
        text = expression.casefold()
        if how == "any case" or not set("%_") & set(text):
            return text in row.id.casefold() or text in row.name.casefold()
        return _like(text, row.id.casefold()) or _like(text, row.name.casefold())

    # The order

    def _ordered(
        self, found: _Found, low: int, high: int, sorters: Sequence[dict[str, str]], offset: int, limit: int
    ) -> list[Row]:
        falls = bool(sorters) and sorters[0].get("order", "ASC") == "DESC"
        top, quirks = offset + limit, self.quirks
        if sorters and sorters[0]["field"] != "trigger_time":
            rows = self._by_ties(found.rows[low:high], top, offset, falls)
            self.sort(rows, sorters)
            return rows[offset:top]
        if not sorters:  # no order was asked for: as they were inserted
            return sorted(found.rows[low:high], key=lambda row: row.number)[offset:top]
        if quirks.ties == "heap" and len(sorters) == 1 and 2 * top < high - low:
            return self._heap(found.rows[low:high], top, falls)[offset:top]
        plain = quirks.ties == "insertion" or (quirks.ties in ("top", "heap") and 2 * top >= high - low)
        if plain and quirks.resolution == 1 and len(sorters) == 1 and (not falls or quirks.ties_fall):
            if falls:
                return found.rows[high - top : high - offset][::-1]
            return found.rows[low + offset : low + top]
        rows, skipped = self._groups(found, low, high, falls, offset, top)
        rows = self._by_ties(rows, top, offset, falls, plain=plain)
        self.sort(rows, sorters)
        return rows[offset - skipped : top - skipped]

    def _groups(
        self, found: _Found, low: int, high: int, falls: bool, offset: int, top: int
    ) -> tuple[list[Row], int]:
        """Return the rows of all times that a page touches, and how many stand before them in the order."""
        times, grain = found.times, self.quirks.resolution
        if falls:
            latest = times[high - 1 - offset] // grain * grain + grain
            earliest = times[high - top] // grain * grain
        else:
            earliest = times[low + offset] // grain * grain
            latest = times[low + top - 1] // grain * grain + grain
        start, stop = max(low, bisect_left(times, earliest)), min(high, bisect_left(times, latest))
        return found.rows[start:stop], high - stop if falls else start - low

    def _by_ties(
        self, rows: list[Row], top: int, offset: int, falls: bool, *, plain: bool = False
    ) -> list[Row]:
        how, back = self.quirks.ties, falls and self.quirks.ties_fall
        if how == "random":
            self.rng.shuffle(rows)
        elif how == "id" or (how == "flip" and offset >= self.quirks.flip_at):
            rows.sort(key=lambda row: row.id, reverse=back)
        elif how == "top" and not plain:
            rows.sort(
                key=lambda row: ((row.number + 1) * 0x9E3779B1 ^ top * 0x85EBCA6B) * 0xC2B2AE35 & 0xFFFFFFFF
            )
        else:
            rows.sort(key=lambda row: row.number, reverse=back)
        return rows

    def sort(self, rows: list[Row], sorters: Sequence[dict[str, str]], *, shown: bool = False) -> None:
        """Sort rows, those that tie as they stand.

        Args:
            rows: the rows.
            sorters: the fields, the first one first.
            shown: whether a time counts as it is shown, in whole seconds, and not as it is stored.
        """
        for one in reversed(sorters):
            falls = one.get("order", "ASC") == "DESC"
            rows.sort(key=partial(self._key, one["field"], falls, shown), reverse=falls)

    def _key(self, name: str, falls: bool, shown: bool, row: Row) -> tuple[bool, int]:
        value = _FIELDS[name](row)
        if value is None:
            nulls = self.quirks.nulls
            highest = nulls == "largest" or (nulls == "first" and falls) or (nulls == "last" and not falls)
            return highest, -NEVER
        grain = self.quirks.resolution if name == "trigger_time" else 1
        if shown and name != "create_time":
            grain = 1000
        return False, value // grain * grain

    def _heap(self, rows: Sequence[Row], top: int, falls: bool) -> list[Row]:
        """Return the first rows as a bounded heap leaves them, which looks at nothing but the times."""
        grain, sign = self.quirks.resolution, 1 if falls else -1
        heap: list[_Timed] = []
        for row in sorted(rows, key=lambda row: row.number):  # in the order of the table
            one = _Timed(sign * (row.ms // grain))
            one.row = row
            if len(heap) < top:
                heapq.heappush(heap, one)
            elif one > heap[0]:
                heapq.heapreplace(heap, one)
        return [heapq.heappop(heap).row for _ in range(len(heap))][::-1]

    # What is written

    def _within(self, rows: list[Row], most: int) -> list[Row]:
        size = 0
        for at, row in enumerate(rows):
            size += len(self.text(row))
            if size > most and at:
                return rows[:at]
        return rows

    def written(self, rows: Sequence[Row], total: int, count: int | None = None) -> Answered:
        """Return the answer that holds these rows."""
        quirks = self.quirks
        if count is None:
            count = total if quirks.count == "total" else len(rows)
        if not rows:
            return self.none("no rows", count, total)
        body = b'{"code":0,"msg":"OK","data":{"flowInsts":[' + b",".join(
            [row.body or self.text(row) for row in rows]
        )
        body += b"]}}" if quirks.count == "absent" else b'],"count":%d}}' % count
        return Answered(200, body, rows, "", total, None if quirks.count == "absent" else count)

    def none(self, words: str, count: int = 0, total: int = 0) -> Answered:
        """Return the answer that holds no rows."""
        quirks = self.quirks
        said = quirks.zero_count and quirks.count != "absent"
        data: dict[str, Any] | None = {}
        if quirks.nothing in ("empty", "null"):
            data = {"flowInsts": [] if quirks.nothing == "empty" else None}
        said = said and quirks.nothing not in ("no data", "null data")
        if quirks.nothing == "null data":
            data = None
        elif said:
            data = {**(data or {}), "count": count}
        body = json.dumps({"code": 0, "msg": "OK", "data": data}).encode()
        return Answered(200, body, (), words, total, count if said else None)

    def refusal(self, how: str, words: str) -> Answered:
        """Return the answer that refuses, in one of the guises of `BAD_SIZE`."""
        if how.startswith("HTTP"):
            status = int(how[5:])
            return Answered(status, b'{"error":"%s"}' % words.encode() if status == 500 else b"", (), how)
        code, bare = int(how.split(maxsplit=1)[0]), how.endswith("bare")
        said = {"code": code, "msg": "" if bare else words, "data": None}
        return Answered(200, json.dumps(said).encode(), (), how)

    def text(self, row: Row) -> bytes:
        """Return the JSON of a row."""
        if row.body:
            return row.body
        wall = self._wall
        trigger = wall(row.ms)
        if "fraction" in self.quirks.time_form:
            trigger += f".{row.ms % 1000:03}"
        if self.quirks.time_form.startswith("T"):
            trigger = trigger.replace(" ", "T")
        start = "null" if row.start is None else f'"{wall(row.start)}"'
        end = "null" if row.end is None else f'"{wall(row.end)}"'
        row.body = (
            f'{{"instanceId":"{row.id}","flowId":{row.number % 977},"flowName":"{row.name}","freq":"0 0 * * * ? *",'
            f'"cycle":"H","parameters":"[]","doAs":"","graph":"{"g" * row.width}","status":{row.status},'
            f'"statusDesc":"{_STATUS_NAMES[row.status]}","triggerTime":"{trigger}","startTime":{start},"endTime":{end},'
            f'"timestamp":"{wall(row.created)}.{row.created % 1000:03}","virtual":false,"owner":"{row.owner}",'
            f'"hasEditPri":true,"hasReadPri":true,"isCancelled":false}}'
        ).encode()
        return row.body

    def _wall(self, ms: int) -> str:
        shown = _EPOCH + timedelta(seconds=ms // 1000 + self.quirks.offset_minutes * 60)
        return shown.isoformat(" ")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
_FIELDS: dict[str, Callable[[Row], int | None]] = {
    "trigger_time": lambda row: row.ms,
    "start_time": lambda row: row.start,
    "end_time": lambda row: row.end,
    "create_time": lambda row: row.created,
    "update_time": lambda row: row.created + row.number % 7,
}


def _like(pattern: str, text: str) -> bool:
    """Return True if an SQL ``LIKE '%pattern%'`` holds."""
    # One pass per character of the pattern over the set of places reached.
    places = set(range(len(text) + 1))
    for char in pattern:
        if char == "%":
            places = set(range(min(places), len(text) + 1))
        elif char == "_":
            places = {at + 1 for at in places if at < len(text)}
        else:
            places = {at + 1 for at in places if at < len(text) and text[at] == char}
        if not places:
            return False
    return True
