"""Does an application stay responsive while it scans?

A task of the application wakes every millisecond; how late it is, is how long the loop was blocked, by whatever. Meanwhile
scans of one session read pages of 1,000 instances, one scan or 50 side by side, from an emulator in its own process. What
a row costs at no latency stands beside it, for what is gained here must not be paid for there. The base line is a ticker
beside nothing, since the machine is late as well; and "worked" is what this process worked between two ticks, at the 99.9th
percentile and at most, which a busy machine does not change.

    python benchmarks/ticker.py [--instances 20000] [--scans 50] [--rounds 3] [--page-size 1000]

The 99.9th percentile with so many scans has to be under 25 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import sys
import time
from collections.abc import Coroutine
from statistics import median
from typing import Any

import attrs

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import EmulatorProcess

STEP = 0.001
LIMIT = 25.0


@attrs.frozen
class Lateness:
    """How late the ticker was, in milliseconds, while some rows were read in some seconds."""

    ticks: list[float]
    worked: list[float]
    rows: int
    seconds: float

    def share(self, part: float) -> float:
        """The lateness that this share of the ticks did not exceed."""
        return _share(self.ticks, part)


def _share(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


async def tick(late: list[float], worked: list[float]) -> None:
    """Note how late each wake-up is, and how much this thread has worked until then."""
    while True:
        due, before = time.perf_counter() + STEP, time.thread_time()
        await asyncio.sleep(STEP)
        late.append((time.perf_counter() - due) * 1000)
        worked.append((time.thread_time() - before) * 1000)


async def beside(work: Coroutine[Any, Any, int]) -> Lateness:
    """Do some work while the ticker runs."""
    gc.collect()
    late: list[float] = []
    worked: list[float] = []
    ticker = asyncio.create_task(tick(late, worked))
    began = time.perf_counter()
    try:
        rows = await work
    finally:
        seconds = time.perf_counter() - began
        ticker.cancel()
    return Lateness(late, worked, rows, seconds)


async def nothing() -> int:
    await asyncio.sleep(2)
    return 0


async def scans(emulator: EmulatorProcess, options: argparse.Namespace, count: int) -> int:
    limits = Limits(page_size=options.page_size)
    async with FlowSession(emulator.url, user_id="u", org_id="o", limits=limits) as session:
        query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC)

        async def scan() -> int:
            rows = 0
            async with session.scan(query) as found:
                async for _ in found:
                    rows += 1
            return rows

        return sum(await asyncio.gather(*(scan() for _ in range(count))))


async def main(options: argparse.Namespace) -> int:
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {options.instances:,} instances a scan, pages of "
        f"{options.page_size:,}, 16 in flight, medians of {options.rounds}; a tick every {STEP * 1000:g} ms\n"
    )
    columns = {"median": 0.5, "99 %": 0.99, "99.9 %": 0.999, "worst": 1.0}
    print(
        f"{'late by, ms':22}{''.join(f'{name:>9}' for name in columns)}{'worked':>9}{'worst':>8}{'ticks':>8}{'us a row':>10}"
    )
    service = EmulatorProcess(
        instances=options.instances, seed=1, profile="uniform", schedule_types=(1,), latency=options.latency
    )
    worst = 0.0
    async with service as emulator:
        for name, count in {"nothing": 0, "one scan": 1, f"{options.scans} scans": options.scans}.items():
            runs = [
                await beside(scans(emulator, options, count) if count else nothing())
                for _ in range(options.rounds)
            ]
            found = [median(run.share(part) for run in runs) for part in columns.values()]
            worst = found[2]
            ticks, rows = median(len(run.ticks) for run in runs), runs[0].rows
            cost = f"{median(run.seconds for run in runs) / rows * 1e6:10.2f}" if rows else ""
            work = "".join(
                f"{median(_share(run.worked, part) for run in runs):{wide}.2f}"
                for part, wide in ((0.999, 9), (1.0, 8))
            )
            late = "".join(f"{late:9.2f}" for late in found)
            print(f"{name:22}{late}{work}{ticks:8,.0f}{cost}", flush=True)
    if worst > LIMIT:
        print(f"\nmore than {LIMIT:g} ms at the 99.9th percentile")
    return worst > LIMIT


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=20_000)
    parser.add_argument("--scans", type=int, default=50)
    parser.add_argument("--page-size", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    sys.exit(asyncio.run(main(parser.parse_args())))
