"""What does each output cost over the bare scan, in processor time?

The bare scan is `pages()`, whose rows are dropped. The outputs take turns with it in one process, and each ratio is to the two bare
scans just before and after. The service is canned and runs in a process of its own, and a page has 500 rows.

    python -m benchmarks.outputs [--days 10] [--rounds 7] [--only json_lines,csv]
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import orjson

from aioflows import FlowQuery, FlowSession, ScheduleType
from aioflows.export import export
from aioflows.web import NDJSON
from benchmarks.canned import A_DAY, CannedService

Output = Callable[[FlowSession, FlowQuery, Path], Awaitable[None]]

FILES = {
    "jsonl": "rows.jsonl",
    "csv": "rows.csv",
    "sqlite": "rows.sqlite",
    "parquet": "rows.parquet",
    "duckdb": "rows.duckdb",
}
MOST = {"json_lines": 3.0, "ndjson": 3.0, "jsonl": 3.0, "csv": 2.7, "sqlite": 3.5}
"""The greatest cost of an output over the bare scan."""


async def bare(session: FlowSession, query: FlowQuery, _: Path) -> None:
    async with session.scan(query) as scan:
        async for _rows in scan.pages():
            pass


async def record_batches(session: FlowSession, query: FlowQuery, _: Path) -> None:
    async with session.scan(query) as scan:
        async for _batch in scan.record_batches():
            pass


async def json_lines(session: FlowSession, query: FlowQuery, _: Path) -> None:
    async with session.scan(query) as scan:
        async for _lines in scan.json_lines():
            pass


async def ndjson(session: FlowSession, query: FlowQuery, _: Path) -> None:
    """Answer as `aioflows.web` does, to a client that takes everything at once."""

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    async def send(message: object) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await NDJSON(session.scan(query))(scope, receive, send)


def to_file(name: str) -> Output:
    async def write(session: FlowSession, query: FlowQuery, folder: Path) -> None:
        await export(session, query, folder / name, overwrite=True)

    return write


OUTPUTS: dict[str, Output] = {
    "json_lines": json_lines,
    "ndjson": ndjson,
    "record_batches": record_batches,
    **{kind: to_file(name) for kind, name in FILES.items()},
}


async def measured(names: list[str], service: CannedService, rounds: int) -> dict[str, list[float]]:
    """Return the cost of each output over the bare scan, for each round."""
    query = FlowQuery(service.start_ms, service.end_ms, type=ScheduleType.PERIODIC)
    found: dict[str, list[float]] = {name: [] for name in names}
    async with FlowSession(service.url, user_id="u", org_id="o") as session:
        with tempfile.TemporaryDirectory() as folder:

            async def spent(output: Output) -> float:
                began = time.process_time()
                await output(session, query, Path(folder))
                return time.process_time() - began

            for name in names:  # imports and first calls are not measured
                await spent(OUTPUTS[name])
            before = await spent(bare)
            for _ in range(rounds):
                for name in names:
                    cost = await spent(OUTPUTS[name])
                    after = await spent(bare)
                    found[name].append(2 * cost / (before + after))
                    before = after
    return found


def main(options: argparse.Namespace) -> int:
    names = options.only.split(",") if options.only else list(OUTPUTS)
    print(f"Python {platform.python_version()}, {platform.machine()}, orjson {orjson.__version__}, ", end="")
    print(f"{options.days * A_DAY:,} rows, {options.rounds} rounds: median [least-most] x the bare scan\n")
    with CannedService(options.days * A_DAY) as service:
        found = asyncio.run(measured(names, service, options.rounds))
    failed = 0
    for name, costs in found.items():
        most = MOST.get(name)
        failed += most is not None and median(costs) > most
        limit = "" if most is None else f"   limit {most}"
        print(f"{name:16}{median(costs):6.2f} [{min(costs):.2f}-{max(costs):.2f}]{limit}")
    return 1 if failed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="names of outputs, separated by commas")
    sys.exit(main(parser.parse_args()))
