"""How close does the planner come to the fewest requests and the shortest time, on data of every shape?

The pure machine alone, fed with a year of rows in simulated time: no sockets, no decoding, so the figures are the planner's
own. ``requests`` is against ceil(N / P), ``time`` against ceil(N / P) / C round trips, each as mean and worst of the
seeds beside its limit; ``!`` marks what misses it. Below them, what two plain ways need on the same data: fixed day
windows paged by number, C at once, and one page after the other.

    python benchmarks/planner.py [--instances 60000 600000] [--page-size 100] [--concurrency 16] [--seeds 10]
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import mean

import attrs

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from aioflows._core.scans.signals import DONE, NEED_PAGES
from aioflows._core.wire.zone import Zone
from aioflows.emulator import Emulator
from aioflows.models import FlowInstance

PROFILES = ("uniform", "cron", "sparse-then-dense", "bursty", "midnight")
TIED = ("cron", "bursty", "midnight")
ORDERS = ("ascending", "descending", "unordered")
DAY = 86_400_000
START = 1_704_067_200_000
YEAR = 365 * DAY
NO_CAP = 1 << 30


@attrs.frozen
class Page:
    ids: list[str]
    times: list[str]
    body: bytes = b""
    count: int | None = None
    plan: None = None

    @property
    def size(self) -> int:
        return len(self.body)

    def instances(self, zone: Zone, rows: object, *, offset: int | None = None) -> list[FlowInstance]:
        raise NotImplementedError("nothing is decoded here")


class Data:
    """Rows as the service sorts them."""

    def __init__(self, window: tuple[int, int], rows: list[tuple[int, str]]) -> None:
        self.window = window
        self.times = [ms for ms, _ in rows]
        self.ids = [name for _, name in rows]
        self.texts = [str(datetime.fromtimestamp(ms // 1000, tz=UTC))[:19] for ms in self.times]

    @classmethod
    def emulated(cls, profile: str, instances: int, seed: int) -> Data:
        emulator = Emulator(instances=instances, seed=seed, profile=profile, schedule_types=(1,))
        emulator.open()
        window = (emulator.start_ms, emulator.end_ms)
        rows = sorted(emulator.matching(*window))
        emulator.close()
        return cls(window, rows)

    @classmethod
    def shaped(cls, shape: str, instances: int, seed: int) -> Data:
        draw, rng = SHAPES[shape], random.Random(f"{shape} {seed}")
        seconds = sorted(int(draw(rng) * (YEAR // 1000)) for _ in range(instances))
        rows = [(START + second * 1000, f"1-{number:08d}") for number, second in enumerate(seconds)]
        return cls((START, START + YEAR), rows)

    def answer(self, ask: PageRequest, cap: int) -> Page:
        low, high = bisect_left(self.times, ask.from_ms), bisect_left(self.times, ask.to_ms)
        skip, size = ask.page_no * ask.page_size, min(ask.page_size, cap)
        if ask.descending:
            end = max(low, high - skip)
            rows = slice(max(low, end - size), end)
            return Page(self.ids[rows][::-1], self.texts[rows][::-1])
        start = min(high, low + skip)
        rows = slice(start, min(high, start + size))
        return Page(self.ids[rows], self.texts[rows])


def day_and_night(rng: random.Random) -> float:
    """By day the most at noon, by night a twentieth of it."""
    while True:
        at = rng.random()
        if rng.random() < 0.05 + 0.95 * max(0.0, math.sin((at * 365 % 1 - 0.25) * 2 * math.pi)):
            return at


def clumps(rng: random.Random) -> float:
    """One row in ten anywhere, all others in 300 minutes of the year."""
    return (
        rng.random()
        if rng.random() < 0.1
        else (rng.randrange(300) + 0.37) / 300 + rng.random() / (365 * 1440)
    )


SHAPES: dict[str, Callable[[random.Random], float]] = {
    "day and night": day_and_night,
    "working days": lambda rng: (rng.randrange(52) * 7 + rng.randrange(5) + rng.uniform(0.3, 0.75)) / 365,
    "one long void": lambda rng: rng.uniform(0, 0.35) if rng.random() < 0.5 else rng.uniform(0.7, 1),
    "two islands": lambda rng: rng.choice((0.2, 0.7)) + rng.random() * (0.01 if rng.random() < 0.98 else 0.3),
    "dense, then sparse": lambda rng: rng.random() * 0.05 if rng.random() < 0.98 else rng.uniform(0.05, 1),
    "clumps": clumps,
}


@attrs.frozen
class Limit:
    """The most that requests and time may be, against the least possible; None: as it comes."""

    requests: float | None
    time: float | None

    @classmethod
    def of(cls, profile: str, order: str, instances: int, cap: int) -> Limit:
        if profile in SHAPES:
            return cls(None, None)
        if cap < NO_CAP:
            return cls(2.0, None)
        usual = 1.04 if order == "unordered" else 1.1
        requests = 1.0 if profile in ("bursty", "midnight") else usual
        if profile == "bursty":
            return cls(requests, 1.5)
        if order == "unordered":
            return cls(requests, 1.2)
        return cls(requests, 1.15 if instances >= 600_000 else 1.3)


@attrs.frozen
class Simulated:
    """What a scan came to, in simulated time.

    Attributes:
        rows: how many it gave.
        asked: requests.
        rounds: its time, in round trips.
        spent: seconds that were spent on planning.
    """

    rows: int
    asked: int
    rounds: float
    spent: float


def simulated(
    scan: KeysetScan, slots: int, answer: Callable[[PageRequest], Page], rng: random.Random
) -> Simulated:
    """Run a scan to its end, with round trips of 0.9 to 1.1."""
    scan.set_zone(Zone.parse("UTC"))
    under_way: list[tuple[float, int, PageRequest]] = []
    now, asked, got, spent = 0.0, 0, 0, 0.0
    while True:
        began = time.perf_counter()
        item = scan.next_item()
        scan.drain_events()
        new = scan.wanted(slots - len(under_way))
        spent += time.perf_counter() - began
        for ask in new:
            asked += 1
            heapq.heappush(under_way, (now + rng.uniform(0.9, 1.1), asked, ask))
        if item is DONE:
            return Simulated(got, asked, now, spent)
        if item is not NEED_PAGES:
            got += len(item.batch)
            continue
        now, _, ask = heapq.heappop(under_way)
        page = answer(ask)
        began = time.perf_counter()
        scan.received(ask, page)
        spent += time.perf_counter() - began


def run(
    data: Data, options: argparse.Namespace, order: str, cap: int, seed: int
) -> tuple[float, float, float]:
    """Read everything; give requests and time against the least possible, and microseconds of planning a page."""
    scan = KeysetScan(
        [data.window],
        service=ServiceFacts(),
        descending=order == "descending",
        ordered=order != "unordered",
        page_size=options.page_size,
        concurrency=options.concurrency,
        buffer=options.buffer,
    )
    done = simulated(scan, options.concurrency, lambda ask: data.answer(ask, cap), random.Random(seed))
    assert done.rows == len(data.times), f"{done.rows} rows of {len(data.times)}"
    least = math.ceil(done.rows / options.page_size)
    return done.asked / least, done.rounds / (least / options.concurrency), done.spent / done.asked * 1e6


def day_windows(data: Data, options: argparse.Namespace, cap: int) -> tuple[float, float]:
    """A page loop for each day, so many days at once: its requests and its time."""
    days = Counter((ms - data.window[0]) // DAY for ms in data.times)
    size = min(options.page_size, cap)
    chains = [days[day] // size + 1 for day in range(-(-(data.window[1] - data.window[0]) // DAY))]
    slots = [0.0] * options.concurrency
    for chain in chains:
        heapq.heappush(slots, heapq.heappop(slots) + chain)
    least = math.ceil(len(data.times) / options.page_size)
    return sum(chains) / least, max(slots) / (least / options.concurrency)


def column(values: list[float], limit: float | None) -> str:
    """Mean and worst beside the limit, each marked if it misses that."""
    marks = [
        "!" if limit is not None and round(value, 3) > limit else " " for value in (mean(values), max(values))
    ]
    beside = f"<= {limit:.2f}" if limit is not None else ""
    return f"{mean(values):8.3f}{marks[0]}{max(values):7.3f}{marks[1]}{beside:8}"


def table(options: argparse.Namespace, instances: int, profiles: tuple[str, ...], cap: int) -> None:
    seeds = max(2, options.seeds * 60_000 // instances) if instances > 60_000 else options.seeds
    capped = f", no page larger than {cap}" if cap < NO_CAP else ""
    print(
        f"\n{instances:,} instances in a year, pages of {options.page_size}{capped}, {options.concurrency} in flight, "
        f"round trips of 0.9 to 1.1, {seeds} seeds; x the least possible"
    )
    print(
        f"{'':19}{'order':12}{'requests':>8}{'worst':>8}{'limit':>8}{'time':>9}{'worst':>8}{'limit':>8}{'us/page':>10}"
    )
    for profile in profiles:
        make = Data.shaped if profile in SHAPES else Data.emulated
        worlds = [make(profile, instances, seed) for seed in range(1, seeds + 1)]
        for order in ORDERS:
            limit = Limit.of(profile, order, instances, cap)
            runs = [run(world, options, order, cap, seed) for seed, world in enumerate(worlds)]
            requests, seconds, spent = (list(values) for values in zip(*runs, strict=True))
            columns = f"{column(requests, limit.requests)} {column(seconds, limit.time)}"
            print(f"{profile:19}{order:12}{columns}{mean(spent):7.0f}")
        plain = [day_windows(world, options, cap) for world in worlds]
        requests, seconds = (list(values) for values in zip(*plain, strict=True))
        print(f"{'':19}{'day windows':12}{column(requests, None)} {column(seconds, None)}")
        loop = 1 + 1 / math.ceil(instances / options.page_size)
        print(f"{'':19}{'one by one':12}{loop:8.3f}{options.concurrency * loop:25.2f}", flush=True)


def main(options: argparse.Namespace) -> None:
    for instances in options.instances:
        table(options, instances, PROFILES, NO_CAP)
        table(options, instances, TIED, options.page_size)
    table(options, min(options.instances), tuple(SHAPES), NO_CAP)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, nargs="+", default=[60_000, 600_000])
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--buffer", type=int, default=20_000)
    parser.add_argument(
        "--seeds", type=int, default=10, help="worlds of 60,000 rows; of larger ones fewer, two at least"
    )
    main(parser.parse_args())
