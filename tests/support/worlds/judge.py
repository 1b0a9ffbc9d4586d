"""Judges how a world went: exact, a false alarm, or silent; and says where no client could have done better.

The oracle is a sorted list. An error is right where `unreadable` gives a reason, and in a dishonest world always. Rows lost
without a word are excused only where `untellable` gives a reason.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from aioflows import AioflowsError
from tests.support.worlds.draw import World
from tests.support.worlds.lies import Heard
from tests.support.worlds.play import Played
from tests.support.worlds.service import DAY, NEVER, Quirks, Row, Service

__all__ = ["BAD", "Ending", "Judged", "how_read", "judge", "unreadable", "untellable"]


class Ending(enum.Enum):
    """How a world ends, from good to bad."""

    EXACT = "exact"
    RIGHT_ERROR = "right error"
    LATE_ERROR = "late error"
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
            if self.world.lies and error is not None:
                return Judged(Ending.LATE_ERROR, f"{wrong}{before}", ideal=ideal)
            lost, odd = self.lost(), self.odd()
            excuses = [
                untellable(self.world, self.number, self.played, lost) if lost else "",
                _never_contradicted(self.world, self.played, odd) if odd else "",
            ]
            if None not in excuses and not self._unexcused():
                told = ", ".join(filter(None, excuses))
                return Judged(Ending.EXCUSED, f"{wrong}{before}; untellable: {told}", ideal=ideal)
            return Judged(Ending.SILENT, f"{wrong}{before}{self._traces()}", ideal=ideal)
        if error is None:
            return Judged(Ending.EXACT, ideal=ideal)
        if self.world.lies:
            return Judged(Ending.RIGHT_ERROR, "", ideal=ideal)
        way, reason = how_read(self.world, self.number)
        if reason:
            return Judged(Ending.RIGHT_ERROR, f"unreadable: {reason}; {_said(error)}", ideal=ideal)
        if "includes the end of the range" in str(error) or (
            "answers about a part of a long range only" in str(error)
            and self.quirks.widest
            and self.quirks.too_wide in ("first", "last")
        ):
            return Judged(Ending.RIGHT_ERROR, _said(error), ideal=ideal)  # it says just what the service does
        return Judged(Ending.FALSE_ALARM, f"{_said(error)} (to be read by {way})", ideal=ideal)

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

    def odd(self) -> list[str]:
        """Return the ids of the rows that do not match or are misdated."""
        second = {row.id: row.ms // 1000 for row in (*self.must, *self.may)}
        return [one.id for one in self.played.given if second.get(one.id) != one.ms // 1000]

    def _unexcused(self) -> bool:
        """Return True if something is wrong that nothing excuses: rows twice, or out of order, or too many."""
        given = self.played.given
        limit = self.world.reader.limit
        twice = len({one.id for one in given}) < len(given)
        return twice or (limit is not None and len(given) > limit) or "out of order" in self.beside_lost()

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
    lied = f" (a lie: {', '.join(lie.name for lie in heard.told)})" if heard.told else ""
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
    """Return how many pages hold all rows, by the smallest page that is certain to come, or how many windows the range."""
    query = world.query
    size = min(world.reader.page_size, quirks.cap, quirks.largest, quirks.depth)
    if query.status or query.owner or query.expression:
        size = min(size, quirks.cap_filtered)
    if quirks.cap_by_type and query.type in (None, quirks.cap_by_type[0]):
        size = min(size, quirks.cap_by_type[1])
    if world.reader.limit is not None:
        rows = min(rows, world.reader.limit)
    types = 3 if query.type is None else 1
    windows = -(-(query.last - query.first) // (quirks.widest * DAY)) if quirks.widest else 1
    return max(types * windows, -(-rows // size))


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
        shown = {row.id: row.ms // 1000 for row in must}
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

    To be read, a row has to be shown by some request, and it has to be known that the rows shown are all. The narrowest
    window around a row (one millisecond, or one second where bounds are cut or rounded) meets the fewest others, so
    only that is looked through: every page number of many sizes (`_shown`). What it does not show may still be read

    - by texts of the ids, where the query has none of its own: a client comes to every id, character by character, by
      asking for the longer texts of which a shorter one has more rows than are shown;
    - status by status, where the query asks for several or for any;
    - from both ends of an order, where these overlap: then all is known to be seen;
    - by every sort field, where a total says how many rows there are.

    One service can be read and still not be known to be: a total that counts rows which are shown to nobody.
    """
    return how_read(world, number)[1]


def how_read(world: World, number: int = 0) -> tuple[str, str | None]:
    """Return what it takes to read a service, and the reason why nothing does."""
    query, quirks = world.query, world.scans[number]
    service = Service(world.rows, quirks, Random(1))
    status = ",".join(map(str, query.status))
    if quirks.rights and quirks.raw_total and quirks.count == "total":
        found = service.found(query.type, status, query.owner, query.expression).rows
        if any(not row.visible for row in found):
            return "", "its total counts rows that are shown to nobody, so no end agrees with it"
    must, _ = _oracle(world, number)
    limit = world.reader.limit
    if limit is not None and query.order in ("trigger_time", "-trigger_time"):
        # Of the windows behind the limit nothing is needed.
        seconds = {row.ms // 1000 for row in must[:limit]}
        must = [row for row in must if row.ms // 1000 in seconds]
    needed, reasons, read = "pages", list[str](), 0
    for kind in (0, 1, 2) if query.type is None else (query.type,):
        mine = sorted((row for row in must if row.type == kind), key=lambda row: row.ms)
        for first, last, rows in _narrow(mine, quirks):
            way, reason = _how(service, world, kind, first, last, rows)
            if reason:
                reasons.append(reason)
            else:
                read += len(rows)
                needed = way if way != "pages" else needed
    if limit is not None and query.order is None and read >= limit:
        return needed, None  # any rows will do
    return needed, reasons[0] if reasons else None


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


def _how(
    service: Service, world: World, kind: int, first: int, last: int, rows: Sequence[Row]
) -> tuple[str, str | None]:
    query, quirks = world.query, service.quirks
    body: dict[str, Any] = {
        "type": kind, "fromTriggerTime": first, "toTriggerTime": last, "status": ",".join(map(str, query.status)),
        "owner": query.owner, "expression": query.expression, "pagination": {},
    }  # fmt: skip
    _, low, high = service.window(body)
    raw, wanted = high - low, {row.id for row in rows}
    # Rows in a random order that pages do not reach the end of are shown by and by, and never known to be all.
    chance = quirks.ties == "random" and raw > quirks.depth
    missing = wanted - _shown(service, body, raw)
    if not missing and not chance:
        return "pages", None
    if not query.expression:
        alone = (
            _shown(service, {**body, "expression": id}, raw) for id in sorted(wanted if chance else missing)
        )
        if not missing - set[str]().union(*alone):
            return "texts of ids", None
    if len(query.status) != 1 and _by_status(service, body, query.status or range(-1, 11), wanted):
        return "status by status", None
    orders = [(field, order) for field in _SORTED for order in ("ASC", "DESC")]
    seen = [_shown(service, body, raw, *order) for order in orders]
    ends = [one | other for one, other in zip(seen[::2], seen[1::2], strict=True)]
    if not chance and raw < 2 * quirks.depth and any(not wanted - one for one in ends):
        return "both ends", None
    if quirks.count == "total" and not wanted - set[str]().union(*seen):
        return "every sort field, until the total is reached", None
    return "", (
        f"{raw} rows of type {kind} from {first} to {last} have to be read by pages that end at row {quirks.depth}, and "
        f"no text may be added to the query's own; {len(missing)} of them are in no page"
    )


_SORTED = ("trigger_time", "create_time", "start_time", "end_time", "update_time")


def _by_status(service: Service, body: dict[str, Any], codes: Iterable[int], wanted: set[str]) -> bool:
    seen: set[str] = set()
    for code in codes:
        one = {**body, "status": str(code)}
        _, low, high = service.window(one)
        if high - low > service.quirks.depth and service.quirks.ties == "random":
            return False
        seen |= _shown(service, one, high - low)
    return wanted <= seen


def _shown(
    service: Service, body: dict[str, Any], raw: int, field: str = "trigger_time", order: str = "ASC"
) -> set[str]:
    """Return the ids of the rows that any page of a window shows, of many sizes."""
    seen: set[str] = set()
    for size in (2000, 500, 100, 20, 10, 5, 3, 2, 1):
        for index in range(-(-raw // size) + 1):
            if index * size > service.quirks.depth:
                break
            number = service.quirks.base + index
            sorters = [{"field": field, "order": order}]
            paging = {"pageNo": number, "pageSize": size, "sorters": sorters}
            answered = service.search({**body, "pagination": paging})
            seen |= {row.id for row in answered.rows}
            if (
                len(seen) >= raw
                or answered.status != 200
                or (not answered.rows and answered.words != "no rows")
            ):
                break
        if len(seen) >= raw:
            break
    return seen


# Where nothing tells a lie from the truth


def untellable(world: World, number: int, played: Played, lost: Sequence[Row]) -> str | None:
    """Return the reason why nothing could have told that rows are missing, or None where some request could.

    In an honest world two things hide rows:

    - rights that are applied after paging, where the rows on both sides of those that are lost are more invisible ones
      than a page holds. Excused is only what `_PROBES` do not show, of any size.
    - a range that is limited without a word, where a scan has fewer rows than a page. Reading it costs hundreds of
      requests for each empty question. Excused is only what no answer of the scan contradicts (`_behind_limit`).

    In a dishonest world only lies at random are excused, since a lie that is told in every answer is told by some other
    request: another type, one status alone, a narrower window, the other direction. A row is excused if it was left out
    of each of the answers that should have shown it, and these are three at least; or if it was left out in the middle
    of answers. An answer whose count says more rows than came excuses nothing.
    """
    if world.lies:
        return _never_told(played, lost)
    quirks, why = world.scans[number], None
    if quirks.rights:
        why = _behind_invisible(world, number, played, lost)
    if why is None and quirks.widest and quirks.too_wide in ("first", "last"):
        why = _behind_limit(world, quirks, played, lost)
    return why


def _behind_limit(world: World, quirks: Quirks, played: Played, lost: Sequence[Row]) -> str | None:
    """Return the reason if only a silent limit of the range hid rows, in answers that agree with each other.

    An answer contradicts another one if it shows a row that matches what the other was asked for and lies in its window,
    but not in the part that was answered.
    """
    shown = {row.id: row for one in played.heard for row in one.said}
    if any(row.id in shown for row in lost):
        return None  # it came, and was not handed out
    for kind in {row.type for row in lost}:
        mine = [one for one in played.heard if one.asked["type"] == kind and one.status == 200]
        rows = [row for row in shown.values() if row.type == kind]
        if (
            sum(one.id in shown and shown[one.id].type == kind for one in played.given)
            >= world.reader.page_size
        ):
            return None
        whole = Service(rows, replace(quirks, widest=0), Random(0))
        limited, hidden = Service(rows, quirks, Random(0)), Service(lost, quirks, Random(0))
        for one in mine:
            _, first, last = whole.window(one.asked)
            _, low, high = limited.window(one.asked)
            _, start, stop = hidden.window(one.asked)
            if high - low < last - first or start < stop:
                return (
                    None  # another answer shows a row that this one left out, or no limit has hidden the row
                )
    days = quirks.widest
    return (
        f"only {days} days of a range are answered, and of fewer rows than a page no answer shows one beyond"
    )


def _never_told(played: Played, lost: Sequence[Row]) -> str | None:
    inside = often = 0
    shown = {row.id for one in played.heard for row in one.said}
    for row in lost:
        if row.id in shown:
            return None  # it came, and was not handed out
        due = [one for one in played.heard if any(other is row for other in one.truth)]
        if not due or any(_contradicts(one) or any(lie.always for lie in one.told) for one in due):
            return None
        if len(due) >= 3:
            often += 1
        elif all(_inside(one, row) for one in due):
            inside += 1
        else:
            return None
    told = [f"{often} rows were left out of three answers and more"] if often else []
    told += [f"{inside} were left out in the middle of an answer that nothing contradicts"] if inside else []
    return ", ".join(told)


def _contradicts(heard: Heard) -> bool:
    """Return True if an answer counts more rows than the window could have shown on that page."""
    lie = any(one.name.startswith("count wrong") for one in heard.told)
    return heard.counted is not None and heard.counted > len(heard.said) and not lie


def _inside(heard: Heard, row: Row) -> bool:
    """Return True if a row was left out between two others that came."""
    at = next(number for number, one in enumerate(heard.truth) if one is row)
    said = {id(one) for one in heard.said}
    return any(id(one) in said for one in heard.truth[:at]) and any(
        id(one) in said for one in heard.truth[at + 1 :]
    )


def _never_contradicted(world: World, played: Played, ids: Sequence[str]) -> str | None:
    """Return the reason why nothing could have told that rows are misdated or do not match.

    Excused is a row of a lie at random that every answer which showed it dated alike, inside the window that was asked.
    """
    # A zone is named in no search; one search for a row's own second shows that it is wrong.
    if not world.lies or any(lie.name == "wrong zone named" for lie in world.lies):
        return None
    wanted = set(ids)
    dates: dict[str, set[int]] = {id: set() for id in wanted}
    for heard in played.heard:
        for row in heard.said:
            if row.id in wanted:
                dates[row.id].add(row.ms // 1000)
                inside = heard.asked["fromTriggerTime"] <= row.ms < heard.asked["toTriggerTime"]
                if not inside or any(lie.always for lie in heard.told):
                    return None
    if any(len(seconds) != 1 for seconds in dates.values()):
        return None
    return f"{len(wanted)} rows were dated alike in every answer that showed them"


_PROBES = (
    ("before", "last", "ASC", 0), ("first", "after", "DESC", 0), ("before", "after", "ASC", 0),
    ("before", "after", "DESC", 0), ("middle", "after", "ASC", 0), ("before", "middle", "DESC", 0),
    ("before", "after", "ASC", 1), ("behind", "ahead", "ASC", 0), ("behind", "ahead", "DESC", 0),
    ("behind", "ahead", "ASC", 1),
)  # fmt: skip
"""Where a client looks that knows a row before those that are lost and one after them: from where, to where, in which
direction, and at which page. The last looks leave the seconds of the known rows out, which fill small pages."""


_FEW = 3
"""Rows of a page that few invisible rows fill."""


def _behind_invisible(world: World, number: int, played: Played, lost: Sequence[Row]) -> str | None:
    query, quirks = world.query, world.scans[number]
    # Nothing but the rights may excuse: a range that is cut short, say, is looked at in narrower windows. Small pages
    # stay small, since few invisible rows fill them.
    plain = replace(quirks, ties="insertion", widest=0, depth=NEVER, past_end="nothing")
    service = Service(world.rows, plain, Random(2))
    given = {one.id for one in played.given}
    missing = {row.id for row in lost}
    must, _ = _oracle(world, number)
    least = min(world.reader.page_size, quirks.cap, quirks.cap_filtered, quirks.largest)
    if missing & {row.id for one in played.heard for row in one.said}:
        return None  # it came, and was not handed out
    for kind in sorted({row.type for row in lost}):
        times = sorted(row.ms for row in must if row.type == kind and row.id in given)
        for at in sorted({bisect_left(times, row.ms) for row in lost if row.type == kind}):
            before = times[at - 1] // 1000 * 1000 if at else query.first
            after = times[at] // 1000 * 1000 + 1000 if at < len(times) else query.last
            places = {
                "first": query.first, "before": before, "behind": min(before + 1000, after) if at else before,
                "middle": (before + after) // 2, "ahead": max(after - 1000, before) if at < len(times) else after,
                "after": after, "last": query.last,
            }  # fmt: skip
            for first, last, order, page in _PROBES:
                if "middle" in (first, last) and least <= _FEW and not any(given):
                    continue  # a question with no answer is not asked in parts
                for size in (world.reader.page_size, 4 * world.reader.page_size, 100, 20, 5, 1):
                    asked = {
                        "type": kind,
                        "fromTriggerTime": places[first],
                        "toTriggerTime": places[last],
                        "status": ",".join(map(str, query.status)),
                        "owner": query.owner,
                        "expression": query.expression,
                        "pagination": {
                            "pageNo": quirks.base + page,
                            "pageSize": size,
                            "sorters": [{"field": "trigger_time", "order": order}],
                        },
                    }
                    if any(one.id in missing for one in service.search(asked).rows):
                        return None
    return "more rows that the user may not see than a page holds, on both sides of those that are lost"
