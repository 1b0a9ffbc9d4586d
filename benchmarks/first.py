"""How long until the first row, whatever is asked for?

The emulator runs in a process of its own, with latency. The base, timed right before each scan and printed as "one page", is one
plain request for a page of the same size from a session of the same kind: a new one, which has to connect, or one that has read
from the service before. "x" is the median of ratios to it, "round trips" the median over the latency. Worlds are spread evenly
over the range, or have all that a platform starts at midnight in their first second, which no page may hold: that second has to be
read to its end before any row of it may go out.

    python benchmarks/first.py [--latency 0.05] [--rounds 7] [--page-size 500]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import EmulatorProcess
from aioflows.query import SortKey
from benchmarks.worlds import ORDERS

INSTANCES = 100_000
WORLDS: dict[str, dict[str, Any]] = {
    "a day": {"days": 1, "profile": "uniform"},
    "a year": {"days": 366, "profile": "uniform"},
    "ten years": {"days": 3_653, "profile": "uniform"},
    "a month, dense start": {"days": 31, "profile": "midnight"},
}


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Do something that has to give a value; give the seconds it took."""
    began = time.perf_counter()
    assert await work(), "there is nothing"
    return time.perf_counter() - began


async def rounds(
    emulator: EmulatorProcess, order: SortKey | None, options: argparse.Namespace, *, known: bool
) -> list[tuple[float, float, int]]:
    """Measure one page and the first row; give the seconds of both, and the requests of the second."""
    query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC, order_by=order)

    def session() -> FlowSession:
        limits = Limits(page_size=options.page_size)
        return FlowSession(emulator.url, user_id="u", org_id="o", limits=limits)

    found = []
    for _ in range(options.rounds):
        async with session() as one, session() as other:
            if known:
                await one.scan(query).first()
                await other.scan(query).first()
            page = await timed(lambda: one.page(query, 0, options.page_size))
            scan = other.scan(query)
            first = await timed(scan.first)
            found.append((page, first, scan.stats.requests))
    return found


def main(options: argparse.Namespace) -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}")
    print(f"{INSTANCES:,} rows, {options.latency * 1000:g} ms, pages of {options.page_size}\n")
    print(
        f"{'':22}{'session':>9}{'order':>11}{'one page':>10}{'first row':>11}{'x':>6}{'round trips':>13}{'requests':>10}"
    )
    for name, world in WORLDS.items():
        with EmulatorProcess(
            instances=INSTANCES, seed=1, schedule_types=(1,), latency=options.latency, **world
        ) as emulator:
            for known in (False, True):
                for order, field in ORDERS.items():
                    found = asyncio.run(rounds(emulator, field, options, known=known))
                    ratio = median(first / page for page, first, _ in found)
                    trips = median(first for _, first, _ in found) / options.latency
                    print(
                        f"{name:22}{'known' if known else 'new':>9}{order:>11}"
                        f"{median(page for page, _, _ in found) * 1000:7.1f} ms"
                        f"{median(first for _, first, _ in found) * 1000:8.1f} ms{ratio:6.2f}{trips:13.2f}"
                        f"{median(requests for _, _, requests in found):10.0f}",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--page-size", type=int, default=500)
    main(parser.parse_args())
