"""Is an export that is killed again and again, and gone on with until it is done, what an undisturbed one gives?

For each format: one undisturbed export; then exports that are killed (SIGKILL) at random moments and resumed, until that many
kills have met a running process. After each kill the target is not there, or whole; each export that comes to its end is
compared with the undisturbed one, byte for byte where the format is a text, row for row elsewhere. The emulator runs in another
process.

With ``--append``, a target grows by thirty daily increments, of which each is killed and called again until it ends. After each
kill the target is as it was the day before, or as it is in the end of the day; after the last day it is compared with one export
of the month.

    python benchmarks/kill.py [--append] [--kills 200] [--formats jsonl,csv,parquet,folder,sqlite,duckdb] [--rows 100000] [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import attrs
import duckdb  # noqa: F401  (what is imported here need not be imported after each fork)
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401

from aioflows import FlowQuery, FlowSession, Limits
from aioflows.emulator import EmulatorProcess
from aioflows.export import export
from tests.support.export_readers import content

NAMES = {
    "jsonl": "out.jsonl",
    "csv": "out.csv",
    "parquet": "out.parquet",
    "folder": "out.parquet/",
    "sqlite": "out.sqlite",
    "duckdb": "out.duckdb",
}
TEXTS = ("jsonl", "csv")
PAGE, EVERY = 50, 150  # instances in a request, and in what counts at once
DAY = 86_400_000  # ms
SPAN = 10 * DAY  # a folder has a file for each day
DAYS = 30


@attrs.define
class Outcome:
    """What became of one format.

    Attributes:
        kills: how often a running process was killed.
        exports: how many came to their end.
        unlike: how many of those were not what an undisturbed one gives.
        torn: how often a target was there that was not whole.
        stuck: how often going on was refused.
    """

    kills: int = 0
    exports: int = 0
    unlike: int = 0
    torn: int = 0
    stuck: int = 0

    @property
    def good(self) -> bool:
        """Whether the promise held."""
        return not (self.unlike or self.torn or self.stuck)


def begin(work: Callable[[], object]) -> int:
    """Do something in a process of its own, which ends with it; give its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - whatever it was, it must not run on as a second parent
        traceback.print_exc()
    finally:
        os._exit(code)


def end(child: int) -> int:
    """Wait for a process; give its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write(emulator: EmulatorProcess, target: str) -> None:
    """Export everything, or go on with it."""

    async def main() -> None:
        limits = Limits(page_size=PAGE, concurrency=4)
        async with FlowSession(emulator.url, user_id="u", org_id="o", limits=limits) as session:
            begin = emulator.start_ms
            query = FlowQuery(begin, min(begin + SPAN, emulator.end_ms))
            await export(session, query, target, resume=True, every=EVERY)

    asyncio.run(main())


def grow(emulator: EmulatorProcess, target: str, first: int, last: int) -> None:
    """Append some days of the month to a target."""

    async def main() -> None:
        limits = Limits(page_size=PAGE, concurrency=4)
        async with FlowSession(emulator.url, user_id="u", org_id="o", limits=limits) as session:
            query = FlowQuery(emulator.start_ms + first * DAY, emulator.start_ms + last * DAY)
            await export(session, query, target, append=True, every=EVERY)

    asyncio.run(main())


def digest(format: str, target: str) -> str:
    """Tell what is in a target, found out by another process: threads must not be forked."""
    reader, writer = os.pipe()

    def read() -> None:
        path = Path(target)
        seen = path.read_bytes() if format in TEXTS else repr(content(path)).encode()
        os.write(writer, hashlib.sha256(seen).hexdigest().encode())

    child = begin(read)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = pipe.read()
    return found if end(child) == 0 else "unreadable"


def killed(format: str, kills: int, emulator: EmulatorProcess, folder: Path, rng: random.Random) -> Outcome:
    """Export one format until it was killed so many times, and came to its end after the last of them."""
    outcome = Outcome()
    began = time.perf_counter()
    if end(begin(lambda: write(emulator, f"{folder}/whole-{NAMES[format]}"))):
        raise SystemExit(f"{format}: an export that nobody disturbs fails")
    span = time.perf_counter() - began
    whole = digest(format, f"{folder}/whole-{NAMES[format]}")
    while outcome.kills < kills:
        target = f"{folder}/{outcome.exports}-{NAMES[format]}"
        while True:
            child = begin(lambda: write(emulator, target))  # noqa: B023 - it runs before the next one is named
            if outcome.kills < kills:
                time.sleep(rng.uniform(0, span))
                os.kill(child, signal.SIGKILL)
            code = end(child)
            if code == 0:
                break
            if code != -signal.SIGKILL:
                outcome.stuck += 1
                return outcome
            outcome.kills += 1
            outcome.torn += Path(target).exists() and digest(format, target) != whole
        outcome.exports += 1
        outcome.unlike += digest(format, target) != whole
        for left in folder.iterdir():
            if not left.name.startswith(("whole-", ".whole-")):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
    return outcome


def grown(format: str, kills: int, emulator: EmulatorProcess, folder: Path, rng: random.Random) -> Outcome:
    """Let targets of one format grow by daily increments until they were killed so many times, to the end of the month."""
    outcome, states, span = Outcome(), ["none"], 0.0
    calm = f"{folder}/calm-{NAMES[format]}"
    for day in range(DAYS):
        began = time.perf_counter()
        if end(begin(lambda: grow(emulator, calm, 0, day + 1))):  # noqa: B023 - it runs before the next day
            raise SystemExit(f"{format}: an increment that nobody disturbs fails")
        span = max(span, time.perf_counter() - began)
        states.append(digest(format, calm))
    if end(begin(lambda: grow(emulator, f"{folder}/whole-{NAMES[format]}", 0, DAYS))):
        raise SystemExit(f"{format}: an export that nobody disturbs fails")
    outcome.unlike += states[-1] != digest(format, f"{folder}/whole-{NAMES[format]}")
    while outcome.kills < kills:
        target = f"{folder}/{outcome.exports}-{NAMES[format]}"
        for day in range(DAYS):
            while True:
                child = begin(lambda: grow(emulator, target, max(0, day - 1), day + 1))  # noqa: B023
                if outcome.kills < kills and rng.random() < 0.7:
                    time.sleep(rng.uniform(0, span))
                    os.kill(child, signal.SIGKILL)
                code = end(child)
                if code == 0:
                    break
                if code != -signal.SIGKILL:
                    outcome.stuck += 1
                    return outcome
                outcome.kills += 1
                found = digest(format, target) if Path(target).exists() else states[0]
                # A folder is swapped by two renames, between which there is none.
                may_lack = day == 0 or format == "folder"
                outcome.torn += found not in states[day : day + 2] and not (may_lack and found == states[0])
        outcome.exports += 1
        outcome.unlike += digest(format, target) != states[-1]
        beside = [one.name for one in folder.iterdir() if one.name.startswith(".")]
        outcome.unlike += len(beside)
        Path(target).unlink() if Path(target).is_file() else shutil.rmtree(target)
    return outcome


def main(options: argparse.Namespace) -> int:
    formats = options.formats.split(",")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {DAYS if options.append else 10} days of "
        f"{options.rows:,} instances, seed {options.seed}"
    )
    print(f"{'':10}{'kills':>8}{'exports':>9}{'unlike':>8}{'torn':>6}{'stuck':>7}{'seconds':>9}")
    rng, good = random.Random(options.seed), True
    with EmulatorProcess(instances=options.rows, seed=options.seed, latency=0.002) as emulator:
        for format in formats:
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                work = grown if options.append else killed
                found = work(format, options.kills, emulator, Path(folder), rng)
                taken = time.perf_counter() - began
            good = good and found.good
            print(
                f"{format:10}{found.kills:8,}{found.exports:9,}{found.unlike:8,}{found.torn:6,}{found.stuck:7,}{taken:9.0f}",
                flush=True,
            )
    return 0 if good else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--append", action="store_true", help="daily increments instead of whole exports")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--formats", default=",".join(NAMES))
    parser.add_argument(
        "--rows", type=int, default=100_000, help="in a year, of which ten days or a month are exported"
    )
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(parser.parse_args()))
