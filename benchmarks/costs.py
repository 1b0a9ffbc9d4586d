"""What do order, proof, checkpoints and failing answers cost?

The same rows, read in each way by a fresh process, in turn, A B A B, from ready-made answers (`benchmarks.canned`); "x" is the
median of ratios to the hand-tuned loop of the same round, which is told all pages beforehand, keeps no order and proves
nothing. Where the compiled decoder is installed, it is at work but in the ways called "pure Python". "by start time" is an order in which nothing can go out before the last page has come, here with its proof;
"failing" has one answer in a hundred replaced by HTTP 503.

    python benchmarks/costs.py [--days 19] [--rounds 3] [--latencies 0 50] [--page-size 500]
"""

from __future__ import annotations

import argparse
import platform
import sys
from contextlib import ExitStack
from typing import Any

from aioflows._compiled import compiled_decoder
from benchmarks.canned import A_DAY, CannedService
from benchmarks.runs import middle, ratio, run

BASE = "hand-tuned"
PURE = "pure Python"
WAYS = {
    BASE: BASE,
    "in no order": "in no order",
    "in order": "pages()",
    "in order, row by row": "row by row",
    "in order, a checkpoint a page": "checkpoints",
    "in order, failing": "pages()",
    "by start time, proven": "by start time",
}
if compiled_decoder() is not None:
    WAYS |= {
        f"{way}, {PURE}": reader
        for way, reader in WAYS.items()
        if way in ("in no order", "in order", "in order, row by row")
    }
FAILING = 100


def compare(latency: float, options: argparse.Namespace) -> None:
    """Print what each way costs."""
    rows = options.days * A_DAY
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with ExitStack() as open_until_then:
        sound = open_until_then.enter_context(CannedService(rows, latency / 1000))
        failing = open_until_then.enter_context(CannedService(rows, latency / 1000, failing=FAILING))
        for _ in range(options.rounds):
            for way, reader in WAYS.items():
                service = failing if "failing" in way else sound
                found[way].append(run(reader, service, options.page_size, pure=PURE in way))
                assert found[way][-1]["rows"] == rows, f"{way}: {found[way][-1]['rows']:,} of {rows:,} rows"
    print(
        f"\n{rows:,} rows, {latency:g} ms, pages of {options.page_size}, 16 in flight, {options.rounds} rounds"
    )
    print(f"{'':36}{'seconds':>9}{'x':>7}{'CPU s':>8}{'x':>7}{'requests':>10}{'peak MB':>9}")
    for way, results in found.items():
        print(
            f"{way:36}{middle(results, 'seconds'):9.2f}{ratio(results, found[BASE], 'seconds'):7.2f}"
            f"{middle(results, 'cpu'):8.2f}{ratio(results, found[BASE], 'cpu'):7.2f}"
            f"{middle(results, 'searches'):10,.0f}{middle(results, 'peak'):9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=19, help="of 5,320 rows each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latencies", type=float, nargs="*", default=[0, 50], help="ms")
    parser.add_argument("--page-size", type=int, default=500)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}")
    for milliseconds in given.latencies:
        compare(milliseconds, given)
