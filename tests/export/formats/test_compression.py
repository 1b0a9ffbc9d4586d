"""Compressed texts are one text for every reader, however often the export was continued."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from pyarrow import csv as arrow_csv

from aioflows import QueryError, ServerFault
from aioflows.export import export
from tests.support.export_cases import QUERY, Rows, instances

pytestmark = pytest.mark.real_time  # a thread writes the files

READERS: dict[str, Callable[[str], list[str]]] = {
    "polars": lambda path: pl.read_csv(path)["instance_id"].to_list(),
    "pandas": lambda path: pd.read_csv(path)["instance_id"].tolist(),
    "pyarrow": lambda path: arrow_csv.read_csv(path)["instance_id"].to_pylist(),
    "duckdb": lambda path: [row[0] for row in duckdb.sql(f"FROM read_csv('{path}')").fetchall()],
}
COLUMNS = ["instance_id", "flow_name", "trigger_time"]


async def continued(target: Path) -> None:
    """Export 95 rows in four runs, three of which fail."""
    for end in (30, 50, 80, None):

        def fail(handed: int, end: int | None = end) -> None:
            if handed == end:
                raise ServerFault(1, "")

        try:
            await export(
                Rows(instances(95), before=fail), QUERY, target, columns=COLUMNS, every=10, resume=True
            )
        except ServerFault:
            assert end is not None


async def test_gzip_is_one_member_after_several_runs(tmp_path: Path) -> None:
    await continued(tmp_path / "out.csv.gz")
    await export(Rows(instances(95)), QUERY, tmp_path / "out.csv", columns=COLUMNS)
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    text = reader.decompress((tmp_path / "out.csv.gz").read_bytes())
    assert reader.eof
    assert not reader.unused_data
    assert text == (tmp_path / "out.csv").read_bytes()


@pytest.mark.parametrize(
    ("reader", "ending"),
    [(reader, ending) for ending in (".csv.gz", ".csv.zst") for reader in ("polars", "pyarrow", "duckdb")]
    + [("pandas", ".csv.gz")],  # it needs another package for .zst
)
async def test_every_reader_finds_all_rows(reader: str, ending: str, tmp_path: Path) -> None:
    target = tmp_path / f"out{ending}"
    await continued(target)
    assert READERS[reader](str(target)) == [row.instance_id for row in instances(95)]


async def test_an_empty_export_is_a_whole_file(tmp_path: Path) -> None:
    await export(Rows([]), QUERY, tmp_path / "out.jsonl.gz")
    assert zlib.decompress((tmp_path / "out.jsonl.gz").read_bytes(), 16 + zlib.MAX_WBITS) == b""


async def test_a_format_that_compresses_itself_is_not_compressed_again(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"parquet files are compressed inside; leave '\.gz' out"):
        await export(Rows([]), QUERY, tmp_path / "out.parquet.gz")
