"""Runs every benchmark, each in a process of its own, one after the other: ``python -m benchmarks [NAME ...]``.

What each asks, and what it can be told, is in its first lines. All of them take about an hour and a half; nothing else should
run on the machine meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SHARED = {"__main__", "canned", "contestants", "rows", "runs", "web_applications", "worlds"}
"""What the others are made of."""


def main(names: list[str]) -> int:
    """Run those named, or all; give how many failed."""
    here = Path(__file__).parent
    known = sorted(path.stem for path in here.glob("*.py") if path.stem not in SHARED)
    if unknown := [name for name in names if name not in known]:
        print(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    failed = []
    for name in names or known:
        print(f"\n=== {name}\n", flush=True)
        if subprocess.run([sys.executable, here / f"{name}.py"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
