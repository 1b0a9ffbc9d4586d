"""What does an export cost over the bare scan, in time and in memory?

Each line is a fresh process, which measures its own peak: MB over what it held after the imports and one small export of the
same format. The emulator runs in another process; nothing else should run on the machine.

    python benchmarks/export.py [--instances 1000000] [--formats parquet,jsonl] [--rounds 3]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aioflows import FlowQuery, FlowSession, ScheduleType
from aioflows.emulator import EmulatorProcess
from aioflows.export import export
from benchmarks.kill import NAMES
from benchmarks.memory import forget_peak, resident

LARGEST, LEAST = 200.0, 0.6  # MB over idle, and share of the bare scan's throughput, for Parquet


async def measured(format: str, url: str, start: int, end: int) -> dict[str, float]:
    """Run a format in this process; "scan" is the bare scan."""
    query = FlowQuery(start, end, type=ScheduleType.PERIODIC)
    async with FlowSession(url, user_id="u", org_id="o") as session:
        with tempfile.TemporaryDirectory() as folder:
            await run(session, query, format, f"{folder}/small-", limit=1_000)
            gc.collect()
            idle = resident("VmRSS")
            forget_peak()
            began = time.perf_counter()
            rows = await run(session, query, format, f"{folder}/", limit=None)
            taken = time.perf_counter() - began
            size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())  # noqa: ASYNC240
    return {"rows": rows, "seconds": taken, "over_idle": resident("VmHWM") - idle, "size": size / 1e6}


async def run(session: FlowSession, query: FlowQuery, format: str, prefix: str, limit: int | None) -> int:
    if format != "scan":
        return (await export(session, query, prefix + NAMES[format], limit=limit)).instances
    rows = 0
    async with session.scan(query, limit=limit) as scan:
        async for page in scan.pages():
            rows += len(page)
    return rows


def main(options: argparse.Namespace) -> int:
    print(f"Python {platform.python_version()}, {platform.machine()}, {options.instances:,} instances\n")
    print(
        f"{'':10}{'rows':>10}{'seconds':>9}{'rows/s':>9}{'of scan':>9}{'MB over idle':>14}{'MB on disk':>12}"
    )
    bare, failed = 0.0, False
    world = {"instances": options.instances, "seed": 1, "profile": "uniform", "schedule_types": (1,)}
    with EmulatorProcess(**world) as emulator:
        for format in options.rounds * ["scan", *options.formats.split(",")]:
            command = [sys.executable, __file__, "--case", format, emulator.url]
            command += [str(emulator.start_ms), str(emulator.end_ms)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
            found: dict[str, float] = json.loads(done.stdout)
            speed = found["rows"] / found["seconds"]
            bare = speed if format == "scan" else bare
            failed |= format == "parquet" and (found["over_idle"] > LARGEST or speed < LEAST * bare)
            print(
                f"{format:10}{found['rows']:10,}{found['seconds']:9.1f}{speed:9,.0f}{speed / bare:9.0%}"
                f"{found['over_idle']:14.1f}{found['size']:12.1f}",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--formats", default=",".join(NAMES))
    parser.add_argument("--rounds", type=int, default=1, help="each with a bare scan to compare with")
    parser.add_argument("--case", nargs=4, metavar=("FORMAT", "URL", "START", "END"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        name, url, start, end = given.case
        print(json.dumps(asyncio.run(measured(name, url, int(start), int(end)))))
        sys.exit()
    sys.exit(main(given))
