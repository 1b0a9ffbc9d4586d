"""What is in an exported file, read by others than those who wrote it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["ENDINGS", "content"]


def _lines(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in target.read_text().splitlines()]


def _cells(target: Path) -> list[dict[str, Any]]:
    with target.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


_READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {".jsonl": _lines, ".csv": _cells}
ENDINGS = tuple(_READERS)


def content(target: Path) -> list[dict[str, Any]]:
    """Give the rows."""
    return _READERS[target.suffix](target)
