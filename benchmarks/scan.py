"""How much faster is a scan than a plain page loop, and what does it cost the service?

The emulator runs in its own process with 50 ms of latency; the base line is what one writes first: aiohttp, json, one page
after the other until one is empty. Both run in turn, A B A B, in this process; medians and ratios are printed. "x ideal" is
against ceil(N / P) / 16 round trips.

    python benchmarks/scan.py [--instances 100000] [--page-size 100] [--latency 0.05] [--rounds 2] [--profiles cron]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import time
from statistics import median

import aiohttp

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator.process import EmulatorProcess
from aioflows.query import SortKey

ORDERS: dict[str, SortKey | None] = {
    "ascending": "trigger_time",
    "descending": "-trigger_time",
    "unordered": None,
}


async def page_loop(url: str, start: int, end: int, page_size: int) -> tuple[float, int, int]:
    """What one writes first."""
    began, rows, page_no = time.perf_counter(), 0, 0
    async with aiohttp.ClientSession() as http:
        while True:
            body = {
                "type": 1, "owner": "", "status": "", "expression": "", "fromTriggerTime": start, "toTriggerTime": end,
                "pagination": {"pageNo": page_no, "pageSize": page_size,
                               "sorters": [{"field": "trigger_time", "order": "ASC"}]},
            }  # fmt: skip
            async with http.post(
                f"{url}/batch-processing-service/v2.1/flowInstances",
                params={"action": "search", "userId": "u", "orgId": "o"},
                data=json.dumps(body),
                headers={"Content-Type": "application/json"},
            ) as response:
                instances = (await response.json())["data"]["flowInsts"]
            page_no += 1
            if not instances:
                return time.perf_counter() - began, page_no, rows
            rows += len(instances)


async def scan(
    url: str, start: int, end: int, page_size: int, order: SortKey | None
) -> tuple[float, int, int]:
    limits = Limits(concurrency=16, page_size=page_size)
    async with FlowSession(url, user_id="u", org_id="o", limits=limits) as session:
        query = FlowQuery(start, end, type=ScheduleType.PERIODIC, order_by=order)
        began, last = time.perf_counter(), None
        async with session.scan(query) as rows:
            async for instance in rows:
                key = (instance.trigger_time, instance.instance_id)
                in_order = (
                    last is None or order is None or (key > last if order == "trigger_time" else key < last)
                )
                assert in_order, f"{key} comes after {last}"
                last = key
        return time.perf_counter() - began, rows.stats.requests, rows.stats.rows_yielded


async def measure(profile: str, options: argparse.Namespace) -> None:
    process = EmulatorProcess(
        instances=options.instances, seed=1, profile=profile, schedule_types=(1,), latency=options.latency
    )
    async with process as emulator:
        base: list[tuple[float, int, int]] = []
        runs: dict[str, list[tuple[float, int, int]]] = {name: [] for name in ORDERS}
        where = (emulator.url, emulator.start_ms, emulator.end_ms, options.page_size)
        for _ in range(options.rounds):
            if options.page_loop:
                base.append(await page_loop(*where))
            for name, order in ORDERS.items():
                runs[name].append(await scan(*where, order))
    least = math.ceil(options.instances / options.page_size)
    ideal = math.ceil(least / 16) * options.latency
    print(
        f"{options.instances:,} {profile} instances, pages of {options.page_size}, {options.latency * 1000:g} ms, 16 in "
        f"flight, median of {options.rounds}; the least possible: {least:,} requests, {ideal:.2f} s"
    )
    print(f"{'':14}{'seconds':>9}{'faster':>9}{'x ideal':>9}{'requests':>10}{'x least':>9}{'rows':>10}")
    plain = median(seconds for seconds, _, _ in base) if base else math.nan
    for name, results in (("page loop", base), *runs.items()):
        if results:
            seconds = median(result[0] for result in results)
            requests, rows = results[-1][1:]
            assert rows == options.instances, f"{name} read {rows} rows"
            print(
                f"{name:14}{seconds:9.2f}{plain / seconds:9.1f}{seconds / ideal if ideal else math.nan:9.2f}{requests:10,}{requests / least:9.3f}"
                f"{rows:10,}"
            )


async def main(options: argparse.Namespace) -> None:
    for profile in options.profiles:
        await measure(profile, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=100_000)
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--profiles", nargs="+", default=["cron"])
    parser.add_argument("--page-loop", action=argparse.BooleanOptionalAction, default=True)
    asyncio.run(main(parser.parse_args()))
