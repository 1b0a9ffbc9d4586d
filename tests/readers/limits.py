"""What a reader cannot do with a form, whatever wrote the file."""

from __future__ import annotations

from typing import Any

from tests.readers.cases import Case
from tests.readers.comparison import difference

__all__ = ["limit_of"]

_NO_COLUMNS = "an empty file names no columns; take those of the guide"
_CANNOT: dict[tuple[str, str, str | None], str] = {
    ("pandas", "jsonl", "empty"): _NO_COLUMNS,
    ("pyarrow", "jsonl", "empty"): "an empty file is an error",
    ("pyarrow, untold", "jsonl", "empty"): "an empty file is an error",
    ("polars, untold", "jsonl", "empty"): _NO_COLUMNS,
    ("duckdb, untold", "jsonl", "empty"): _NO_COLUMNS,
    ("standard library", "jsonl.zst", None): "Python has Zstandard from 3.14 on",
    ("standard library", "csv.zst", None): "Python has Zstandard from 3.14 on",
}
"""The reasons, by reader, form and case. A form stands for its compressed forms too; None means every case."""
_EMPTY_IS_MISSING = (("standard library", "csv"), ("pandas", "csv"))
"""Readers that do not tell a quoted empty cell, which is an empty text, from an empty cell, which is a missing value."""


def limit_of(found: dict[str, Any], case: Case) -> str | None:
    """Return why a reader cannot read a case of a form as it is. None means that it can."""
    reader, form = found["reader"], found["form"]
    plain = form.partition(".")[0]
    keys = [(reader, one, which) for one in (form, plain) for which in (case.name, None)]
    if reader == "pandas" and form.endswith(".zst") and "zstandard" in found.get("error", ""):
        return "it needs the package zstandard, which is not installed"
    for key in keys:
        if key in _CANNOT:
            return _CANNOT[key]
    if (reader, plain) in _EMPTY_IS_MISSING and difference(found, case, empty_is_missing=True) is None:
        return "a quoted empty cell is read as a missing value"
    return None
