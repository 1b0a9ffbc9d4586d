"""Does a scan that is cancelled, wherever that hits it, leave anything behind?

Scan after scan is cancelled at a random moment: while it connects, waits at the gate, for an answer, in a body, for a new
token, before another try, for rows, between two rows, and while it is being closed (then it is cancelled twice). The
emulator runs in its own process; it delays its answers at random, fails at some of them, and lets tokens die. Sessions
last for 50 scans. Every 500 scans, with no session open, it is counted what is there; a tenth as many, 2,000 at least, warm up
before that, until what is kept on purpose (a few hundred texts already read, the regular expressions) is there.

    python benchmarks/leaks.py [--scans 10000] [--seed 1] [--explain]

With ``--explain`` the lines that allocated what has grown are printed as well.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import random
import sys
import threading
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import linear_regression, median

import attrs

from aioflows import AppKey, FlowQuery, FlowSession, Limits, RetryPolicy
from aioflows.emulator import EmulatorProcess, Fault

SESSION = 50
SAMPLE = 500
LIMITS = {"heap, bytes a scan": 20.0, "RSS, MiB": 5.0, "sockets gone, ms": 100.0, "aclose, ms": 100.0}

# The first of these that is found in a task says what it is doing; the innermost call is looked at last.
MOMENTS = {
    "Engine.aclose": "closing",
    "Credentials._renew": "renewing the token",
    "TCPConnector._create_connection": "connecting",
    "AiohttpTransport._body": "in a body",
    "AiohttpTransport.send": "waiting for an answer",
    "Gate._wait": "at the gate",
    "Caller._run": "before another try",
    "Engine.next_rows": "waiting for rows",
    "consume": "between rows",
}


def chain(task: asyncio.Task[object]) -> Iterator[str]:
    """The names of the coroutines that a task waits in, the outermost first."""
    step: object = task.get_coro()
    while step is not None:
        yield getattr(step, "__qualname__", "")
        step = getattr(step, "cr_await", None) or getattr(step, "ag_await", None)


def moments() -> set[str]:
    """What the tasks of this loop are doing."""
    found = set()
    for task in asyncio.all_tasks():
        names = set(chain(task))
        found |= {next((words for name, words in MOMENTS.items() if name in names), "elsewhere")}
    return found - {"elsewhere"}


def sockets() -> int:
    """Sockets of this process, those of its event loop included."""
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the descriptor of this very listing
            count += str(descriptor.readlink()).startswith("socket:")
    return count


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@attrs.frozen
class Sample:
    """What is there after so many scans."""

    scans: int
    tasks: int
    descriptors: int
    threads: int
    heap: int
    resident: float

    @classmethod
    def taken(cls, scans: int) -> Sample:
        gc.collect()
        return cls(
            scans,
            len(asyncio.all_tasks()),
            sum(1 for _ in Path("/proc/self/fd").iterdir()),
            threading.active_count(),
            tracemalloc.get_traced_memory()[0],
            resident(),
        )


class Soak:
    """Cancels scans."""

    def __init__(self, emulator: EmulatorProcess, seed: int) -> None:
        self.emulator = emulator
        self.rng = random.Random(seed)
        self.hit: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.gone: list[float] = []

    async def session(self, scans: int) -> None:
        """Cancel some scans of one session, and see how soon its sockets are gone."""
        before = sockets()
        session = FlowSession(
            self.emulator.url,
            user_id="u",
            org_id="o",
            auth=AppKey("leaks-access-key", "leaks-secret-key"),
            limits=Limits(concurrency=8, page_size=20),
            retry=RetryPolicy(base=0.01, cap=0.05),
        )
        async with session:
            for _ in range(scans):
                await self.scan(session)
        closed = time.perf_counter()
        while sockets() > before and time.perf_counter() - closed < 1:  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0.001)
        self.gone.append(time.perf_counter() - closed)

    async def scan(self, session: FlowSession) -> None:
        """Cancel one scan at a random moment."""
        rng, spread = self.rng, self.emulator.end_ms - self.emulator.start_ms
        start = self.emulator.start_ms + rng.randrange(spread // 2)
        query = FlowQuery(
            start, self.emulator.end_ms, order_by=rng.choice(["trigger_time", "-trigger_time", None])
        )
        task = asyncio.create_task(consume(session, query, rng.choice([0, 0, 0.001])))
        await asyncio.sleep(rng.random() * rng.choice([0.002, 0.01, 0.04]))
        self.hit.update(moments())
        task.cancel()
        if rng.random() < 0.3:  # once more, while it is being closed
            for _ in range(rng.randrange(1, 4)):
                await asyncio.sleep(0)
            self.hit.update(moments() & {"closing"})
            task.cancel()
        await asyncio.wait([task])
        self.ended["cancelled" if task.cancelled() else type(task.exception()).__name__] += 1


async def consume(session: FlowSession, query: FlowQuery, pause: float) -> None:
    async with session.scan(query) as scan:
        async for _ in scan:
            if pause:
                await asyncio.sleep(pause)


async def soak(options: argparse.Namespace) -> tuple[list[Sample], Soak]:
    service = EmulatorProcess(
        instances=5_000,
        seed=1,
        latency=0.001,
        latency_spread=0.004,
        app_key="leaks-access-key",
        app_secret="leaks-secret-key",
        token_uses=40,
        fault_share=0.05,
        fault_kinds=("http-500", "code-62109", "reset", "cut", "reset-in-body"),
    )
    async with service as emulator:
        work = Soak(emulator, options.seed)
        samples: list[Sample] = []
        print(f"{'scans':>8}{'tasks':>7}{'fds':>6}{'threads':>9}{'heap KiB':>10}{'RSS MiB':>9}")
        for _ in range(max(2_000, options.scans // 10) // SESSION):
            await work.session(SESSION)
        samples.append(Sample.taken(0))
        first = tracemalloc.take_snapshot() if options.explain else None
        while samples[-1].scans < options.scans:
            done = min(options.scans, samples[-1].scans + SAMPLE)
            for begun in range(samples[-1].scans, done, SESSION):
                await work.session(min(SESSION, done - begun))
            samples.append(one := Sample.taken(done))
            print(
                f"{one.scans:8,}{one.tasks:7}{one.descriptors:6}{one.threads:9}{one.heap / 1024:10.1f}"
                f"{one.resident:9.1f}",
                flush=True,
            )
        if first is not None:
            gc.collect()
            for line in tracemalloc.take_snapshot().compare_to(first, "lineno")[:15]:
                print(line)
    return samples, work


async def black_hole(scans: int) -> float:
    """Milliseconds that closing a session takes while 64 requests of its scans are never going to be answered."""
    # One scan needs some answers first, to know that there is work for 64.
    hole = Fault(200 if scans == 1 else 1, "black-hole", times=1_000)
    async with EmulatorProcess(instances=50_000, seed=1, schedule_types=(1,), faults=(hole,)) as emulator:
        limits = Limits(concurrency=64, page_size=50, buffer=1_000_000)
        session = FlowSession(emulator.url, user_id="u", org_id="o", limits=limits)
        async with session:
            query = FlowQuery(emulator.start_ms, emulator.end_ms, type=1, order_by=None)
            tasks = [asyncio.create_task(consume(session, query, 0)) for _ in range(scans)]
            while emulator.requests.get("search", 0) < hole.at + 63:  # noqa: ASYNC110  (nobody tells)
                await asyncio.sleep(0.01)
            began = time.perf_counter()
            await session.aclose()
            taken = time.perf_counter() - began
            await asyncio.gather(*tasks, return_exceptions=True)
    return taken * 1000


async def main(options: argparse.Namespace) -> int:
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {options.scans:,} scans, seed {options.seed}\n"
    )
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, said: complaints.append(said["message"]))
    tracemalloc.start()
    with warnings.catch_warnings(record=True, action="always") as warned:
        samples, work = await soak(options)
    tracemalloc.stop()
    complaints += [str(one.message) for one in warned]
    print(
        "\ncancelled while a task of it was: "
        + ", ".join(f"{what} {n:,}" for what, n in work.hit.most_common())
    )
    print("scans that were: " + ", ".join(f"{how} {n:,}" for how, n in work.ended.most_common()) + "\n")
    first, last = samples[0], samples[-1]
    found = {
        "tasks": float(last.tasks - first.tasks),
        "descriptors": float(last.descriptors - first.descriptors),
        "threads": float(last.threads - first.threads),
        "complaints": float(len(complaints)),
        "heap, bytes a scan": _slope(samples),
        "RSS, MiB": last.resident - first.resident,
        "sockets gone, ms": max(work.gone) * 1000,
        "aclose, ms": max(await black_hole(64), await black_hole(1)),
    }
    print(f"{'after the warm-up':22}{'found':>9}{'at most':>9}")
    failed = 0
    for name, value in found.items():
        limit = LIMITS.get(name, 0.0)
        failed += value > limit
        print(f"{name:22}{value:9.1f}{limit:9.1f}{'   too much' if value > limit else ''}")
    print(f"\nsockets were gone {median(work.gone) * 1000:.1f} ms after a session's end, as a rule")
    print("".join(f"{words}\n" for words in dict.fromkeys(complaints)), end="")
    missing = set(MOMENTS.values()) - work.hit.keys()
    if missing:
        print(f"no scan was cancelled while: {', '.join(sorted(missing))}")
    return 1 if failed or missing else 0


def _slope(samples: list[Sample]) -> float:
    if len(samples) < 2:
        return 0.0
    return linear_regression([one.scans for one in samples], [one.heap for one in samples]).slope


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--explain", action="store_true")
    sys.exit(asyncio.run(main(parser.parse_args())))
