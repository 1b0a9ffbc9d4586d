"""What does a small question cost beside bulk scans of the same session, and what do the bulk scans pay for it?

A session reads everything with so many scans at once, by pages. Meanwhile the same session is asked for its 20 newest rows
again and again. The processor's time is that of the client, without the service, which runs in another process, and without
what as many small questions take alone. Each round is a fresh process. With ``--against`` the same is measured with the package of another folder, in turns.

    python benchmarks/beside.py [--scans 20] [--instances 40000] [--rounds 3] [--against FOLDER]

With 20 scans, the median of a small question may be 4 times that of the same question alone, and the scans have to end within 5
% of each other. Against an earlier version, rows per second of processor time may not fall below 0.97 of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))  # behind the folder of `--against`

from benchmarks.canned import CannedService

SLOWER, APART, CHEAPER = 4.0, 0.05, 0.97
SMALL = 20
PAUSE = 1.0


async def measured(url: str, start: int, end: int, scans: int) -> dict[str, Any]:
    """Measure in this process."""
    import aioflows  # noqa: PLC0415  (of the folder that is measured)

    query = aioflows.FlowQuery(start, end, type=aioflows.ScheduleType.PERIODIC)
    newest = aioflows.FlowQuery(start, end, type=aioflows.ScheduleType.PERIODIC, order_by="-trigger_time")
    async with aioflows.FlowSession(url, user_id="u", org_id="o") as session:

        async def small() -> float:
            began = time.perf_counter()
            async with session.scan(newest, limit=SMALL) as scan:
                assert len([row async for row in scan]) == SMALL
            return time.perf_counter() - began

        async def bulk() -> tuple[int, float]:
            rows = 0
            async with session.scan(query) as scan:
                async for page in scan.pages():
                    rows += len(page)
            return rows, time.perf_counter()

        await small()
        cpu = time.process_time()
        alone = [await small() for _ in range(30)]
        of_one = (time.process_time() - cpu) / len(alone)
        began, cpu = time.perf_counter(), time.process_time()
        work = asyncio.gather(*(bulk() for _ in range(scans)))
        beside = []
        await asyncio.sleep(1)
        due = time.perf_counter()
        while not work.done():
            beside.append(await small())
            due = max(due + PAUSE, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())
        ended = await work
        cpu = time.process_time() - cpu
    rows, times = sum(rows for rows, _ in ended), [at - began for _, at in ended]
    return {
        "alone": median(alone),
        "beside": median(beside[:-1]),
        "questions": len(beside),
        "rate": rows / (cpu - of_one * len(beside)),
        "apart": (max(times) - min(times)) / median(times),
        "file": aioflows.__file__,
    }


def run(folder: str, service: CannedService, scans: int) -> dict[str, Any]:
    """Measure with the package of a folder, in a fresh process."""
    command = [sys.executable, __file__, "--measure", service.url]
    command += [str(service.start_ms), str(service.end_ms), str(scans)]
    environment = {**os.environ, "PYTHONPATH": folder}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["file"].startswith(folder), result["file"]
    return result


def main(options: argparse.Namespace) -> int:
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {options.scans} scans of {options.instances:,} rows, "
        f"pages of 500, 16 in flight, {options.latency * 1000:g} ms, {options.rounds} rounds\n"
    )
    print(f"{'':8}{'alone':>9}{'beside':>9}{'times':>7}{'asked':>7}{'rows/CPU s':>12}{'apart':>8}")
    folders = {"here": str(Path(__file__).resolve().parents[1])}
    folders |= {"against": str(options.against.resolve())} if options.against else {}
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in folders}
    with CannedService(options.instances, options.latency) as service:
        for _ in range(options.rounds):
            for name, folder in folders.items():
                runs[name].append(one := run(folder, service, options.scans))
                print(
                    f"{name:8}{one['alone'] * 1000:6.1f} ms{one['beside'] * 1000:6.1f} ms"
                    f"{one['beside'] / one['alone']:7.1f}{one['questions']:7}{one['rate']:12,.0f}{one['apart']:8.1%}",
                    flush=True,
                )
    slower = median(one["beside"] / one["alone"] for one in runs["here"])
    apart = median(one["apart"] for one in runs["here"])
    print(f"\na small question takes {slower:.1f} times as long; the scans end within {apart:.1%}")
    wrong = slower > SLOWER or apart > APART
    if options.against:
        pairs = zip(runs["here"], runs["against"], strict=True)
        cheaper = median(here["rate"] / against["rate"] for here, against in pairs)
        print(f"rows per second of processor time: {cheaper:.3f} times those of {options.against}")
        wrong = wrong or cheaper < CHEAPER
    return int(wrong)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=20)
    parser.add_argument("--instances", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.02, help="seconds")
    parser.add_argument("--against", type=Path)
    parser.add_argument(
        "--measure", nargs=4, metavar=("URL", "START", "END", "SCANS"), help=argparse.SUPPRESS
    )
    options = parser.parse_args()
    if options.measure:
        url, start, end, scans = options.measure
        print(json.dumps(asyncio.run(measured(url, int(start), int(end), int(scans)))))
        sys.exit()
    sys.exit(main(options))
