"""How tests run the command line: in a process of its own, as people do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
PATIENCE = 30


@attrs.frozen
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: nothing of ours that it would take for its own."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("AIOFLOWS_", "NO_COLOR"))
    }
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "100"} | more


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "aioflows", *arguments]


def run(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        command(*arguments),
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
