"""Are all times right over a year in which clocks change twice, in every order?

20,000 instances of a year, and 400 more around each change of the clocks, in zones with and without daylight saving time.
The service names its zone in full, or the session is given it. "Wrong" instants are trigger, start, end and creation times
that differ from those in the emulator's database. "Wrong" durations differ from its ends minus its starts. "Misplaced"
instances precede the one before them, by the instants in that database. "Amiss" are lost and doubled instances. All must
be 0; the exit code is 1 if one is not.

"Open" instances are not judged by the time in question: the run waited or lasted so long that a reading one pass earlier
also begins after its trigger and ends after its start, so that nothing in the answer shows which of the two it was.

    python benchmarks/clocks.py [--instances 20000] [--seed 1] [--only "Berlin,given"]
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import FlowInstance, FlowQuery
from aioflows.emulator import Emulator
from benchmarks.worlds import Table, arguments, session_to, virtually

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai")
ORDERS = (
    None,
    *(
        f"{sign}{field}"
        for field in ("trigger_time", "start_time", "end_time", "create_time")
        for sign in ("", "-")
    ),
    ("start_time", "-end_time"),
    ("-trigger_time", "start_time"),
)
AROUND = 400
HOUR = 3_600_000

Truth = dict[str, tuple[int | None, ...]]
"""For each id: its trigger, start, end and creation (ms)."""

PLACES = {"trigger_time": 0, "start_time": 1, "end_time": 2, "create_time": 3}


def changes(zone: str, from_ms: int, to_ms: int) -> list[int]:
    """Return the hours of a range in which clocks are changed."""
    known = ZoneInfo(zone)
    offsets = [
        (ms, datetime.fromtimestamp(ms / 1000, UTC).astimezone(known).utcoffset())
        for ms in range(from_ms, to_ms, HOUR // 2)
    ]
    return [ms for (_, before), (ms, after) in pairwise(offsets) if before != after]


def truth_of(path: Path) -> Truth:
    """Return the rows of the emulator's database. Answers have whole seconds, but for creation times."""
    with closing(sqlite3.connect(path)) as rows:
        found = rows.execute("SELECT id, trigger_ms, start_ms, end_ms, create_ms FROM inst").fetchall()
    return {
        id: (*(None if ms is None else ms // 1000 * 1000 for ms in times[:3]), times[3])
        for id, *times in found
    }


def seen(one: FlowInstance) -> tuple[int | None, ...]:
    """Return the times of an instance (ms)."""
    times = (one.trigger_time, one.start_time, one.end_time, one.timestamp)
    return tuple(None if time is None else round(time.timestamp() * 1000) for time in times)


def open_rows(truth: Truth, zone: str) -> set[str]:
    """Return the ids of instances with two readings that fit."""
    known, found = ZoneInfo(zone), set()
    for id, times in truth.items():
        for place in (1, 2):
            time, least = times[place], times[place - 1] if times[place - 1] is not None else times[0]
            if time is None or least is None:
                continue
            shown = datetime.fromtimestamp(time / 1000, UTC).astimezone(known)
            first = shown.replace(fold=0).timestamp() * 1000
            if shown.fold and least <= first < time:
                found.add(id)
    return found


def misplaced(ids: list[str], truth: Truth, order: object) -> int:
    """Return the number of instances that precede the one before them."""
    if order is None:
        return 0
    names = [order] if isinstance(order, str) else list(order)  # type: ignore[call-overload]
    signs = [(-1 if name.startswith("-") else 1, PLACES[name.lstrip("-")]) for name in names]
    wrong = 0
    for one, other in pairwise(ids):
        for sign, place in signs:
            a, b = truth[one][place], truth[other][place]
            if a is None or b is None or a == b:
                if a == b:
                    continue
                break  # the service decides where rows without the time stand
            wrong += sign * a > sign * b
            break
    return wrong


async def read(path: Path, zone: str, count: int, seed: int, *, given: bool, order: Any) -> list[int]:
    """Return the counts of one scan: wrong instants, wrong durations, misplaced, amiss and open."""
    with Emulator(
        count,
        seed,
        path=path,
        zone=zone,
        days=366,
        profile="uniform",
        schedule_types=(1,),
        full_zone_name=not given,
    ) as emulator:
        rng = random.Random(seed)
        if emulator.instances == count:
            for hour in changes(zone, emulator.start_ms, emulator.end_ms):
                for number in range(AROUND):
                    emulator.insert(
                        hour + rng.randrange(-2 * HOUR, 2 * HOUR), instance_id=f"{hour}-{number:03}"
                    )
        query = FlowQuery(emulator.start, emulator.end, type=1, order_by=order)
        async with session_to(emulator, page_size=500, server_timezone=zone if given else None) as session:
            got = await session.scan(query).list()
    truth = truth_of(path)
    ids = [one.instance_id for one in got]
    times = {one.instance_id: seen(one) for one in got}
    two = open_rows(truth, zone)
    lengths = {id: None if None in row[1:3] else row[2] - row[1] for id, row in truth.items()}  # type: ignore[operator]
    return [
        sum(a != b for id in ids if id not in two for a, b in zip(times[id], truth[id], strict=True)),
        sum(
            (None if one.duration is None else round(one.duration.total_seconds() * 1000))
            != lengths[one.instance_id]
            for one in got
            if one.instance_id not in two
        ),
        misplaced([id for id in ids if id not in two], truth, order),
        len(truth.keys() ^ set(ids)) + len(ids) - len(set(ids)),
        len(two),
    ]


def main() -> int:
    """Print a line for each zone and order."""
    options = arguments(__doc__ or "", instances=20_000, seed=1)
    table = Table(
        zone=20, zone_is=7, order=40, wrong_instants=0, wrong_durations=0, misplaced=0, amiss=0, open=0
    )
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for zone in ZONES:
            for given in (True, False):
                for order in ORDERS:
                    name = f"{zone}, {'given' if given else 'named'}, {order}"
                    if not all(word in name for word in options.only):
                        continue
                    path = Path(folder) / f"{zone.replace('/', '-')}.db"
                    counts = virtually(
                        read(path, zone, int(options.instances), int(options.seed), given=given, order=order)
                    )
                    table.row(*name.split(", ", 2), *counts)
                    total += sum(counts[:-1])
    print(f"in all: {total}")
    return int(bool(total))


if __name__ == "__main__":
    sys.exit(main())
