"""How does a scan compare with what one would write or install instead: in time, in requests, and is the answer right?

Every reader is a fresh process, in turn, A B A B; the service is ready-made (`benchmarks.canned`) and has a process of its
own. Times are of the reading alone, imports excluded; "x" is the median of ratios to the hand-tuned loop of the same round,
which is told all pages beforehand, keeps no order and proves nothing. "peak" is MB over the imports. Of 100,000 rows, 870
a day share the second of midnight: what became of them is the last table.

    pip install -e '.[bench]' && python benchmarks/rivals.py [--days 19] [--rounds 3] [--latencies 0 5 50] [--page-sizes 100 500]
"""

from __future__ import annotations

import argparse
import platform
import sys
from typing import Any

from benchmarks.canned import A_DAY, CannedService
from benchmarks.runs import middle, ratio, run

READERS = (
    "hand-tuned",
    "pages()",
    "row by row",
    "in no order",
    "sequential",
    "days at once",
    "vendor's SDK",
    "dlt",
)
SLOW = ("sequential", "vendor's SDK", "dlt")
"""Who reads one page after the other: with latency once is enough, since that is nearly all of their time."""

THREATS: dict[str, dict[str, Any]] = {
    "as documented": {},
    "pages capped at 100, silently": {"cap": 100},
    "rows of a second in another order each time": {"unstable": True},
}


def speeds(latency: float, page_size: int, options: argparse.Namespace) -> None:
    """Print who takes how long."""
    rows = options.days * A_DAY
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in READERS}
    with CannedService(rows, latency / 1000) as service:
        for number in range(options.rounds):
            for name, found in results.items():
                if not (number and latency and name in SLOW):
                    found.append(run(name, service, page_size))
                    assert found[-1]["rows"] == rows, f"{name} read {found[-1]['rows']:,} of {rows:,} rows"
    print(
        f"\n{rows:,} rows, {latency:g} ms, pages of {page_size}, up to 16 in flight, {options.rounds} rounds"
    )
    print(
        f"{'':14}{'seconds':>9}{'x':>7}{'CPU s':>8}{'x':>7}{'requests':>10}{'connections':>13}{'peak MB':>9}"
    )
    base = results["hand-tuned"]
    for name, found in results.items():
        compared = base[: len(found)]  # who is slow reads once
        print(
            f"{name:14}{middle(found, 'seconds'):9.2f}{ratio(found, compared, 'seconds'):7.2f}"
            f"{middle(found, 'cpu'):8.2f}{ratio(found, compared, 'cpu'):7.2f}{middle(found, 'searches'):10,.0f}"
            f"{middle(found, 'connections'):13.0f}{middle(found, 'peak'):9.0f}",
            flush=True,
        )


def right(options: argparse.Namespace) -> None:
    """Print whose answer is complete, free of duplicates, and in order."""
    rows = options.days * A_DAY
    print(f"\nIs the answer right? {rows:,} rows, pages of 500")
    print(f"{'':14}{'missing':>9}{'twice':>8}{'in order':>10}{'requests':>10}")
    for words, threat in THREATS.items():
        print(words)
        with CannedService(rows, **threat) as service:
            for name in READERS:
                found = run(name, service, 500, "--checked")
                missing, twice = rows - found["distinct"], found["rows"] - found["distinct"]
                order = "yes" if found["ordered"] else "no"
                print(
                    f"  {name:12}{missing:9,}{twice:8,}{order:>10}{found['searches']:10,}",
                    flush=True,
                )


def main(options: argparse.Namespace) -> None:
    print(f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}")
    right(options)
    for latency in options.latencies:
        for page_size in options.page_sizes:
            speeds(latency, page_size, options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=19, help="of 5,320 rows each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latencies", type=float, nargs="*", default=[0, 5, 50], help="ms")
    parser.add_argument("--page-sizes", type=int, nargs="+", default=[100, 500])
    main(parser.parse_args())
