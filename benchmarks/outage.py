"""What do failing answers and an outage cost, and is anything lost?

In virtual time, judged by the emulator's oracle. First, half of all answers fail at random, in six ways, and every scan has
to end exact; ``requests`` is against the same scan without faults. Then the service is gone for some seconds in the middle
of a scan, with 64 requests in flight: the scan waits for it, or ends with a typed error once its retries are spent, and
goes on from the error's checkpoint when the service is back. ``attempts`` counts what was sent to the service meanwhile,
``at most`` what the budget of retries and the requests in flight allow.

    python benchmarks/outage.py [--seeds 200]
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import AioflowsError, FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import Emulator, Fault
from aioflows.query import SortKey
from benchmarks.worlds import ORDERS, Table, arguments, judged, judgement, virtually, watching
from tests.support.fakes import EmulatorTransport, loop_time

PAGE = 50
IN_FLIGHT = 64
OUTAGES = (0.2, 2.0, 5.0, 20.0, 60.0, 600.0)


@asynccontextmanager
async def world(
    seed: int, order: SortKey | None, in_flight: int, **trouble: Any
) -> AsyncIterator[tuple[Emulator, FlowSession, FlowQuery]]:
    with Emulator(instances=6_000, seed=seed, profile="uniform", schedule_types=(1,), **trouble) as emulator:
        query = FlowQuery(emulator.start, emulator.end, type=ScheduleType.PERIODIC, order_by=order)
        async with FlowSession(
            "https://enos.test",
            user_id="u",
            org_id="o",
            http=EmulatorTransport(emulator, latency=0.05),
            limits=Limits(concurrency=in_flight, page_size=PAGE),
        ) as session:
            yield emulator, session, query


async def half_failing(seed: int, order: SortKey | None) -> tuple[int, int, float, str]:
    """Give the searches with and without faults, the seconds, and what is wrong."""
    async with world(seed, order, 16) as (emulator, session, query):
        plain = (await judged(session, emulator, query)).searches
    began = loop_time()
    async with world(seed, order, 16, fault_share=0.5) as (emulator, session, query):
        verdict = await judged(session, emulator, query, patience=600.0)
    wrong = "" if verdict.ending == "exact" else f"half fail, {order}, seed {seed}: {verdict}"
    return verdict.searches, plain, loop_time() - began, wrong


async def outage(seconds: float, order: SortKey | None) -> tuple[int, float, str, str]:
    """Give the attempts during it, when the scan gave up, its error, and what is wrong."""
    fault = Fault(40, "outage", seconds=seconds)
    async with world(1, order, IN_FLIGHT, faults=[fault]) as (emulator, session, query):
        got, error, gave_up = [], None, 0.0
        with watching(emulator, query) as watch:
            async with session.scan(query) as scan:
                try:
                    async for one in scan:
                        got.append(one.instance_id)  # noqa: PERF401 - what came before an error counts
                except AioflowsError as caught:
                    error, gave_up = caught, loop_time()
            attempts = sum(search.outcome == "outage" for search in emulator.searches)
            if error is not None:
                await asyncio.sleep(seconds)
                async with session.scan(query, resume=error.checkpoint) as rest:
                    got += [one.instance_id async for one in rest]
        exact = len(got) == len(set(got)) and set(got) == watch.lasting
    name = "none" if error is None else type(error).__name__
    return attempts, gave_up, name, "" if exact else f"outage of {seconds:g} s, {order}: not exact"


def main() -> int:
    options = arguments(__doc__ or "", seeds=200)
    broken: list[str] = []
    print(f"half of all answers fail, {options.seeds} seeds")
    table = Table(order=10, exact=8, requests=9, worst=8, seconds=9)
    for name, order in ORDERS.items():
        runs = [virtually(half_failing(seed, order)) for seed in range(options.seeds)]
        broken += [run[3] for run in runs if run[3]]
        ratios = [run[0] / run[1] for run in runs]
        exact = f"{sum(not run[3] for run in runs)}/{len(runs)}"
        table.row(name, exact, mean(ratios), max(ratios), mean(run[2] for run in runs))
    under_way = IN_FLIGHT + IN_FLIGHT // 8
    most = 8 * IN_FLIGHT + 2 * under_way  # the second time is free where a connection was just closed
    print(f"\nthe service is gone, {IN_FLIGHT} in flight")
    table = Table(seconds=8, order=10, attempts=9, at_most=8, gave_up_after=9, error=16)
    for seconds in OUTAGES:
        for name, order in ORDERS.items():
            attempts, gave_up, error, wrong = virtually(outage(seconds, order))
            if wrong or attempts > most:
                broken.append(wrong or f"{attempts} attempts in an outage of {seconds:g} s")
            table.row(seconds, name, attempts, most, gave_up, error)
    return judgement(broken)


if __name__ == "__main__":
    sys.exit(main())
