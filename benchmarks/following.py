"""Does a follow tell each instance once, each change in its order, how soon, and what does it cost?

The emulator runs in a process of its own, in which instances come, late by up to nearly the margin, and change until each of
them is finished. After so many busy seconds nothing happens any more, and the follow goes on for half as long. It is judged
by what the emulator then holds in the followed range, and by the statuses that it was given, each with its moment.

A row is late by the time from the moment at which the emulator had it, with that status, until the consumer has it. Whatever
is passed over because the next change came before the next poll is not expected, but that each instance comes to its last
status is; `wrong order` counts statuses that an instance did not have in the order in which they were told.

    python benchmarks/following.py [--seconds 60] [--seed 1] [--least 0.2] [--most 2] [--settle 5] [--types 3]
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles

import attrs

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import Event, FlowFollow, FlowInstance, FlowQuery, FlowSession, RequestEnded, ScheduleType
from aioflows.emulator import Emulator
from benchmarks.worlds import Table, arguments, judgement

FINISHED = [-1, 1, 4, 7, 8, 10]
UNFINISHED = [0, 2, 3, 5, 6, 9]
STEP = 0.1
"""Seconds between two rounds of inserts and changes, on average."""


@attrs.frozen
class Order:
    """What the emulator's process is to do.

    Args:
        seconds: for how *long* instances come.
        latest: *seconds* by which one may show after its trigger time.
        seed: another *number* gives other instances.
        types: how many *schedule types* occur.
    """

    seconds: float
    latest: float
    seed: int
    types: int


@attrs.frozen
class Truth:
    """What the emulator holds in the followed range at the end, and each status with its moment."""

    last: dict[str, int]
    history: dict[str, list[tuple[int, float]]]


def now() -> float:
    return time.time() * 1000


def serve(pipe: Connection, order: Order) -> None:
    """Be the emulator's process."""
    asyncio.run(served(pipe, order))


async def served(pipe: Connection, order: Order) -> None:
    async with Emulator(
        instances=1_000, seed=order.seed, schedule_types=tuple(range(order.types))
    ) as emulator:
        pipe.send(emulator.url)
        from_ms, to_ms = await asyncio.to_thread(pipe.recv)
        history = await live(emulator, order, from_ms)
        pipe.send(None)
        await asyncio.to_thread(pipe.recv)
        last = {
            name: code
            for code in (*FINISHED, *UNFINISHED)
            for _, name in emulator.matching(from_ms, to_ms, status=(code,))
        }
        pipe.send(Truth(last, history))


async def live(emulator: Emulator, order: Order, since_ms: int) -> dict[str, list[tuple[int, float]]]:
    """Let instances come and change until each of them is finished."""
    chance = random.Random(order.seed)
    history: dict[str, list[tuple[int, float]]] = {}
    running: list[str] = []
    end = now() + order.seconds * 1000
    while now() < end or running:
        await asyncio.sleep(chance.uniform(0, 2 * STEP))
        for _ in range(chance.choice([0, 1, 1, 2, 5]) if now() < end else 0):
            late = chance.choice([0.0, chance.uniform(0, order.latest)])
            status = chance.choice([*UNFINISHED, 1])
            trigger = max(int(now() - late * 1000), since_ms)
            name = emulator.insert(trigger, type=chance.randrange(order.types), status=status)
            history[name] = [(status, now())]
            running += [name] if status in UNFINISHED else []
        for name in chance.sample(running, (len(running) + 9) // 10):
            finished = chance.random() < 0.4
            before = history[name][-1][0]
            status = chance.choice([one for one in (FINISHED if finished else UNFINISHED) if one != before])
            emulator.set_status(name, status)
            history[name].append((status, now()))
            if finished:
                running.remove(name)
    return history


@attrs.define
class Counts:
    """Searches sent, as an observer."""

    searches: int = 0

    def heard(self, event: Event) -> None:
        self.searches += isinstance(event, RequestEnded) and event.operation == "search"

    def at(self, follow: FlowFollow) -> tuple[int, int]:
        return self.searches, follow.stats.polls


def judge(truth: Truth, got: list[tuple[FlowInstance, float]], table: Table) -> list[str]:
    """Print what became of the promise, and give what is wrong."""
    told: dict[str, list[int]] = {}
    lateness: list[float] = []
    for row, at in got:
        status = -100 if row.status is None else int(row.status)
        told.setdefault(row.instance_id, []).append(status)
        since = [
            moment
            for code, moment in truth.history.get(row.instance_id, ())
            if code == status and moment <= at
        ]
        lateness += [at - since[-1]] if since else []
    missed = sum(told.get(name, [None])[-1] != status for name, status in truth.last.items())
    known = Counter(told.keys() - truth.last.keys())
    twice = sum(one == after for codes in told.values() for one, after in pairwise(codes))
    wrong = 0
    for name, codes in told.items():
        history = iter(code for code, _ in truth.history.get(name, ()))
        wrong += not all(any(code == one for one in history) for code in codes)
    late = quantiles(lateness, n=100)
    table.row(
        len(truth.last), len(told), missed, len(known), twice, wrong, len(got), median(lateness), late[98]
    )
    faults = {"missed": missed, "foreign": len(known), "twice": twice, "in the wrong order": wrong}
    return [f"{count} {words}" for words, count in faults.items() if count]


async def followed(
    seconds: float, seed: int, least: float, most: float, settle: float, types: int
) -> list[str]:
    ours, theirs = multiprocessing.Pipe()
    order = Order(seconds, 0.8 * settle, seed, types)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, order), daemon=True)
    process.start()
    counts, got = Counts(), list[tuple[FlowInstance, float]]()
    url = await asyncio.to_thread(ours.recv)
    async with FlowSession(url, user_id="u", org_id="o", observer=counts.heard) as session:
        since = int((await session.server_time()).timestamp() * 1000)
        type = ScheduleType(0) if types == 1 else None
        query = FlowQuery(since, since + 86_400_000, type=type)
        async with session.follow(
            query, since=since, changes=True, settle_time=settle, min_wait=least, max_wait=most
        ) as follow:

            async def consume() -> None:
                async for row in follow:
                    got.append((row, now()))

            consuming = asyncio.create_task(consume())
            await asyncio.to_thread(ours.send, (since, query.to_ms))
            before = counts.at(follow)
            await asyncio.to_thread(ours.recv)
            busy = counts.at(follow)
            await asyncio.sleep(settle + 3 * most)
            quiet = counts.at(follow)
            await asyncio.sleep(max(seconds / 2, 10 * most))
            end = counts.at(follow)
            consuming.cancel()
            with suppress(asyncio.CancelledError):
                await consuming
    ours.send(None)
    truth: Truth = await asyncio.to_thread(ours.recv)
    await asyncio.to_thread(process.join)
    table = Table(
        expected=9, seen=9, missed=6, foreign=7, twice=5, wrong_order=11, rows=9, late_ms=8, p99_ms=8
    )
    wrong = judge(truth, got, table)
    for name, first, last in (("busy", before, busy), ("quiet", quiet, end)):
        polls = last[1] - first[1]
        print(f"{name}: {polls} polls, {(last[0] - first[0]) / max(1, polls):.2f} searches a poll")
    return wrong


def main() -> int:
    options = arguments(__doc__ or "", seconds=60.0, seed=1, least=0.2, most=2.0, settle=5.0, types=3)
    return judgement(
        asyncio.run(
            followed(
                options.seconds, options.seed, options.least, options.most, options.settle, options.types
            )
        )
    )


if __name__ == "__main__":
    sys.exit(main())
