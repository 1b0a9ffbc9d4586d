"""What is in an exported file, read by others than those who wrote it."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

__all__ = ["ENDINGS", "content"]


def _lines(target: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in target.read_text().splitlines()]


def _zstd_lines(target: Path) -> list[dict[str, Any]]:
    import pyarrow as pa

    with pa.input_stream(str(target), compression="zstd") as file:
        return [json.loads(line) for line in file.read().splitlines()]


def _cells(target: Path) -> list[dict[str, Any]]:
    opened = gzip.open if target.suffix == ".gz" else open
    with opened(target, "rt", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _sqlite(target: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(target)) as connection:
        connection.row_factory = sqlite3.Row
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return [dict(row) for row in connection.execute("SELECT * FROM instances ORDER BY rowid")]


def _parquet(target: Path) -> list[dict[str, Any]]:
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    if target.is_file():
        return list(pq.read_table(target).to_pylist())
    files = sorted(target.glob("date=*/part-*.parquet"))
    assert all(path.is_dir() for path in target.iterdir())
    days = [ds.dataset(path).to_table().to_pylist() for path in files]
    return [row for day in days for row in day]


def _duck(target: Path) -> list[dict[str, Any]]:
    import duckdb

    with closing(duckdb.connect(str(target), read_only=True)) as connection:
        return list(connection.sql("SELECT * FROM instances").to_arrow_table().to_pylist())


_READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    ".jsonl": _lines,
    ".csv": _cells,
    ".csv.gz": _cells,
    ".jsonl.zst": _zstd_lines,
    ".sqlite": _sqlite,
    ".parquet": _parquet,
    ".parquet/": _parquet,
    ".duckdb": _duck,
}
ENDINGS = tuple(_READERS)
"""With a "/" where it is a folder."""


def named(folder: Path) -> set[str]:
    """Give the names in a folder."""
    return {path.name for path in folder.iterdir()}


def content(target: Path) -> list[dict[str, Any]]:
    """Give the rows."""
    return _READERS[".parquet/" if target.is_dir() else "".join(target.suffixes)](target)
