"""What does it cost to look on?

One scan after the other of the same instances, the emulator in its own process and without latency, so that the client is
the bottleneck: with nobody looking, with an observer that does nothing, with one that counts, with every event in a log, and
with OpenTelemetry's SDK. All kinds in turn, A B C A B C; the median of the client's own processor time is compared, since
that is what looking on takes from an application, and elapsed time beside it.

    python benchmarks/observing.py [--instances 50000] [--page-size 500] [--rounds 7]
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import time
from collections import Counter
from collections.abc import Callable
from statistics import median

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aioflows import Event, FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import EmulatorProcess
from aioflows.telemetry import Telemetry

Observer = Callable[[Event], object]


def recorded() -> Observer:
    """Gives an observer that records spans and metrics, in memory."""
    tracers = TracerProvider()
    tracers.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
    return Telemetry(tracer_provider=tracers, meter_provider=MeterProvider([InMemoryMetricReader()]))


async def scan(url: str, query: FlowQuery, page_size: int, observer: Observer | None) -> tuple[float, float]:
    limits = Limits(concurrency=16, page_size=page_size)
    async with FlowSession(url, user_id="u", org_id="o", limits=limits, observer=observer) as session:
        began, used = time.perf_counter(), time.process_time()
        rows = sum([len(page) async for page in session.scan(query).pages()])
        took = time.perf_counter() - began, time.process_time() - used
    assert rows, "nothing was read"
    return took


async def main(options: argparse.Namespace) -> None:
    counts: Counter[type[Event]] = Counter()
    kinds: dict[str, Observer | None] = {
        "nobody": None,
        "does nothing": lambda _: None,
        "counts": lambda event: counts.update((type(event),)),
        "log, DEBUG": None,
        "OpenTelemetry": recorded(),
    }
    log, lines = logging.getLogger("aioflows"), logging.StreamHandler(io.StringIO())
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    process = EmulatorProcess(instances=options.instances, seed=1, schedule_types=(1,))
    async with process as emulator:
        query = FlowQuery(emulator.start_ms, emulator.end_ms, type=ScheduleType.PERIODIC)
        await scan(emulator.url, query, options.page_size, None)  # warms up both sides
        for _ in range(options.rounds):
            for name, observer in kinds.items():
                if name.startswith("log"):
                    log.addHandler(lines)
                    log.setLevel(logging.DEBUG)
                runs[name].append(await scan(emulator.url, query, options.page_size, observer))
                log.removeHandler(lines)
                log.setLevel(logging.NOTSET)
    events = sum(counts.values()) // options.rounds
    print(
        f"{options.instances:,} instances, pages of {options.page_size}, loopback, median of {options.rounds} in turn; "
        f"{events:,} events a scan"
    )
    print(f"{'who looks on':16}{'CPU s':>9}{'x nobody':>10}{'elapsed s':>11}")
    base = median(used for _, used in runs["nobody"])
    for name, results in runs.items():
        used = median(used for _, used in results)
        print(f"{name:16}{used:9.3f}{used / base:10.3f}{median(took for took, _ in results):11.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=50_000)
    parser.add_argument("--page-size", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    asyncio.run(main(parser.parse_args()))
