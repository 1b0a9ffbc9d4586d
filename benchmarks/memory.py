"""How much memory does a scan take, however many rows it reads, however slow they are taken, and whatever is answered?

Each line is a fresh process, which measures its own peak: MB over what it held after the imports and one small scan, and
over the imports alone. The emulator runs in another process. Rows are read by pages or one by one and dropped at once; a
slow consumer rests for a second after every 20,000 rows, so that everything that may be read ahead is. Of stalled scans,
each takes two lists of rows, one scan after the other, and no more; the limit is the budget and a tenth.

    python benchmarks/memory.py [--instances 1000000] [--fewer 50000] [--only bomb]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path

import attrs

from aioflows import AnswerError, FlowQuery, FlowSession, Limits, ScheduleType
from aioflows.emulator import EmulatorProcess, Fault
from aioflows.query import SortKey

BOMB = 200_000_000
REST = 20_000  # rows after which a slow consumer rests


@attrs.frozen
class Case:
    """One line of the table.

    Args:
        name: what it *is*.
        service: which *emulator* answers.
        page_size: *rows* asked for in one request.
        order: as the query has it.
        slow: whether the consumer *rests*.
        by_pages: whether rows are taken by *pages*.
        limit: *MB* that the peak may be over idle; None: it is only told.
        scans: how many are open at a time.
        budget: what `Limits` has as memory.
    """

    name: str
    service: str
    page_size: int = 200
    order: SortKey | None = "trigger_time"
    slow: bool = False
    by_pages: bool = True
    limit: float | None = None
    scans: int = 1
    budget: int | None = None


CASES = [
    Case("an answer of 200 kB that inflates to 200 MB", "bomb", limit=80.0),
    Case("slow, pages of 200", "many", slow=True, limit=32.0),
    Case("slow, pages of 200, row by row", "fewer", slow=True, by_pages=False, limit=32.0),
    Case("slow, pages of 200", "fewer", slow=True, limit=32.0),
    Case("slow, pages of 500", "many", page_size=500, slow=True, limit=64.0),
    Case("slow, pages of 500", "fewer", page_size=500, slow=True, limit=64.0),
    Case("fast, pages of 200", "many", limit=32.0),
    Case("fast, pages of 200", "fewer", limit=32.0),
    Case("fast, pages of 500", "many", page_size=500, limit=64.0),
    Case("fast, pages of 500", "fewer", page_size=500, limit=64.0),
    Case("fast, pages of 500, in no order", "fewer", page_size=500, order=None),
    Case("20 stalled scans", "fewer", 500, scans=20),
    Case("20 stalled scans, a budget of 20 MB", "fewer", 500, limit=22.0, scans=20, budget=20_000_000),
    Case("20 stalled scans, a budget of 50 MB", "fewer", 500, limit=55.0, scans=20, budget=50_000_000),
    Case("100 stalled scans", "fewer", 500, scans=100),
    Case("100 stalled scans, a budget of 100 MB", "fewer", 500, limit=110.0, scans=100, budget=100_000_000),
    Case("200 stalled scans, a budget of 200 MB", "fewer", 500, limit=220.0, scans=200, budget=200_000_000),
]


# In the process that is measured


def resident(field: str) -> float:
    """MB of this process that are in memory ("VmRSS") or were at most ("VmHWM")."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1000 * 1.024
    raise LookupError(field)


def forget_peak() -> None:
    """Let the peak begin anew; where that is forbidden, the peak is that of the whole process, which is not less."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


async def measured(case: Case, url: str, start: int, end: int) -> dict[str, float]:
    """Run a case in this process."""
    imports = resident("VmRSS")
    limits = Limits(concurrency=16, page_size=case.page_size, memory=case.budget)
    session = FlowSession(url, user_id="u", org_id="o", limits=limits)
    async with session:
        if case.service == "bomb":
            await session.server_time()
        else:
            await read(session, case, start, end, most=10)
        gc.collect()
        idle = resident("VmRSS")
        forget_peak()
        began = time.perf_counter()
        if case.scans > 1:
            rows = await stall(session, case, start, end)
        else:
            rows = await read(session, case, start, end)
        taken = time.perf_counter() - began
    peak = resident("VmHWM")
    return {"rows": rows, "seconds": taken, "over_idle": peak - idle, "over_imports": peak - imports}


async def stall(session: FlowSession, case: Case, start: int, end: int) -> int:
    """Take two lists of rows of each scan, and wait for all that is read ahead."""
    query = FlowQuery(start, end, type=ScheduleType.PERIODIC, order_by=case.order)
    async with AsyncExitStack() as stack:
        scans = [await stack.enter_async_context(session.scan(query)) for _ in range(case.scans)]
        lists = [[await anext(pages) for _ in range(2)][-1] for pages in [scan.pages() for scan in scans]]
        await asyncio.sleep(2)
    return sum(map(len, lists))


async def read(session: FlowSession, case: Case, start: int, end: int, most: int | None = None) -> int:
    query = FlowQuery(start, end, type=ScheduleType.PERIODIC, order_by=case.order)
    rows, next_rest = 0, REST
    async with session.scan(query, limit=most) as scan:
        with suppress(AnswerError):
            if case.by_pages:
                async for page in scan.pages():
                    rows += len(page)
                    if case.slow and rows >= next_rest and most is None:
                        next_rest += REST
                        await asyncio.sleep(1)
            else:
                async for _ in scan:
                    rows += 1
                    if case.slow and rows >= next_rest and most is None:
                        next_rest += REST
                        await asyncio.sleep(1)
    return rows


# In the one that measures


def emulators(options: argparse.Namespace, stack: ExitStack) -> Iterator[tuple[str, EmulatorProcess]]:
    """Start the emulators that the cases need, each when it is needed."""
    common = {"seed": 1, "profile": "uniform", "schedule_types": (1,)}
    bomb = (Fault(1, "gzip-bomb", times=1_000_000, size=BOMB),)
    for name, settings in {
        "bomb": {"instances": 10, "faults": bomb},
        "fewer": {"instances": options.fewer},
        "many": {"instances": options.instances},
    }.items():
        if any(case.service == name for case in options.cases):
            yield name, stack.enter_context(EmulatorProcess(**common, **settings))


def run(number: int, emulator: EmulatorProcess) -> dict[str, float]:
    """Measure a case in a process of its own."""
    command = [sys.executable, __file__, "--case", str(number), emulator.url]
    command += [str(emulator.start_ms), str(emulator.end_ms)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main(options: argparse.Namespace) -> int:
    options.cases = [case for case in CASES if options.only in f"{case.name}, {case.service}"]
    print(
        f"Python {platform.python_version()}, {platform.machine()}, 16 in flight, a buffer of 20,000 rows\n"
    )
    heads = f"{'rows':>10}{'seconds':>9}{'MB over idle':>14}{'at most':>9}{'over imports':>14}"
    print(f"{'':45}{heads}")
    failed = 0
    with ExitStack() as stack:
        services = dict(emulators(options, stack))
        for case in options.cases:
            found = run(CASES.index(case), services[case.service])
            too_much = case.limit is not None and found["over_idle"] > case.limit
            failed += too_much
            print(
                f"{case.name:45}{found['rows']:10,}{found['seconds']:9.1f}{found['over_idle']:14.1f}"
                f"{case.limit or '':>9}{found['over_imports']:14.1f}{'   too much' if too_much else ''}",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--fewer", type=int, default=50_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--case", nargs=4, metavar=("NUMBER", "URL", "START", "END"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        number, url, start, end = options.case
        print(json.dumps(asyncio.run(measured(CASES[int(number)], url, int(start), int(end)))))
        sys.exit()
    sys.exit(main(options))
