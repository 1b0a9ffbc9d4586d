"""Scan real databases in every way, and compare with SQL: ``python -m tests.databases --database postgresql --quick``.

Each line is one scan: rows that match, rows lost, twice, alien, out of order, requests as a multiple of the fewest
possible, and how it ended. The exit code is 1 if a row was lost or came twice, or if an error came where some set of
requests can settle the question, and 2 if no database is installed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from tests.databases.comparison import Combination, Outcome
from tests.databases.matrix import CAPS, HEAD, Tables, full, line, quick, sampled
from tests.databases.servers import DATABASES, NotInstalled, Server, serve
from tests.databases.service import Service
from tests.databases.tables import opened

__all__ = ["main"]


async def _run(
    server: Server, combinations: Sequence[Combination], options: argparse.Namespace
) -> list[Outcome]:
    """Run the scans one after the other, each printed when it has ended."""
    outcomes = []
    tables = Tables(options.rows)
    async with opened(server) as database:
        service = Service(database)
        async with service.running() as url:
            for number, one in enumerate(combinations):
                outcome = await tables.outcome(database, service, url, one, timeout=options.timeout)
                _say(line(server.database, one, outcome))
                outcomes.append(outcome)
                following = combinations[number + 1 : number + 2]
                if not following or following[0].layout != one.layout:
                    await tables.drop(database, one.layout)
    return outcomes


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _chosen(options: argparse.Namespace) -> list[Combination]:
    """Return the combinations that the options ask for."""
    of = {"full": full, "quick": quick, "tested": sampled}[options.part]
    caps = {None if cap == "none" else int(cap) for cap in options.cap}
    orders = {None if order == "none" else order for order in options.order}
    wanted = [
        one
        for one in of()
        if (not caps or one.cap in caps)
        and (not orders or one.order in orders)
        and options.column in (None, one.layout.column)
        and options.index in (None, one.layout.index)
        and options.reading in (None, one.reading)
        and options.world in (None, one.layout.world)
        and (not options.changing or one.changing)
        and (not options.still or not one.changing)
    ]
    return sorted(wanted, key=lambda one: (one.layout.table, one.changing))


def _summary(outcomes: Sequence[Outcome]) -> str:
    endings = Counter(outcome.ending.split(":")[0] for outcome in outcomes)
    allowed = sum(outcome.allowed for outcome in outcomes)
    wrong = sum(not outcome.right for outcome in outcomes)
    complete = [outcome for outcome in outcomes if outcome.ending == "complete"]
    return (
        f"{len(outcomes)} scans, {wrong} wrong; of those that ended without an error: "
        f"{sum(outcome.lost for outcome in complete):,} rows lost, {sum(outcome.twice for outcome in complete):,} twice; "
        f"endings: {', '.join(f'{count} {ending}' for ending, count in endings.most_common())}; "
        f"{allowed} errors where no set of requests can settle it"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.databases", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: both")
    parser.add_argument("--full", dest="part", action="store_const", const="full", help="everything: hours")
    parser.add_argument(
        "--quick", dest="part", action="store_const", const="quick", help="the default: half an hour"
    )
    parser.add_argument(
        "--tested", dest="part", action="store_const", const="tested", help="what the tests run"
    )
    caps = [str(cap or "none") for cap in CAPS]
    parser.add_argument(
        "--cap", choices=caps, action="append", default=[], help="only scans with this page cap"
    )
    parser.add_argument(
        "--order", action="append", default=[], help="only in this order, as in --order=-trigger_time"
    )
    parser.add_argument("--column", help="only with this column: seconds, milliseconds, number")
    parser.add_argument("--index", help="only with this index: none, time, 'type, time'")
    parser.add_argument("--reading", help="only with this way to read a page: rows, keys")
    parser.add_argument("--world", help="only these instances: second, instants")
    parser.add_argument("--changing", action="store_true", help="only while rows change")
    parser.add_argument("--still", action="store_true", help="only while nothing changes")
    parser.add_argument("--rows", type=int, default=50_000, help="instances of a world")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds after which a scan is given up")
    parser.set_defaults(part="quick")
    options = parser.parse_args(arguments)
    combinations = _chosen(options)
    outcomes: list[Outcome] = []
    missing = 0
    for database in options.database or DATABASES:
        try:
            with serve(database) as server:
                _say(server.version, f"{len(combinations)} scans", HEAD)
                found = asyncio.run(_run(server, combinations, options))
        except NotInstalled as error:
            _say(f"{database} is left out: {error}")
            missing += 1
            continue
        _say(f"{database}: {_summary(found)}", "")
        outcomes += found
    if missing == len(options.database or DATABASES):
        return 2
    return int(any(not outcome.right for outcome in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
