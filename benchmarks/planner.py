"""How close does the planner come to the fewest requests and the shortest time, on data of every shape?

The pure machine alone, fed from the emulator's data in simulated time: no sockets, no decoding, so the figures are the
planner's own. ``requests`` is against ceil(N / P); ``time`` against ceil(N / P) / C round trips. Beside them, what two
plain ways need on the same data: fixed day windows paged by number, C at once, and one page after the other.

    python benchmarks/planner.py [--instances 60000] [--page-size 100] [--concurrency 16] [--page-cap N] [--seeds 3]
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
import time
from bisect import bisect_left
from collections import Counter
from datetime import UTC, datetime
from statistics import mean

import attrs

from aioflows._core.pages import Ask
from aioflows._core.scan import DONE, NEED_PAGES, Scan
from aioflows._core.service import Service
from aioflows._core.times import Zone
from aioflows.emulator import Emulator
from aioflows.models import FlowInstance

PROFILES = ("uniform", "cron", "sparse-then-dense", "bursty", "midnight")
DAY = 86_400_000


@attrs.frozen
class Page:
    ids: list[str]
    times: list[str]

    def instances(self, zone: Zone, rows: object, *, offset: int | None = None) -> list[FlowInstance]:
        raise NotImplementedError("nothing is decoded here")


class Data:
    """A year of rows, as the service sorts them."""

    def __init__(self, profile: str, instances: int, seed: int) -> None:
        emulator = Emulator(instances=instances, seed=seed, profile=profile, schedule_types=(1,))
        emulator.open()
        self.window = (emulator.start_ms, emulator.end_ms)
        rows = sorted(emulator.matching(*self.window))
        emulator.close()
        self.times = [ms for ms, _ in rows]
        self.ids = [name for _, name in rows]
        self.texts = [str(datetime.fromtimestamp(ms // 1000, tz=UTC))[:19] for ms in self.times]

    def answer(self, ask: Ask, cap: int) -> Page:
        low, high = bisect_left(self.times, ask.from_ms), bisect_left(self.times, ask.to_ms)
        skip, size = ask.page_no * ask.page_size, min(ask.page_size, cap)
        if ask.descending:
            end = max(low, high - skip)
            rows = slice(end - 1, max(low, end - size) - 1 if max(low, end - size) else None, -1)
            return Page(self.ids[rows], self.texts[rows]) if end > low else Page([], [])
        start = min(high, low + skip)
        return Page(self.ids[start : min(high, start + size)], self.texts[start : min(high, start + size)])


def run(data: Data, options: argparse.Namespace, order: str, seed: int) -> tuple[float, float, float]:
    """Read everything; give requests and time against the least possible, and microseconds of planning a page."""
    rng = random.Random(seed)
    scan = Scan(
        [data.window],
        service=Service(),
        descending=order == "descending",
        ordered=order != "unordered",
        page_size=options.page_size,
        concurrency=options.concurrency,
        buffer=options.buffer,
    )
    scan.read_in(Zone.parse("UTC"))
    under_way: list[tuple[float, int, Ask]] = []
    now, asked, got, spent = 0.0, 0, 0, 0.0
    while True:
        began = time.perf_counter()
        item = scan.next_item()
        new = scan.wanted(options.concurrency - len(under_way))
        spent += time.perf_counter() - began
        for ask in new:
            asked += 1
            heapq.heappush(under_way, (now + rng.uniform(0.9, 1.1), asked, ask))
        if item is DONE:
            break
        if item is not NEED_PAGES:
            got += len(item.batch)
            continue
        now, _, ask = heapq.heappop(under_way)
        page = data.answer(ask, options.page_cap)
        began = time.perf_counter()
        scan.received(ask, page)
        spent += time.perf_counter() - began
    assert got == len(data.times), f"{got} rows of {len(data.times)}"
    least = math.ceil(got / options.page_size)
    return asked / least, now / (least / options.concurrency), spent / asked * 1e6


def day_windows(data: Data, options: argparse.Namespace) -> tuple[float, float]:
    """A page loop for each day, so many days at once: its requests and its time."""
    days = Counter((ms - data.window[0]) // DAY for ms in data.times)
    size = min(options.page_size, options.page_cap)
    chains = [days[day] // size + 1 for day in range(-(-(data.window[1] - data.window[0]) // DAY))]
    slots = [0.0] * options.concurrency
    for chain in chains:
        heapq.heappush(slots, heapq.heappop(slots) + chain)
    least = math.ceil(len(data.times) / options.page_size)
    return sum(chains) / least, max(slots) / (least / options.concurrency)


def main(options: argparse.Namespace) -> None:
    print(
        f"{options.instances:,} instances in a year, pages of {options.page_size}, {options.concurrency} in flight, "
        f"round trips of 0.9 to 1.1, mean of {options.seeds} seeds; x the least possible"
    )
    print(f"{'':20}{'order':12}{'requests':>10}{'time':>8}{'us/page':>9}")
    for profile in PROFILES:
        worlds = [Data(profile, options.instances, seed) for seed in range(1, options.seeds + 1)]
        for order in ("ascending", "descending", "unordered"):
            requests, seconds, spent = map(
                mean, zip(*(run(world, options, order, 1) for world in worlds), strict=True)
            )
            print(f"{profile:20}{order:12}{requests:10.3f}{seconds:8.2f}{spent:9.0f}")
        requests, seconds = map(mean, zip(*(day_windows(world, options) for world in worlds), strict=True))
        print(f"{'':20}{'day windows':12}{requests:10.3f}{seconds:8.2f}")
        print(
            f"{'':20}{'one by one':12}{1 + 1 / math.ceil(options.instances / options.page_size):10.3f}{options.concurrency:8.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=60_000)
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--page-cap", type=int, default=1 << 30)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--buffer", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=3)
    main(parser.parse_args())
