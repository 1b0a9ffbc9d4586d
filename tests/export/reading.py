"""What is in an exported file, read by others than those who wrote it."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["ENDINGS", "content"]


def _lines(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in target.read_text().splitlines()]


def _cells(target: Path) -> list[dict[str, Any]]:
    with target.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _sqlite(target: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(target)) as connection:
        connection.row_factory = sqlite3.Row
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [dict(row) for row in connection.execute("SELECT * FROM instances ORDER BY rowid")]


_READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    ".jsonl": _lines,
    ".csv": _cells,
    ".sqlite": _sqlite,
}
ENDINGS = tuple(_READERS)


def content(target: Path) -> list[dict[str, Any]]:
    """Give the rows."""
    return _READERS[target.suffix](target)
