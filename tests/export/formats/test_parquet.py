"""What a Parquet file and a folder of them hold beside what every format does."""

from __future__ import annotations

import gc
import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from aioflows import FlowInstance, QueryError, ServerFault
from aioflows._tables.columns import Layout
from aioflows.arrow import arrow_schema
from aioflows.export import SinkError, export
from aioflows.export.formats.parquet_file import write_parquet
from tests.support.export_cases import QUERY, Rows, instances

pytestmark = pytest.mark.real_time


async def test_a_file_has_the_documented_types(tmp_path: Path) -> None:
    await export(Rows(instances(30)), QUERY, tmp_path / "out.parquet")
    assert pq.read_schema(tmp_path / "out.parquet").equals(arrow_schema(Layout(), "dictionary"))


async def test_many_parts_become_one_row_group(tmp_path: Path) -> None:
    await export(Rows(instances(95)), QUERY, tmp_path / "out.parquet", every=10)
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 1


async def test_a_folder_has_the_rows_of_a_day_together(tmp_path: Path) -> None:
    rows = instances(50)
    await export(Rows(rows), QUERY, f"{tmp_path / 'out.parquet'}/", every=20)
    table = ds.dataset(tmp_path / "out.parquet", partitioning="hive").to_table()
    found = {(row["date"], row["instance_id"]) for row in table.to_pylist()}
    assert found == {(f"{row.trigger_time:%Y-%m-%d}", row.instance_id) for row in rows}
    assert table.schema.field("trigger_time").type == pa.timestamp("us", tz="UTC")


async def test_a_folder_needs_no_trigger_time_among_its_columns(tmp_path: Path) -> None:
    await export(Rows(instances(50)), QUERY, f"{tmp_path / 'out'}/", columns=["instance_id"])
    files = sorted((tmp_path / "out").glob("date=*/*"))
    assert [path.parent.name for path in files] == ["date=2024-01-01", "date=2024-01-02", "date=2024-01-03"]
    assert pq.read_schema(files[0]).names == ["instance_id"]


async def test_an_instance_without_day_has_a_place_too(tmp_path: Path) -> None:
    await export(Rows([FlowInstance("a")]), QUERY, f"{tmp_path / 'out'}/")
    assert (tmp_path / "out" / "date=__HIVE_DEFAULT_PARTITION__" / "part-000000.parquet").exists()


async def test_a_folder_that_holds_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").touch()
    with pytest.raises(QueryError, match=r"holds 'thesis\.tex'"):
        await export(Rows(instances(3)), QUERY, f"{tmp_path / 'out'}/", overwrite=True)


@pytest.mark.parametrize("name", ["out.parquet", "out.parquet/"])
async def test_a_part_that_was_taken_away_is_noticed(name: str, tmp_path: Path) -> None:
    def fail(handed: int) -> None:
        if handed == 80:
            raise ServerFault(1, "")

    target = f"{tmp_path}/{name}"
    with pytest.raises(ServerFault):
        await export(Rows(instances(95), before=fail), QUERY, target, every=20)
    if name.endswith("/"):
        for part in tmp_path.rglob("part-000001.*"):
            part.unlink()
    else:
        parts = tmp_path / ".out.parquet.aioflows" / "parts"
        parts.write_bytes(parts.read_bytes()[:-1])
    with pytest.raises(SinkError, match="parts are missing"):
        await export(Rows(instances(95)), QUERY, target, resume=True)


async def test_a_file_of_several_parts_is_read_by_others_as_one(tmp_path: Path) -> None:
    rows = instances(75)
    await export(Rows(rows, page=30), QUERY, tmp_path / "out.parquet", every=30)
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups == 3
    found = duckdb.sql(f"SELECT instance_id FROM '{tmp_path / 'out.parquet'}'").fetchall()
    assert [one for (one,) in found] == [row.instance_id for row in rows]


@pytest.mark.parametrize("count", [0, 1, 50])
@pytest.mark.parametrize("reader", ["polars", "pandas", "pyarrow", "duckdb"])
async def test_a_folder_is_read_as_a_whole_by_every_reader(count: int, reader: str, tmp_path: Path) -> None:
    folder = f"{tmp_path}/out/"
    await export(Rows(instances(count)), QUERY, folder, columns=["instance_id", "trigger_time"])
    read = {
        "polars": lambda: pl.read_parquet(folder).to_arrow(),
        "pandas": lambda: pa.Table.from_pandas(pd.read_parquet(folder)),
        "pyarrow": lambda: ds.dataset(folder, partitioning="hive").to_table(),
        "duckdb": lambda: duckdb.sql(f"FROM read_parquet('{folder}')").to_arrow_table(),
    }
    table = read[reader]()
    assert table.num_rows == count
    assert table.column_names[:3] == ["instance_id", "trigger_time", "date"]


async def test_a_finished_folder_without_rows_is_not_written_again(tmp_path: Path) -> None:
    await export(Rows([]), QUERY, f"{tmp_path}/out/")
    (part,) = (tmp_path / "out").rglob("*.parquet")
    before = part.stat().st_mtime_ns
    await export(Rows([]), QUERY, f"{tmp_path}/out/", resume=True)
    assert part.stat().st_mtime_ns == before


async def test_the_days_of_a_folder_are_those_of_the_zone_asked_for(tmp_path: Path) -> None:
    rows = [
        FlowInstance("a", trigger_time=datetime(2024, 1, 1, 18, 29, tzinfo=UTC)),
        FlowInstance("b", trigger_time=datetime(2024, 1, 1, 18, 30, tzinfo=UTC)),
    ]
    await export(Rows(rows), QUERY, f"{tmp_path / 'out'}/", zone="Asia/Kolkata")
    table = ds.dataset(tmp_path / "out", partitioning="hive").to_table()
    assert dict(zip(table["instance_id"].to_pylist(), table["date"].to_pylist(), strict=True)) == {
        "a": "2024-01-01",
        "b": "2024-01-02",
    }


class Full(io.BytesIO):
    """A file on a disk that has room for some bytes.

    Args:
        room: how many.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self._room = room

    def write(self, content: Any, /) -> int:
        if self.tell() + len(content) > self._room:
            raise OSError(28, "No space left on device")
        return super().write(content)


def test_a_full_disk_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that could not be closed does not print a second error when it is collected."""
    told: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    table = pa.table({"id": [f"{number}" for number in range(1_000)]})
    whole = io.BytesIO()
    write_parquet(whole, table.schema, [table])
    for room in (0, 10, len(whole.getvalue()) // 2, len(whole.getvalue()) - 10):
        with pytest.raises(OSError, match="No space left"):
            write_parquet(Full(room), table.schema, [table])
        gc.collect()
    assert not told
