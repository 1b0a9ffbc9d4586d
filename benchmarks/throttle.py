"""How much of the rate that a service allows is used, how much is refused, and is anything sent in a pause?

The emulator, in its own process, allows 40 requests a second and 10 at once, and says "too many" in each of the guises that
gateways have. A scan of 600 pages wants 64 in flight and is told nothing. ``rate`` is the share of the allowed rate that
its answered requests made; ``in a pause`` counts requests that were sent after an answer had named a wait, and before that
was over. A wait of a second names no rate either, and costs what the limiter would have let through, beyond its burst.

    python benchmarks/throttle.py [--pages 600] [--rate 40] [--burst 10] [--concurrency 64] [--latency 0]
"""

from __future__ import annotations

import argparse
import asyncio
import time

from aioflows import Event, FlowQuery, FlowSession, Limits, Paused, RequestSent, ScheduleType
from aioflows.emulator import EmulatorProcess

GUISES = {
    "429": 0.97,
    "503": 0.97,
    "envelope": 0.97,
    "429-seconds": 0.9,
    "503-seconds": 0.9,
    "429-date": 0.88,
}
"""How "too many" is said, and the least share of the rate that is to be used."""

MOST_REFUSED = 0.015
PAGE = 50


async def scan(guise: str, options: argparse.Namespace) -> tuple[float, float, int]:
    """Give the share of the rate, the share that was refused, and the requests sent in a pause."""
    process = EmulatorProcess(
        instances=options.pages * PAGE,
        seed=1,
        profile="uniform",
        schedule_types=(1,),
        rate=options.rate,
        burst=options.burst,
        throttle=guise,
        latency=options.latency,
    )
    limits = Limits(page_size=PAGE, concurrency=options.concurrency)
    paused_until, early = 0.0, 0

    def observe(event: Event) -> None:
        nonlocal paused_until, early
        if isinstance(event, Paused):
            paused_until = max(paused_until, time.monotonic() + event.seconds)
        elif isinstance(event, RequestSent):
            early += time.monotonic() < paused_until

    async with process as emulator:
        query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC)
        async with FlowSession(
            emulator.url, user_id="u", org_id="o", limits=limits, observer=observe
        ) as session:
            began = time.perf_counter()
            async with session.scan(query) as rows:
                async for _ in rows.pages():
                    pass
            seconds = time.perf_counter() - began
            stats = rows.stats
    assert stats.rows_yielded == options.pages * PAGE, f"{stats.rows_yielded} rows"
    answered = stats.requests - stats.throttled
    return answered / seconds / options.rate, stats.throttled / stats.requests, early


async def main(options: argparse.Namespace) -> None:
    print(
        f"{options.pages} pages at {options.rate:g} requests a second, {options.burst} at once, {options.concurrency} wanted "
        f"in flight, {options.latency * 1000:g} ms"
    )
    print(f"{'guise':14}{'rate':>8}{'least':>8}{'refused':>9}{'most':>8}{'in a pause':>12}")
    for guise, least in GUISES.items():
        rate, refused, early = await scan(guise, options)
        misses = "  !" if rate < least or refused > MOST_REFUSED or early else ""
        print(
            f"{guise:14}{rate:8.1%}{least:8.0%}{refused:9.2%}{MOST_REFUSED:8.1%}{early:12}{misses}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=600)
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second")
    parser.add_argument("--burst", type=int, default=10, help="requests at once")
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    asyncio.run(main(parser.parse_args()))
