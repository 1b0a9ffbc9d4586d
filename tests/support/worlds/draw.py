"""Draws a world from a seed: a table, a service with any mixture of quirks, a query, and who reads it in which way.

Each quirk is likely enough by itself that pairs and triples of them meet within a few thousand seeds. The sizes follow
from the quirks, so that a world costs some ten to some hundred requests: where pages are small, rows are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.support.worlds.lies import LIES, Lie
from tests.support.worlds.service import BAD_SIZE, DAY, NEVER, Quirks, Row

__all__ = ["Query", "Reader", "World", "draw"]

START = 1_725_148_800_000
"""2024-09-01 00:00 UTC: ranges of a year and their clocks lie around it."""

SIZES = (5, 10, 20, 50, 100, 500)
NAMES = (
    "hourly-report", "Hourly-Report", "daily_load", "daily-load", "Monthly 100%", "日报-汇总", "etl_01", "ETL_01", "cleanup",
    "a_b", "axb", "wind-turbine.sync", "sync", "load",
)  # fmt: skip
OWNERS = ("zhang.min", "Zhang.Min", "li.wei", "wang.fang", "LI.WEI", "o'brien", "admin")
TEXTS = ("hourly", "load", "sync", "a_b", "_0", "report", "20", "-", "1", "日报", "%", "nowhere")
STATUSES = (1, 1, 1, 1, 1, -1, 2, 0, 8, 5)


@dataclass(frozen=True)
class Query:
    """What is asked.

    Args:
        first: the first trigger time (ms).
        last: the first trigger time no longer meant (ms).
        type: one schedule type; None: all three.
        status: status codes.
        owner: the owner.
        expression: the text.
        order: what it is ordered by.
    """

    first: int
    last: int
    type: int | None = None
    status: tuple[int, ...] = ()
    owner: str = ""
    expression: str = ""
    order: str | None = "trigger_time"


@dataclass(frozen=True)
class Reader:
    """How it is read.

    Args:
        page_size: rows of a page.
        concurrency: requests in flight.
        buffer: rows read ahead.
        how: items, pages, list.
        limit: rows in all; None: every one.
        stops: after how many rows it stops and goes on by a checkpoint; None: it does not.
        anew: whether it goes on in another session.
        told_zone: whether it is told the zone.
        told_page: whether it is told the number of the first page.
        latency: seconds of the slowest request.
    """

    page_size: int
    concurrency: int
    buffer: int
    how: str
    limit: int | None
    stops: int | None
    anew: bool
    told_zone: bool
    told_page: bool
    latency: float


@dataclass
class World:
    """All that is drawn from a seed.

    Args:
        seed: the seed.
        profile: how the rows lie in time.
        ids: what the ids look like.
        rows: the table.
        scans: the quirks of the service at each scan of the session.
        query: what is asked.
        reader: how it is read.
        lies: what the service lies about.
    """

    seed: int
    profile: str
    ids: str
    rows: list[Row]
    scans: list[Quirks]
    query: Query
    reader: Reader
    lies: tuple[Lie, ...] = ()
    quirk_names: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        query, reader = self.query, self.reader
        asked = [f"{(query.last - query.first) / DAY:.2f} days" if query.first >= START else "wide"]
        asked += [f"type {query.type}" if query.type is not None else "all types", f"by {query.order}"]
        asked += [
            f"{name} {value!r}"
            for name in ("status", "owner", "expression")
            if (value := getattr(query, name))
        ]
        read = f"{reader.how}, pages of {reader.page_size}, {reader.concurrency} in flight"
        read += f", limit {reader.limit}" if reader.limit is not None else ""
        read += f", stops after {reader.stops}" if reader.stops is not None else ""
        changed = f" THEN {self.scans[1].beside(self.scans[0])}" if len(self.scans) > 1 else ""
        lies = f" | LIES {', '.join(map(str, self.lies))}" if self.lies else ""
        return (
            f"{len(self.rows)} rows, {self.profile}, {self.ids} ids | {self.scans[0]}{changed}{lies} | "
            f"{', '.join(asked)} | {read}"
        )


def draw(seed: int, *, dishonest: bool = False) -> World:
    """Draw the world of a seed."""
    rng = Random(f"world {seed} {dishonest}")
    reader = _reader(rng)
    quirks, names = _quirks(rng, reader.page_size, often=0.4 if dishonest else 1.0)
    deep = rng.random() < 0.04
    if deep:  # one millisecond that pages do not reach the end of, and a text that may not be exchanged
        quirks = replace(
            quirks, depth=rng.randint(10, 60), too_deep=rng.choice(["nothing", "last", "cut", *BAD_SIZE])
        )
        names = (*names, "a deep instant with a text")
    lies = tuple(LIES[name].drawn(rng) for name in _some(rng, list(LIES))) if dishonest else ()
    kind = rng.choice([None, None, 1, 1, 0, 2])
    profile = rng.choice(
        ["uniform", "uniform", "cron", "cron", "second", "instant", "few", "sparse then dense"]
    )
    effective = min(
        reader.page_size, quirks.cap, quirks.cap_filtered, quirks.largest, quirks.depth,
        quirks.cap_by_type[1] if quirks.cap_by_type else NEVER, 1 + quirks.cap_bytes // 900,
    )  # fmt: skip
    most = min(3000, max(12, effective * rng.choice([3, 10, 30, 80])))
    if deep:
        profile, most, effective = "instant", 500, effective * rng.randint(1, 12)
    if quirks.ties == "heap":
        most = min(most, 1200)
    span = rng.choice([1, 7, 40, 120, 366]) * DAY
    ids = rng.choices(["documented", "opaque", "numbered"], [8, 1, 1])[0]
    rows = _rows(rng, profile, most, effective, span, kind, ids, quirks)
    query = _query(rng, rows, span, kind, quirks)
    if deep:
        query = replace(
            query, expression="2", owner="", status=query.status[:1] if rng.random() < 0.5 else ()
        )
    if reader.limit is not None:
        reader = replace(reader, stops=None)
    scans, changed = _scans(rng, quirks, reader)
    names = (*names, *changed)
    return World(seed, profile, ids, rows, scans, query, reader, lies, names)


def _some(rng: Random, names: Sequence[str]) -> list[str]:
    return rng.sample(names, rng.choices([1, 2, 3], [6, 3, 1])[0])


def _reader(rng: Random) -> Reader:
    limited = rng.random() < 0.1
    return Reader(
        page_size=rng.choice(SIZES),
        concurrency=rng.choice([1, 2, 4, 8, 16, 16]),
        buffer=rng.choice([50, 500, 20_000, 20_000]),
        how=rng.choice(["items", "pages", "list"]),
        limit=rng.randint(1, 300) if limited else None,
        stops=rng.randint(1, 500) if rng.random() < 0.15 else None,
        anew=rng.random() < 0.5,
        told_zone=rng.random() < 0.4,
        told_page=rng.random() < 0.15,
        latency=rng.choice([0.0, 0.1, 0.1]),
    )


ZONES = ((0, "GMT+0"), (330, "GMT+5:30"), (480, "GMT+8"), (-300, "GMT-5"))


def _quirks(rng: Random, page_size: int, *, often: float) -> tuple[Quirks, tuple[str, ...]]:
    """Draw the quirks, and the names under which they are counted."""
    chosen: dict[str, Any] = {}
    names: list[str] = []

    def odd(name: str, share: float, **values: Any) -> None:
        if rng.random() < share * often:
            names.append(name)
            chosen.update(values)

    def small() -> int:
        sizes = [
            1,
            2,
            3,
            rng.randint(4, 20),
            rng.randint(5, 100),
            rng.randint(20, 1000),
            page_size,
            2 * page_size,
        ]
        return rng.choice(sizes)

    zone = rng.choice(ZONES)
    chosen.update(offset_minutes=zone[0], zone_name=zone[1])
    zero = rng.choice(["first", "empty", "error", "1004"])
    odd(f"base 1, page 0 {zero}", 0.4, base=1, page_zero=zero)
    odd("cap", 0.25, cap=small())
    odd("cap by type", 0.1, cap_by_type=(rng.choice([0, 1, 2]), small()))
    odd("cap with a filter", 0.1, cap_filtered=small())
    odd("cap in bytes", 0.12, cap_bytes=rng.choice([500, 2_000, 10_000, 40_000]))
    odd("offset by the size asked", 0.3, offset_by_asked=True)
    guise = rng.choice(["nothing", "default", "silent", *rng.sample(BAD_SIZE, 2)])
    largest = rng.choice([5, 10, 20, 50, 100, 200, 500, 1000, rng.randint(1, 1000)])
    default = {"default_size": rng.choice([10, 20])} if guise == "default" else {}
    odd(f"too large: {guise}", 0.22, largest=largest, too_large=guise, **default)
    guise = rng.choice(["nothing", "last", "first", "cut", rng.choice(BAD_SIZE)])
    odd(
        f"too deep: {guise}",
        0.22,
        depth=rng.choice([10, 50, 100, 400, 500, 1000, rng.randint(10, 2000)]),
        too_deep=guise,
    )
    odd("past the end: last page", 0.1, past_end="last")
    nothing = rng.choice(["null", "absent", "no data", "null data"])
    odd(f"nothing: {nothing}", 0.35, nothing=nothing)
    odd("no count of nothing", 0.3, zero_count=False)
    count = rng.choice(["total", "absent"])
    odd(f"count: {count}", 0.5, count=count)
    ties = rng.choice(["id", "random", "top", "heap", "flip"])
    flip = {"flip_at": rng.choice([page_size, 3 * page_size, rng.randint(1, 500)])} if ties == "flip" else {}
    odd(f"ties: {ties}", 0.5, ties=ties, **flip)
    odd("ties fall", 0.5, ties_fall=True)
    odd("sorted by the second", 0.25, resolution=1000)
    several = rng.choice(["first", "refused"])
    odd(f"several sorters: {several}", 0.4, sorters=several)
    bounds = rng.choice(["included", "cut", "rounded", "cut and included"])
    odd(f"bounds: {bounds}", 0.25, bounds=bounds)
    form = rng.choice(["T", "fraction", "T fraction"])
    odd(f"times: {form}", 0.2, time_form=form)
    guise = rng.choice(["last", "first", *rng.sample(BAD_SIZE, 2)])
    odd(f"too wide: {guise}", 0.12, widest=rng.choice([7, 31, 90]), too_wide=guise)
    how = rng.choice(["any case", "wildcards"])
    odd(f"expression: {how}", 0.4, expression=how)
    odd("owner: any case", 0.3, owner="any case")
    nulls = rng.choice(["largest", "first", "last"])
    odd(f"nulls: {nulls}", 0.4, nulls=nulls)
    odd("rights after paging", 0.15, rights=True, raw_total=rng.random() < 0.15)
    return Quirks(**chosen), tuple(names)


def _scans(rng: Random, quirks: Quirks, reader: Reader) -> tuple[list[Quirks], tuple[str, ...]]:
    """Draw what the service is at each scan of the session: one scan mostly, two where something changes."""
    if rng.random() >= 0.2:
        return [quirks], ()
    kind = rng.choice(["cap lowered", "cap raised", "first page changed", "largest changed"])
    half = max(1, min(reader.page_size, quirks.cap) // rng.choice([2, 3, 5]))
    if kind == "cap lowered":
        return [quirks, replace(quirks, cap=half)], (kind,)
    if kind == "cap raised":
        return [replace(quirks, cap=half), quirks], (kind,)
    if kind == "largest changed":
        refused = replace(quirks, largest=half, too_large=rng.choice(["nothing", "default", *BAD_SIZE]))
        return ([quirks, refused], (kind,)) if rng.random() < 0.5 else ([refused, quirks], (kind,))
    if reader.told_page:
        return [quirks], ()
    zero = rng.choice(["first", "empty", "error", "1004"])
    return [quirks, replace(quirks, base=1 - quirks.base, page_zero=zero)], (kind,)


# The table


def _rows(
    rng: Random,
    profile: str,
    most: int,
    effective: int,
    span: int,
    kind: int | None,
    ids: str,
    quirks: Quirks,
) -> list[Row]:
    times = _times(rng, profile, most, effective, span)
    rng.shuffle(times)
    if rng.random() < 0.5:
        times.sort()  # as they are inserted mostly
    types = [0, 1, 2] if rng.random() < 0.6 else [rng.choice([0, 1, 2])]
    if kind is not None and rng.random() < 0.9:
        types = [kind] * 8 + [(kind + 1) % 3, (kind + 2) % 3]
    wide = rng.random() < 0.3 or quirks.cap_bytes < NEVER
    share = rng.choice([0.2, 0.5, 0.8, 0.95])
    runs = quirks.rights and rng.random() < 0.4
    taken: set[str] = set()
    rows = []
    for number, ms in enumerate(times):
        started = rng.random() < 0.9
        start = ms + rng.randrange(60) * 1000 if started else None
        end = start + rng.randrange(600) * 1000 if start is not None and rng.random() < 0.9 else None
        width = rng.choice([0, 10, 200, 2_000]) if wide else 0
        type = rng.choice(types)
        rows.append(
            Row(
                number, type, ms, _id(rng, ids, number, ms, quirks, taken), rng.choice(NAMES), rng.choice(OWNERS),
                rng.choice(STATUSES), start, end, ms - rng.randrange(5_000), width,
                not quirks.rights or runs or rng.random() < share,
            )
        )  # fmt: skip
    if runs:
        _hide_runs(rng, rows, effective)
    return rows


def _hide_runs(rng: Random, rows: Sequence[Row], effective: int) -> None:
    """Make runs of neighbours invisible, some of them longer than a page."""
    ordered = sorted(rows, key=lambda row: (row.type, row.ms))
    at = 0
    while at < len(ordered):
        at += rng.randint(1, 4 * effective)
        run = rng.choice([2, effective // 2, effective, effective + 3, 2 * effective, 4 * effective])
        for row in ordered[at : at + run]:
            row.visible = False
        at += run


def _times(rng: Random, profile: str, most: int, effective: int, span: int) -> list[int]:
    """Draw trigger times of a profile, in ms."""
    crowd = min(most, max(3, int(effective * rng.choice([0.8, 1, 1.3, 2.5, 4]))), 800)
    if profile == "few":
        return [START + rng.randrange(span) for _ in range(rng.randint(0, 12))]
    if profile == "uniform":
        return [START + rng.randrange(span) for _ in range(rng.randint(most // 4, most))]
    if profile == "cron":
        hours = max(1, span // 3_600_000)
        each = max(1, most // (2 * hours))
        step = max(1, hours * each * 2 // max(1, most))
        times = [
            START + hour * 3_600_000 + rng.choice([0, 0, 0, rng.randrange(3_000)])
            for hour in range(0, hours, step) for _ in range(each)
        ]  # fmt: skip
        for day in rng.sample(range(max(1, span // DAY)), min(max(1, span // DAY), rng.randint(1, 4))):
            if len(times) < most:
                times += [START + day * DAY + rng.choice([0, rng.randrange(1_000)]) for _ in range(crowd)]
        return [time for time in times if time < START + span][: most + crowd]
    background = [START + rng.randrange(span) for _ in range(rng.randint(0, most // 2))]
    if profile == "second":
        for _ in range(rng.randint(1, 3)):
            at = START + rng.randrange(span) // 1000 * 1000
            background += [at + rng.randrange(1000) for _ in range(crowd)]
        return background
    if profile == "instant":
        for _ in range(rng.randint(1, 2)):
            at = START + rng.randrange(span) // 1000 * 1000 + rng.choice([0, 0, rng.randrange(1000)])
            background += [at] * crowd
        return background
    late = START + int(span * rng.uniform(0.7, 0.97))
    dense = [late + rng.randrange(START + span - late) for _ in range(most * 3 // 4)]
    return dense + [START + rng.randrange(span) for _ in range(rng.randint(0, 12))]


def _id(rng: Random, ids: str, number: int, ms: int, quirks: Quirks, taken: set[str]) -> str:
    if ids == "opaque":
        return f"{rng.getrandbits(64):016x}"
    if ids == "numbered":
        return f"inst{number + 1000}"
    wall = _EPOCH + timedelta(seconds=ms // 1000 + quirks.offset_minutes * 60)
    while True:
        id = f"{rng.randint(1, 9999)}-{wall:%Y%m%d%H%M%S}"
        if id not in taken:
            taken.add(id)
            return id


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


# The query


def _query(rng: Random, rows: Sequence[Row], span: int, kind: int | None, quirks: Quirks) -> Query:
    first, last = START, START + span
    reach = rng.choice(["whole", "whole", "part", "wide", "row to row"])
    if reach == "part":
        first += rng.randrange(span // 2) // 1000 * 1000
        last -= rng.randrange(span // 2) // 1000 * 1000
    elif reach == "wide":
        first -= rng.randint(1, 3 * 366) * DAY
        last += rng.randint(1, 2 * 366) * DAY
    elif reach == "row to row" and rows:
        first, last = sorted((rng.choice(rows).ms, rng.choice(rows).ms))
        if quirks.bounds != "half-open" or rng.random() < 0.5:
            first, last = first // 1000 * 1000, last // 1000 * 1000
        last = max(last, first + 1000)
    status: tuple[int, ...] = ()
    if rng.random() < 0.3:
        status = tuple(rng.sample([1, -1, 2, 0, 8, 5, 10], rng.choice([1, 1, 2, 3])))
    owner = rng.choice(OWNERS) if rng.random() < 0.2 else ""
    expression = rng.choice(TEXTS) if rng.random() < 0.2 else ""
    order = rng.choices(
        ["trigger_time", "-trigger_time", None, "start_time", "-start_time", "create_time", "-create_time"],
        [30, 25, 20, 4, 4, 4, 4],
    )[0]
    return Query(first, last, kind, status, owner, expression, order)
