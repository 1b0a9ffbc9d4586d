"""What does a cluster buy, if all its tasks share one governor? A billion rows and 100 tasks, in virtual time.

The first table counts ten pages as one permit: a governor hands out permits at a tenth of the rate of the service, to the
tasks in turn, and each permit is back after the latency. A task whose executor is lost begins its window again on another one. The
windows are drawn with the skew that is named, largest by median. "shares" is what tasks do without a governor: each keeps to
its part of the rate, and what a finished task leaves is lost.

The second runs the governor itself, its messages and the gates of 100 sessions, against a service that refuses what exceeds
its rate and that nobody was told. It is a hundredth of the first, since each of its requests takes real work.

    python benchmarks/cluster.py [--rows 1000000000] [--tasks 100] [--rate 200] [--page-size 500] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import math
import random
import sys
import time
from collections import deque
from pathlib import Path
from statistics import median

import attrs

sys.path.insert(0, str(Path(__file__).parent.parent))

from aioflows._net.governed_gate import GovernedGate
from tests.support.permit_lines import Desk
from tests.support.virtual import run_virtual

LATENCY = 0.1  # seconds
PAGES = 10  # of a permit
CONCURRENCY = 8  # requests in flight of a task
DETECTED = 20.0  # seconds until a lost executor's tasks begin elsewhere


@attrs.define
class Task:
    """A task and its window.

    Args:
        pages: the number of the window's pages.
        left: pages for which it has had no permit.
        flying: requests in flight.
        attempt: how many times its executor was lost.
        early: permits that it had while every task was at work.
        ended: when its last answer came (seconds).
    """

    pages: int
    left: int = 0
    flying: int = 0
    attempt: int = 0
    early: int = 0
    ended: float = 0.0


@attrs.frozen
class Run:
    """What a simulation found.

    Args:
        seconds: until the last task was done.
        requests: all that were sent.
        early: the permits of each task while all were at work.
        ends: when each task was done (seconds).
    """

    seconds: float
    requests: int
    early: list[int]
    ends: list[float]


def windows(options: argparse.Namespace, skew: float) -> list[int]:
    """Return the pages of each window, of which the largest has about *skew* times as many as the median."""
    rng = random.Random(options.seed)
    weights = [rng.lognormvariate(0, math.log(skew) / 2.5) for _ in range(options.tasks)]
    largest, middle = max(weights), median(weights)
    weights = [1 + (one - middle) / (largest - middle) * (skew - 1) if skew > 1 else 1.0 for one in weights]
    weights = [max(one, 0.01) for one in weights]
    return [max(1, round(options.rows / options.page_size / PAGES * one / sum(weights))) for one in weights]


def governed(pages: list[int], rate: float, lost: dict[float, range], concurrency: int = CONCURRENCY) -> Run:
    """Hand out permits to the tasks in turn, each a gap after the last, until every task is done.

    Args:
        pages: the pages of each task.
        rate: permits per second.
        lost: the tasks that lose their executor, by time (seconds).
        concurrency: requests in flight of a task.
    """
    tasks = [Task(count) for count in pages]
    turn: deque[tuple[int, int]] = deque()  # a task and its attempt
    # What is going to happen: when, to which task, in which attempt, and whether it is an answer.
    events = [(0.0, number, 0, False) for number in range(len(tasks))]
    losses = sorted(lost.items())
    now, requests, all_busy = 0.0, 0, True
    while events or turn:
        while losses and losses[0][0] <= now:
            at, numbers = losses.pop(0)
            for number in numbers:
                if not tasks[number].ended:
                    tasks[number].attempt += 1
                    heapq.heappush(events, (at + DETECTED, number, tasks[number].attempt, False))
        while events and events[0][0] <= now:
            at, number, attempt, is_answer = heapq.heappop(events)
            task = tasks[number]
            if attempt != task.attempt:
                continue
            if not is_answer:
                task.left, task.flying = task.pages, 0
                turn.append((number, attempt))
                continue
            if task.flying == concurrency and task.left:
                turn.append((number, attempt))
            task.flying -= 1
            if not task.flying and not task.left:
                task.ended, all_busy = at, False
        while turn and turn[0][1] != tasks[turn[0][0]].attempt:
            turn.popleft()
        if not turn:
            now = events[0][0] if events else now
            continue
        number, attempt = turn.popleft()
        task = tasks[number]
        task.left, task.flying, task.early = task.left - 1, task.flying + 1, task.early + all_busy
        requests += 1
        heapq.heappush(events, (now + LATENCY, number, attempt, True))
        if task.left and task.flying < concurrency:
            turn.append((number, attempt))
        now += 1 / rate
    ends = [task.ended for task in tasks]
    return Run(max(ends), requests, [task.early for task in tasks], ends)


def shares(pages: list[int], rate: float) -> Run:
    """Return what tasks do that each keep to their part of the rate."""
    ends = [count * len(pages) / rate for count in pages]
    return Run(max(ends), sum(pages), [1] * len(pages), ends)


def show(name: str, run: Run, ideal: float) -> None:
    minutes = round(run.seconds / 60)
    took = f"{minutes // 60} h {minutes % 60:02} min"
    unfair = max(run.early) / max(1, min(run.early))
    tail = run.seconds - min(run.ends)
    print(
        f"{name:34}{took:>12}{run.seconds / ideal:9.3f}{run.requests * PAGES:12,}{unfair:12.3f}{tail / 60:12.1f}",
        flush=True,
    )


async def real(options: argparse.Namespace) -> None:
    """Run the governor and the gates of all tasks, with a hundredth of the pages."""
    desk, count, burst = Desk(concurrency=64), options.tasks, 10.0
    pages = max(1, round(options.rows / options.page_size / 100 / count))
    tokens, filled, refused = burst, 0.0, 0
    now = asyncio.get_running_loop().time
    half: list[int] = []
    done = [0] * count

    async def request(gate: GovernedGate, number: int) -> None:
        nonlocal tokens, filled, refused
        while True:
            await gate.enter(gate.ticket())
            entered = now()
            await asyncio.sleep(LATENCY / 2)
            tokens, filled = min(burst, tokens + (now() - filled) * options.rate), now()
            good = tokens >= 1
            tokens -= good
            await asyncio.sleep(LATENCY / 2)
            if good:
                gate.accepted()
            gate.leave()
            if good:
                break
            refused += 1
            gate.throttled(entered, 0.0)
        done[number] += 1
        if not half and sum(done) >= pages * count / 2:
            half.extend(done)

    async def task(number: int) -> None:
        gate, left = desk.session(CONCURRENCY)[0], pages

        async def work() -> None:
            nonlocal left
            while left:
                left -= 1
                await request(gate, number)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))

    await asyncio.gather(*map(task, range(count)))
    sent = pages * count + refused
    print(
        f"\n{pages * count:,} pages by {count} gates and a governor that was told no rate: "
        f"{pages * count / now() / options.rate:.1%} of the rate used, {refused / sent:.2%} refused, "
        f"most / fewest pages of a task at half time {max(half) / max(1, min(half)):.2f}"
    )


def main(options: argparse.Namespace) -> None:
    began = time.perf_counter()
    ideal = options.rows / options.page_size / options.rate
    print(
        f"{options.rows:,} rows, {options.tasks} tasks at once, {options.page_size} rows a page, "
        f"{options.rate:g} requests a second, {LATENCY * 1000:g} ms"
    )
    print(f"{'':34}{'time':>12}{'x ideal':>9}{'requests':>12}{'most/fewest':>12}{'tail (min)':>12}")
    even, balanced, skewed = (windows(options, skew) for skew in (1.0, 1.15, 3.0))
    rate = options.rate / PAGES
    one = [sum(even)]
    tenth = range(options.tasks // 10)
    show("one process, 32 in flight", governed(one, rate, {}, concurrency=32), ideal)
    show("even windows", governed(even, rate, {}), ideal)
    show("largest 1.15 x the median", governed(balanced, rate, {}), ideal)
    show("largest 3 x the median", governed(skewed, rate, {}), ideal)
    show("the same, shares", shares(skewed, rate), ideal)
    show("a tenth lost at a quarter", governed(balanced, rate, {ideal / 4: tenth}), ideal)
    losses = {
        ideal / 4: tenth,
        ideal / 2: range(options.tasks // 2, options.tasks // 2 + options.tasks // 10),
        0.9 * ideal: tenth,
    }
    show("three times a tenth lost", governed(balanced, rate, losses), ideal)
    show("all lost at half time", governed(balanced, rate, {ideal / 2: range(options.tasks)}), ideal)
    run_virtual(real(options))
    print(f"simulated in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000_000)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--page-size", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    main(parser.parse_args())
