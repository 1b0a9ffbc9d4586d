"""Judges how a world went: exact, a false alarm, or silent; and says where no client could have done better.

The oracle is a sorted list. An error is right where `unreadable` gives a reason, and in a dishonest world always. Rows lost
without a word are excused only where `untellable` gives a reason.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from aioflows import AioflowsError
from tests.worlds.draw import World
from tests.worlds.lies import Heard
from tests.worlds.play import Played
from tests.worlds.service import Quirks, Row, Service

__all__ = ["Ending", "Judged", "judge", "unreadable", "untellable"]


class Ending(enum.Enum):
    """How a world ends, from good to bad."""

    EXACT = "exact"
    RIGHT_ERROR = "right error"
    EXCUSED = "excused"
    FALSE_ALARM = "FALSE ALARM"
    CRASH = "CRASH"
    SILENT = "SILENT"


BAD = (Ending.FALSE_ALARM, Ending.CRASH, Ending.SILENT)


@dataclass
class Judged:
    """The judgement of a world.

    Args:
        ending: how it ended.
        why: what happened, in a line.
        requests: how many were sent.
        ideal: the number of pages that hold all rows.
    """

    ending: Ending
    why: str = ""
    requests: int = 0
    ideal: int = 0


def judge(world: World, played: Sequence[Played]) -> Judged:
    """Judge all scans of a world: the worst counts."""
    worst = Judged(Ending.EXACT)
    endings = list(Ending)
    requests = ideal = 0
    for number, one in enumerate(played):
        judged = _Scan(world, number, one).judged()
        requests, ideal = requests + one.asked, ideal + judged.ideal
        if endings.index(judged.ending) > endings.index(worst.ending):
            worst = judged
            if len(world.scans) > 1:
                worst.why = f"scan {number + 1}: {worst.why}"
    return Judged(worst.ending, worst.why, requests, ideal)


class _Scan:
    """One scan, held against the oracle."""

    def __init__(self, world: World, number: int, played: Played) -> None:
        self.world = world
        self.number = number
        self.played = played
        self.quirks = world.scans[number]
        self.must, self.may = _oracle(world, number)
        self.rank = {row.id: at for at, row in enumerate(self.must)}

    def judged(self) -> Judged:
        """Return the judgement."""
        error, wrong = self.played.error, self.wrong()
        ideal = _ideal(self.world, self.quirks, len(self.must))
        if error is not None and not isinstance(error, AioflowsError):
            return Judged(Ending.CRASH, f"{type(error).__name__}: {error}"[:300], ideal=ideal)
        if wrong:
            before = f" before {_said(error)}" if error is not None else ""
            excuse = untellable(self.world, self.number, self.played, self.lost())
            if excuse and not self.beside_lost():
                return Judged(Ending.EXCUSED, f"{wrong}{before}; untellable: {excuse}", ideal=ideal)
            return Judged(Ending.SILENT, f"{wrong}{before}{self._traces()}", ideal=ideal)
        if error is None:
            return Judged(Ending.EXACT, ideal=ideal)
        if self.world.lies:
            return Judged(Ending.RIGHT_ERROR, "", ideal=ideal)
        reason = unreadable(self.world, self.number)
        if reason:
            return Judged(Ending.RIGHT_ERROR, f"unreadable: {reason}; {_said(error)}", ideal=ideal)
        return Judged(Ending.FALSE_ALARM, _said(error), ideal=ideal)

    # Rows

    def lost(self) -> list[Row]:
        """Return the rows that are missing: of all, or where an error ended it, of those before the last."""
        given = {one.id for one in self.played.given}
        limit = self.world.reader.limit
        must = self.must
        if self.world.query.order is None:
            if self.played.error is not None or (limit is not None and len(given) >= limit):
                return []
        elif self.played.error is not None or (limit is not None and len(given) >= limit):
            last = max((self.rank[id] for id in given if id in self.rank), default=-1)
            must = must[: last + 1]
        return [row for row in must if row.id not in given]

    def wrong(self) -> str:
        """Return what is wrong with the rows that were handed out; nothing: they are right, as far as it came."""
        return "; ".join(filter(None, (self._lost(), self.beside_lost())))

    def _lost(self) -> str:
        lost = self.lost()
        if not lost:
            return ""
        where = f"type {lost[0].type} ms {lost[0].ms} id {lost[0].id}"
        return f"{len(lost)} of {len(self.must)} rows lost, the first {where}"

    def beside_lost(self) -> str:
        """Return what is wrong but for rows that are missing."""
        given, query = self.played.given, self.world.query
        times = Counter(one.id for one in given)
        found = []
        if twice := [id for id, count in times.items() if count > 1]:
            found.append(f"{len(twice)} rows twice, the first {twice[0]}")
        known = self.rank.keys() | {row.id for row in self.may}
        if alien := [id for id in times if id not in known]:
            found.append(f"{len(alien)} rows that do not match, the first {alien[0]}")
        second = {row.id: row.ms // 1000 for row in (*self.must, *self.may)}
        if misdated := [one for one in given if one.id in second and one.ms // 1000 != second[one.id]]:
            by = misdated[0].ms // 1000 - second[misdated[0].id]
            found.append(f"{len(misdated)} rows misdated, the first {misdated[0].id} by {by} s")
        if query.order is not None and not found and (place := self._misplaced()):
            found.append(place)
        if (limit := self.world.reader.limit) is not None and len(given) > limit:
            found.append(f"{len(given)} rows where {limit} is the limit")
        return "; ".join(found)

    def _misplaced(self) -> str:
        given, order = self.played.given, self.world.query.order
        if order in ("trigger_time", "-trigger_time"):
            # By what is handed out: a fraction of a second counts where it is shown, and does not where it is not.
            keys: list[Any] = [(one.ms, one.id) for one in given]
            falls = order.startswith("-")
            if pair := next(
                (
                    at
                    for at in range(1, len(keys))
                    if (keys[at] < keys[at - 1]) != falls and keys[at] != keys[at - 1]
                ),
                0,
            ):
                return f"out of order: {keys[pair - 1]} before {keys[pair]}"
            return ""
        ranks = [self.rank[one.id] for one in given if one.id in self.rank]
        pair = next((at for at in range(1, len(ranks)) if ranks[at] < ranks[at - 1]), 0)
        return (
            f"out of order: {self.must[ranks[pair - 1]].id} before {self.must[ranks[pair]].id}"
            if pair
            else ""
        )

    def _traces(self) -> str:
        """Return what the last requests about the first lost row were answered with."""
        lost = self.lost()
        if not lost:
            return ""
        row = lost[0]
        about = [one for one in self.played.heard if _covers(one.asked, row, self.world.query.expression)]
        told = "; ".join(line(one) for one in about[-3:])
        return f"; {len(about)} requests were about it, the last: {told}"


def line(heard: Heard) -> str:
    """Return a request and its answer in a line."""
    asked, paging = heard.asked, heard.asked["pagination"]
    sorter = "".join("-" if one["order"] == "DESC" else "+" for one in paging["sorters"]) or "?"
    field = (
        ""
        if not paging["sorters"] or paging["sorters"][0]["field"] == "trigger_time"
        else paging["sorters"][0]["field"]
    )
    text = f" {asked['expression']!r}" if asked["expression"] else ""
    got = (
        f"{len(heard.said)} rows {heard.said[0].ms}..{heard.said[-1].ms}"
        if heard.said
        else heard.words or "nothing"
    )
    lied = " (a lie)" if heard.lied else ""
    return (
        f"{sorter}{field} type {asked['type']} {asked['fromTriggerTime']}..{asked['toTriggerTime']} "
        f"page {paging['pageNo']} of {paging['pageSize']}{text} -> {got}{lied}"
    )


def _said(error: Exception | None) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _covers(asked: dict[str, Any], row: Row, expression: str) -> bool:
    return (
        asked["type"] == row.type
        and asked["fromTriggerTime"] <= row.ms < asked["toTriggerTime"]
        and (
            asked["expression"] == expression
            or asked["expression"] in row.id
            or asked["expression"] in row.name
        )
    )


def _ideal(world: World, quirks: Quirks, rows: int) -> int:
    """Return how many pages hold all rows, by the smallest page that is certain to come."""
    query = world.query
    size = min(world.reader.page_size, quirks.cap, quirks.largest, quirks.depth)
    if query.status or query.owner or query.expression:
        size = min(size, quirks.cap_filtered)
    if quirks.cap_by_type and query.type in (None, quirks.cap_by_type[0]):
        size = min(size, quirks.cap_by_type[1])
    if world.reader.limit is not None:
        rows = min(rows, world.reader.limit)
    return max(3 if query.type is None else 1, -(-rows // size))


def _oracle(world: World, number: int) -> tuple[list[Row], list[Row]]:
    """Return the rows that must come, in order, and those that may."""
    query, quirks = world.query, world.scans[number]
    service = Service(world.rows, quirks, Random(0))
    status = ",".join(map(str, query.status))
    found = service.found(query.type, status, query.owner, query.expression).rows
    visible = [row for row in found if row.visible]
    must = [row for row in visible if query.first <= row.ms < query.last]
    may: list[Row] = []
    if quirks.bounds != "half-open":
        # A bound inside a second means what the service makes of it: no answer shows milliseconds.
        seconds = {bound // 1000 for bound in (query.first, query.last) if bound % 1000}
        may = [row for row in visible if row.ms // 1000 in seconds]
        must = [row for row in must if row.ms // 1000 not in seconds]
    order = query.order
    if order in (None, "trigger_time", "-trigger_time"):
        fraction = "fraction" in quirks.time_form
        shown = {row.id: row.ms if fraction else row.ms // 1000 for row in must}
        must.sort(key=lambda row: (shown[row.id], row.id), reverse=order == "-trigger_time")
    else:
        falls = order.startswith("-")
        sorters = [{"field": order.removeprefix("-"), "order": "DESC" if falls else "ASC"}]
        must.sort(key=lambda row: row.id, reverse=falls)
        service.sort(must, sorters, shown=True)
    return must, may


# Where no set of requests can read a service


def unreadable(world: World, number: int = 0) -> str | None:
    """Return the reason why no set of requests can read a service, or None where some set can.

    A row can be read if some request shows it. The narrowest window around it (one millisecond, or one second where
    bounds are cut or rounded) meets the fewest others, so only that is looked through: every page number of many sizes,
    every sort field in both directions, and every status by itself. Where the query has no text of its own, a text of
    the row's id narrows further: every id is a text that a client can come to, character by character, by asking for
    the longer texts of which a shorter one has more rows than are shown.

    A service that shows every row can still not be *known* to be read in two cases: rows in a random order each time of
    which the depth hides some (no number of repetitions counts what is never counted), and a count that includes rows
    which are shown to nobody (it contradicts every end).
    """
    query, quirks = world.query, world.scans[number]
    service = Service(world.rows, quirks, Random(1))
    status = ",".join(map(str, query.status))
    if quirks.rights and quirks.raw_total and quirks.count == "total":
        found = service.found(query.type, status, query.owner, query.expression).rows
        if any(not row.visible for row in found):
            return "its total counts rows that are shown to nobody, so no end agrees with it"
    must, _ = _oracle(world, number)
    kinds = (0, 1, 2) if query.type is None else (query.type,)
    for kind in kinds:
        mine = sorted((row for row in must if row.type == kind), key=lambda row: row.ms)
        for first, last, rows in _narrow(mine, quirks):
            reason = _hidden(service, world, kind, first, last, rows)
            if reason:
                return reason
    return None


def _narrow(rows: Sequence[Row], quirks: Quirks) -> Iterator[tuple[int, int, list[Row]]]:
    """Give the narrowest windows that hold rows, with these."""
    grain = 1 if quirks.bounds in ("half-open", "included") else 1000
    at = 0
    while at < len(rows):
        first = rows[at].ms // grain * grain
        end = at
        while end < len(rows) and rows[end].ms < first + grain:
            end += 1
        yield first, first + grain, list(rows[at:end])
        at = end


def _hidden(
    service: Service, world: World, kind: int, first: int, last: int, rows: Sequence[Row]
) -> str | None:
    query, quirks = world.query, service.quirks
    body: dict[str, Any] = {
        "type": kind, "fromTriggerTime": first, "toTriggerTime": last, "status": ",".join(map(str, query.status)),
        "owner": query.owner, "expression": query.expression,
    }  # fmt: skip
    missing = {row.id for row in rows}
    _, low, high = service.window({**body, "pagination": {}})
    raw = high - low
    missing -= _shown(service, body, raw, [("trigger_time", "ASC")])
    if missing and not query.expression:
        # By its own id: what is left then cannot be told apart by any text.
        for id in sorted(missing):
            missing -= _shown(service, {**body, "expression": id}, raw, [("trigger_time", "ASC")])
        if not missing:
            return None
    for field in ("trigger_time", "create_time", "start_time", "end_time", "update_time"):
        for direction in ("ASC", "DESC"):
            if missing:
                missing -= _shown(service, body, raw, [(field, direction)])
    if missing and len(query.status) != 1:
        for code in query.status or range(-1, 11):
            missing -= _shown(service, {**body, "status": str(code)}, raw, [("trigger_time", "ASC")])
    where = f"{raw} rows from {first} to {last} of type {kind}"
    if missing:
        return f"{where}, of which no request shows {len(missing)}"
    if quirks.ties == "random" and query.expression and raw > _deepest(quirks) and quirks.count != "total":
        return f"{where} in a random order each time, and pages end before they do: nothing counts them"
    return None


def _deepest(quirks: Quirks) -> int:
    return quirks.depth


def _shown(service: Service, body: dict[str, Any], raw: int, sorters: Sequence[tuple[str, str]]) -> set[str]:
    """Return the ids of the rows that any page of a window shows, of many sizes."""
    seen: set[str] = set()
    base = service.quirks.base
    for size in (2000, 500, 100, 20, 10, 5, 3, 2, 1):
        if size > 4 * raw and size > 1 and raw > 1 and size not in (5, 10):
            continue
        index = 0
        while index * size < raw + size and index < 400:
            paging = {
                "pageNo": base + index, "pageSize": size,
                "sorters": [{"field": field, "order": order} for field, order in sorters],
            }  # fmt: skip
            answered = service.search({**body, "pagination": paging})
            seen |= {row.id for row in answered.rows}
            if (
                len(seen) >= raw
                or answered.status != 200
                or (not answered.rows and answered.words != "no rows")
            ):
                break
            index += 1
        if len(seen) >= raw:
            break
    return seen


# Where nothing tells a lie from the truth


def untellable(world: World, number: int, played: Played, lost: Sequence[Row]) -> str | None:
    """Return the reason why nothing could have told that rows are missing, or None where some request could.

    In an honest world one thing hides rows: rights that are applied after paging, where the rows on both sides of those
    that are lost are more invisible ones than a page holds. Excused is only what does not show in any page, of any size,
    that begins at the last row before them or at the first row after them, nor at the middle between these two.

    In a dishonest world a lie that is told every time is the truth. So a row is excused if it was left out of each of
    the answers that should have shown it, at least three of them, or if it was left out in the middle of an answer that
    nothing else contradicts: neither its count nor a row that had to come again.
    """
    if not lost:
        return None
    if world.lies:
        return _never_told(played, lost)
    if world.scans[number].rights:
        return _behind_invisible(world, number, played, lost)
    return None


def _never_told(played: Played, lost: Sequence[Row]) -> str | None:
    inside = often = 0
    for row in lost:
        due = [one for one in played.heard if any(other is row for other in one.truth)]
        if len(due) >= 3:
            often += 1
        elif due and all(_inside(one, row) for one in due):
            inside += 1
        else:
            return None
    told = [f"{often} rows were left out of three answers and more"] if often else []
    told += [f"{inside} were left out in the middle of an answer that nothing contradicts"] if inside else []
    return ", ".join(told)


def _inside(heard: Heard, row: Row) -> bool:
    """Return True if a row was left out between two others of an answer that says as many rows as it holds."""
    if b'"count wrong' in heard.words.encode():
        return False
    at = next(number for number, one in enumerate(heard.truth) if one is row)
    said = {id(one) for one in heard.said}
    return any(id(one) in said for one in heard.truth[:at]) and any(
        id(one) in said for one in heard.truth[at + 1 :]
    )


def _behind_invisible(world: World, number: int, played: Played, lost: Sequence[Row]) -> str | None:
    query, quirks = world.query, world.scans[number]
    service = Service(world.rows, replace(quirks, ties="insertion"), Random(2))
    given = {one.id for one in played.given}
    missing = {row.id for row in lost}
    must, _ = _oracle(world, number)
    for kind in sorted({row.type for row in lost}):
        times = sorted(row.ms for row in must if row.type == kind and row.id in given)
        for row in (row for row in lost if row.type == kind):
            at = bisect_left(times, row.ms)
            before = times[at - 1] // 1000 * 1000 if at else query.first
            after = times[at] // 1000 * 1000 + 1000 if at < len(times) else query.last
            middle = (before + after) // 2
            for first, last, order in (
                (before, query.last, "ASC"), (query.first, after, "DESC"), (before, after, "ASC"), (before, after, "DESC"),
                (middle, after, "ASC"), (before, middle, "DESC"),
            ):  # fmt: skip
                for size in (world.reader.page_size, 4 * world.reader.page_size, 100, 20, 5, 1):
                    asked = {
                        "type": kind, "fromTriggerTime": first, "toTriggerTime": last,
                        "status": ",".join(map(str, query.status)), "owner": query.owner, "expression": query.expression,
                        "pagination": {
                            "pageNo": quirks.base, "pageSize": size,
                            "sorters": [{"field": "trigger_time", "order": order}],
                        },
                    }  # fmt: skip
                    if any(one.id in missing for one in service.search(asked).rows):
                        return None
    return "more rows that the user may not see than a page holds, on both sides of those that are lost"
