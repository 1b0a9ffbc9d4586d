"""Does planning a page cost the same, however large the scan is?

The pure machine in simulated time, over rows that are not there: row n of a scan of N rows lies where N rows spread over a
year put it, so a page of 10^9 rows is made when it is asked for. Printed is what planning a page takes, and what the process
holds at its peak; the smallest scan is run again before each larger one, A B A B, and a ratio is to the runs beside it.

    python benchmarks/scale.py [--pages 10000 100000 1000000] [--page-size 100]
"""

from __future__ import annotations

import argparse
import gc
import platform
import random
from datetime import UTC, datetime
from functools import lru_cache

from aioflows._core.pages.page_request import PageRequest
from aioflows._core.pages.service_facts import ServiceFacts
from aioflows._core.scans.keyset import KeysetScan
from benchmarks.memory import forget_peak, resident
from benchmarks.planner import Page, simulated

START = 1_704_067_200_000
YEAR = 365 * 86_400_000
SLOTS = 16


@lru_cache(maxsize=1024)
def text(second: int) -> str:
    return str(datetime.fromtimestamp(second, tz=UTC))[:19]


def answer(ask: PageRequest, rows: int) -> Page:
    """Make the page that a service with so many rows answers with; many share a second where there are many."""
    low, high = (-(-(ms - START) * rows // YEAR) for ms in (ask.from_ms, ask.to_ms))
    skipped = ask.page_no * ask.page_size
    if ask.descending:
        numbers = range(high - 1 - skipped, max(high - 1 - skipped - ask.page_size, low - 1), -1)
    else:
        numbers = range(low + skipped, min(low + skipped + ask.page_size, high))
    return Page(
        [f"{number:012d}" for number in numbers],
        [text((START + number * YEAR // rows) // 1000) for number in numbers],
    )


def planned(pages: int, page_size: int) -> tuple[float, float, float]:
    """Run a scan of so many pages: microseconds of planning a page, requests over the least, and the peak in MB."""
    rows = pages * page_size
    scan = KeysetScan([(START, START + YEAR)], service=ServiceFacts(), page_size=page_size, concurrency=SLOTS)
    gc.collect()
    before = resident("VmRSS")
    forget_peak()
    done = simulated(scan, SLOTS, lambda ask: answer(ask, rows), random.Random(pages))
    assert done.rows == rows, f"{done.rows:,} of {rows:,} rows"
    return done.spent / done.asked * 1e6, done.asked / pages, resident("VmHWM") - before


def main(options: argparse.Namespace) -> None:
    least, *larger = options.pages
    print(
        f"Python {platform.python_version()}, {platform.machine()}, pages of {options.page_size}, {SLOTS} in flight\n"
    )
    print(f"{'rows':>15}{'pages':>12}{'us/page':>10}{'x':>7}{'requests x least':>18}{'peak MB':>9}")
    beside, *rest = planned(least, options.page_size)
    shown(least, options, beside, 1.0, *rest)
    for pages in larger:
        cost, *rest = planned(pages, options.page_size)
        after = planned(least, options.page_size)[0]
        shown(pages, options, cost, 2 * cost / (beside + after), *rest)
        beside = after


def shown(
    pages: int, options: argparse.Namespace, cost: float, ratio: float, requests: float, peak: float
) -> None:
    print(
        f"{pages * options.page_size:15,}{pages:12,}{cost:10.0f}{ratio:7.2f}{requests:18.3f}{peak:9.1f}",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--page-size", type=int, default=100)
    main(parser.parse_args())
