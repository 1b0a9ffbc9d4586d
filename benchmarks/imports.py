"""How long do an import of the package, a session and the command line take to load, in processor time?

Each is a fresh process, in turn, A B A B, after one round that writes the bytecode. The figure is its user and system time,
less that of ``python -c pass`` in the same round; "x" is the median of ratios to ``import aiohttp`` of the same round. The
script fails if ``import aioflows`` costs more than `LIMIT` times as much.

    python benchmarks/imports.py [--rounds 11]
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from statistics import median

BASE = "import aiohttp"
DOOR = "import aioflows"
WAYS = (
    BASE,
    DOOR,
    "from aioflows import FlowQuery, FlowSession",
    "import aioflows.sync",
    "import aioflows.cli.app",
    "import aioflows.emulator",
)
LIMIT = 1.6


def processor_time(code: str) -> float:
    """Return the user and system time of a fresh process (s)."""
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    _, status, usage = os.wait4(os.posix_spawn(sys.executable, [sys.executable, "-c", code], environment), 0)
    assert status == 0, code
    return usage.ru_utime + usage.ru_stime


def main(rounds: int) -> int:
    """Print a table, and return the exit code."""
    for way in WAYS:
        processor_time(way)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        nothing = processor_time("pass")
        for way, times in found.items():
            times.append(processor_time(way) - nothing)
    print(f"Python {platform.python_version()}, {platform.machine()}, {sys.platform}, {rounds} rounds\n")
    print(f"{'':48}{'CPU ms':>8}{'x':>7}")
    ratios = {
        way: median(a / b for a, b in zip(times, found[BASE], strict=True)) for way, times in found.items()
    }
    for way, times in found.items():
        print(f"{way:48}{1000 * median(times):8.0f}{ratios[way]:7.2f}")
    return int(ratios[DOOR] > LIMIT)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    sys.exit(main(parser.parse_args().rounds))
