"""Do the pieces of a scan that is interrupted, again and again, make exactly one whole?

A thousand scans are interrupted at random: by ``break`` after any row, so mostly inside a page and often inside a second
that holds more rows than a page; by cancellation at any moment; or by an error of the service, whose checkpoint is then
used. Each is resumed from the text of its checkpoint, in the same session or in one that knows nothing, and interrupted
again, up to six times; then it runs to its end. The pieces together are judged by what the emulator knows to match: no
row lost, wrong, given twice, or out of order across the pieces.

    python benchmarks/resume.py [--scans 1008] [--first-seed 1] [--only "desc,break"]

150 rows lie in bursts, in midnight seconds, evenly, or all in one second, by turns; an answer has 20.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs

sys.path.insert(
    0, str(Path(__file__).resolve().parents[1])
)  # what is measured is the clone that this lies in

from aioflows import (
    AioflowsError,
    Checkpoint,
    Denied,
    FlowInstance,
    FlowQuery,
    FlowSession,
    ScheduleType,
)
from aioflows.emulator import Emulator, Fault
from benchmarks.worlds import (
    ORDERS,
    Table,
    Verdict,
    arguments,
    judgement,
    session_to,
    verdict,
    virtually,
    watching,
)

PROFILES = ("midnight", "bursty", "uniform", "one-second")
WAYS = ("break", "cancel", "error", "any")
CAP, MOST = 20, 6


@attrs.define
class Pieces:
    """What came of a scan in pieces.

    Attributes:
        rows: all that was given, one piece after the other.
        cuts: after how many rows it was interrupted.
        error: an error that was not asked for.
    """

    rows: list[FlowInstance] = attrs.Factory(list)
    cuts: list[int] = attrs.Factory(list)
    error: Exception | None = None


@asynccontextmanager
async def session_or_new(emulator: Emulator, old: FlowSession, *, new: bool) -> AsyncIterator[FlowSession]:
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(session_to(emulator)) if new else old


async def piece(
    session: FlowSession,
    query: FlowQuery,
    resume: Checkpoint | None,
    way: str,
    rng: random.Random,
    to: Pieces,
) -> Checkpoint | None:
    """Read on until interrupted; the checkpoint, or None at the end."""
    after = rng.choice((0, 1, rng.randrange(150), rng.randrange(60))) if way == "break" else 10**9
    until = rng.uniform(0, 0.4) if way == "cancel" else 1_000
    pause = rng.choice((0, 0, 0.002))  # a consumer that takes its time is cancelled between two rows
    async with session.scan(query, resume=resume) as scan:
        try:
            async with asyncio.timeout(until):
                while after > 0:
                    after -= 1
                    to.rows.append(await anext(scan))
                    if pause:
                        await asyncio.sleep(pause)
        except StopAsyncIteration:
            return None
        except TimeoutError:
            pass
        except Denied as error:
            if not isinstance(error.checkpoint, Checkpoint):
                raise
            return error.checkpoint
        return scan.checkpoint()


async def scan(order: str, type: ScheduleType | None, way: str, seed: int) -> tuple[Verdict, Pieces, int]:
    """One scan in pieces: the verdict, the pieces, and how many cuts were made inside a second that no page holds."""
    rng = random.Random(f"{order} {type} {way} {seed}")
    errors = rng.sample(range(1, 40), 5) if way in ("error", "any") else []
    emulator = Emulator(
        150,
        seed,
        profile=PROFILES[seed % len(PROFILES)],
        schedule_types=(0, 1, 2) if type is None else (type,),
        days=30,
        page_cap=CAP,
        first_page=rng.randrange(2),
        ties=rng.choice(("stable", "stable", "unstable")),
        latency_spread=0.03,
        faults=[Fault(at, "code-62103") for at in errors],
    )
    pieces, checkpoint = Pieces(), None
    with emulator:
        query = FlowQuery(emulator.start, emulator.end, type=type, order_by=ORDERS[order])
        with watching(emulator, query) as watch:
            try:
                async with session_to(emulator) as session:
                    for number in itertools.count():
                        now = rng.choice(WAYS[:3]) if way == "any" else way
                        now = now if number < MOST else "none"
                        async with session_or_new(emulator, session, new=rng.random() < 0.5) as one:
                            checkpoint = await piece(one, query, checkpoint, now, rng, pieces)
                        if checkpoint is None:
                            break
                        pieces.cuts.append(len(pieces.rows))
                        checkpoint = Checkpoint.from_json(checkpoint.to_json())
            except (AioflowsError, TimeoutError) as error:
                pieces.error = error
        found = verdict(pieces.rows, watch, query, emulator, error=pieces.error)
        seconds = sorted(ms // 1000 for ms in watch.times.values())
    return found, pieces, _inside(pieces, seconds, watch.times)


def _inside(pieces: Pieces, seconds: list[int], times: dict[str, int]) -> int:
    """Cuts between two rows of one second that holds more rows than a page."""
    inside = 0
    for cut in pieces.cuts:
        if 0 < cut < len(pieces.rows):
            one, other = (times.get(pieces.rows[at].instance_id, at) // 1000 for at in (cut - 1, cut))
            inside += one == other and bisect_left(seconds, one + 1) - bisect_left(seconds, one) > CAP
    return inside


def main() -> int:
    options = arguments(__doc__, scans=1008, first_seed=1)
    types = {"one type": ScheduleType.PERIODIC, "all types": None}
    each = -(-options.scans // (len(ORDERS) * len(types) * len(WAYS)))
    print(
        f"150 rows, {CAP} in an answer, 8 in flight, at most {MOST} interruptions and 5 errors a scan; {each} scans a "
        f"line, from seed {options.first_seed}"
    )
    table = Table(
        order=9, types=9, interrupted_by=14, scans=5, interruptions=13, in_a_dense_second=17, lost=4, wrong=5, twice=5,
        misplaced=9, endless=7, errors=6,
    )  # fmt: skip
    broken: list[str] = []
    for order, (kind, type), way in itertools.product(ORDERS, types.items(), WAYS):
        line = f"{order}, {kind}, {way}"
        if not all(word in line.split(", ") for word in options.only):
            continue
        verdicts, cuts, inside = [], 0, 0
        for seed in range(options.first_seed, options.first_seed + each):
            one, pieces, dense = virtually(scan(order, type, way, seed))
            verdicts.append(one)
            cuts, inside = cuts + len(pieces.cuts), inside + dense
            if one.ending != "exact":
                broken.append(f"{line}, seed {seed}: {one}, interrupted after {pieces.cuts}")
        endings = Counter(one.ending for one in verdicts)
        breaches = (
            sum(getattr(one, name) for one in verdicts) for name in ("lost", "wrong", "twice", "misplaced")
        )
        errors = len(verdicts) - endings["exact"] - endings["broken"] - endings["endless"]
        table.row(order, kind, way, len(verdicts), cuts, inside, *breaches, endings["endless"], errors)
    return judgement(broken)


if __name__ == "__main__":
    sys.exit(main())
