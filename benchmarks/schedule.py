"""What does it cost to compute the runs of a schedule?

Two figures with limits: a year of a five-minute schedule, by `Schedule.between`, and one `Schedule.next` at random dates
for random expressions. For scale, the same year as a bare loop over datetimes that knows neither fields nor clock changes.

    python benchmarks/schedule.py [--rounds 7] [--calls 4000]
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # measure the clone that this file lies in

from aioflows.schedule import Schedule

YEAR_LIMIT, NEXT_LIMIT = 0.2, 0.001  # seconds
BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = datetime(2025, 1, 1, tzinfo=BERLIN), datetime(2026, 1, 1, tzinfo=BERLIN)
SAMPLES = Path(__file__).resolve().parents[1] / "tests" / "samples" / "quartz-fires.tsv"


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def year() -> None:
    """Walk over a year of a five-minute schedule."""
    deque(Schedule("0 0/5 * * * ?", BERLIN).between(FIRST, LAST), maxlen=0)


def bare_year() -> None:
    """Walk over as many datetimes, by adding five minutes to the last one."""
    at, step = FIRST, timedelta(minutes=5)
    while at < LAST:
        at += step


def expressions() -> list[tuple[str, str]]:
    lines = SAMPLES.read_text(encoding="utf-8").splitlines()
    return [(one[0], one[1]) for line in lines if not line.startswith("#") for one in [line.split("\t")]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--calls", type=int, default=4_000)
    options = parser.parse_args()

    pairs = [(seconds(bare_year), seconds(year)) for _ in range(options.rounds)]
    of_year = statistics.median(one for _, one in pairs)
    ratio = statistics.median(one / base for base, one in pairs)

    rng = random.Random(1)
    schedules = [Schedule(*one) for one in expressions()]
    calls = [
        (rng.choice(schedules), datetime.fromtimestamp(rng.randrange(4_102_444_800), UTC))
        for _ in range(options.calls)
    ]
    times = sorted(seconds(partial(schedule.next, at)) for schedule, at in calls)
    of_next = statistics.fmean(times)

    print(
        f"{options.rounds} rounds of a year, {options.calls} dates from 1970 to 2099, {len(schedules)} schedules\n"
    )
    print(f"a year of a five-minute schedule  {of_year * 1e3:8.1f} ms   limit {YEAR_LIMIT * 1e3:.0f} ms")
    print(f"  against a bare loop             {ratio:8.2f} x")
    print(f"next() at any date, on average    {of_next * 1e3:8.3f} ms   limit {NEXT_LIMIT * 1e3:.0f} ms")
    print(f"  at the 99th percentile          {times[len(times) * 99 // 100] * 1e3:8.3f} ms")
    print(f"  the slowest                     {times[-1] * 1e3:8.3f} ms")
    return int(of_year > YEAR_LIMIT or of_next > NEXT_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
