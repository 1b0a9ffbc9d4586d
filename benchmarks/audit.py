"""What does an audit cost over the bare scan, in time and memory, and does it find every planted run and no other?

The emulator runs in another process, and plants missing, doubled and late runs. A bare scan and an audit take turns, each in
a process of its own, so each ratio compares neighbours. Memory is the peak over what the process held after the imports and
one small scan.

    python benchmarks/audit.py [--instances 200000] [--days 366] [--rounds 3] [--planted 300]

In 1,830 days, a million instances belong to some 4,000 flows.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # measure the clone that this file lies in

from aioflows import FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.audit import AuditReport, audit
from aioflows.emulator import EmulatorProcess

LEAST_RATIO, MOST_MB = 0.70, 150.0
KINDS = ("missing", "doubled", "late")


def resident(field: str) -> float:
    """Return a figure of this process from /proc, in MB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


def forget_peak() -> None:
    """Let the peak begin anew, where the system can."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


async def measured(way: str, url: str, start: int, end: int) -> dict[str, Any]:
    """Read everything in this process, by a bare scan or by an audit."""
    query = FlowQuery(start, end, type=ScheduleType.PERIODIC)
    limits = Limits(concurrency=16, page_size=500)
    async with FlowSession(url, user_id="u", org_id="o", limits=limits) as session:
        await session.scan(query, limit=10).list()
        gc.collect()
        idle = resident("VmRSS")
        forget_peak()
        began, busy = time.perf_counter(), time.process_time()
        found: dict[str, Any] = {}
        if way == "audit":
            report = await audit(session, query)
            rows = report.instances
        else:
            async with session.scan(query) as scan:
                rows = sum([len(page) async for page in scan.pages()])
        taken, busy = time.perf_counter() - began, time.process_time() - busy
        peak = resident("VmHWM") - idle
        if way == "audit":
            found = findings(report)
    return {"rows": rows, "seconds": taken, "busy": busy, "peak": peak, **found}


def findings(report: AuditReport) -> dict[str, Any]:
    found: dict[str, Any] = {"flows": report.flows}
    for kind in KINDS:
        runs = getattr(report, kind)
        found[kind] = sorted([one.flow_id, round(one.trigger_time.timestamp()) * 1000] for one in runs)
    return found


def run(way: str, emulator: EmulatorProcess) -> dict[str, Any]:
    """Measure one way in a process of its own."""
    command = [sys.executable, __file__, "--way", way, emulator.url]
    command += [str(emulator.start_ms), str(emulator.end_ms)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main(options: argparse.Namespace) -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}, 16 in flight, pages of 500\n")
    planting = dict.fromkeys(("missed", "doubled", "late"), options.planted)
    world = {"instances": options.instances, "days": options.days, "seed": 1, "schedule_types": (1,)}
    with EmulatorProcess(**world, **planting) as emulator:
        pairs = [(run("scan", emulator), run("audit", emulator)) for _ in range(options.rounds)]
        planted = emulator.planted
    last = pairs[-1][1]
    ratio = statistics.median(scan["seconds"] / one["seconds"] for scan, one in pairs)
    busy = statistics.median(scan["busy"] / one["busy"] for scan, one in pairs)
    peak = max(one["peak"] for _, one in pairs)
    print(f"{last['rows']:,} instances of {last['flows']:,} flows, {options.rounds} rounds\n")
    for name, at in (("bare scan", 0), ("audit", 1)):
        seconds = statistics.median(pair[at]["seconds"] for pair in pairs)
        memory = max(pair[at]["peak"] for pair in pairs)
        print(f"{name:12}{seconds:8.1f} s{last['rows'] / seconds:12,.0f} rows/s{memory:9.1f} MB over idle")
    print(f"\nthroughput of the bare scan   {ratio:6.0%}   limit {LEAST_RATIO:.0%}")
    print(f"  by processor time           {busy:6.0%}")
    print(f"peak over idle             {peak:6.0f} MB   limit {MOST_MB:.0f} MB")
    wrong = 0
    for kind, name in zip(KINDS, ("missed", "doubled", "late"), strict=True):
        truth = {(one.flow_id, one.trigger_ms) for one in planted if one.kind == name}
        for _, one in pairs:
            found = {(flow, at) for flow, at in one[kind]}
            wrong += found != truth or len(one[kind]) != len(truth)
        print(f"{kind:10}{len(truth):6,} planted{len(truth & found):8,} found{len(found - truth):8,} others")
    return int(ratio < LEAST_RATIO or peak > MOST_MB or wrong > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=200_000)
    parser.add_argument("--days", type=int, default=366)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--planted", type=int, default=300)
    parser.add_argument("--way", nargs=4, metavar=("WAY", "URL", "START", "END"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        way, url, start, end = options.way
        print(json.dumps(asyncio.run(measured(way, url, int(start), int(end)))))
        sys.exit()
    sys.exit(main(options))
