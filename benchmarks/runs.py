"""Lets a contestant read everything in a process of its own, and compares what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks.canned import CannedService

__all__ = ["middle", "ratio", "run"]


def run(name: str, service: CannedService, page_size: int, *flags: str, pure: bool = False) -> dict[str, Any]:
    """Let one of the `CONTESTANTS` read, and give its rows, seconds, CPU seconds, peak in MB over the imports, and requests.

    With *pure*, it reads without the compiled decoder.
    """
    service.counted()
    numbers = [str(number) for number in (service.start_ms, service.end_ms, page_size)]
    command = [sys.executable, "-m", "benchmarks.contestants", name, service.url, *numbers, *flags]
    variables = os.environ | {"AIOFLOWS_PURE": "1"} if pure else None
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    found.update(service.counted())
    return found


def middle(found: Sequence[dict[str, Any]], key: str) -> float:
    """Give the median of a figure over the rounds."""
    return float(median(one[key] for one in found))


def ratio(found: Sequence[dict[str, Any]], base: Sequence[dict[str, Any]], key: str) -> float:
    """Give the median, over the rounds, of a figure in units of the base's in the same round."""
    return float(median(one[key] / other[key] for one, other in zip(found, base, strict=True)))
