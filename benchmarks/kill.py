"""Is an export that is killed again and again, and gone on with until it is done, what an undisturbed one gives?

For each format: one undisturbed export; then exports that are killed (SIGKILL) at random moments and resumed, until that many
kills have met a running process. After each kill the target is not there, or whole; each export that comes to its end is
compared with the undisturbed one, byte for byte where the format is a text, row for row elsewhere. The emulator runs in another
process.

With ``--append``, a target grows by thirty daily increments, of which each is killed and called again until it ends. After each
kill the target is as it was the day before, or as it is in the end of the day; after the last day it is compared with one export
of the month.

With ``--s3``, the targets lie on an S3 server in another process (moto's; extra ``test-object-stores``). A folder of objects is
filled by one copy after the other, so after a kill it may hold a part of the rows.

    python benchmarks/kill.py [--append] [--s3] [--kills 200] [--formats jsonl,csv,csv.gz,jsonl.zst,parquet,folder,sqlite,duckdb]
        [--rows 100000] [--seed 1]
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
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import duckdb  # noqa: F401  (what is imported here need not be imported after each fork)
import pyarrow.compute
import pyarrow.dataset
import pyarrow.parquet  # noqa: F401

from aioflows import FlowQuery, FlowSession, Limits
from aioflows.emulator import EmulatorProcess
from aioflows.export import export
from tests.support.export_readers import content
from tests.support.object_stores import copied

NAMES = {
    "jsonl": "out.jsonl",
    "csv": "out.csv",
    "csv.gz": "out.csv.gz",
    "jsonl.zst": "out.jsonl.zst",
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
NOTHING, PART = "nothing", "part"
"""What is in a target that is not there, and in one that has some of the rows in order."""


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


class Place(ABC):
    """Where targets lie."""

    @abstractmethod
    def target(self, name: str) -> str:
        """Give what `export` takes for a name."""

    @abstractmethod
    def rows(self, format: str, name: str) -> Sequence[bytes] | None:
        """Give the rows of a target, or for a text its bytes, or None if it is not there."""

    @abstractmethod
    def clear(self) -> int:
        """Remove all but what begins with "whole-"; give the number of things that no target should leave."""

    def digest(self, format: str, name: str, *, whole: str = "") -> str:
        """Tell what is in a target, found out by another process: threads must not be forked.

        Args:
            format: its format.
            name: its name.
            whole: the name of a target; if that holds all these rows in order and more, they are `PART`.
        """
        reader, writer = os.pipe()

        def read() -> None:
            found = self.rows(format, name)
            told = NOTHING if found is None else hashlib.sha256(b"\n".join(found)).hexdigest()
            if found is not None and whole:
                rest = iter(self.rows(format, whole) or ())
                if all(row in rest for row in found) and next(rest, None) is not None:
                    told = PART
            os.write(writer, told.encode())

        child = begin(read)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            told = pipe.read()
        return told if end(child) == 0 else "unreadable"


@attrs.frozen
class Disk(Place):
    """A folder."""

    folder: Path

    def target(self, name: str) -> str:
        return f"{self.folder}/{name}"

    def rows(self, format: str, name: str) -> Sequence[bytes] | None:
        path = self.folder / name.rstrip("/")
        return _rows(format, path) if path.exists() else None

    def clear(self) -> int:
        left = [path for path in self.folder.iterdir() if not path.name.startswith(("whole-", ".whole-"))]
        for path in left:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return sum(path.name.startswith(".") for path in left)


@attrs.frozen
class Bucket(Place):
    """A bucket of an S3 server."""

    folder: Path
    bucket: str

    def target(self, name: str) -> str:
        return f"s3://{self.bucket}/{name}"

    def rows(self, format: str, name: str) -> Sequence[bytes] | None:
        files, path = _s3(), f"{self.bucket}/{name}"
        if not files.exists(path):
            return None
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            return _rows(format, copied(files, path, Path(scratch)))

    def clear(self) -> int:
        def remove() -> None:
            files = _s3()
            files.rm(
                [one for one in files.find(self.bucket) if "/whole-" not in one and "/.whole-" not in one]
            )

        return int(end(begin(remove)) != 0)


def _s3() -> Any:
    import s3fs  # noqa: PLC0415

    return s3fs.S3FileSystem(skip_instance_cache=True)


def _rows(format: str, path: Path) -> Sequence[bytes]:
    return [path.read_bytes()] if format in TEXTS else [repr(row).encode() for row in content(path)]


@contextmanager
def s3_server() -> Iterator[None]:
    """Run an S3 server, and let the environment name it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        os.environ |= {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            for _ in range(100):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield
        finally:
            server.terminate()


def killed(format: str, kills: int, emulator: EmulatorProcess, place: Place, rng: random.Random) -> Outcome:
    """Export one format until it was killed so many times, and came to its end after the last of them."""
    outcome, name = Outcome(), f"whole-{NAMES[format]}"
    began = time.perf_counter()
    if end(begin(lambda: write(emulator, place.target(name)))):
        raise SystemExit(f"{format}: an export that nobody disturbs fails")
    span = time.perf_counter() - began
    whole = place.digest(format, name)
    while outcome.kills < kills:
        target = f"{outcome.exports}-{NAMES[format]}"
        while True:
            child = begin(lambda: write(emulator, place.target(target)))  # noqa: B023 - it runs before the next one
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
            found = place.digest(format, target, whole=name if _is_filled_slowly(format, place) else "")
            outcome.torn += found not in (NOTHING, PART, whole)
        outcome.exports += 1
        outcome.unlike += place.digest(format, target) != whole
        place.clear()
    return outcome


def grown(format: str, kills: int, emulator: EmulatorProcess, place: Place, rng: random.Random) -> Outcome:
    """Let targets of one format grow by daily increments until they were killed so many times, to the end of the month."""
    outcome, states, span = Outcome(), [NOTHING], 0.0
    calm, whole = f"whole-calm-{NAMES[format]}", f"whole-{NAMES[format]}"
    for day in range(DAYS):
        began = time.perf_counter()
        if end(begin(lambda: grow(emulator, place.target(calm), 0, day + 1))):  # noqa: B023 - it runs before the next day
            raise SystemExit(f"{format}: an increment that nobody disturbs fails")
        span = max(span, time.perf_counter() - began)
        states.append(place.digest(format, calm))
    if end(begin(lambda: grow(emulator, place.target(whole), 0, DAYS))):
        raise SystemExit(f"{format}: an export that nobody disturbs fails")
    outcome.unlike += states[-1] != place.digest(format, whole)
    while outcome.kills < kills:
        target = f"{outcome.exports}-{NAMES[format]}"
        for day in range(DAYS):
            while True:
                child = begin(lambda: grow(emulator, place.target(target), max(0, day - 1), day + 1))  # noqa: B023
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
                slowly = _is_filled_slowly(format, place)
                found = place.digest(format, target, whole=whole if slowly else "")
                # A folder on a disk is swapped by two renames, between which there is none.
                may_lack = day == 0 or format == "folder"
                may_be = (
                    *states[day : day + 2],
                    *([PART] if slowly else []),
                    *([NOTHING] if may_lack else []),
                )
                outcome.torn += found not in may_be
        outcome.exports += 1
        outcome.unlike += place.digest(format, target) != states[-1]
        outcome.unlike += place.clear()
    return outcome


def _is_filled_slowly(format: str, place: Place) -> bool:
    return format == "folder" and isinstance(place, Bucket)


def _bucket(folder: Path) -> Bucket:
    bucket = f"bucket-{time.time_ns()}"
    if end(begin(lambda: _s3().mkdir(bucket))):
        raise SystemExit("the S3 server does not answer")
    return Bucket(folder, bucket)


def main(options: argparse.Namespace) -> int:
    formats = options.formats.split(",")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {DAYS if options.append else 10} days of "
        f"{options.rows:,} instances, seed {options.seed}"
    )
    print(f"{'':10}{'kills':>8}{'exports':>9}{'unlike':>8}{'torn':>6}{'stuck':>7}{'seconds':>9}")
    rng, good = random.Random(options.seed), True
    with ExitStack() as stack:
        if options.s3:
            import s3fs  # noqa: F401, PLC0415

            stack.enter_context(s3_server())
        emulator = stack.enter_context(
            EmulatorProcess(instances=options.rows, seed=options.seed, latency=0.002)
        )
        for format in formats:
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                work = grown if options.append else killed
                place = _bucket(Path(folder)) if options.s3 else Disk(Path(folder))
                found = work(format, options.kills, emulator, place, rng)
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
    parser.add_argument("--s3", action="store_true", help="targets on an S3 server")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--formats", default=",".join(NAMES))
    parser.add_argument(
        "--rows", type=int, default=100_000, help="in a year, of which ten days or a month are exported"
    )
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(main(parser.parse_args()))
