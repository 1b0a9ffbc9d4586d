"""How do time and memory grow with the rows, and with the windows that they are read in?

In order, by pages, from ready-made answers (`benchmarks.canned`), each line the median of fresh processes. Smaller pages mean
more windows for the same rows; their time is that of the requests.

    python benchmarks/growth.py [--rounds 3] [--days 2 19 190] [--page-sizes 1000 500 200 100 50]
"""

from __future__ import annotations

import argparse
import platform
import sys

from benchmarks.canned import A_DAY, CannedService
from benchmarks.runs import middle, run

FEW_DAYS, USUAL = 19, 500  # what does not grow


def line(days: int, page_size: int, rounds: int) -> None:
    """Print what a scan costs a row, and a request."""
    rows = days * A_DAY
    with CannedService(rows) as service:
        found = [run("pages()", service, page_size) for _ in range(rounds)]
    assert all(one["rows"] == rows for one in found)
    seconds, cpu, searches = (middle(found, key) for key in ("seconds", "cpu", "searches"))
    print(
        f"{rows:11,}{page_size:8,}{searches:10,.0f}{searches * page_size / rows:7.2f}{seconds:9.2f}"
        f"{seconds / rows * 1e6:8.2f}{cpu / rows * 1e6:8.2f}{seconds / searches * 1e3:8.2f}{middle(found, 'peak'):9.0f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--days", type=int, nargs="*", default=[2, 19, 190], help="of 5,320 rows each")
    parser.add_argument("--page-sizes", type=int, nargs="*", default=[1000, 500, 200, 100, 50])
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}; 16 in flight, 0 ms\n")
    print(
        f"{'rows':>11}{'page':>8}{'requests':>10}{'x':>7}{'seconds':>9}{'us/row':>8}{'CPU':>8}{'ms/req':>8}{'peak MB':>9}"
    )
    for many in given.days:
        line(many, USUAL, given.rounds)
    print()
    for size in given.page_sizes:
        line(FEW_DAYS, size, given.rounds)
